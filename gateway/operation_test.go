package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// recordTypes are those that the tests of operations look at.
var recordTypes = []fhir.Type{
	"CarePlan", "Consent", "Goal", "Observation", "Organization", "Patient", "Practitioner", "QuestionnaireResponse", "Task",
}

// operate performs an operation on what the reference names.
func (w *world) operate(a gateway.Actor, r fhir.Reference, o gateway.Operation, body string, with ...func(*gateway.Search)) (gateway.Outcome, error) {
	w.t.Helper()
	in := gateway.Interaction{Code: gateway.Operate, Target: r, Operation: o}
	in.Search = gateway.Search{Count: 100, Base: "http://sluse.test/fhir", Canonical: r.String() + "/$" + string(o.Name)}
	in.Search.Self = in.Search.Base + "/" + in.Search.Canonical
	for _, f := range with {
		f(&in.Search)
	}
	if body != "" {
		in.Body = parse(w.t, body)
	}
	return w.Do(context.Background(), a, in)
}

func (w *world) everything(a gateway.Actor, r fhir.Reference, with ...func(*gateway.Search)) (string, error) {
	out, err := w.operate(a, r, gateway.Operation{Name: gateway.Everything, Types: recordTypes}, "", with...)
	return bodyOf(out), err
}

// told is what a test looks at of a Bundle.
type told struct {
	Link  []struct{ Relation, URL string }
	Entry []struct {
		FullURL  string
		Resource map[string]any
		Search   struct{ Mode string }
	}
}

func bundleOf(t testing.TB, body string) (b told) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return b
}

func (b told) urls(mode string) (list []string) {
	for _, e := range b.Entry {
		if e.Search.Mode == mode {
			list = append(list, strings.TrimPrefix(e.FullURL, "http://sluse.test/fhir/"))
		}
	}
	return list
}

func (b told) next() string {
	for _, l := range b.Link {
		if l.Relation == "next" {
			_, page, _ := strings.Cut(l.URL, "_page=")
			return page
		}
	}
	return ""
}

func onPage(count int, page string) func(*gateway.Search) {
	return func(s *gateway.Search) { s.Count, s.Page = count, page }
}

// $everything over hidden records gives the bytes that it gives where they are not there: to a party
// with nothing shared, to one with something shared, by its own Patient and by another's.
func TestEverythingHidesWhatIsHidden(t *testing.T) {
	t.Parallel()
	var answers [2][]string
	for i := range answers {
		w := newWorld(t)
		theirs := fhir.Reference{Type: "Patient", ID: fhir.ID(bydel) + "-kari"}
		_, err := w.put(at(bydel), strings.Replace(patientBody(kari), `{`, `{"id":"`+string(theirs.ID)+`",`, 1), "")
		must(t, err)
		mine := fhir.Reference{Type: "Patient", ID: fhir.ID(ous) + "-kari"}
		_, err = w.put(at(ous), strings.Replace(patientBody(kari), `{`, `{"id":"`+string(mine.ID)+`",`, 1), "")
		must(t, err)
		w.mustPost(at(bydel), consentOf(theirs, []string{"plan", "bolig"}, ous))
		if i == 0 {
			w.mustPost(at(bydel), fmt.Sprintf(`{"resourceType":"Observation","status":"final","code":{"text":"kanari"},"subject":{"reference":"%s"},
				"performer":[{"reference":"Organization/%s-%s"}]}`, theirs, drift, gp))
			w.mustPost(at(sosial), plan(w.patientOf(at(sosial), kari), "sosial"))
		}
		for _, ask := range []struct {
			party gateway.HERID
			named fhir.Reference
		}{{ous, mine}, {ous, theirs}, {gp, theirs}, {gp, fhir.Reference{Type: "Patient", ID: "finnes-ikke"}}} {
			body, err := w.everything(at(ask.party), ask.named)
			answers[i] = append(answers[i], fmt.Sprint(masked(body), gateway.CodeOf(err), err))
		}
		wantNone(t, strings.Join(answers[i], ""), "kanari")
	}
	for i, with := range answers[0] {
		if without := answers[1][i]; with != without {
			t.Errorf("answer %d tells of what is hidden:\n%s\n%s", i, with, without)
		}
	}
	if answers[0][2] != answers[0][3] || !strings.Contains(answers[0][2], string(gateway.NotFound)) {
		t.Errorf("a hidden Patient differs from none: %s, %s", answers[0][2], answers[0][3])
	}
	if !strings.Contains(answers[0][0], "Patient/"+string(ous)+"-kari") {
		t.Errorf("the own Patient is missing: %s", answers[0][0])
	}
}

var random = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|2026-11-02T[0-9:.]+Z`)

// masked leaves out what is random, and times.
func masked(body string) string { return random.ReplaceAllString(body, "x") }

// The own Patient stands for the whole person: what is shared is there with what is not taken out, the
// directory beside it, pages neither skip nor repeat, and the ledger has a line for each custodian.
func TestEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine, theirs := w.patientOf(at(ous), kari), w.patientOf(at(bydel), kari)
	other := w.patientOf(at(ous), ola)
	practitioner := w.mustPost(at(bydel), `{"resourceType":"Practitioner","name":[{"family":"Lin"}]}`)
	hidden := w.mustPost(at(bydel), `{"resourceType":"Practitioner","name":[{"family":"Skjult"}]}`)
	w.mustPost(at(bydel), consentOf(theirs, []string{"plan", "bolig"}, ous))
	body := strings.Replace(plan(theirs, "x"), `"title"`, `"author":{"reference":"`+practitioner.String()+`"},"title"`, 1)
	body = strings.Replace(body, `"description":"kanari-okonomi-x"`, `"description":"kanari-okonomi-x","performer":[{"reference":"`+hidden.String()+`"}]`, 1)
	shared := w.mustPost(at(bydel), body)
	var own []string
	for n := range 7 {
		own = append(own, w.mustPost(at(ous), plan(mine, fmt.Sprint("egen", n))).String())
	}
	w.mustPost(at(ous), plan(other, "annen"))
	want := append([]string{mine.String(), shared.String()}, own...)

	whole, err := w.everything(at(ous), mine)
	must(t, err)
	b := bundleOf(t, whole)
	got := b.urls("match")
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s is missing in %v", name, got)
		}
	}
	wantNone(t, whole, "kanari-okonomi-x", "kanari-annen", other.String(), "kanari-narrativ-x", "Skjult")
	if !strings.Contains(whole, "kanari-bolig-x") {
		t.Error("what is shared is missing")
	}
	if beside := b.urls("include"); !slices.Contains(beside, practitioner.String()) || slices.Contains(beside, hidden.String()) {
		t.Errorf("beside it: %v", beside)
	}
	var paged []string
	for page, n := "", 0; n < 20; n++ {
		body, err := w.everything(at(ous), mine, onPage(2, page))
		must(t, err)
		b := bundleOf(t, body)
		paged = append(paged, b.urls("match")...)
		if n == 1 { // what changes meanwhile is neither skipped nor repeated for what follows
			w.mustPost(at(ous), plan(mine, "senere"))
		}
		if page = b.next(); page == "" {
			break
		}
	}
	if !slices.Equal(paged, got) {
		t.Errorf("pages: %v\nwhole: %v", paged, got)
	}
	first, err := w.everything(at(ous), mine, onPage(2, ""))
	must(t, err)
	_, err = w.everything(at(bydel), mine, onPage(2, bundleOf(t, first).next()))
	wantCode(t, err, gateway.BadQuery)

	custodian, err := w.find(at(bydel), "AuditEvent", gateway.Search{Count: 100})
	must(t, err)
	if !strings.Contains(custodian, shared.String()) || strings.Contains(custodian, own[0]) || !strings.Contains(custodian, `"code":"operation"`) {
		t.Errorf("what the custodian reads in the ledger: %s", custodian)
	}
}

// Dates, versions and types narrow what is given; what has no date is always there.
func TestEverythingNarrowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine := w.patientOf(at(ous), kari)
	old := w.mustPost(at(ous), strings.Replace(plan(mine, "gammel"), `"title"`, `"period":{"start":"2025-01-01","end":"2025-02-01"},"title"`, 1))
	since := w.clock.time()
	late := w.mustPost(at(ous), strings.Replace(plan(mine, "ny"), `"title"`, `"period":{"start":"2026-10-01"},"title"`, 1))
	day := func(s string) time.Time { low, _, err := fhir.ParseDate(s); must(t, err); return low }
	for name, tt := range map[string]struct {
		o    gateway.Operation
		want []string
	}{
		"start": {gateway.Operation{Types: recordTypes, Low: day("2026-01-01")}, []string{late.String(), mine.String()}},
		"end":   {gateway.Operation{Types: recordTypes, High: day("2026-01-01")}, []string{old.String(), mine.String()}},
		"since": {gateway.Operation{Types: recordTypes, Since: since}, []string{late.String()}},
		"type":  {gateway.Operation{Types: []fhir.Type{"Patient"}}, []string{mine.String()}},
		"none":  {gateway.Operation{Types: []fhir.Type{"Goal"}}, nil},
	} {
		tt.o.Name = gateway.Everything
		out, err := w.operate(at(ous), mine, tt.o, "")
		must(t, err)
		if got := bundleOf(t, bodyOf(out)).urls("match"); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// Without an id the operation is the patient's own; emergency access has none.
func TestOperationsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine := w.patientOf(at(ous), kari)
	_, err := w.everything(at(ous), fhir.Reference{Type: "Patient"})
	wantCode(t, err, gateway.Forbidden)
	emergency := at(ous)
	emergency.Purpose = gateway.BreakTheGlass
	for _, name := range []gateway.OperationName{gateway.Everything, gateway.Meta, gateway.MetaAdd, gateway.Validation} {
		_, err := w.operate(emergency, mine, gateway.Operation{Name: name, Types: recordTypes}, "")
		wantCode(t, err, gateway.Forbidden)
	}
	_, err = w.operate(at(ous), mine, gateway.Operation{Name: "lookup"}, "")
	wantCode(t, err, gateway.NotSupported)

	herself := w.mustPost(w.patient(), patientBody(kari))
	body, err := w.everything(w.patient(), fhir.Reference{Type: "Patient"})
	must(t, err)
	want := []string{herself.String(), mine.String()} // all Patients that are she, whoever keeps them (pbrl. § 5-1)
	slices.Sort(want)
	got := bundleOf(t, body).urls("match")
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("herself: %v", got)
	}
}
