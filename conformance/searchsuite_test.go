package conformance_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// minimum is how many assertions the suite makes at least.
const minimum = 300

// perParam is how many searches of one parameter a run makes, drawn from all its forms.
const perParam = 4

// Everything that can be searched for is searched for, and each answer is compared with that of an
// evaluator in memory that was written from R4 search.html.
func TestSearchAgreesWithEvaluator(t *testing.T) {
	t.Parallel()
	l := newLibrary(t)
	asked, found := 0, 0
	ask := func(t *testing.T, kind string, pairs ...pair) {
		t.Helper()
		asked++
		if l.ask(t, kind, pairs...) {
			found++
		}
	}
	t.Run("stored", func(t *testing.T) {
		for kind, list := range l.refused {
			t.Errorf("%s: %d refused, the first: %s", kind, len(list), list[0])
		}
	})
	for _, kind := range l.types() {
		t.Run(kind, func(t *testing.T) {
			for _, q := range l.askers(kind) {
				list := q.pairs()
				l.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
				for _, one := range list[:min(perParam, len(list))] {
					ask(t, kind, one)
				}
			}
		})
	}
	t.Run("together", func(t *testing.T) {
		for _, kind := range l.types() {
			list := l.askers(kind)
			for range 3 {
				a, b := pick(l.random, list), pick(l.random, list)
				x, y := a.pairs(), b.pairs()
				if a.p.Type != "reference" && b.p.Type != "reference" && len(x) > 0 && len(y) > 0 {
					ask(t, kind, pick(l.random, x), pick(l.random, y))
				}
			}
		}
	})
	t.Run("by hand", func(t *testing.T) {
		for _, c := range searchCases(l) {
			kind, query, _ := strings.Cut(c, "?")
			var pairs []pair
			for one := range strings.SplitSeq(query, "&") {
				name, value, _ := strings.Cut(one, "=")
				pairs = append(pairs, pair{name, value})
			}
			ask(t, kind, pairs...)
		}
	})
	t.Run("chain", func(t *testing.T) { l.chains(t, ask) })
	t.Run("list", func(t *testing.T) { l.lists(t, ask) })
	t.Logf("%d searches, %d of them found something", asked, found)
	if asked < minimum || found < asked/3 {
		t.Errorf("%d searches, %d of them found something: the suite shows too little", asked, found)
	}
}

// What comes with what is found, in which order and on which page, agrees as well.
func TestSearchResultsAgreeWithEvaluator(t *testing.T) {
	t.Parallel()
	l := newLibrary(t)
	t.Run("pages", func(t *testing.T) {
		for _, kind := range l.types() {
			l.paged(t, kind)
		}
		l.paged(t, "Task", pair{"patient", l.eval.search("Patient")[0]})
	})
	t.Run("sort", func(t *testing.T) {
		for _, kind := range l.types() {
			for _, q := range l.askers(kind) {
				if inParts[kind+"."+q.p.Code] {
					l.refusedBy(t, kind, "_sort", "-"+q.p.Code, "http._sort", "search.sort-part")
				} else if q.p.Type == "date" || q.p.Type == "string" {
					l.sorted(t, kind, q.p, false)
					l.sorted(t, kind, q.p, true)
				}
				if told := q.p.Type != "token" && strings.Contains(l.told(kind, q.p.Code), "Not for _sort"); told != inParts[kind+"."+q.p.Code] {
					t.Errorf("%s.%s: it is told not to be sorted by: %v", kind, q.p.Code, told)
				}
			}
		}
	})
	t.Run("total", func(t *testing.T) {
		for _, kind := range l.types() {
			l.total(t, kind)
		}
		l.total(t, "Observation", pair{"status", "final"})
		l.total(t, "Patient", pair{"name", "finnes ikke"})
	})
	t.Run("include", func(t *testing.T) {
		found := 0
		for _, kind := range l.types() {
			for _, q := range l.askers(kind) {
				if q.p.Type != "reference" || len(q.pointedAt()) == 0 {
					continue
				}
				if l.included(t, kind, "_include", kind+":"+q.p.Code) {
					found++
				}
				for _, target := range q.pointedAt() {
					l.included(t, kind, "_include", kind+":"+q.p.Code+":"+target)
					if l.included(t, target, "_revinclude", kind+":"+q.p.Code) {
						found++
					}
				}
			}
		}
		if found < 20 {
			t.Errorf("only %d includes found something", found)
		}
	})
	t.Run("iterate", func(t *testing.T) { l.iterate(t) })
	t.Run("post", func(t *testing.T) {
		l.posted(t, "Observation", pair{"status", "final"}, pair{"code", "vekt"})
		l.posted(t, "Patient", pair{"name", "ås"}, pair{"birthdate", "ge1980"})
	})
	t.Run("trimmed", func(t *testing.T) { l.trimmed(t) })
	t.Run("system", func(t *testing.T) { l.system(t) })
	t.Run("compartment", func(t *testing.T) { l.compartment(t) })
}

// inParts are parameters whose values carry labels of their own: nothing is ever put in order by
// them, so that no order tells of what is hidden, and to ask for it is refused.
var inParts = map[string]bool{
	"CarePlan.activity-date": true, "Patient.death-date": true, "Patient.mothersMaidenName": true, "Patient.address": true, "Patient.address-city": true,
	"Patient.address-country": true, "Patient.address-postalcode": true, "Patient.address-state": true,
	"RelatedPerson.address": true, "RelatedPerson.address-city": true, "RelatedPerson.address-country": true,
	"RelatedPerson.address-postalcode": true, "RelatedPerson.address-state": true, "Encounter.location-period": true,
	"Observation.component-value-quantity": true, "Observation.combo-value-quantity": true,
}

// told is what the CapabilityStatement says of a parameter.
func (l *library) told(kind, code string) string {
	at := slices.IndexFunc(l.offers[kind], func(o offer) bool { return o.Name == code })
	return l.offers[kind][at].Documentation
}

// types lists what is searched, in order.
func (l *library) types() (list []string) {
	for kind := range l.eval.kinds {
		list = append(list, kind)
	}
	slices.Sort(list)
	return list
}

// askers gives one for each parameter of a type that the server offers.
func (l *library) askers(kind string) (list []*asker) {
	for _, p := range r4Table().of(kind) {
		if l.offering(kind, p.Code) {
			list = append(list, &asker{l, kind, p})
		}
	}
	return list
}

// pointedAt lists the types that references of the parameter name.
func (q *asker) pointedAt() (list []string) {
	for _, r := range q.eval.kinds[q.kind] {
		for _, to := range q.eval.targets(r, q.p.Code) {
			kind, _, _ := strings.Cut(to, "/")
			if q.eval.kinds[kind] != nil && !slices.Contains(list, kind) {
				list = append(list, kind)
			}
		}
	}
	slices.Sort(list)
	return list[:min(3, len(list))]
}

// chains goes over every reference parameter in both directions, and over two.
func (l *library) chains(t *testing.T, ask func(*testing.T, string, ...pair)) {
	for _, kind := range l.types() {
		for _, q := range l.askers(kind) {
			if q.p.Type != "reference" {
				continue
			}
			chained, has, target := q.links(t)
			for _, one := range chained {
				ask(t, kind, one)
			}
			for _, one := range has {
				ask(t, target, one)
			}
		}
	}
	for _, one := range []struct{ kind, name, value string }{
		{"Task", "patient.family", "å"}, {"Task", "patient.name:contains", "a"}, {"Observation", "subject:Patient.name", "å"},
		{"Task", "patient.general-practitioner:Practitioner.name", "a"}, {"Task", "patient:Patient.organization.name", "bydel"},
		{"Patient", "_has:Observation:patient:code", "vekt"}, {"Patient", "_has:Observation:subject:status", "final"},
		{"Practitioner", "_has:PractitionerRole:practitioner:organization.name", "bydel"},
		{"Practitioner", "_has:Patient:general-practitioner:_has:Observation:patient:code", "vekt"},
	} {
		ask(t, one.kind, pair{one.name, one.value})
	}
}

// system searches several types at once (R4 http.html#search).
func (l *library) system(t *testing.T) {
	for _, kinds := range []string{"Patient,Observation", "Task", "Practitioner,Organization,Patient"} {
		var want []string
		for kind := range strings.SplitSeq(kinds, ",") {
			want = append(want, l.eval.search(kind)...)
		}
		slices.Sort(want)
		path := "/fhir?_type=" + kinds + "&_count=7"
		var got []string
		for path != "" {
			a := l.asked(t, path)
			if a.status != http.StatusOK {
				return
			}
			page := read(t, a.body)
			got = append(got, page.keys("match")...)
			path = strings.TrimPrefix(page.next(), l.base)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("_type=%s: %v, want %v", kinds, got, want)
		}
	}
}

// compartment searches what is in the compartment of a patient (R4 compartmentdefinition-patient).
func (l *library) compartment(t *testing.T) {
	for kind, names := range map[string][]string{
		"Observation": {"subject", "performer"}, "CarePlan": {"patient", "performer"}, "Communication": {"subject", "sender", "recipient"},
		"Condition": {"patient", "asserter"}, "AllergyIntolerance": {"patient", "recorder", "asserter"}, "ServiceRequest": {"subject", "performer"},
		"QuestionnaireResponse": {"subject", "author"}, "DocumentReference": {"subject", "author"}, "CareTeam": {"patient", "participant"},
	} {
		for _, patient := range l.eval.search("Patient")[:2] {
			want := []string{}
			for _, name := range names {
				want = append(want, l.eval.search(kind, pair{name, patient})...)
			}
			slices.Sort(want)
			want = slices.Compact(want)
			a := l.asked(t, "/fhir/"+patient+"/"+kind+"?_count=200")
			if a.status != http.StatusOK {
				continue
			}
			if got := read(t, a.body).keys("match"); !slices.Equal(got, want) {
				t.Errorf("%s/%s: %v, want %v", patient, kind, got, want)
			}
		}
	}
}
