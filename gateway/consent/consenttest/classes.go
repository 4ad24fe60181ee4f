package consenttest

import (
	"encoding/json"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"pgregory.net/rapid"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/consent/trial"
	"github.com/sluse/sluse/policies/cases"
)

// Set is a generated consent set that can be stored, of which every request class can be asked.
type Set struct {
	Case      cases.Case
	Grants    []gateway.Grant
	Situation consent.Situation
	Facts     gateway.Facts
	Hjemler   gateway.Hjemler
	Classes   *consent.Classes
	ground    *consent.Ground
}

// Trio asks the forms of the semantics about every class of generated sets.
type Trio struct {
	generator *Generator
	checker   *consent.Checker
	decider   *consent.Decider
	drawn     *rapid.Generator[cases.Case]
	world     gateway.Directory
	limit     int
}

// NewTrio compiles the policies once for many sets, of which at most limit classes each are asked.
func NewTrio(t TB, limit int) *Trio {
	t.Helper()
	d, err := consent.NewDecider(ctx, consent.Config{Policies: Policies(t)})
	if err != nil {
		t.Fatalf("decider: %v", err)
	}
	c, err := consent.NewChecker(ctx, d, Policies(t))
	if err != nil {
		t.Fatalf("checker: %v", err)
	}
	g := NewGenerator(t)
	drawn := rapid.Custom(func(t *rapid.T) cases.Case {
		c := g.Draw(t)
		focus(t, &c)
		return c
	}).Filter(func(c cases.Case) bool { // one that only denies shows nothing
		return slices.ContainsFunc(c.Consents, func(one cases.Consent) bool {
			return !one.Withdrawn && strings.Contains(string(one.Body), `"permit"`)
		})
	})
	return &Trio{generator: g, checker: c, decider: d, drawn: drawn, world: World(t), limit: limit}
}

// Decider is the one that answers for Go.
func (x *Trio) Decider() gateway.Decider { return x.decider }

// setPersons gives every set a person of its own, since a Decider remembers by person and epoch.
var setPersons atomic.Int64

// Set makes the set of a seed; ok is false for one that the Normalizer refuses, which nobody has to answer.
func (x *Trio) Set(t TB, seed int) (s Set, ok bool) {
	t.Helper()
	return x.Of(t, x.drawn.Example(seed))
}

// Of makes the set of a case; its record and question are not asked.
func (x *Trio) Of(t TB, c cases.Case) (s Set, ok bool) {
	t.Helper()
	v := Make(t, x.generator.world, c)
	if Refused(v) {
		return s, false
	}
	s = Set{Case: c, Grants: v.Grants, Hjemler: v.Question.Hjemler, Situation: consent.Situation{}}
	for _, name := range []string{"consents", "teams", "directory", "statements", "hjemler"} {
		s.Situation[name] = v.Input[name]
	}
	s.Facts = v.Question.Facts
	s.Facts.Person = gateway.PersonID(setPersons.Add(1)) + 1<<40
	var err error
	if s.ground, err = x.checker.Ground(s.Situation); err != nil {
		t.Fatalf("ground: %v", err)
	}
	s.Classes = x.checker.Classes(s.Situation, c.Now, x.limit, x.party)
	return s, true
}

// party is what the directory of the cases knows, with who is above.
func (x *Trio) party(h gateway.HERID) gateway.Party {
	p, ok := x.world.Party(h)
	if !ok || p.ID != h {
		return gateway.Party{}
	}
	for _, above := range x.generator.world.Above(p.Name) {
		p.Above = append(p.Above, gateway.HERID(above.HER))
	}
	return p
}

// Each gives every class of the set, with what a decision looks at.
func (s Set) Each(f func(consent.Class) error) error {
	return s.Classes.Each(func(c consent.Class) error {
		c.Question.Facts, c.Question.Hjemler = s.Facts, s.Hjemler
		c.Record.Person = s.Facts.Person
		return f(c)
	})
}

// Releasable is Rego's answer from the raw Consents.
func (s Set) Releasable(c consent.Class) (bool, gateway.Labels, error) {
	return s.ground.Releasable(ctx, c)
}

// Scope is Go's answer from the grants: the Decider's, with all that it remembers.
func (x *Trio) Scope(c consent.Class) (gateway.Scope, bool, gateway.Labels, error) {
	d, err := trial.Decide(x.decider, Vector{Question: c.Question})
	if err != nil {
		return gateway.Scope{}, false, 0, err
	}
	covered, crosses := d.Scope.Releases(c.Record)
	return d.Scope, crosses, covered & gateway.AllLabels, nil
}

// focus keeps of a case few values of a dimension and few dimensions, so that every combination of them can be
// asked: which, is drawn.
func focus(t *rapid.T, c *cases.Case) {
	wide := rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3}).Draw(t, "wide") // how many dimensions
	f := focused{
		to: some(t, "receivers", genTo, 1+wide/3), from: some(t, "keepers", genParties, 1),
		by: some(t, "registrars", genBy, 1+wide/2), labels: some(t, "instead", genLabels, 2),
	}
	if wide > 0 || rapid.Bool().Draw(t, "any") {
		f.live = some(t, "live", []string{"purpose", "class", "data", "action", "dataPeriod", "period", "organization", "confirmed", "hjemler"}, 1+wide/2)
	}
	if rapid.Bool().Draw(t, "own") { // who registers keeps the records
		f.from = f.by[:1]
	}
	names := func(prefix string) bool {
		return slices.ContainsFunc(f.to, func(ref string) bool { return strings.HasPrefix(ref, prefix) })
	}
	if !names("CareTeam/") {
		c.Teams = nil
	}
	if !names("@rolle/") {
		c.Stated = nil
	}
	if !f.has("hjemler") {
		c.Hjemler = nil
	}
	c.Consents = c.Consents[:min(len(c.Consents), 1+wide)]
	for i := range c.Consents {
		one := &c.Consents[i]
		if one.Withdrawn = false; !names("@gruppe/") {
			one.Groups = nil
		}
		if !f.has("confirmed") {
			one.Confirmed = nil
		}
		one.Registrar = at(f.by, one.Registrar)
		one.Patient = one.Registrar == "pasient"
		var body map[string]any
		if err := json.Unmarshal(one.Body, &body); err != nil {
			t.Fatalf("%v", err)
		}
		f.consent(body)
		one.Withdrawn = body["status"] == "inactive"
		one.Body, _ = json.Marshal(body)
	}
	c.Record = cases.Record{Type: "CarePlan", ID: "p1", Custodian: "bydel", Person: true, Labels: []string{"plan"}}
	c.Question = cases.Question{Party: "ous", Action: "read", Attest: true}
}

type focused struct{ live, to, from, by, labels []string }

func (f focused) has(name string) bool { return slices.Contains(f.live, name) }

// at takes one of the list, the same for the same text.
func at(list []string, text string) string {
	h := fnv.New32a()
	h.Write([]byte(text))
	return list[int(h.Sum32())%len(list)]
}

func (f focused) consent(body map[string]any) {
	if !f.has("organization") {
		delete(body, "organization")
	}
	if !f.has("period") {
		body["dateTime"] = "2026-11-20"
	}
	for _, o := range listOf(body, "organization") {
		maps.Copy(o, reference("Organization/"+at(f.from, fmtReference(o))))
	}
	p, _ := body["provision"].(map[string]any)
	f.provision(p)
}

func (f focused) provision(p map[string]any) {
	for _, name := range []string{"purpose", "class", "data", "action", "dataPeriod"} {
		if !f.has(name) {
			delete(p, name)
		}
	}
	permit := p["type"] == "permit"
	if permit && p["data"] == nil && p["securityLabel"] == nil {
		p["securityLabel"] = codings("http://sluse.no/fhir/CodeSystem/informasjonskategori", f.labels)
	}
	switch {
	case f.has("period"):
	case permit:
		p["period"] = map[string]any{"start": "2026-11-30", "end": "2026-12-01"}
	default:
		delete(p, "period")
	}
	var actors []any
	seen := map[string]bool{}
	for _, a := range listOf(p, "actor") {
		ref := a["reference"].(map[string]any)
		role, _ := json.Marshal(a["role"])
		to := at(f.to, fmtReference(ref))
		if strings.Contains(string(role), "CST") {
			to = "Organization/" + at(f.from, fmtReference(ref))
		}
		if key := to + string(role); !seen[key] {
			seen[key] = true
			actors = append(actors, map[string]any{"role": a["role"], "reference": reference(to)})
		}
	}
	if delete(p, "actor"); actors != nil {
		p["actor"] = actors
	}
	for _, n := range listOf(p, "provision") {
		f.provision(n)
	}
}

func fmtReference(ref map[string]any) string {
	raw, _ := json.Marshal(ref)
	return string(raw)
}

func listOf(v map[string]any, name string) (out []map[string]any) {
	list, _ := v[name].([]any)
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}
