package consent

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Explanation tells how one provision fared in a question, in bokmål.
type Explanation struct {
	Citation gateway.Citation
	Effect   gateway.Effect
	Applies  bool           // it was weighed
	Labels   gateway.Labels // what it covers, or takes away, of the record asked about
	Lost     gateway.Labels // what it covered and a deny took away
	To       []gateway.Citation
	Text     string
}

// Explain tells for every grant of the person whether it applied to the question and the record,
// what it won, what it lost and to which provision, and for one that did not apply the first thing
// in which it missed. It is computed on demand, from the grants of the versions that the ledger
// names, and decides nothing.
func (d *Decider) Explain(ctx context.Context, q gateway.Question, r gateway.Record) ([]Explanation, error) {
	grants, err := gateway.DecodeGrants(q.Facts.Grants)
	if err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	by := d.asker(q, q.Party.ID)
	action := q.Action
	if action == gateway.ReadAction && slices.ContainsFunc(r.Sent, func(s gateway.Sent) bool { return s.To == q.Party.ID }) {
		action = gateway.MessageAction
	}
	out := make([]Explanation, len(grants))
	for i := range grants {
		g := &grants[i]
		e := &out[i]
		e.Effect = g.Effect
		e.Citation = gateway.Citation{Consent: g.Consent, Path: g.Path, Law: g.Law, Paragraph: g.Paragraph}
		if miss := d.miss(g, q, by, r, action); miss != "" {
			e.Text = "Gjelder ikke: " + miss + "."
			continue
		}
		e.Applies, e.Labels = true, g.Labels&r.Labels
	}
	for i := range out {
		out[i].contest(out)
	}
	return out, ctx.Err()
}

// contest finds what a permit lost, and says how it ended.
func (e *Explanation) contest(all []Explanation) {
	switch {
	case !e.Applies:
	case e.Labels == 0:
		e.Text = "Gjelder, men omfatter ingen av kategoriene i opplysningen."
	case e.Effect == gateway.Deny:
		e.Text = "Holder tilbake " + names(e.Labels) + " (" + e.Citation.Paragraph + ")."
	default:
		for _, d := range all {
			if d.Applies && d.Effect == gateway.Deny && d.Labels&e.Labels != 0 {
				e.Lost |= d.Labels & e.Labels
				e.To = append(e.To, d.Citation)
			}
		}
		e.Text = "Dekker " + names(e.Labels&^e.Lost) + " (" + e.Citation.Paragraph + ")."
		if e.Lost != 0 {
			e.Text = "Omfatter " + names(e.Labels) + ", men taper " + names(e.Lost) + " til " + places(e.To) + "."
		}
	}
}

func names(l gateway.Labels) string {
	if l == 0 {
		return "ingenting"
	}
	return strings.Join(l.Codes(), ", ")
}

func places(list []gateway.Citation) string {
	var out []string
	for _, c := range list {
		s := c.Consent.String() + " " + c.Path
		if c.Paragraph != "" {
			s += " (" + c.Paragraph + ")"
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return strings.Join(out, "; ")
}

// miss gives the first dimension in which a grant does not meet the question and the record; ""
// when it meets both.
func (d *Decider) miss(g *gateway.Grant, q gateway.Question, by *asker, r gateway.Record, action gateway.Action) string {
	keys := by.permits
	if g.Effect == gateway.Deny {
		keys = by.denies
	}
	record := gateway.Record{Reference: r.Reference, Custodian: r.Custodian, Person: 1, Low: r.Low, High: r.High, Labels: gateway.AllLabels, Context: r.Context}
	all := gateway.Term{
		Effect: gateway.Allow, Custodians: gateway.Every[gateway.HERID](), Types: gateway.Every[fhir.Type](),
		Items: gateway.Every[fhir.Reference](), Mask: gateway.AllLabels,
	}
	if _, crosses := (gateway.Scope{Terms: []gateway.Term{all}, Except: d.except}).Releases(record); !crosses {
		return "opplysninger av denne typen deles ikke på tvers"
	}
	touches := func(custodians, types, items, dates bool) bool {
		t := gateway.Term{Effect: gateway.Allow, Custodians: gateway.Every[gateway.HERID](), Mask: gateway.AllLabels}
		t.Types.Any, t.Items.Any = true, true
		if custodians {
			t.Custodians = g.Custodians
		}
		if types {
			t.Types = g.Types
		}
		if items {
			t.Items = g.Items
		}
		if dates {
			t.Low, t.High = g.DataLow, g.DataHigh
		}
		if g.Effect == gateway.Deny { // a deny is read widely: it takes away what it touches
			t.Effect = gateway.Deny
			return gateway.Scope{Terms: []gateway.Term{t, all}}.Covered(record) == 0
		}
		return gateway.Scope{Terms: []gateway.Term{t}}.Covered(record) != 0
	}
	switch {
	case !g.Recipients.Any && !slices.ContainsFunc(keys, g.Recipients.Has):
		return "mottakeren er en annen"
	case !g.Roles.Has(by.role):
		return "rollen er en annen"
	case !g.Purposes.Has(d.purposeOf(q.Actor)):
		return "formålet er et annet"
	case !g.Actions.Has(action):
		return "det er ikke gitt for " + map[gateway.Action]string{gateway.ReadAction: "oppslag", gateway.MessageAction: "melding", gateway.NotifyAction: "varsel"}[action]
	case q.Now.Before(g.Start):
		return "perioden har ikke begynt"
	case !g.End.IsZero() && !q.Now.Before(g.End):
		return "perioden er over"
	case !touches(true, false, false, false):
		return "det gjelder opplysninger hos en annen"
	case !touches(false, true, false, false):
		return "det gjelder andre typer opplysninger"
	case !touches(false, false, true, false):
		return "det gjelder andre enkeltopplysninger"
	case !touches(false, false, false, true):
		return "opplysningen er fra en annen tid"
	}
	return ""
}
