package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

func param(name string, kind fhir.ParamType, values ...gateway.Operand) gateway.Condition {
	return gateway.Condition{Param: fhir.SearchParam{Name: name, Type: kind}, Values: values}
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
	on := func(prefix string) gateway.Condition {
		return param("authored-on", fhir.Date, gateway.Operand{Prefix: prefix, Low: low, High: high})
	}
	owner := param("owner", fhir.ReferenceParam, gateway.Operand{Reference: ref("Organization", "o200")})
	for _, c := range []struct {
		name       string
		conditions []gateway.Condition
		want       string
	}{
		{"none", nil, "t3 t2 t1 t4"},
		{"token", []gateway.Condition{param("code", fhir.Token, gateway.Operand{AnySystem: true, Code: "ready"})}, "t3 t1 t4"},
		{"token with system", []gateway.Condition{param("code", fhir.Token, gateway.Operand{System: "http://s", Code: "ready"})}, "t3 t1"},
		{"token without system", []gateway.Condition{param("code", fhir.Token, gateway.Operand{Code: "ready"})}, "t4"},
		{"system alone", []gateway.Condition{param("code", fhir.Token, gateway.Operand{System: "http://s"})}, "t3 t2 t1"},
		{"either", []gateway.Condition{param("code", fhir.Token, gateway.Operand{AnySystem: true, Code: "done"}, gateway.Operand{Code: "ready"})}, "t2 t4"},
		{"both", []gateway.Condition{owner, param("code", fhir.Token, gateway.Operand{AnySystem: true, Code: "ready"})}, "t3 t1"},
		{"reference by id", []gateway.Condition{param("owner", fhir.ReferenceParam, gateway.Operand{Reference: fhir.Reference{ID: "o200"}})}, "t3 t2 t1"},
		{"other reference", []gateway.Condition{param("owner", fhir.ReferenceParam, gateway.Operand{Reference: ref("Organization", "o1")})}, ""},
		{"other parameter", []gateway.Condition{param("performer", fhir.Token, gateway.Operand{AnySystem: true, Code: "ready"})}, ""},
		{"identifier", []gateway.Condition{param("identifier", fhir.Token, gateway.Operand{System: "urn:x", Code: "77"})}, "t4"},
		{"eq", []gateway.Condition{on("eq")}, "t2"}, {"no prefix", []gateway.Condition{on("")}, "t2"},
		{"ne", []gateway.Condition{on("ne")}, "t3 t1"}, {"gt", []gateway.Condition{on("gt")}, "t3"}, {"lt", []gateway.Condition{on("lt")}, "t1"},
		{"ge", []gateway.Condition{on("ge")}, "t3 t2"}, {"le", []gateway.Condition{on("le")}, "t2 t1"},
		{"sa", []gateway.Condition{on("sa")}, "t3"}, {"eb", []gateway.Condition{on("eb")}, "t1"},
		{"two dates", []gateway.Condition{on("ge"), on("le")}, "t2"},
		{"date beside the record's own", []gateway.Condition{param("period", fhir.Date, gateway.Operand{Prefix: "gt", Low: low, High: high})}, "t3 t2 t1 t4"},
		{"id", []gateway.Condition{param("_id", fhir.Token, gateway.Operand{Code: "t1"}, gateway.Operand{Code: "t5"})}, "t1"},
		{"never updated", []gateway.Condition{param("_lastUpdated", fhir.Date, gateway.Operand{Prefix: "lt", Low: start, High: start})}, ""},
		{"updated", []gateway.Condition{param("_lastUpdated", fhir.Date, gateway.Operand{Prefix: "ge", Low: start, High: start})}, "t3 t2 t1 t4"},
	} {
		newest := gateway.Search{Conditions: c.conditions, Sort: gateway.Sort{Descending: true}}
		for _, about := range []gateway.PersonID{0, person} {
			if got := ids(b.find(own("100"), "Task", newest, about)); got != c.want {
				t.Errorf("%s, person %d: found %q, want %q", c.name, about, got, c.want)
			}
		}
	}
	b.see(func(v *view) error {
		_, err := v.search(b.ctx, own("100"), "Task", gateway.Search{Conditions: []gateway.Condition{param("x", fhir.Quantity)}}, 0, 10, gateway.Cursor{})
		b.wants(err, gateway.BadQuery)
		return nil
	})
}

func TestSearchObeysScope(t *testing.T) {
	b := newBench(t)
	person := b.tasks()
	owner := param("owner", fhir.ReferenceParam, gateway.Operand{Reference: ref("Organization", "o200")})
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
		{"by owner", scope, gateway.Search{Sort: newest, Conditions: []gateway.Condition{owner}}, 0, "t2 t1"},
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
	owner := param("owner", fhir.ReferenceParam, gateway.Operand{Reference: ref("Organization", "o")})
	status := param("status", fhir.Token, gateway.Operand{AnySystem: true, Code: "ready"})
	newest := gateway.Sort{Descending: true}
	for _, c := range []struct {
		name, index, way string
		person           gateway.PersonID
		s                gateway.Search
	}{
		{"patient", "resource_person", "Index Cond: ((person = $", 7, gateway.Search{Sort: newest, Conditions: []gateway.Condition{status}}},
		{"patient, oldest", "resource_person", "Index Cond: ((person = $", 7, gateway.Search{}},
		{"patient by update", "resource_person", "Index Cond: ((person = $", 7, gateway.Search{Sort: gateway.Sort{Param: "_lastUpdated", Descending: true}}},
		{"owner", "resource_tok", "Index Cond: (tok && $", 0, gateway.Search{Sort: newest, Conditions: []gateway.Condition{status, owner}}},
		{"open", "resource_custodian", "Index Cond: ((custodian = ($", 0, gateway.Search{Sort: newest, Conditions: []gateway.Condition{status}}},
		{"the text of a patient's name", "text_value_value", "Index Cond: ((key = ANY (", 0, gateway.Search{Conditions: []gateway.Condition{param("name", fhir.StringParam, gateway.Operand{Text: "kari"})}}},
		{"through a reference", "resource_self", "Index Cond: (self = (", 7, b.asked("Task", "owner.name=lege")},
		{"pointed at", "resource_tok", "Index Cond: (tok && ", 7, b.asked("Task", "_has:Task:part-of:status=ready")},
		{"id", "resource_name", "(id = i.id))", 0, gateway.Search{Conditions: []gateway.Condition{id_("x7")}}},
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
