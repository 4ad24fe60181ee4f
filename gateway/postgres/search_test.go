package postgres

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// param is a criterion on one parameter of a type.
func param(t fhir.Type, name string, values ...fhir.Operand) fhir.Criterion {
	return fhir.Criterion{Name: name, Ways: []fhir.Way{{From: t, Param: fhir.SearchParameterOf(t, name)}}, Values: values}
}

// asked reads a search in a type as a client writes it.
func (b *bench) asked(t fhir.Type, query string) gateway.Search {
	b.Helper()
	var params []fhir.Parameter
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if pair != "" {
			params = append(params, fhir.Parameter{Name: name, Value: value})
		}
	}
	q, _, err := fhir.ParseQuery(t, params, fhir.QueryConfig{Now: start})
	if err != nil {
		b.Fatalf("%s?%s: %v", t, query, err)
	}
	return gateway.Search{Criteria: q.Criteria, By: q.Sort, Sort: gateway.Sort{Descending: true}, Includes: q.Includes, Types: nil}
}

// resource makes the draft of a resource, indexed as the gateway does it.
func (b *bench) resource(party gateway.HERID, body, subject string, labels gateway.Labels, parts ...gateway.Part) gateway.Draft {
	b.Helper()
	res, err := fhir.Parse([]byte(body))
	if err != nil {
		b.Fatalf("%s: %v", body, err)
	}
	d := b.draft(party, fhir.Reference{Type: res.Type(), ID: res.ID()}, subject, labels)
	d.Index, d.Parts = fhir.Index(res), parts
	d.MarkIndex(res)
	d.Low, d.High, _ = res.Date()
	return d
}

func day(n int) (low, high time.Time) {
	low = time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC)
	return low, low.AddDate(0, 0, 1)
}

// tasks writes records of two parties about one person, and one about nobody.
func (b *bench) tasks() gateway.PersonID {
	b.Helper()
	p := b.patient("100", "100-kari", kari)
	b.patient("200", "200-kari", kari)
	write := func(party gateway.HERID, id string, n int, labels gateway.Labels, more string) {
		subject := string(party) + "-kari"
		if n < 0 {
			subject = ""
		}
		if n > 0 {
			more += fmt.Sprintf(`,"authoredOn":"2026-11-%02dT01:00:00+01:00"`, n)
		}
		var parts []gateway.Part
		if strings.Contains(more, "performerType") {
			parts = []gateway.Part{{Path: "Task.performerType[1]", Labels: gateway.Okonomi}}
		}
		d := b.resource(party, `{"resourceType":"Task","id":"`+id+`","status":"ready","intent":"order",
			"executionPeriod":{"start":"2026-11-20","end":"2026-11-20"}`+more+`}`, subject, labels, parts...)
		if n > 0 {
			d.Low, d.High = day(n)
			for i := range d.Index {
				if d.Index[i].Key == "authoredOn" {
					d.Index[i].Low, d.Index[i].High = d.Low, d.High
				}
			}
		}
		b.make(d)
	}
	code := func(system, code string) string {
		return `,"code":{"coding":[{"system":"` + system + `","code":"` + code + `"}]}`
	}
	const owner = `,"owner":{"reference":"Organization/o200"}`
	write("100", "t1", 1, gateway.Samarbeid, code("http://s", "ready")+owner)
	write("100", "t2", 2, gateway.Samarbeid, code("http://s", "done")+owner+
		`,"performerType":[{"text":"åpen"},{"text":"Hemmelig","coding":[{"system":"http://s","code":"hemmelig"}]}]`)
	write("100", "t3", 3, gateway.Rus, code("http://s", "ready")+owner)
	write("100", "t4", 0, gateway.Samarbeid, `,"code":{"coding":[{"code":"ready"}]},"identifier":[{"system":"urn:x","value":"77"}]`)
	write("200", "t5", 5, gateway.Samarbeid, code("http://s", "ready"))
	write("200", "t6", -1, gateway.Samarbeid, code("http://s", "ready"))
	return p.Person
}

func TestSearchConditions(t *testing.T) {
	b := newBench(t)
	person := b.tasks()
	low, high := day(2)
	on := func(prefix fhir.Prefix) fhir.Criterion {
		return param("Task", "authored-on", fhir.Operand{Prefix: prefix, Low: low, High: high})
	}
	owner := param("Task", "owner", fhir.Operand{Reference: ref("Organization", "o200")})
	for _, c := range []struct {
		name       string
		conditions []fhir.Criterion
		want       string
	}{
		{"none", nil, "t3 t2 t1 t4"},
		{"token", []fhir.Criterion{param("Task", "code", fhir.Operand{AnySystem: true, Code: "ready"})}, "t3 t1 t4"},
		{"token with system", []fhir.Criterion{param("Task", "code", fhir.Operand{System: "http://s", Code: "ready"})}, "t3 t1"},
		{"token without system", []fhir.Criterion{param("Task", "code", fhir.Operand{Code: "ready"})}, "t4"},
		{"system alone", []fhir.Criterion{param("Task", "code", fhir.Operand{System: "http://s"})}, "t3 t2 t1"},
		{"either", []fhir.Criterion{param("Task", "code", fhir.Operand{AnySystem: true, Code: "done"}, fhir.Operand{Code: "ready"})}, "t2 t4"},
		{"both", []fhir.Criterion{owner, param("Task", "code", fhir.Operand{AnySystem: true, Code: "ready"})}, "t3 t1"},
		{"reference by id", []fhir.Criterion{param("Task", "owner", fhir.Operand{Reference: fhir.Reference{ID: "o200"}})}, "t3 t2 t1"},
		{"other reference", []fhir.Criterion{param("Task", "owner", fhir.Operand{Reference: ref("Organization", "o1")})}, ""},
		{"other parameter", []fhir.Criterion{param("Task", "performer", fhir.Operand{AnySystem: true, Code: "ready"})}, ""},
		{"identifier", []fhir.Criterion{param("Task", "identifier", fhir.Operand{System: "urn:x", Code: "77"})}, "t4"},
		{"eq", []fhir.Criterion{on("eq")}, "t2"}, {"no prefix", []fhir.Criterion{on("")}, "t2"},
		{"ne", []fhir.Criterion{on("ne")}, "t3 t1"}, {"gt", []fhir.Criterion{on("gt")}, "t3"}, {"lt", []fhir.Criterion{on("lt")}, "t1"},
		{"ge", []fhir.Criterion{on("ge")}, "t3 t2"}, {"le", []fhir.Criterion{on("le")}, "t2 t1"},
		{"sa", []fhir.Criterion{on("sa")}, "t3"}, {"eb", []fhir.Criterion{on("eb")}, "t1"},
		{"two dates", []fhir.Criterion{on("ge"), on("le")}, "t2"},
		{"date beside the record's own", []fhir.Criterion{param("Task", "period", fhir.Operand{Prefix: "gt", Low: low, High: high})}, "t3 t2 t1 t4"},
		{"id", []fhir.Criterion{param("Task", "_id", fhir.Operand{Code: "t1"}, fhir.Operand{Code: "t5"})}, "t1"},
		{"never updated", []fhir.Criterion{param("Task", "_lastUpdated", fhir.Operand{Prefix: "lt", Low: start, High: start})}, ""},
		{"updated", []fhir.Criterion{param("Task", "_lastUpdated", fhir.Operand{Prefix: "ge", Low: start, High: start})}, "t3 t2 t1 t4"},
	} {
		newest := gateway.Search{Criteria: c.conditions, Sort: gateway.Sort{Descending: true}}
		for _, about := range []gateway.PersonID{0, person} {
			if got := ids(b.find(own("100"), "Task", newest, about)); got != c.want {
				t.Errorf("%s, person %d: found %q, want %q", c.name, about, got, c.want)
			}
		}
	}
}

func TestSearchObeysScope(t *testing.T) {
	b := newBench(t)
	person := b.tasks()
	owner := param("Task", "owner", fhir.Operand{Reference: ref("Organization", "o200")})
	scope := permitting(gateway.Samarbeid)
	newest := gateway.Sort{Descending: true}
	for _, c := range []struct {
		name   string
		scope  gateway.Scope
		s      gateway.Search
		person gateway.PersonID
		want   string
	}{
		{"of the person", scope, gateway.Search{Sort: newest}, person, "t5 t2 t1 t4"},
		{"nobody", scope, gateway.Search{Sort: newest}, -1, ""},
		{"by owner", scope, gateway.Search{Sort: newest, Criteria: []fhir.Criterion{owner}}, 0, "t2 t1"},
		{"all", scope, gateway.Search{Sort: newest}, 0, "t5 t2 t1 t6 t4"},
		{"own only", own("200"), gateway.Search{Sort: newest}, 0, "t5 t6"},
		{"herself only", gateway.Scope{Own: "200", Self: true, Person: person}, gateway.Search{Sort: newest}, 0, "t5"},
		{"another herself", gateway.Scope{Own: "200", Self: true, Person: person + 100}, gateway.Search{Sort: newest}, 0, ""},
		{"herself nobody", gateway.Scope{Own: "200", Self: true}, gateway.Search{Sort: newest}, 0, ""},
	} {
		if got := ids(b.find(c.scope, "Task", c.s, c.person)); got != c.want {
			t.Errorf("%s: found %q, want %q", c.name, got, c.want)
		}
	}
}

func TestPagesGiveEachRowOnce(t *testing.T) {
	b := newBench(t)
	b.patient("100", "100-kari", kari)
	var person gateway.PersonID
	for i := range 23 {
		d := b.draft("100", ref("Goal", fmt.Sprintf("g%02d", i)), "100-kari", gateway.Plan)
		if i%5 != 0 {
			d.Low, d.High = day(1 + i%7) // several of the same day
		}
		person = b.make(d).Person
	}
	for _, s := range []gateway.Sort{{}, {Descending: true}, {Param: "_lastUpdated"}, {Param: "_lastUpdated", Descending: true}} {
		for _, about := range []gateway.PersonID{0, person} {
			for _, size := range []int{1, 4, 7, 100} {
				whole := b.find(own("100"), "Goal", gateway.Search{Sort: s}, about)
				var got []gateway.Record
				var after gateway.Cursor
				for {
					var page []gateway.Record
					b.see(func(v *view) (err error) {
						page, err = v.search(b.ctx, own("100"), "Goal", gateway.Search{Sort: s}, about, size, after)
						return err
					})
					got = append(got, page...)
					if len(page) < size || len(got) > 50 {
						break
					}
					last := page[len(page)-1]
					after = gateway.Cursor{At: last.Low, Key: last.Key, Set: true}
					if s.Param != "" {
						after.At = last.Updated
					}
				}
				if ids(got) != ids(whole) || len(got) != 23 {
					t.Fatalf("%+v by %d: %d rows\n%s\nwhole\n%s", s, size, len(got), ids(got), ids(whole))
				}
			}
			rows := b.find(own("100"), "Goal", gateway.Search{Sort: s}, about)
			for i := 1; i < len(rows); i++ {
				one, two := rows[i-1], rows[i]
				if s.Descending {
					one, two = two, one
				}
				switch {
				case s.Param != "" && one.Updated.After(two.Updated):
					t.Errorf("%+v: not in order at %d", s, i)
				case s.Param == "" && rows[i].Low.IsZero(): // undated come last both ways
				case s.Param == "" && (rows[i-1].Low.IsZero() || one.Low.After(two.Low)):
					t.Errorf("%+v: not in order at %d", s, i)
				}
			}
		}
	}
}

// The rows that a search without patient gives are found by ways, never by walking through what is
// not shared: no plan may read the table from end to end, though nothing was ever analysed.
func TestPlansNeedNoStatistics(t *testing.T) {
	b := newBench(t)
	if _, err := b.pool.Exec(b.ctx, `alter table resource set (autovacuum_enabled = off)`); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(b.ctx, `insert into resource (person, custodian, type, id, version, method, labels, added, low, high, updated, tok, body)
		select i/50, 'h' || i % 1000, 'Task', 'x' || i, 'v', 'create', 2, 0, now(), now(), now(), array[i/50, i%7], '' from generate_series(1, 8000) i`); err != nil {
		t.Fatal(err)
	}
	join := gateway.Scope{Own: "h7", Fetched: true, Join: &gateway.Join{Permits: []gateway.Recipient{"p:h7"}, Now: start}}
	owner := param("Task", "owner", fhir.Operand{Reference: ref("Organization", "o")})
	status := param("Task", "status", fhir.Operand{AnySystem: true, Code: "ready"})
	newest := gateway.Sort{Descending: true}
	for _, c := range []struct {
		name, index, way string
		person           gateway.PersonID
		s                gateway.Search
	}{
		{"patient", "resource_person", "Index Cond: ((person = $", 7, gateway.Search{Sort: newest, Criteria: []fhir.Criterion{status}}},
		{"patient, oldest", "resource_person", "Index Cond: ((person = $", 7, gateway.Search{}},
		{"patient by update", "resource_person", "Index Cond: ((person = $", 7, gateway.Search{Sort: gateway.Sort{Param: "_lastUpdated", Descending: true}}},
		{"owner", "resource_tok", "Index Cond: (tok && $", 0, gateway.Search{Sort: newest, Criteria: []fhir.Criterion{status, owner}}},
		{"open", "resource_custodian", "Index Cond: ((custodian = ($", 0, gateway.Search{Sort: newest, Criteria: []fhir.Criterion{status}}},
		{"the text of a patient's name", "text_value_value", "Index Cond: ((key = ANY (", 0, gateway.Search{Criteria: []fhir.Criterion{param("Patient", "name", fhir.Operand{Text: "kari", Folded: "kari"})}}},
		{"through a reference", "resource_self", "Index Cond: (self = (", 7, b.asked("Task", "owner.name=lege")},
		{"pointed at", "resource_tok", "Index Cond: (tok && ", 7, b.asked("Task", "_has:Task:part-of:status=ready")},
		{"id", "resource_name", "(id = i.id))", 0, gateway.Search{Criteria: []fhir.Criterion{id_("Task", "x7")}}},
	} {
		tr := &explaining{}
		b.see(func(v *view) error {
			tr.querier = v.tx
			v.tx = tr
			kind := fhir.Type("Task")
			if c.index == "text_value_value" {
				kind = "Patient"
			}
			_, err := v.search(b.ctx, join, kind, c.s, c.person, 20, gateway.Cursor{})
			return err
		})
		for _, plan := range tr.plans {
			if !strings.Contains(plan, c.index) || strings.Contains(plan, "Seq Scan on resource") {
				t.Errorf("%s: no way by %s, or a walk through the table:\n%s", c.name, c.index, plan)
			}
			if !strings.Contains(plan, c.way) {
				t.Errorf("%s: the index is not used for %q:\n%s", c.name, c.way, plan)
			}
		}
		if len(tr.plans) == 0 {
			t.Errorf("%s: no plan seen", c.name)
		}
	}
}

// A search that takes too long is ended, as the question's own fault; and only a search is.
func TestSearchIsEnded(t *testing.T) {
	b := newBench(t)
	slow := func(v *view) error {
		_, err := v.counted(b.ctx, "postgres.test", `select count(*) from pg_sleep(2.5)`, nil)
		return err
	}
	if err := b.Snapshot(b.ctx, func(v gateway.View) error {
		v.(*view).timed = true
		return slow(v.(*view))
	}); gateway.CodeOf(err) != gateway.TooCostly {
		t.Errorf("a search of 2.5 s: %v", err)
	}
	if err := b.Snapshot(b.ctx, func(v gateway.View) error { return slow(v.(*view)) }); err != nil {
		t.Errorf("the next snapshot is limited as well: %v", err)
	}
}

// What a client writes into a search is bound, whatever it is: no statement fails for it.
func FuzzSearchValues(f *testing.F) {
	for _, seed := range []string{"a", "'", `\\`, "%", "_", "a' or 1=1 --", "$1", "\u0000", "{1,2}", "x|y", "a$b", "ge2026", "5.4|u|c", "\xff", "🙂", ":", "a,b"} {
		f.Add(seed)
	}
	b := newBench(f)
	person := b.clinic()
	names := []string{"code", "code:text", "value-string", "value-string:exact", "value-string:contains", "value-quantity", "date", "_id", "identifier", "subject", "performer.name",
		"component-code-value-quantity", "_has:Observation:has-member:value-string:contains", "_tag", "_profile:below", "_source", "focus:identifier", "_list", "_security"}
	f.Fuzz(func(t *testing.T, value string) {
		if !utf8.ValidString(value) || strings.ContainsRune(value, 0) { // package rest lets neither through
			return
		}
		for _, name := range names {
			q, _, err := fhir.ParseQuery("Observation", []fhir.Parameter{{Name: name, Value: value}}, fhir.QueryConfig{Now: start})
			if err != nil {
				continue
			}
			if err := b.Snapshot(b.ctx, func(v gateway.View) error {
				_, err := v.(*view).search(b.ctx, reader(person, gateway.Somatisk), "Observation", gateway.Search{Criteria: q.Criteria}, 0, 5, gateway.Cursor{})
				return err
			}); err != nil {
				t.Fatalf("%s=%q: %v", name, value, err)
			}
		}
	})
}

// Whatever a client writes after the question mark, parameters, modifiers, chains, order and all: what is
// read becomes statements that the database takes and ends in time, for the first page, the total and
// the page after it.
func FuzzSearchQuery(f *testing.F) {
	for _, seed := range []string{
		"status=ready", "code=a%27b&code:not=%5C%5C", "_sort=-date&_count=1", "_sort=value-quantity,-date,_id", "_sort=-_lastUpdated", "subject.name=k&_total=accurate",
		"_has:Observation:subject:code=%2585354-9", "_has:Task:focus:owner.name:exact=%27%3B--", "component-code-value-quantity=a%24gt5", "value-quantity=ap5.4%7Chttp://unitsofmeasure.org%7Cg",
		"date=ge2026-11-01T00:00:00%2B01:00&date=eb9999", "_list=a,b", "_id=a,b&_sort=-_id", "_lastUpdated=ne2026", "_security=http://sluse.no/fhir/CodeSystem/informasjonskategori%7Crus",
		"_tag:missing=true&_profile:below=http://x", "name:contains=%F0%9F%99%82%25_", "family=" + strings.Repeat("\u00e5", 1200), "identifier=%7C1,urn:x%7C", "focus:identifier=s%7Cv", "deceased=true,false", "patient=a&patient=b",
		"_include=Task:focus&_revinclude:iterate=Task:part-of&_summary=count", "=&=&;", "_type=Task&_sort=_id", "item=Observation/o1", "code=" + strings.Repeat("a,", 99) + "a", "value-string:exact=$1", "entity=Task/a&_sort=date", "agent=a",
	} {
		f.Add(seed)
	}
	b := newBench(f)
	person := b.clinic()
	scopes := []gateway.Scope{own("100"), reader(person, gateway.Somatisk), {Own: "200", Fetched: true, Join: &gateway.Join{Permits: []gateway.Recipient{"p:200"}, Now: start}}}
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil || !utf8.ValidString(query) {
			return
		}
		var params []fhir.Parameter
		for name, list := range values {
			for _, value := range list {
				if utf8.ValidString(name+value) && !strings.ContainsRune(name+value, 0) { // package rest lets neither through
					params = append(params, fhir.Parameter{Name: name, Value: value})
				}
			}
		}
		for _, kind := range []fhir.Type{"Observation", "Task", "Patient", "Organization", "List", "AuditEvent"} {
			q, _, err := fhir.ParseQuery(kind, params, fhir.QueryConfig{Now: start})
			if err != nil {
				continue
			}
			s := gateway.Search{Criteria: q.Criteria, By: q.Sort, Sort: gateway.Sort{Descending: true}}
			for _, scope := range scopes {
				if err := b.Snapshot(b.ctx, func(v gateway.View) error { return b.twoPages(v.(*view), scope, kind, s) }); err != nil && gateway.CodeOf(err) != gateway.BadQuery { // the ledger has no lists
					t.Fatalf("%s?%s: %v", kind, query, err)
				}
			}
		}
	})
}

// twoPages gives the total, the first row, and the row after it as one asks for it later.
func (b *bench) twoPages(v *view, scope gateway.Scope, kind fhir.Type, s gateway.Search) error {
	if _, err := v.total(b.ctx, scope, kind, s, 0, 10); err != nil {
		return err
	}
	first, err := v.search(b.ctx, scope, kind, s, 0, 1, gateway.Cursor{})
	if err != nil || len(first) == 0 {
		return err
	}
	after := first[0].Place
	if !after.Set {
		after = gateway.Cursor{At: first[0].Low, Key: first[0].Key, Set: true}
	}
	for _, since := range []time.Time{{}, start.Add(time.Hour), start.Add(-time.Hour)} { // nothing has changed since, or everything
		after.Since = since
		if _, err := v.search(b.ctx, scope, kind, s, 0, 1, after); err != nil {
			return err
		}
	}
	return nil
}
