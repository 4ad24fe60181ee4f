package consent

import (
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/policies"
)

// protection is what the policy data says of emergency access, as Go needs it.
type protection struct {
	purpose gateway.Purpose
	mask    gateway.Labels
	cited   gateway.Citation
}

// Protection is what the policy data says beside the rules.
func (d *Decider) Protection() gateway.Protection { return d.protected }

// readTexts reads what the gateway is to know of emergency access, adressesperre and withheld insight.
func readTexts(set policies.Set) (gateway.Protection, error) {
	var emergency struct {
		Hours int `json:"spellHours"`
	}
	var shield struct {
		Grades map[string]gateway.Shield `json:"grades"`
		Texts  map[string]string         `json:"texts"`
		Roles  []string                  `json:"roles"`
	}
	var insight struct {
		Kinds     map[string]string `json:"kinds"`
		Complaint string            `json:"complaint"`
	}
	for name, v := range map[string]any{"emergency": &emergency, "shield": &shield, "insight": &insight} {
		if err := set.Table(name, v); err != nil {
			return gateway.Protection{}, err
		}
	}
	return gateway.Protection{
		Spell: time.Duration(emergency.Hours) * time.Hour, Grades: shield.Grades, GradeTexts: shield.Texts, Lifters: shield.Roles,
		Insight: insight.Kinds, Complaint: insight.Complaint,
	}, nil
}

// glass is all of the asker that Rego's emergency rule looks at; the zero glass is of every other purpose.
type glass struct {
	asked, hpr, reason, bound bool
	sector                    gateway.Sector
}

// glassOf gives what the emergency rule is told of the asker.
func (d *Decider) glassOf(q gateway.Question) glass {
	if q.Actor.Purpose != d.emergency.purpose {
		return glass{}
	}
	return glass{
		asked: true, hpr: q.Actor.Practitioner != "", reason: q.Actor.Reason != "", bound: !q.Actor.Attest.NIN.IsZero(),
		sector: q.Party.Sector,
	}
}

// term gives it to Rego.
func (g glass) term(purpose gateway.Purpose) *ast.Term {
	if !g.asked {
		return ast.NullTerm()
	}
	return ast.ObjectTerm(
		[2]*ast.Term{ast.StringTerm("purpose"), ast.StringTerm(string(purpose))},
		[2]*ast.Term{ast.StringTerm("hpr"), ast.InternedTerm(g.hpr)},
		[2]*ast.Term{ast.StringTerm("reason"), ast.InternedTerm(g.reason)},
		[2]*ast.Term{ast.StringTerm("bound"), ast.InternedTerm(g.bound)},
		[2]*ast.Term{ast.StringTerm("sector"), ast.StringTerm(string(g.sector))},
	)
}

// readProtection turns the policy data into masks; an unknown label is an error of the program.
func (p *tables) readProtection(purpose gateway.Purpose, labels []string, code string) error {
	p.emergency.purpose = purpose
	for _, l := range labels {
		mask, ok := gateway.LabelOf(l)
		if !ok {
			return errInput
		}
		p.emergency.mask |= mask
	}
	p.emergency.cited = gateway.Citation{Law: code, Paragraph: p.laws[code].text("")}
	return nil
}

// protect adds to a scope what Rego's rights say besides consents.
func (d *Decider) protect(s *gateway.Scope, out *gateway.Decision, a rights, q gateway.Question, ix *index, permits []gateway.Recipient) {
	s.Address, s.Manual = a.address, a.manual
	if a.emergency {
		s.Emergency, out.Emergency = d.emergency.mask, d.emergency.cited
	}
	if a.insight {
		s.Except, s.Terms, out.Citations = nil, d.insightTerms(), d.insight()
	}
	if !a.permits && !a.custody && !a.compliance {
		return
	}
	asker := viewer{permits: a.permits, custody: a.custody, keys: permits, own: q.Party.ID, now: q.Now}
	if a.compliance {
		asker.parties = s.Ledger.Compliance
		s.Consents.Registrars = asker.parties
	}
	if q.Named {
		s.Consents.Views = asker.views(ix.grants, q.Facts.Holders)
		return
	}
	s.Consents.Each = asker.join()
}

// insightTerms are what the person reads of herself: every record, whoever holds it (pbrl. § 5-1, fvl. §§ 18, 19).
func (d *Decider) insightTerms() []gateway.Term {
	var out []gateway.Term
	for _, sent := range []bool{false, true} {
		out = append(out, gateway.Term{
			Effect: gateway.Allow, Sent: sent, Custodians: gateway.Every[gateway.HERID](),
			Types: gateway.Every[fhir.Type](), Items: gateway.Every[fhir.Reference](), Mask: gateway.AllLabels})
	}
	return out
}

// viewer is who sees parts of Consents, and why.
type viewer struct {
	permits, custody bool
	keys             []gateway.Recipient
	own              gateway.HERID
	parties          []gateway.HERID // compliance
	now              time.Time
}

// holders are the parties whose records a provision may bind for the viewer to see it.
func (v viewer) holders() []gateway.HERID {
	if v.custody {
		return []gateway.HERID{v.own}
	}
	return v.parties
}

// views gives what is seen of each Consent: of permits those that name the viewer, and of every provision
// those that bind records of a party that it sees them for.
func (v viewer) views(grants []gateway.Grant, holders []gateway.HERID) []gateway.ConsentView {
	var out []gateway.ConsentView
	for i := range grants {
		g := &grants[i]
		if v.now.Before(g.Start) || !g.End.IsZero() && !v.now.Before(g.End) {
			continue
		}
		part, ok := v.part(g, holders)
		if !ok {
			continue
		}
		at := slices.IndexFunc(out, func(c gateway.ConsentView) bool { return c.Consent == g.Consent.ID })
		if at < 0 {
			at, out = len(out), append(out, gateway.ConsentView{Consent: g.Consent.ID})
		}
		out[at].Parts = append(out[at].Parts, part)
	}
	return out
}

// part gives what is seen of one provision.
func (v viewer) part(g *gateway.Grant, holders []gateway.HERID) (gateway.GrantView, bool) {
	seen := gateway.GrantView{Grant: g}
	found := false
	for _, c := range v.holders() {
		if slices.Contains(holders, c) && g.Custodians.Has(c) {
			found = true
			seen.Custodians = append(seen.Custodians, c)
		}
	}
	if found { // to whom its own records may go, or not
		seen.Recipients = g.Recipients.Of
		return seen, true
	}
	if g.Effect != gateway.Allow {
		return seen, false
	}
	for _, r := range g.Recipients.Of {
		if v.permits && slices.Contains(v.keys, r) || slices.Contains(v.parties, r.Party()) {
			found = true
			seen.Recipients = append(seen.Recipients, r)
		}
	}
	seen.Custodians = g.Custodians.Of
	return seen, found
}

// join is the same for the grants of each row's own person.
func (v viewer) join() *gateway.ConsentJoin {
	j := &gateway.ConsentJoin{Holders: v.holders(), Parties: v.parties, Now: v.now}
	if v.permits {
		j.Recipients = v.keys
	}
	return j
}
