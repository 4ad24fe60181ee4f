// Package consenttest gives the worked examples of policies/cases, and generated ones, as values of
// package gateway, so that Go, Rego and SQL can be asked the same.
package consenttest

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/policies/cases"
)

// TB is what is used of testing.TB and of rapid.T.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Vector is one question about one record, with the person's grants and the answer.
type Vector struct {
	Name     string
	Grants   []gateway.Grant  // of all Consents
	Consents []fhir.Reference // with Version
	Record   gateway.Record   // Body empty
	Question gateway.Question // Named, Facts filled
	Crosses  bool
	Parts    []string // paths of the parts that are released

	Covered gateway.Labels // generated: what Rego found covered

	Issues []fhir.Issue   // what the Normalizer found
	Input  map[string]any // for Rego `releasable`
}

// ctx is that of a test: nothing here is cancelled.
var ctx = context.Background()

// persons gives every vector a person of its own, since a Decider remembers by person and epoch.
var persons atomic.Int64

// Decider is the real one, compiled once.
func Decider(t TB) gateway.Decider {
	t.Helper()
	d, err := consent.NewDecider(ctx, consent.Config{})
	if err != nil {
		t.Fatalf("decider: %v", err)
	}
	return d
}

// Vectors gives the hand-written cases that have an answer about a record.
func Vectors(t TB) []Vector {
	t.Helper()
	world, all, err := cases.Load()
	if err != nil {
		t.Fatalf("%v", err)
	}
	var out []Vector
	for _, c := range all {
		if len(c.Expect.Refused) == 0 {
			out = append(out, Make(t, world, c))
		}
	}
	return out
}

// World is the directory of the cases.
func World(t TB) gateway.Directory {
	t.Helper()
	w, _, err := cases.Load()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return directory{w}
}

// Make turns a case into gateway values. Its Consents are normalised as they would be when stored.
func Make(t TB, world cases.World, c cases.Case) Vector {
	t.Helper()
	dir := directory{world}
	n, err := consent.NewNormalizer()
	if err != nil {
		t.Fatalf("normalizer: %v", err)
	}
	v := Vector{Name: c.Sentence + ": " + c.Name, Crosses: c.Expect.Crosses, Parts: c.Expect.Parts}
	teams := map[string]cases.Team{}
	for _, team := range c.Teams {
		teams["CareTeam/"+team.ID] = team
	}
	find := func(ref fhir.Reference) (listed, current *fhir.Resource) {
		team := teams[fhir.Reference{Type: ref.Type, ID: ref.ID}.String()]
		return parse(t, team.Listed), parse(t, team.Current)
	}
	for _, stored := range c.Consents {
		registrar, ok := dir.party(stored.Registrar)
		if !ok {
			t.Fatalf("%s: no party %q", c.Name, stored.Registrar)
		}
		ref := fhir.Reference{Type: "Consent", ID: fhir.ID(stored.ID), Version: stored.Version}
		grants, issues := n.Grants(parse(t, stored.Body), ref, registrar, stored.Patient, dir, find)
		v.Consents = append(v.Consents, ref)
		v.Grants = append(v.Grants, grants...)
		v.Issues = append(v.Issues, issues...)
	}
	v.Record = record(t, dir, c.Record)
	v.Question = question(t, dir, c, v.Grants)
	if v.Record.Person != 0 {
		v.Record.Person = v.Question.Facts.Person
	}
	if v.Record.Fetched != 0 && v.Question.Action != gateway.ReadAction {
		t.Fatalf("%s: only a read meets what was fetched", c.Name)
	}
	v.Input = input(dir, c, v)
	return v
}

func parse(t TB, body []byte) *fhir.Resource {
	t.Helper()
	if body == nil {
		return nil
	}
	r, err := fhir.Parse(body)
	if err != nil {
		t.Fatalf("case does not parse: %v\n%s", err, body)
	}
	return r
}

func record(t TB, dir directory, c cases.Record) gateway.Record {
	t.Helper()
	r := gateway.Record{
		Reference: fhir.Reference{Type: fhir.Type(c.Type), ID: fhir.ID(c.ID), Version: "1"},
		Custodian: dir.her(t, c.Custodian), Low: c.Low, High: c.High,
		Labels: labels(t, c.Labels), Fetched: labels(t, c.Fetched),
	}
	if c.Context != "" {
		var err error
		if r.Context, err = fhir.ParseReference(c.Context); err != nil {
			t.Fatalf("context %q: %v", c.Context, err)
		}
	}
	if c.Person {
		r.Person = 1
	}
	for _, p := range c.Parts {
		r.Parts = append(r.Parts, gateway.Part{Path: p.Path, Labels: labels(t, p.Labels)})
	}
	for _, s := range c.Sent {
		r.Sent = append(r.Sent, gateway.Sent{To: dir.her(t, s.To), Mask: labels(t, s.Labels)})
	}
	return r
}

func question(t TB, dir directory, c cases.Case, grants []gateway.Grant) gateway.Question {
	t.Helper()
	party, ok := dir.party(c.Question.Party)
	if !ok {
		t.Fatalf("%s: no party %q", c.Name, c.Question.Party)
	}
	encoded, err := gateway.EncodeGrants(grants)
	if err != nil {
		t.Fatalf("%v", err)
	}
	q := gateway.Question{
		Actor: gateway.Actor{
			Kind: gateway.Person, Party: party.ID, Unit: gateway.HERID(c.Question.Unit),
			Practitioner: gateway.HPRNumber(c.Question.Practitioner), Role: c.Question.Role,
			Purpose: gateway.Purpose(c.Question.Purpose), Attest: gateway.Attest{Each: c.Question.Attest},
		},
		Party: party, Action: gateway.Action(c.Question.Action), Named: true, Now: c.Now,
		Facts: gateway.Facts{Person: gateway.PersonID(persons.Add(1)), Epoch: 1, Grants: encoded},
	}
	for _, p := range dir.Above(c.Question.Party) {
		q.Parts = append(q.Parts, gateway.HERID(p.HER))
	}
	return q
}

func labels(t TB, codes []string) gateway.Labels {
	t.Helper()
	var all gateway.Labels
	for _, c := range codes {
		l, ok := gateway.LabelOf(c)
		if !ok {
			t.Fatalf("no label %q", c)
		}
		all |= l
	}
	return all
}

// Answer asks Go: the Decider's scope, applied to the record.
func Answer(d gateway.Decider, v Vector) (crosses bool, parts []string, covered gateway.Labels, err error) {
	decision, err := d.Decide(ctx, v.Question)
	if err != nil {
		return false, nil, 0, fmt.Errorf("decide: %w", err)
	}
	scope := decision.Scope
	if decision.Effect != gateway.Allow {
		scope = gateway.Scope{}
	}
	covered, crosses = scope.Releases(v.Record)
	return crosses, Released(v.Record, crosses, covered), covered, nil
}

// Released lists the parts that go with a record under the covered labels.
func Released(r gateway.Record, crosses bool, covered gateway.Labels) []string {
	var out []string
	for _, p := range r.Parts {
		if crosses && p.Labels.Within(covered) {
			out = append(out, p.Path)
		}
	}
	return out
}

// SameParts compares lists of paths whatever their order.
func SameParts(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func instant(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Format(time.RFC3339Nano)
}
