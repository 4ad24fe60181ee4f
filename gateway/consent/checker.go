package consent

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/policies"
)

// Checker holds two forms of the consent semantics against each other, on the requests that a Situation tells apart:
// Rego's releasable on the raw Consents, and the Decider's scope on their grants.
type Checker struct {
	*tables
	formula *Formula
	decider *Decider
}

var _ gateway.Comparer = (*Checker)(nil)

// maxClasses is how many requests are asked about when a person's Consents have changed: some 200 ms.
const maxClasses = 240

// NewChecker compiles the policies. An error means that the program is built wrongly.
func NewChecker(ctx context.Context, d *Decider, set policies.Set) (*Checker, error) {
	f, err := NewFormulaUnder(ctx, set)
	if err != nil {
		return nil, err
	}
	return &Checker{d.tables, f, d}, nil
}

// Classes enumerates what the Situation tells apart, at most limit; now is when no period is named.
func (c *Checker) Classes(s Situation, now time.Time, limit int, party func(gateway.HERID) gateway.Party) *Classes {
	return classesOf(c.tables, s, now, limit, party)
}

// Ground reads a Situation, for Rego.
func (c *Checker) Ground(s Situation) (*Ground, error) { return c.formula.On(s) }

// Compare asks both forms about a person's Consents. What one of them fails to answer is a difference too.
func (c *Checker) Compare(ctx context.Context, k gateway.Known) (out gateway.Comparison, err error) {
	s, err := situation(k)
	if err != nil {
		return out, err
	}
	ground, err := c.Ground(s)
	if err != nil {
		return out, err
	}
	classes := classesOf(c.tables, s, k.Now, maxClasses, func(h gateway.HERID) gateway.Party {
		if p, ok := k.Directory.Party(h); ok && p.ID == h {
			return p
		}
		return gateway.Party{}
	})
	out.Left = classes.Product - classes.Size
	err = classes.Each(func(class Class) error {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("consent: %w", err)
		}
		class.Question.Hjemler = k.Hjemler
		out.Classes++
		if told := c.differ(ctx, ground, class, k.Grants); told != "" {
			if out.Differences++; out.First == "" {
				out.First = told
			}
		}
		return nil
	})
	return out, err
}

// differ tells how the forms answer a class when they do not agree.
func (c *Checker) differ(ctx context.Context, ground *Ground, class Class, grants []gateway.Grant) string {
	crosses, covered, err := c.scope(ctx, class, grants)
	ruled, rules, failed := ground.Releasable(ctx, class)
	if err == nil && failed == nil && crosses == ruled && (covered == rules || class.Record.Labels == 0) {
		return ""
	}
	q, r := class.Question, class.Record
	return fmt.Sprintf("%s by %s (unit %q, role %q, purpose %q) of %s held by %s, at %s: scope %v %v (%v), releasable %v %v (%v)",
		q.Action, q.Party.ID, q.Actor.Unit, q.Actor.Role, q.Actor.Purpose, r.Reference.Type, r.Custodian, q.Now.UTC().Format(time.RFC3339Nano),
		crosses, covered.Codes(), err, ruled, rules.Codes(), failed)
}

// scope answers a class by the Decider on the grants, which remembers nothing of it.
func (c *Checker) scope(ctx context.Context, class Class, grants []gateway.Grant) (bool, gateway.Labels, error) {
	d, err := c.decider.Suppose(ctx, class.Question, grants)
	if err != nil {
		return false, 0, err
	}
	if d.Effect != gateway.Allow {
		return false, 0, nil
	}
	covered, crosses := d.Scope.Releases(class.Record)
	return crosses, covered & gateway.AllLabels, nil
}

// situation writes what is known of a person as policies/releasable.rego reads it.
func situation(k gateway.Known) (Situation, error) {
	d := document{dir: k.Directory, directory: map[string]any{}}
	consents, teams := []any{}, map[string]any{}
	for _, c := range k.Consents {
		groups := map[string]any{}
		for name, members := range c.Basis.Groups {
			list := []any{}
			for _, m := range members {
				list = append(list, map[string]any{"party": string(m.Party), "unit": string(m.Unit)})
				d.party(m.Party)
			}
			groups[name] = list
		}
		d.party(c.Custodian)
		consents = append(consents, map[string]any{
			"registrar": string(c.Custodian), "patient": c.Patient, "resource": d.read(c.Body), "confirmed": d.stated(c.Confirmed),
			"groups": groups, "withdrawn": c.Basis.Withdrawn,
		})
	}
	for ref, t := range k.Teams {
		teams[ref] = map[string]any{"listed": d.resource(t.Listed), "current": d.resource(t.Current), "confirmed": d.stated(t.Confirmed)}
	}
	statements, hjemler := d.stated(k.Statements), []any{}
	for _, s := range k.Hjemler.On {
		hjemler = append(hjemler, map[string]any{"id": string(s.Hjemmel), "party": string(s.Party), "sector": string(s.Sector)})
	}
	return Situation{"consents": consents, "teams": teams, "directory": d.directory, "statements": statements, "hjemler": hjemler}, d.err
}

// document collects what the references in resources mean.
type document struct {
	dir       gateway.Directory
	directory map[string]any
	err       error
}

func (d *document) read(body []byte) any {
	var v any
	if err := json.Unmarshal(body, &v); err != nil && d.err == nil {
		d.err = fmt.Errorf("consent: %w", err)
	}
	d.walk(v)
	return v
}

func (d *document) resource(r *fhir.Resource) any {
	if r == nil {
		return nil
	}
	return d.read(r.Root().Raw())
}

func (d *document) stated(list []gateway.Stated) []any {
	out := []any{}
	for _, s := range list {
		out = append(out, map[string]any{"by": string(s.By), "patient": s.Patient, "resource": d.resource(s.Resource)})
	}
	return out
}

// walk looks up every reference.
func (d *document) walk(v any) {
	switch v := v.(type) {
	case map[string]any:
		if text, ok := v["reference"].(string); ok {
			name, _, _ := strings.Cut(text, "/_history/")
			if ref, err := fhir.ParseReference(name); err == nil {
				d.add(ref)
			}
		}
		for one := range maps.Values(v) {
			d.walk(one)
		}
	case []any:
		for _, one := range v {
			d.walk(one)
		}
	}
}

// party looks up a party's own entry, which tells its parts.
func (d *document) party(h gateway.HERID) {
	if p, ok := d.dir.Party(h); ok {
		d.add(p.Organization)
	}
}

func (d *document) add(ref fhir.Reference) {
	ref.Version = ""
	if _, known := d.directory[ref.String()]; known {
		return
	}
	a, ok := d.dir.Resolve(ref)
	if !ok {
		return
	}
	parts := []any{}
	for _, p := range a.Parts {
		parts = append(parts, string(p))
	}
	d.directory[ref.String()] = map[string]any{
		"party": string(a.Party), "unit": string(a.Unit), "practitioner": string(a.Practitioner), "role": a.Role, "parts": parts,
	}
}
