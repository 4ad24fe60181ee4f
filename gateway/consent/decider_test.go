package consent_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/consent/consenttest"
	"github.com/sluse/sluse/gateway/fhir"
)

func decide(t *testing.T, d gateway.Decider, q gateway.Question) gateway.Decision {
	t.Helper()
	answer, err := d.Decide(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// Each kind of actor reaches what the design gives it, and nothing more.
func TestKinds(t *testing.T) {
	t.Parallel()
	d := consenttest.Decider(t)
	base := tenByFive(t)
	as := func(kind gateway.Kind, action gateway.Action, typ fhir.Type) gateway.Question {
		q := base
		q.Actor.Kind, q.Action, q.Type = kind, action, typ
		return q
	}
	for kind, writes := range map[gateway.Kind]map[fhir.Type]bool{
		gateway.Nobody:     {"CarePlan": false, "Consent": false, "Organization": false},
		gateway.Machine:    {"CarePlan": false, "Consent": false, "Organization": false},
		gateway.Person:     {"CarePlan": true, "Consent": true, "PractitionerRole": true, "Provenance": true, "AuditEvent": false, "": false},
		gateway.Patient:    {"CarePlan": false, "Consent": true, "Patient": true, "AuditEvent": false},
		gateway.Operator:   {"CarePlan": false, "Consent": false, "Patient": false, "Organization": true, "Endpoint": true},
		gateway.Compliance: {"CarePlan": false, "Consent": false, "Organization": false},
		gateway.Kind(99):   {"CarePlan": false},
	} {
		for typ, want := range writes {
			q := as(kind, gateway.WriteAction, typ)
			q.Named = false
			got := decide(t, d, q)
			if got.Scope.Write != want || (got.Effect == gateway.Allow) != want || len(got.Scope.Terms) > 0 || got.Scope.Join != nil {
				t.Errorf("kind %d writes %s: %+v, want %v", kind, typ, got.Scope, want)
			}
		}
	}
	for _, kind := range []gateway.Kind{gateway.Nobody, gateway.Machine, gateway.Operator, gateway.Kind(99)} {
		if got := decide(t, d, as(kind, gateway.ReadAction, "")); got.Effect != gateway.Deny || got.Reason == "" || got.Scope.Own != "" || len(got.Scope.Terms) > 0 {
			t.Errorf("kind %d reads: %+v", kind, got)
		}
	}
	if got := decide(t, d, as(gateway.Compliance, gateway.ReadAction, "")).Scope; got.Own != "" || len(got.Terms) > 0 || got.Fetched || len(got.Ledger.Compliance) != 1 {
		t.Errorf("compliance: %+v", got)
	}
	for _, action := range []gateway.Action{"", "admin"} {
		if got := decide(t, d, as(gateway.Person, action, "")); got.Effect != gateway.Deny {
			t.Errorf("action %q: %+v", action, got)
		}
	}
	for _, kind := range []gateway.Kind{gateway.Nobody, gateway.Machine, gateway.Patient, gateway.Operator, gateway.Compliance, gateway.Kind(99)} {
		if got := decide(t, d, as(kind, gateway.ContributeAction, "")); got.Effect != gateway.Deny {
			t.Errorf("kind %d contributes: %+v", kind, got)
		}
	}
	if got := decide(t, d, as(gateway.Person, gateway.ContributeAction, "")).Scope; got.Own != base.Party.ID || got.Fetched || got.Write || len(got.Terms) > 0 && slices.ContainsFunc(got.Terms, func(t gateway.Term) bool { return t.Effect == gateway.Allow }) {
		t.Errorf("a person contributes where no grant says so: %+v", got)
	}
}

// The patient reaches what any party keeps about herself, every Consent about her among it, and nothing
// of another person.
func TestPatientReachesHerself(t *testing.T) {
	t.Parallel()
	d := consenttest.Decider(t)
	q := tenByFive(t)
	q.Actor.Kind, q.Own = gateway.Patient, q.Facts.Person
	s := decide(t, d, q).Scope
	record := gateway.Record{Reference: fhir.Reference{Type: "Consent", ID: "c"}, Custodian: "8140001", Person: q.Own, Labels: gateway.Samarbeid | gateway.Rus}
	if _, ok := s.Releases(record); !ok {
		t.Error("not her Consent")
	}
	record.Reference.Type = "CarePlan"
	if _, ok := s.Releases(record); !ok {
		t.Error("not a party's record about her (pbrl. § 5-1)")
	}
	record.Custodian = q.Party.ID
	if _, ok := s.Releases(record); !ok {
		t.Error("not her own record")
	}
	record.Person++
	if _, ok := s.Releases(record); ok {
		t.Error("another person's record")
	}
	q.Own++
	if got := decide(t, d, q); got.Effect != gateway.Deny {
		t.Errorf("she asks about another: %+v", got.Scope)
	}
}

// A question without patient brings the actor's keys and no terms.
func TestUnnamedQuestionJoins(t *testing.T) {
	t.Parallel()
	d := consenttest.Decider(t)
	q := tenByFive(t)
	q.Named, q.Facts = false, gateway.Facts{}
	s := decide(t, d, q).Scope
	if s.Join == nil || len(s.Terms) > 0 || len(s.Join.Permits) != 4 || !s.Join.Now.Equal(q.Now) || s.Join.Purposes[0] != gateway.Treat {
		t.Errorf("%+v", s)
	}
	q.Actor.Attest = gateway.Attest{}
	if s := decide(t, d, q).Scope; s.Join != nil || s.Fetched {
		t.Errorf("without attest: %+v", s)
	}
	q.Actor.Attest, q.Actor.Kind = gateway.Attest{Each: true}, gateway.Machine
	if s := decide(t, d, q).Scope; s.Join != nil {
		t.Errorf("a machine: %+v", s)
	}
}

// What joins has grants with boundaries of their own: the answer is remembered, its time never is,
// and who asks again changes nothing for who asked before.
func TestRememberedJoinsTellTheirTime(t *testing.T) {
	t.Parallel()
	d := consenttest.Decider(t)
	q := tenByFive(t)
	q.Named, q.Facts = false, gateway.Facts{}
	first := decide(t, d, q)
	later := q
	later.Now = q.Now.Add(time.Nanosecond)
	second := decide(t, d, later)
	if !first.Scope.Join.Now.Equal(q.Now) || !second.Scope.Join.Now.Equal(later.Now) || !second.Until.Equal(later.Now) {
		t.Errorf("%v until %v, then %v until %v", first.Scope.Join.Now, first.Until, second.Scope.Join.Now, second.Until)
	}
	coordinating := q
	coordinating.Actor.Purpose = gateway.Coordinate
	if got := decide(t, d, coordinating).Scope.Join.Purposes[0]; got != gateway.Coordinate {
		t.Errorf("another purpose gets %v", got)
	}
	grants := q
	grants.Facts = tenByFive(t).Facts
	grants.Facts.Person = 0
	if got, err := d.Decide(context.Background(), grants); err == nil && len(got.Scope.Terms) > 0 {
		t.Error("grants of nobody gave terms")
	}
}

// Many ask about the same new person at once, and each gets the same answer: the terms that
// evaluations share are not changed by any.
func TestAskedAtOnce(t *testing.T) {
	t.Parallel()
	d, err := consent.NewDecider(context.Background(), consent.Config{Decisions: 1, Kinds: 1})
	if err != nil {
		t.Fatal(err)
	}
	q := tenByFive(t)
	want := decide(t, d, q)
	var wg sync.WaitGroup
	for epoch := range int64(25) {
		start := make(chan struct{})
		for i := range 4 {
			wg.Go(func() {
				q := q
				q.Facts.Epoch = epoch + 2
				q.Actor.Practitioner = gateway.HPRNumber(strconv.Itoa(7000001 + int(epoch)))
				q.Type = []fhir.Type{"", "CarePlan"}[i%2]
				<-start
				got, err := d.Decide(context.Background(), q)
				if err != nil || len(got.Scope.Terms) != len(want.Scope.Terms) || len(got.Citations) != len(want.Citations) {
					t.Errorf("epoch %d: %d terms, %d citations: %v", q.Facts.Epoch, len(got.Scope.Terms), len(got.Citations), err)
				}
			})
		}
		close(start)
		wg.Wait()
	}
}

// An answer holds until the next boundary and for its epoch; the epoch is what revokes.
func TestAnswersEnd(t *testing.T) {
	t.Parallel()
	d := consenttest.Decider(t)
	q := tenByFive(t)
	first := decide(t, d, q)
	if len(first.Scope.Terms) == 0 || len(first.Looked) != 10 || len(first.Citations) == 0 || first.Policy != d.Revision() || first.Scope.Revision != d.Revision() {
		t.Fatalf("%+v", first)
	}
	if !first.Until.After(q.Now) || first.Until.After(time.Date(2027, 2, 2, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("until %v", first.Until)
	}
	before := q
	before.Now = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	if got := decide(t, d, before); len(got.Scope.Terms) > 0 {
		t.Error("terms before the first period")
	}
	after := q
	after.Now = time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := decide(t, d, after); len(got.Scope.Terms) > 0 {
		t.Error("terms after the last period")
	}
	withdrawn := q
	withdrawn.Facts.Epoch++
	withdrawn.Facts.Grants = nil
	if got := decide(t, d, withdrawn); len(got.Scope.Terms) > 0 {
		t.Error("terms after withdrawal")
	}
	if got := decide(t, d, q); len(got.Scope.Terms) != len(first.Scope.Terms) {
		t.Error("another answer for the same question")
	}
	broken := q
	broken.Facts.Epoch += 2
	broken.Facts.Grants = []byte(`{"x"`)
	if _, err := d.Decide(context.Background(), broken); err == nil {
		t.Error("grants that cannot be read gave an answer")
	}
}

// What a term of the scope holds for read and for message: each grant on the side it was given for.
func TestSentTermsComeFromMessageGrants(t *testing.T) {
	t.Parallel()
	d := consenttest.Decider(t)
	for _, v := range consenttest.Vectors(t) {
		s := decide(t, d, v.Question).Scope
		for _, term := range s.Terms {
			if v.Question.Action == gateway.MessageAction && term.Sent {
				t.Errorf("%s: a message term that waits for a stored record", v.Name)
			}
			if term.Mask == 0 || !term.Standing && term.Citation >= len(v.Grants) {
				t.Errorf("%s: %+v", v.Name, term)
			}
		}
	}
}
