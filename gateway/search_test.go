package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// bundle is what a search answers.
type bundle struct {
	Total *int `json:"total"`
	Link  []struct{ Relation, URL string }
	Entry []struct {
		Resource json.RawMessage
		Search   struct{ Mode string }
	}
}

func (b bundle) next() string {
	for _, l := range b.Link {
		if l.Relation == "next" {
			u, err := url.Parse(l.URL)
			if err == nil {
				return u.Query().Get("_page")
			}
		}
	}
	return ""
}

// names lists what is on the page: titles or types, "+" before what was brought along.
func (b bundle) names(t testing.TB) (out []string) {
	t.Helper()
	for _, e := range b.Entry {
		var r struct{ ResourceType, Title, Description string }
		if err := json.Unmarshal(e.Resource, &r); err != nil {
			t.Fatal(err)
		}
		switch e.Search.Mode {
		case "match":
			out = append(out, r.ResourceType+r.Title+r.Description)
		case "include":
			out = append(out, "+"+r.ResourceType+r.Title+r.Description)
		}
	}
	return out
}

// seek searches as a client writes it.
func (w *world) seek(a gateway.Actor, kind fhir.Type, query string, change ...func(*gateway.Search)) bundle {
	w.t.Helper()
	var params []fhir.Parameter
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(pair, "="); pair != "" {
			params = append(params, fhir.Parameter{Name: name, Value: value})
		}
	}
	q, _, err := fhir.ParseQuery(kind, params, fhir.QueryConfig{})
	must(w.t, err)
	s := gateway.Search{
		Criteria: q.Criteria, By: q.Sort, Sort: gateway.Sort{Descending: true}, Count: q.Count, Page: q.Page, Includes: q.Includes,
		Summary: q.Summary, Elements: q.Elements, Total: q.Total, Canonical: string(kind) + "?" + q.Canonical,
		Base: "http://sluse.test/fhir", Self: "http://sluse.test/fhir/" + string(kind) + "?",
	}
	code := gateway.Find
	if kind == "" {
		s.Types, code = q.Types, gateway.FindSystem
	}
	for _, f := range change {
		f(&s)
	}
	out, err := w.Do(context.Background(), a, gateway.Interaction{Code: code, Target: fhir.Reference{Type: kind}, Search: s})
	must(w.t, err)
	var b bundle
	must(w.t, json.Unmarshal([]byte(bodyOf(out)), &b))
	return b
}

func (w *world) wants(b bundle, what string, want ...string) {
	w.t.Helper()
	got := b.names(w.t)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// What a search brings along, counts and shows is what may be read, whichever way it is asked.
func TestSearchBringsOnlyWhatMayBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	order := func(label, name string) fhir.Reference {
		return w.mustPost(at(bydel), fmt.Sprintf(`{"resourceType":"ServiceRequest","status":"active","intent":"order","subject":{"reference":"%s"},
			"authoredOn":"2026-10-02","code":{"text":"%s"},"meta":{"security":[{"system":"%s","code":"%s"}]}}`, p, name, gateway.LabelSystem, label))
	}
	open, secret := order("plan", "åpen"), order("rus", "skjult")
	task := func(focus fhir.Reference, part, name string) fhir.Reference {
		more := ""
		if part != "" {
			more = `,"partOf":[{"reference":"` + part + `"}]`
		}
		if focus == secret {
			more += `,"meta":{"security":[{"system":"` + gateway.LabelSystem + `","code":"rus"}]}`
		}
		return w.mustPost(at(bydel), fmt.Sprintf(`{"resourceType":"Task","status":"ready","intent":"order","description":" %s","for":{"reference":"%s"},
			"focus":{"reference":"%s"},"owner":{"reference":"Organization/%s-%s"},"authoredOn":"2026-10-03"%s}`, name, p, focus, drift, ous, more))
	}
	first := task(open, "", "a")
	task(secret, first.String(), "skjult")
	task(open, first.String(), "b")
	w.mustPost(at(bydel), consentOf(p, []string{"plan", "henvisning", "samarbeid"}, ous))

	w.wants(w.seek(at(ous), "Task", "_total=accurate"), "tasks", "Task a", "Task b")
	for _, total := range []string{"accurate", "estimate"} {
		if b := w.seek(at(ous), "Task", "_total="+total+"&_count=1"); b.Total == nil || *b.Total != 2 || b.next() == "" {
			t.Errorf("%s: total %v, next %q", total, b.Total, b.next())
		}
	}
	for _, query := range []string{"_summary=count", "_count=0"} {
		if b := w.seek(at(ous), "Task", query); b.Total == nil || *b.Total != 2 || len(b.names(t)) != 0 {
			t.Errorf("%s: %+v", query, b)
		}
	}
	if b := w.seek(at(ous), "Task", "_total=none"); b.Total != nil {
		t.Errorf("a total that nobody asked for: %d", *b.Total)
	}
	w.wants(w.seek(at(ous), "Task", "_include=Task:focus"), "include", "Task a", "Task b", "+ServiceRequest")
	w.wants(w.seek(at(ous), "Task", "_include=Task:owner"), "include of the directory", "Task a", "Task b", "+Organization")
	w.wants(w.seek(at(ous), "Task", "_include=Task:patient&_include:iterate=Patient:organization"), "include the patient", "Task a", "Task b", "+Patient")
	w.wants(w.seek(at(bydel), "ServiceRequest", "_revinclude=Task:focus"), "the custodian's own", "ServiceRequest", "ServiceRequest", "+Task a", "+Task b", "+Task skjult")
	w.wants(w.seek(at(ous), "ServiceRequest", "_revinclude=Task:focus"), "revinclude", "ServiceRequest", "+Task a", "+Task b")
	w.wants(w.seek(at(ous), "ServiceRequest", "_revinclude=Task:focus&_revinclude:iterate=Task:part-of"), "revinclude again", "ServiceRequest", "+Task a", "+Task b")
	w.wants(w.seek(at(ous), "Task", "part-of="+first.String()+"&_include:iterate=Task:part-of"), "along parts", "Task b", "+Task a")
	w.wants(w.seek(at(ous), "Organization", "_id="+string(drift+"-"+ous)+"&_revinclude=Task:owner"), "revinclude to the directory", "Organization", "+Task a", "+Task b")
	w.wants(w.seek(at(gp), "Organization", "_id="+string(drift+"-"+ous)+"&_revinclude=Task:owner"), "revinclude of what is not shared", "Organization")
	w.wants(w.seek(at(gp), "Organization", "_has:Task:owner:status=ready"), "has of what is not shared")
	w.wants(w.seek(at(ous), "Organization", "_has:Task:owner:status=ready"), "has", "Organization")

	w.wants(w.seek(at(ous), "", "_type=Task,ServiceRequest,Organization&_id="+string(first.ID)+","+string(open.ID)+","+string(secret.ID)), "system", "Task a", "ServiceRequest")
	within := func(s *gateway.Search) { s.Subject, s.Compartment = gateway.Subject{Patient: p}, true }
	w.wants(w.seek(at(ous), "ServiceRequest", "", within), "compartment", "ServiceRequest")
	w.wants(w.seek(at(ous), "", "_type=ServiceRequest,Consent,Patient", within), "all of the compartment, the permit that names the asker too", "ServiceRequest", "Consent", "Patient")
	w.wants(w.seek(at(gp), "", "_type=ServiceRequest,Consent,Patient", within), "another's compartment")
}

// What is shown of a resource is what was asked for, marked as such.
func TestSearchShowsWhatIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	w.mustPost(at(bydel), plan(p, "vist"))
	for query, want := range map[string]string{
		"_elements=title": "id intent meta resourceType status subject title",
		"_summary=text":   "id intent meta resourceType status subject text",
		"_summary=data":   "activity created id intent meta resourceType status subject title",
		"_summary=true":   "created id intent meta resourceType status subject title",
		"_summary=false":  "activity created id intent meta resourceType status subject text title",
	} {
		b := w.seek(at(bydel), "CarePlan", query)
		var r map[string]json.RawMessage
		must(t, json.Unmarshal(b.Entry[0].Resource, &r))
		names := make([]string, 0, len(r))
		for name := range r {
			names = append(names, name)
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
		if marked := strings.Contains(string(r["meta"]), "SUBSETTED"); marked != (query != "_summary=false") {
			t.Errorf("%s: marked %v", query, marked)
		}
	}
}

// Pages neither skip nor repeat, while records are changed, made and moved between them.
func TestPagesStandStill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	w.mustPost(at(bydel), consentOf(p, []string{"plan"}, ous))
	body := func(n int, id, date string) string {
		return fmt.Sprintf(`{"resourceType":"CarePlan"%s,"status":"active","intent":"plan","subject":{"reference":"%s"},"created":"%s","title":"-%02d"}`, id, p, date, n)
	}
	refs := make([]fhir.Reference, 12)
	for n := range refs {
		refs[n] = w.mustPost(at(bydel), body(n, "", fmt.Sprintf("2026-10-%02d", 1+n)))
		w.clock.forward(time.Second)
	}
	for _, who := range []gateway.Actor{at(bydel), at(ous)} {
		for _, sort := range []gateway.Sort{{Descending: true}, {}, {Param: "_lastUpdated", Descending: true}, {Param: "_lastUpdated"}} {
			var seen []string
			page, rounds := "", 0
			for {
				b := w.seek(who, "CarePlan", "_count=3", func(s *gateway.Search) { s.Sort, s.Page = sort, page })
				seen = append(seen, b.names(t)...)
				if page = b.next(); page == "" || len(seen) > 40 {
					break
				}
				w.clock.forward(time.Second)
				for _, n := range []int{rounds, 11 - rounds} { // one from each end moves to the other
					_, err := w.put(at(bydel), body(n, `,"id":"`+string(refs[n].ID)+`"`, fmt.Sprintf("2026-10-%02d", 28-n-rounds)), "")
					must(t, err)
				}
				w.clock.forward(time.Second)
				made := w.mustPost(at(bydel), body(99, "", "2026-10-15"))
				_, err := w.Do(context.Background(), at(bydel), gateway.Interaction{Code: gateway.Delete, Target: made})
				must(t, err)
				rounds++
			}
			slices.Sort(seen)
			var want []string
			for n := range refs {
				want = append(want, fmt.Sprintf("CarePlan-%02d", n))
			}
			if !slices.Equal(seen, want) {
				t.Errorf("%s, %+v: %v", who.Party, sort, seen)
			}
		}
	}
}

// Pages in an order by values give every row once, those without a value last.
func TestPagesByValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	for n := range 11 {
		period := ""
		if n%4 != 0 {
			period = fmt.Sprintf(`,"executionPeriod":{"start":"2026-10-%02d"}`, 1+n%3)
		}
		w.mustPost(at(bydel), fmt.Sprintf(`{"resourceType":"Task","status":"ready","intent":"order","description":" %02d","for":{"reference":"%s"}%s}`, n, p, period))
	}
	for _, sort := range []string{"period", "-period", "period,_id", "-period,-_id", "_id", "-modified,period"} {
		var seen []string
		page, valued := "", true
		for range 20 {
			b := w.seek(at(bydel), "Task", "_count=3&_sort="+sort, func(s *gateway.Search) { s.Page = page })
			for _, e := range b.Entry {
				if !strings.Contains(string(e.Resource), `"Task"`) {
					continue
				}
				has := strings.Contains(string(e.Resource), "executionPeriod")
				if has && !valued && strings.HasPrefix(strings.TrimPrefix(sort, "-"), "period") {
					t.Errorf("%s: a value comes after none", sort)
				}
				valued = has
			}
			seen = append(seen, b.names(t)...)
			if page = b.next(); page == "" {
				break
			}
		}
		slices.Sort(seen)
		if len(seen) != 11 || len(slices.Compact(seen)) != 11 {
			t.Errorf("%s: %v", sort, seen)
		}
	}
}

// Pages in an order by values neither skip nor repeat while those values change, for who sees everything
// and for who does not: whichever kind of value it is, and however far it moves.
func TestPagesByValuesStandStill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	w.mustPost(at(bydel), consentOf(p, []string{"plan", "henvisning", "samarbeid", "somatisk"}, ous))
	for _, c := range []struct {
		kind  fhir.Type
		sorts []string
		shows string // a label that is shared, "" when the rules give one; every fifth has one that is not
		body  func(n, value int) string
	}{
		{"Task", []string{"period", "-period", "period,_id", "-period,-_id", "_id", "-_id", "modified,period", "-_lastUpdated,period", "period,_lastUpdated", "authored-on,-period"}, "plan", func(n, value int) string {
			more := fmt.Sprintf(`,"authoredOn":"2026-11-%02d"`, 1+value%3)
			if value%4 != 0 {
				more += fmt.Sprintf(`,"executionPeriod":{"start":"2026-10-%02d"}`, 1+value%28)
			}
			return fmt.Sprintf(`"status":"ready","intent":"order","description":" %02d","for":{"reference":"%s"}%s`, n, p, more)
		}},
		{"Observation", []string{"value-quantity", "-value-quantity", "value-quantity,-date", "-value-date"}, "somatisk", func(n, value int) string {
			more := fmt.Sprintf(`,"valueQuantity":{"value":%d,"system":"http://unitsofmeasure.org","code":"%s","unit":"x"}`, value%9, []string{"g", "kg", "mg"}[value%3])
			switch value % 5 {
			case 0:
				more = ``
			case 1:
				more = fmt.Sprintf(`,"valueDateTime":"2026-09-%02d"`, 1+value%28)
			}
			return fmt.Sprintf(`"status":"final","code":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7170","code":"A01"}],"text":" %02d"},"subject":{"reference":"%s"},"effectiveDateTime":"2026-10-%02d"%s`, n, p, 1+value%7, more)
		}},
		{"Location", []string{"name", "-name", "name,-_lastUpdated"}, "", func(n, value int) string {
			return fmt.Sprintf(`"status":"active","description":" %02d","name":"%s"`, n, strings.Repeat([]string{"Å", "a", "Sagene helsehus i Oslo kommune nr ", "Ø"}[value%4], 1+value%3)+fmt.Sprint(value%2))
		}},
	} {
		refs := make([]fhir.Reference, 14)
		written := func(n, value int, id fhir.ID) string {
			body := `{"resourceType":"` + string(c.kind) + `",`
			if id != "" {
				body += `"id":"` + string(id) + `",`
			}
			if label := c.shows; label != "" {
				if n%5 == 4 {
					label = "okonomi"
				}
				body += `"meta":{"security":[{"system":"` + gateway.LabelSystem + `","code":"` + label + `"}]},`
			}
			return body + c.body(n, value) + `}`
		}
		for n := range refs {
			refs[n] = w.mustPost(at(bydel), written(n, n*5, ""))
			w.clock.forward(time.Second)
		}
		for _, who := range []gateway.Actor{at(bydel), at(ous)} {
			for _, sort := range c.sorts {
				w.standsStill(who, c.kind, sort, refs, func(n int) bool { return who.Party == bydel || c.shows == "" || n%5 != 4 }, func(n, value int) {
					_, err := w.put(at(bydel), written(n, value, refs[n].ID), "")
					must(t, err)
				}, func() fhir.Reference { return w.mustPost(at(bydel), written(99, 3, "")) })
			}
		}
	}
}

// standsStill goes through the pages of a search while everything is changed between them.
func (w *world) standsStill(who gateway.Actor, kind fhir.Type, sort string, refs []fhir.Reference, visible func(int) bool, change func(n, value int), add func() fhir.Reference) {
	w.t.Helper()
	var seen, want []string
	for n, r := range refs {
		if visible(n) {
			want = append(want, string(r.ID))
		}
	}
	page, round := "", 0
	var added []fhir.Reference
	for {
		b := w.seek(who, kind, "_count=3&_sort="+sort+"&_id="+ids(refs), func(s *gateway.Search) { s.Page = page })
		for _, e := range b.Entry {
			if e.Search.Mode == "match" {
				seen = append(seen, string(parse(w.t, string(e.Resource)).ID()))
			}
		}
		if page = b.next(); page == "" || len(seen) > 3*len(refs) {
			break
		}
		w.clock.forward(time.Second)
		round++
		for n := range refs { // from one end of the order to the other, some twice
			change(n, (n*7+round*11)%40)
		}
		change(round%len(refs), 39-round)
		added = append(added, add())
		w.clock.forward(time.Second)
	}
	for _, r := range added {
		_, err := w.Do(context.Background(), at(bydel), gateway.Interaction{Code: gateway.Delete, Target: r})
		must(w.t, err)
	}
	slices.Sort(seen)
	slices.Sort(want)
	if !slices.Equal(seen, want) {
		w.t.Errorf("%s: %s by %s: %d of %d:\n%v\n%v", who.Party, kind, sort, len(seen), len(want), seen, want)
	}
}

func ids(refs []fhir.Reference) string {
	list := make([]string, 0, len(refs))
	for _, r := range refs {
		list = append(list, string(r.ID))
	}
	return strings.Join(list, ",")
}
