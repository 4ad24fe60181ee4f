package trial

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/policies"
	"github.com/sluse/sluse/policies/cases"
)

// Bench puts the questions of one table to the rules: under regime samtykke without the table's agreements of regime
// lov, under regime lov with them.
type Bench struct{ courts map[cases.Regime]court }

// court is what decides under one regime.
type court struct {
	world      cases.World
	policies   policies.Set
	decider    *consent.Decider
	normalizer *consent.Normalizer
}

// NewBench compiles the rules for a table. An error tells what its world lacks.
func NewBench(t cases.Table) (*Bench, error) {
	b := &Bench{courts: map[cases.Regime]court{}}
	for _, regime := range []cases.Regime{cases.BySamtykke, cases.ByLov} {
		c := court{world: t.World}
		c.world.Agreements = maps.Clone(t.World.Agreements)
		if regime == cases.BySamtykke {
			delete(c.world.Agreements, "lov")
		}
		var err error
		if c.policies, err = c.world.Policies(); err != nil {
			return nil, err
		}
		if c.decider, err = consent.NewDecider(ctx, consent.Config{Policies: c.policies}); err != nil {
			return nil, fmt.Errorf("%s: world: %w", t.File, err)
		}
		if c.normalizer, err = consent.NewNormalizerUnder(c.policies); err != nil {
			return nil, fmt.Errorf("%s: world: %w", t.File, err)
		}
		b.courts[regime] = c
	}
	return b, nil
}

// broken is what is wrong with a case.
type broken struct{ error }

// reporter makes an error of what a test would fail by.
type reporter struct{}

// Helper has nothing to mark.
func (reporter) Helper() {}

// Fatalf ends the making of a case.
func (reporter) Fatalf(format string, args ...any) { panic(broken{fmt.Errorf(format, args...)}) }

// Vector makes the values of a question. A Consent that cannot be stored is an error that names its elements.
func (b *Bench) Vector(q cases.LegalQuestion) (v Vector, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case broken:
			err = r.error
		default:
			panic(r)
		}
	}()
	c := b.courts[q.Regime]
	v = Make(reporter{}, c.normalizer, c.world, q.Case)
	var refused []string
	for _, i := range v.Issues {
		if i.Severity == "error" && !slices.Contains(refused, i.Expression) {
			refused = append(refused, i.Expression)
		}
	}
	if !SameParts(refused, q.Case.Expect.Refused) {
		return v, fmt.Errorf("consents: refused at %v, and the file says %v", refused, q.Case.Expect.Refused)
	}
	if len(refused) > 0 { // what cannot be stored is not there
		q.Case.Consents = nil
		v = Make(reporter{}, c.normalizer, c.world, q.Case)
	}
	return v, nil
}

// Decider is what decides under the regime; Policies the data it decides on.
func (b *Bench) Decider(r cases.Regime) *consent.Decider { return b.courts[r].decider }

// Policies is the policy data of the regime.
func (b *Bench) Policies(r cases.Regime) policies.Set { return b.courts[r].policies }

// Ask gives what the rules say: the Normalizer's grants, the Decider's scope applied to the record, and what
// the release stands on.
func (b *Bench) Ask(q cases.LegalQuestion) (cases.Answer, error) {
	v, err := b.Vector(q)
	if err != nil {
		return cases.Answer{}, err
	}
	d := b.Decider(q.Regime)
	decision, err := Decide(d, v)
	if err != nil {
		return cases.Answer{}, err
	}
	if _, crosses := decision.Scope.Releases(v.Record); !crosses {
		return cases.Answer{}, nil
	}
	out := cases.Answer{Crosses: true}
	for _, c := range decision.Cited(v.Record) {
		out.Bases = append(out.Bases, cases.Basis{Law: c.Law, Paragraph: c.Paragraph, Provision: provision(c)})
		out.Duty = d.Duty(c)
	}
	return out, nil
}

// provision names what a citation points at.
func provision(c gateway.Citation) string {
	switch {
	case c.Consent != (fhir.Reference{}):
		return c.Consent.String() + " " + c.Path
	case c.Path == "": // emergency and insight stand on the law alone
		return c.Law
	}
	return c.Path
}
