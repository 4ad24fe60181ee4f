package gateway

import (
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

func day(d int) time.Time { return time.Date(2026, 3, d, 0, 0, 0, 0, time.UTC) }

func record() Record {
	return Record{
		Reference: fhir.Reference{Type: "CarePlan", ID: "a", Version: "1"}, Custodian: "100", Person: 7,
		Low: day(10), High: day(11), Labels: Plan,
	}
}

func allow(mask Labels) Term {
	return Term{
		Effect: Allow, Custodians: Only[HERID]("100"), Types: Every[fhir.Type](), Items: Every[fhir.Reference](), Mask: mask,
	}
}

func deny(mask Labels) Term {
	return Term{
		Effect: Deny, Custodians: Every[HERID](), Types: Every[fhir.Type](), Items: Every[fhir.Reference](), Mask: mask,
	}
}

func TestScopeReleases(t *testing.T) {
	t.Parallel()
	other := Scope{Own: "200", Person: 7}
	with := func(s Scope, terms ...Term) Scope { s.Terms = terms; return s }
	edit := func(f func(*Term), term Term) Term { f(&term); return term }
	cases := []struct {
		name   string
		scope  Scope
		change func(*Record)
		want   bool
	}{
		{"the zero scope reaches nothing", Scope{}, nil, false},
		{"the zero scope reaches nothing without custodian either", Scope{}, func(r *Record) { r.Custodian = "" }, false},
		{"own record", Scope{Own: "100"}, nil, true},
		{"own record without a person", Scope{Own: "100", Person: 7}, func(r *Record) { r.Person = 0 }, true},
		{"patient: custodianship is not enough", Scope{Own: "100", Self: true, Person: 8}, nil, false},
		{"patient: her own", Scope{Own: "100", Self: true, Person: 7}, nil, true},
		{"no term", other, nil, false},
		{"permit covers", with(other, allow(Plan)), nil, true},
		{"permit covers one label of two", with(other, allow(Plan)), func(r *Record) { r.Labels |= Okonomi }, false},
		{"two permits cover together", with(other, allow(Plan), allow(Okonomi)), func(r *Record) { r.Labels |= Okonomi }, true},
		{"deny wins whatever its order", with(other, deny(Plan), allow(Plan)), nil, false},
		{"deny of another label", with(other, allow(Plan), deny(Okonomi)), nil, true},
		{"no label is never a pass", with(other, allow(AllLabels)), func(r *Record) { r.Labels = 0 }, false},
		{"no person, no crossing", with(other, allow(Plan)), func(r *Record) { r.Person = 0 }, false},
		{"another person", with(other, allow(Plan)), func(r *Record) { r.Person = 8 }, false},
		{"another custodian", with(other, allow(Plan)), func(r *Record) { r.Custodian = "101" }, false},
		{"a type that never crosses", Scope{Own: "200", Person: 7, Terms: []Term{allow(Plan)}, Except: []fhir.Type{"CarePlan"}}, nil, false},
		{"zero set in a permit matches nothing", with(other, edit(func(t *Term) { t.Types = Set[fhir.Type]{} }, allow(Plan))), nil, false},
		{"item named", with(other, edit(func(t *Term) { t.Items = Only(fhir.Reference{Type: "CarePlan", ID: "a"}) }, allow(Plan))), nil, true},
		{"item not named", with(other, edit(func(t *Term) { t.Items = Only(fhir.Reference{Type: "CarePlan", ID: "b"}) }, allow(Plan))), nil, false},
		{"inside dataPeriod", with(other, edit(func(t *Term) { t.Low, t.High = day(10), day(11) }, allow(Plan))), nil, true},
		{"a period counts whole for a permit", with(other, edit(func(t *Term) { t.Low, t.High = day(10), day(11) }, allow(Plan))), func(r *Record) { r.High = day(12) }, false},
		{"and in part for a deny", with(other, allow(Plan), edit(func(t *Term) { t.Low, t.High = day(11), day(12) }, deny(Plan))), func(r *Record) { r.High = day(20) }, false},
		{"undated is outside a permit's dataPeriod", with(other, edit(func(t *Term) { t.Low, t.High = day(1), day(30) }, allow(Plan))), func(r *Record) { r.Low, r.High = time.Time{}, time.Time{} }, false},
		{"undated is inside a deny's", with(other, allow(Plan), edit(func(t *Term) { t.Low, t.High = day(1), day(2) }, deny(Plan))), func(r *Record) { r.Low, r.High = time.Time{}, time.Time{} }, false},
		{"sent to me: read terms do not hold", with(other, allow(Plan)), func(r *Record) { r.Sent = []Sent{{To: "200", Mask: AllLabels}} }, false},
		{"sent to me: message terms hold", with(other, edit(func(t *Term) { t.Sent = true }, allow(Plan))), func(r *Record) { r.Sent = []Sent{{To: "200", Mask: AllLabels}} }, true},
		{"sent to me less this label: never released by that message", with(other, edit(func(t *Term) { t.Sent = true }, allow(Plan))), func(r *Record) { r.Sent = []Sent{{To: "200", Mask: Samarbeid}} }, false},
		{"sent to another: message terms do not hold", with(other, edit(func(t *Term) { t.Sent = true }, allow(Plan))), func(r *Record) { r.Sent = []Sent{{To: "300", Mask: AllLabels}} }, false},
		{"fetched stays", Scope{Own: "200", Person: 7, Fetched: true}, func(r *Record) { r.Fetched = Plan }, true},
		{"fetched counts only where the scope says so", Scope{Own: "200", Person: 7}, func(r *Record) { r.Fetched = Plan }, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := record()
			if c.change != nil {
				c.change(&r)
			}
			if _, got := c.scope.Releases(r); got != c.want {
				t.Errorf("Releases = %v, want %v", got, c.want)
			}
		})
	}
}

func TestZeroPermitReadsNothing(t *testing.T) {
	t.Parallel()
	denied := Permit{decision: Decision{Scope: Scope{Own: "100", Directory: true, Write: true}}}
	for name, p := range map[string]Permit{"zero": {}, "denied": denied} {
		if s := p.Scope(); s.Own != "" || s.Directory || s.Write {
			t.Errorf("%s permit has a scope: %+v", name, s)
		}
		if _, _, err := p.release(record()); err == nil {
			t.Errorf("%s permit released a record", name)
		}
	}
}

func TestBoundedScope(t *testing.T) {
	t.Parallel()
	wide := Scope{Own: "200", Terms: []Term{allow(Plan)}, Join: &Join{}, Fetched: true}
	if s := wide.bounded(Question{Action: ReadAction, Named: true}); s.Terms != nil || s.Join != nil || s.Fetched {
		t.Errorf("about nobody known: %+v, want no term, join or fetched", s)
	}
	if s := wide.bounded(Question{Action: ReadAction}); len(s.Terms) != 0 || s.Join == nil {
		t.Errorf("about whoever: %+v, want a join and no term", s)
	}
	s := wide.bounded(Question{Action: ReadAction, Named: true, Facts: Facts{Person: 7}})
	if s.Person != 7 || len(s.Terms) != 1 || s.Join != nil {
		t.Errorf("about 7: %+v, want the term, for person 7 only", s)
	}
}

func TestLedgerScope(t *testing.T) {
	t.Parallel()
	r := Record{Custodian: "200", Person: 7, Sent: []Sent{{To: "100", Mask: AllLabels}}}
	refused := r
	refused.Refused = true
	cases := []struct {
		name  string
		scope LedgerScope
		r     Record
		want  bool
	}{
		{"zero", LedgerScope{}, Record{}, false},
		{"who asked", LedgerScope{Asker: "200"}, r, true},
		{"who asked is not told of refusals", LedgerScope{Asker: "200"}, refused, false},
		{"custodian whose record left", LedgerScope{Custodian: "100"}, r, true},
		{"another custodian", LedgerScope{Custodian: "300"}, r, false},
		{"the patient", LedgerScope{Person: 7}, refused, true},
		{"another patient", LedgerScope{Person: 8}, r, false},
		{"compliance of the asker", LedgerScope{Compliance: []HERID{"200"}}, refused, true},
		{"compliance of nobody in it", LedgerScope{Compliance: []HERID{"300", ""}}, r, false},
	}
	for _, c := range cases {
		if got := c.scope.reaches(c.r); got != c.want {
			t.Errorf("%s: reaches = %v, want %v", c.name, got, c.want)
		}
	}
}
