// Package trial turns worked examples of policies/cases into values of package gateway, so that Go, Rego and SQL
// can be asked the same, in tests and by `sluse policy test`.
package trial

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

	Withheld []gateway.Withholding // from the person herself

	Covered gateway.Labels // generated: what Rego found covered

	Issues []fhir.Issue   // what the Normalizer found
	Input  map[string]any // for Rego `releasable`
}

// ctx is that of a test: nothing here is cancelled.
var ctx = context.Background()

// persons gives every vector a person of its own, since a Decider remembers by person and epoch.
var persons atomic.Int64

// Directory is that of the cases as the gateway sees it.
func Directory(w cases.World) gateway.Directory { return directory{w} }

// Make turns a case into gateway values. Its Consents are normalised by n as they would be when stored.
func Make(t TB, n *consent.Normalizer, world cases.World, c cases.Case) Vector {
	t.Helper()
	dir := directory{world}
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
		grants, issues := n.Grants(parse(t, stored.Body), ref, gateway.Setting{
			Registrar: registrar, Patient: stored.Patient, Withdrawn: stored.Withdrawn, Directory: dir, Team: find,
			Later:     func(ref fhir.Reference) []gateway.Stated { return told(t, dir, teams[ref.String()].Confirmed) },
			Confirmed: confirmed(t, dir, stored), Groups: groups(t, dir, world, stored),
			Bearers: func() []gateway.Stated { return told(t, dir, c.Stated) },
		})
		v.Consents = append(v.Consents, ref)
		v.Grants = append(v.Grants, grants...)
		v.Issues = append(v.Issues, issues...)
	}
	v.Record = record(t, dir, c.Record)
	v.Question = question(t, dir, c, v.Grants)
	if v.Record.Person != 0 {
		v.Record.Person = v.Question.Facts.Person
	}
	if c.Record.Other {
		v.Record.Person = gateway.PersonID(persons.Add(1))
	}
	if c.Record.Withheld != "" {
		v.Withheld = []gateway.Withholding{{Record: fhir.Reference{Type: v.Record.Reference.Type, ID: v.Record.Reference.ID}, Kind: c.Record.Withheld}}
	}
	if v.Record.Fetched != 0 && v.Question.Action != gateway.ReadAction {
		t.Fatalf("%s: only a read meets what was fetched", c.Name)
	}
	v.Input = input(t, dir, world, c, v)
	return v
}

// told gives what parties and the person have stated or confirmed.
func told(t TB, dir directory, list []cases.Stated) (out []gateway.Stated) {
	t.Helper()
	for _, s := range list {
		out = append(out, gateway.Stated{By: dir.her(t, s.By), Patient: s.Patient, Resource: parse(t, s.Body)})
	}
	return out
}

func confirmed(t TB, dir directory, c cases.Consent) (out []gateway.Stated) {
	t.Helper()
	for _, by := range c.Confirmed {
		out = append(out, gateway.Stated{By: dir.her(t, by), Patient: by == "pasient"})
	}
	return out
}

// groups are the receiver groups as they were when the Consent was stored: as it tells, or as they are.
func groups(t TB, dir directory, world cases.World, c cases.Consent) map[string][]gateway.Member {
	t.Helper()
	out := map[string][]gateway.Member{}
	for name, list := range c.Groups {
		out[name] = []gateway.Member{}
		for _, m := range list {
			out[name] = append(out[name], gateway.Member{Party: dir.her(t, m.Party), Unit: gateway.HERID(m.Unit)})
		}
	}
	for name, g := range world.Groups {
		if _, told := out[name]; told {
			continue
		}
		for _, m := range g.(map[string]any)["members"].([]any) {
			m := m.(map[string]any)
			out[name] = append(out[name], gateway.Member{Party: gateway.HERID(m["party"].(string)), Unit: gateway.HERID(m["unit"].(string))})
		}
	}
	return out
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
		r.Sent = gateway.SentBy(r.Sent, dir.her(t, s.To), s.Message, labels(t, s.Labels))
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
			Kind: kind(t, c.Question), Party: party.ID, Unit: gateway.HERID(c.Question.Unit),
			Practitioner: gateway.HPRNumber(c.Question.Practitioner), Role: c.Question.Role,
			Purpose: gateway.Purpose(c.Question.Purpose), Attest: gateway.Attest{Each: c.Question.Attest},
		},
		Party: party, Action: gateway.Action(c.Question.Action), Named: true, Now: c.Now,
		Facts: gateway.Facts{Person: gateway.PersonID(persons.Add(1)), Epoch: 1, Grants: encoded},
	}
	if c.Question.Emergency {
		q.Actor.Reason = "bevisstløs"
		var err error
		if q.Actor.Attest.NIN, err = gateway.NewNIN(attested); err != nil {
			t.Fatalf("%v", err)
		}
	}
	if q.Actor.Kind == gateway.Patient {
		q.Own = q.Facts.Person
	}
	q.Message, q.Hjemler = c.Question.Message, switched(t, dir, c.Hjemler)
	for _, p := range dir.Above(c.Question.Party) {
		q.Parts = append(q.Parts, gateway.HERID(p.HER))
	}
	return q
}

// attested is whom a token of an emergency is bound to: a synthetic number, of the series with month + 80.
const attested = "21869245515"

// kind is what the asker is.
func kind(t TB, q cases.Question) gateway.Kind {
	t.Helper()
	kinds := map[string]gateway.Kind{"": gateway.Person, "person": gateway.Person, "machine": gateway.Machine, "patient": gateway.Patient, "nobody": gateway.Nobody}
	k, ok := kinds[q.Kind]
	if !ok {
		t.Fatalf("question.kind: %q is none of person, machine, patient, nobody", q.Kind)
	}
	return k
}

func switched(t TB, dir directory, list []cases.Switch) gateway.Hjemler {
	t.Helper()
	var on []gateway.Switched
	for _, s := range list {
		p, ok := dir.party(s.By)
		if !ok {
			t.Fatalf("no party %q", s.By)
		}
		on = append(on, gateway.Switched{Hjemmel: gateway.HjemmelID(s.ID), Party: p.ID, Sector: p.Sector})
	}
	return gateway.NewHjemler(on)
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

// Decide asks the Decider; of a deny the scope reaches nothing.
func Decide(d gateway.Decider, v Vector) (gateway.Decision, error) {
	decision, err := d.Decide(ctx, v.Question)
	if err != nil {
		return gateway.Decision{}, fmt.Errorf("decide: %w", err)
	}
	if decision.Effect != gateway.Allow {
		return gateway.Decision{}, nil
	}
	decision.Scope = decision.Scope.Less(v.Withheld)
	return decision, nil
}

// Answer asks Go: the Decider's scope, applied to the record.
func Answer(d gateway.Decider, v Vector) (crosses bool, parts []string, covered gateway.Labels, err error) {
	decision, err := Decide(d, v)
	if err != nil {
		return false, nil, 0, err
	}
	scope := decision.Scope
	covered, crosses = scope.Releases(v.Record)
	covered &= gateway.AllLabels // what tells where somebody is, is no label
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
