package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/audit"
	"github.com/sluse/sluse/gateway/fhir"
)

func (b *bench) access(party gateway.HERID, outcome gateway.AuditOutcome, person gateway.PersonID, custodian gateway.HERID, touched string) gateway.AuditEntry {
	e := gateway.AuditEntry{
		ID: uuid(b), Recorded: b.clock(), Interaction: gateway.Read, Outcome: outcome, Person: person, Policy: "p1", Type: "CarePlan",
		Party:    gateway.Party{ID: party, Name: "Part", Organization: ref("Organization", "o"+string(party))},
		Entities: []gateway.AuditEntity{{Record: fhir.Reference{Type: "CarePlan", ID: fhir.ID(touched), Version: "1"}, Custodian: custodian}},
	}
	if outcome == gateway.Refused {
		e.Code = gateway.NotFound
		return e
	}
	e.Entities[0].Citations = []gateway.Citation{{Consent: fhir.Reference{Type: "Consent", ID: "c1", Version: "v1"}, Path: "Consent.provision"}}
	return e
}

func TestRecordIsDurableForEveryCaller(t *testing.T) {
	b := newBench(t)
	const callers, each = 32, 5
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for j := range each {
				e := b.access("200", gateway.Released, 1, "100", fmt.Sprintf("plan-%d-%d", i, j))
				if err := b.Record(b.ctx, []gateway.AuditEntry{e}, nil); err != nil {
					t.Error(err)
				}
				if n := b.one(`select count(*) from ledger where id = $1`, e.ID); n != 1 {
					t.Error("returned before the entry was there")
				}
			}
		})
	}
	wg.Wait()
	if n := b.one(`select count(*) from ledger`); n != callers*each {
		t.Errorf("%d lines, want %d", n, callers*each)
	}
	if n := b.one(`select count(distinct xmin::text) from ledger`); n >= callers*each {
		t.Errorf("%d commits for %d calls: none were shared", n, callers*each)
	}
	// an entry that cannot be rendered takes no other with it
	if err := b.Record(b.ctx, []gateway.AuditEntry{{}}, nil); err == nil {
		t.Error("an entry without id was recorded")
	}
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	b.wants(b.Record(ctx, []gateway.AuditEntry{b.access("200", gateway.Released, 1, "100", "x")}, nil), gateway.Unavailable)
}

func TestLedgerThatCannotBeWrittenIsAnError(t *testing.T) {
	b := newBench(t)
	if _, err := b.pool.Exec(b.ctx, `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '53100'; end $$;
		create trigger refuse before insert on ledger for each row execute function refuse()`); err != nil {
		t.Fatal(err)
	}
	b.wants(b.Record(b.ctx, []gateway.AuditEntry{b.access("200", gateway.Released, 1, "100", "x")}, nil), gateway.Unavailable)
	d := b.draft("100", ref("CarePlan", "100-plan"), "", gateway.Plan)
	_, err := b.create(b.ctx, own("100"), d, b.entry("100", d))
	b.wants(err, gateway.Unavailable)
	if n := b.one(`select count(*) from resource`); n != 0 {
		t.Error("a record was written without its line in the ledger")
	}
	b.Close()
	b.wants(b.Record(b.ctx, []gateway.AuditEntry{b.access("200", gateway.Released, 1, "100", "x")}, nil), gateway.Unavailable)
}

func TestChainHoldsAndShowsChanges(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(b.ctx)
	heads := make(chan Head, 100)
	ended := make(chan error, 2)
	for range 2 { // two processes
		go func() { ended <- b.Sequence(ctx, func(h Head) { heads <- h }) }()
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 30 {
				if err := b.Record(b.ctx, []gateway.AuditEntry{b.access("200", gateway.Released, 1, "100", "x")}, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	deadline := time.After(10 * time.Second)
	var head Head
	for head.Seq < 180 {
		select {
		case h := <-heads:
			if h.Seq > head.Seq {
				head = h
			}
		case <-deadline:
			t.Fatalf("the chain stands at %d", head.Seq)
		}
	}
	if lag, err := b.Lag(b.ctx); err != nil || lag > maxLag {
		t.Errorf("lag %v, %v", lag, err)
	}
	if err := b.Ready(b.ctx); err != nil {
		t.Error(err)
	}
	cancel()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	checkpoint := audit.Checkpoint{Seq: head.Seq, Digest: head.Digest}
	if n, err := audit.Verify(b.Entries(b.ctx), checkpoint); err != nil || n != 180 {
		t.Fatalf("%d entries hold, %v", n, err)
	}
	if n, err := b.Loose(b.ctx); err != nil || n != 0 {
		t.Errorf("%d loose entries, %v", n, err)
	}
	// a superuser who turns the trigger off is found out
	if _, err := b.pool.Exec(b.ctx, `alter table ledger disable trigger user; update ledger set body = (select body from ledger order by key desc limit 1)
		where key = (select key from ledger_chain where seq = 90)`); err != nil {
		t.Fatal(err)
	}
	var fault audit.Fault
	if _, err := audit.Verify(b.Entries(b.ctx), checkpoint); !errors.As(err, &fault) || fault.Seq != 90 {
		t.Errorf("a changed entry: %v", err)
	}
	if _, err := b.pool.Exec(b.ctx, `insert into ledger (recorded, id, party, outcome, result, interaction, policy, custodians, tok, body)
		values (now(), 'x', '', '', '', '', '', '{}', '{}', '')`); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Loose(b.ctx); err != nil || n != 1 {
		t.Errorf("%d loose entries after one was slipped in, %v", n, err)
	}
}

func TestChainBehindIsNotReady(t *testing.T) {
	b := newBench(t)
	if err := b.Record(b.ctx, []gateway.AuditEntry{b.access("200", gateway.Released, 1, "100", "x")}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(b.ctx, `update ledger_queue set at = at - interval '3 seconds'`); err != nil {
		t.Fatal(err)
	}
	b.wants(b.Ready(b.ctx), gateway.Unavailable)
	if _, placed, err := b.place(b.ctx); err != nil || placed != 1 {
		t.Fatal(placed, err)
	}
	if err := b.Ready(b.ctx); err != nil {
		t.Error(err)
	}
}

func TestAuditEventsByLedgerScope(t *testing.T) {
	b := newBench(t)
	name := map[string]string{}
	for _, x := range []struct {
		name string
		e    gateway.AuditEntry
	}{
		{"read", b.access("200", gateway.Released, 1, "100", "a")},
		{"refused", b.access("200", gateway.Refused, 1, "", "a")},
		{"written", b.access("100", gateway.Written, 1, "100", "a")},
		{"other", b.access("300", gateway.Released, 2, "100", "b")},
		{"elsewhere", b.access("300", gateway.Released, 2, "300", "c")},
	} {
		if err := b.Record(b.ctx, []gateway.AuditEntry{x.e}, nil); err != nil {
			t.Fatal(err)
		}
		name[x.e.ID] = x.name
	}
	names := func(list []gateway.Record) string {
		s := ""
		for _, r := range list {
			s += name[string(r.Reference.ID)] + " "
		}
		return s
	}
	newest := gateway.Sort{Descending: true}
	entity := func(r fhir.Reference) fhir.Criterion {
		return param("AuditEvent", "entity", fhir.Operand{Reference: r})
	}
	for _, c := range []struct {
		ledger     gateway.LedgerScope
		bound      gateway.PersonID
		person     gateway.PersonID
		conditions []fhir.Criterion
		want       string
	}{
		{want: ""},
		{ledger: gateway.LedgerScope{Asker: "200"}, want: "read "},
		{ledger: gateway.LedgerScope{Custodian: "100"}, want: "other read "},
		{ledger: gateway.LedgerScope{Asker: "100", Custodian: "100"}, want: "other written read "},
		{ledger: gateway.LedgerScope{Person: 1}, want: "written refused read "},
		{ledger: gateway.LedgerScope{Compliance: []gateway.HERID{"200"}}, want: "refused read "},
		{ledger: gateway.LedgerScope{Compliance: []gateway.HERID{"100", "200"}}, want: "other written refused read "},
		{ledger: gateway.LedgerScope{Compliance: []gateway.HERID{"100", "200"}}, person: 1, want: "written refused read "},
		{ledger: gateway.LedgerScope{Custodian: "100"}, bound: 1, want: "read "},
		{ledger: gateway.LedgerScope{Person: 1}, person: 2, want: ""},
		{ledger: gateway.LedgerScope{Person: 1}, conditions: []fhir.Criterion{entity(ref("CarePlan", "a"))}, want: "written refused read "},
		{ledger: gateway.LedgerScope{Person: 1}, conditions: []fhir.Criterion{entity(fhir.Reference{Type: "CarePlan", ID: "a", Version: "1"})}, want: "written refused read "},
		{ledger: gateway.LedgerScope{Person: 1}, conditions: []fhir.Criterion{entity(fhir.Reference{Type: "Consent", ID: "c1", Version: "v1"})}, want: "written read "},
		{ledger: gateway.LedgerScope{Person: 1}, conditions: []fhir.Criterion{entity(ref("CarePlan", "b"))}, want: ""},
		{ledger: gateway.LedgerScope{Person: 1}, conditions: []fhir.Criterion{param("AuditEvent", "outcome", fhir.Operand{Code: "4", AnySystem: true})}, want: "refused "},
		{ledger: gateway.LedgerScope{Person: 1}, conditions: []fhir.Criterion{param("AuditEvent", "policy", fhir.Operand{URL: "p1"})}, want: "written refused read "},
		{ledger: gateway.LedgerScope{Person: 1}, conditions: []fhir.Criterion{param("AuditEvent", "policy", fhir.Operand{URL: "p2"})}, want: ""},
		{ledger: gateway.LedgerScope{Person: 1}, conditions: []fhir.Criterion{param("AuditEvent", "agent", fhir.Operand{Reference: ref("Organization", "o200")})}, want: "refused read "},
		{ledger: gateway.LedgerScope{Person: 1}, conditions: []fhir.Criterion{param("AuditEvent", "date", fhir.Operand{Prefix: "ge", Low: start, High: start})}, want: "written refused read "},
		{ledger: gateway.LedgerScope{Person: 1}, conditions: []fhir.Criterion{param("AuditEvent", "date", fhir.Operand{Prefix: "lt", Low: start, High: start})}, want: ""},
	} {
		scope := gateway.Scope{Own: "900", Ledger: c.ledger, Person: c.bound}
		got := b.find(scope, "AuditEvent", gateway.Search{Sort: newest, Criteria: c.conditions}, c.person)
		if names(got) != c.want {
			t.Errorf("%+v person %d %v: %q, want %q", c.ledger, c.person, c.conditions, names(got), c.want)
		}
		for id := range name {
			r, err := b.get(scope, ref("AuditEvent", id))
			reached := false
			for _, g := range b.find(scope, "AuditEvent", gateway.Search{}, 0) {
				reached = reached || string(g.Reference.ID) == id
			}
			if (err == nil) != reached {
				t.Errorf("%+v: %s is found %v, read %v", c.ledger, name[id], reached, err)
			}
			if err != nil {
				continue
			}
			// The gateway decides anew on these: who asked, whose records left, and whether it was refused.
			left := len(r.Sent) == 1 && r.Sent[0].To == "100"
			if len(r.Body) == 0 || name[id] == "read" && (r.Custodian != "200" || !left || r.Refused) || name[id] == "refused" && !r.Refused {
				t.Errorf("%s: %d bytes, asked by %s, left %v, refused %v", name[id], len(r.Body), r.Custodian, r.Sent, r.Refused)
			}
		}
	}
	// pages
	scope := gateway.Scope{Own: "900", Ledger: gateway.LedgerScope{Person: 1, Custodian: "100", Asker: "100"}}
	for _, sort := range []gateway.Sort{{}, newest} {
		whole := b.find(scope, "AuditEvent", gateway.Search{Sort: sort}, 0)
		var got []gateway.Record
		var after gateway.Cursor
		for range 10 {
			var page []gateway.Record
			b.see(func(v *view) (err error) {
				page, err = v.search(b.ctx, scope, "AuditEvent", gateway.Search{Sort: sort}, 0, 1, after)
				return err
			})
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			after = gateway.Cursor{At: page[0].Low, Key: page[0].Key, Set: true}
		}
		if names(got) != names(whole) || len(got) != 4 {
			t.Errorf("pages %q, whole %q", names(got), names(whole))
		}
	}
	b.see(func(v *view) error {
		f, err := v.FactsOf(b.ctx, ref("AuditEvent", string(b.find(scope, "AuditEvent", gateway.Search{}, 0)[0].Reference.ID)))
		if f.Person != 1 {
			t.Errorf("an AuditEvent is about person %d", f.Person)
		}
		return err
	})
}

func TestPatientsLineTakesThePersonOfTheRecord(t *testing.T) {
	b := newBench(t)
	p := b.patient("100", "100-kari", kari)
	d := b.draft("100", ref("CarePlan", "100-plan"), "100-kari", gateway.Plan)
	b.make(d)
	if got := b.find(gateway.Scope{Own: "900", Ledger: gateway.LedgerScope{Person: p.Person}}, "AuditEvent", gateway.Search{}, 0); len(got) != 2 {
		t.Errorf("the patient sees %d writes about herself, want 2", len(got))
	}
}
