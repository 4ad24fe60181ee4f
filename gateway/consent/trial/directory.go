package trial

import (
	"encoding/json"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/policies/cases"
)

// directory is the world of the cases as the gateway sees it.
type directory struct{ cases.World }

var _ gateway.Directory = directory{}

func (d directory) party(name string) (gateway.Party, bool) {
	p, ok := d.World.Party(name)
	if !ok {
		return gateway.Party{}, false
	}
	return gateway.Party{
		ID: gateway.HERID(p.HER), Name: p.Name, Sector: gateway.Sector(p.Sector),
		Lovgrunnlag:  gateway.Lovgrunnlag(p.Lovgrunnlag),
		Organization: fhir.Reference{Type: "Organization", ID: fhir.ID(p.Name)},
	}, true
}

func (d directory) her(t TB, name string) gateway.HERID {
	t.Helper()
	p, ok := d.World.Party(name)
	if !ok {
		t.Fatalf("no party %q", name)
	}
	return gateway.HERID(p.HER)
}

// Party finds a party by the HER-id of its root or of one of its units.
func (d directory) Party(h gateway.HERID) (gateway.Party, bool) {
	for _, p := range d.Parties {
		if p.HER == string(h) {
			return d.party(p.Name)
		}
	}
	for _, u := range d.Units {
		if u.HER == string(h) {
			return d.party(u.Party)
		}
	}
	return gateway.Party{}, false
}

// Resolve tells what a reference means in numbers.
func (d directory) Resolve(r fhir.Reference) (gateway.Address, bool) {
	name := string(r.ID)
	her := func(party string) gateway.HERID {
		p, _ := d.World.Party(party)
		return gateway.HERID(p.HER)
	}
	parts := func(party string) (out []gateway.HERID) {
		for _, p := range d.Below(party) {
			out = append(out, gateway.HERID(p.HER))
		}
		return out
	}
	switch r.Type {
	case "Organization":
		if p, ok := d.World.Party(name); ok {
			return gateway.Address{Party: gateway.HERID(p.HER), Parts: parts(name)}, true
		}
	case "HealthcareService":
		for _, u := range d.Units {
			if u.Name == name {
				return gateway.Address{Party: her(u.Party), Unit: gateway.HERID(u.HER)}, true
			}
		}
	case "Practitioner":
		if p, ok := d.Practitioner(name); ok {
			return gateway.Address{Practitioner: gateway.HPRNumber(p.HPR)}, true
		}
	case "PractitionerRole":
		for _, x := range d.Roles {
			if x.Name == name {
				p, _ := d.Practitioner(x.Practitioner)
				return gateway.Address{Party: her(x.Party), Practitioner: gateway.HPRNumber(p.HPR),
					Role: x.Code, Parts: parts(x.Party)}, true
			}
		}
	}
	return gateway.Address{}, false
}

// document lists the directory for Rego.
func (d directory) document() map[string]any {
	out := map[string]any{}
	add := func(t fhir.Type, name string) {
		a, ok := d.Resolve(fhir.Reference{Type: t, ID: fhir.ID(name)})
		if !ok {
			return
		}
		parts := []any{}
		for _, p := range a.Parts {
			parts = append(parts, string(p))
		}
		out[string(t)+"/"+name] = map[string]any{"party": string(a.Party), "unit": string(a.Unit),
			"practitioner": string(a.Practitioner), "role": a.Role, "parts": parts}
	}
	for _, p := range d.Parties {
		add("Organization", p.Name)
	}
	for _, u := range d.Units {
		add("HealthcareService", u.Name)
	}
	for _, p := range d.Practitioners {
		add("Practitioner", p.Name)
	}
	for _, r := range d.Roles {
		add("PractitionerRole", r.Name)
	}
	return out
}

// input is the document that Rego's `releasable` reads: the raw Consents and nothing that Go made
// of them.
func input(t TB, dir directory, world cases.World, c cases.Case, v Vector) map[string]any {
	t.Helper()
	consents := []any{}
	for _, stored := range c.Consents {
		registrar, _ := dir.party(stored.Registrar)
		consents = append(consents, map[string]any{
			"registrar": string(registrar.ID), "patient": stored.Patient, "resource": decode(stored.Body),
			"confirmed": statedInput(dir, confirmedBy(stored)), "groups": groupInput(groups(t, dir, world, stored)), "withdrawn": stored.Withdrawn,
		})
	}
	teams := map[string]any{}
	for _, team := range c.Teams {
		teams["CareTeam/"+team.ID] = map[string]any{
			"listed": decode(team.Listed), "current": decode(team.Current), "confirmed": statedInput(dir, team.Confirmed),
		}
	}
	sent := []any{}
	for _, s := range v.Record.Sent {
		sent = append(sent, map[string]any{"to": string(s.To), "labels": list(s.Mask.Codes()), "message": s.Message})
	}
	out := map[string]any{
		"now": instant(c.Now),
		"question": map[string]any{
			"kind": or(c.Question.Kind, "person"), "emergency": emergencyInput(c, v), "party": string(v.Question.Party.ID), "unit": c.Question.Unit,
			"practitioner": c.Question.Practitioner, "role": c.Question.Role, "purpose": c.Question.Purpose,
			"action": c.Question.Action, "attested": c.Question.Attest, "lovgrunnlag": string(v.Question.Party.Lovgrunnlag),
			"sector": string(v.Question.Party.Sector), "message": c.Question.Message,
		},
		"record": map[string]any{
			"type": c.Record.Type, "id": c.Record.ID, "custodian": string(v.Record.Custodian),
			"person": c.Record.Person && !c.Record.Other, "labels": list(c.Record.Labels), "fetched": list(c.Record.Fetched),
			"low": instant(v.Record.Low), "high": instant(v.Record.High), "sent": sent,
		},
		"consents": consents, "teams": teams, "directory": dir.document(),
		"statements": statedInput(dir, c.Stated), "hjemler": hjemmelInput(v.Question.Hjemler),
	}
	if holder := v.Record.Context; holder.Type != "" {
		out["record"].(map[string]any)["context"] = map[string]any{"type": string(holder.Type), "id": string(holder.ID)}
	}
	return out
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// emergencyInput is what the emergency rule is told; null when it is not asked for.
func emergencyInput(c cases.Case, v Vector) any {
	if !c.Question.Emergency {
		return nil
	}
	return map[string]any{"purpose": c.Question.Purpose, "hpr": c.Question.Practitioner != "", "reason": true, "bound": true,
		"sector": string(v.Question.Party.Sector)}
}

func hjemmelInput(h gateway.Hjemler) []any {
	out := []any{}
	for _, s := range h.On {
		out = append(out, map[string]any{"id": string(s.Hjemmel), "party": string(s.Party), "sector": string(s.Sector)})
	}
	return out
}

func confirmedBy(c cases.Consent) (out []cases.Stated) {
	for _, by := range c.Confirmed {
		out = append(out, cases.Stated{By: by, Patient: by == "pasient"})
	}
	return out
}

func statedInput(dir directory, list []cases.Stated) []any {
	out := []any{}
	for _, s := range list {
		p, _ := dir.party(s.By)
		out = append(out, map[string]any{"by": string(p.ID), "patient": s.Patient, "resource": decode(s.Body)})
	}
	return out
}

func groupInput(of map[string][]gateway.Member) map[string]any {
	out := map[string]any{}
	for name, members := range of {
		all := []any{}
		for _, m := range members {
			all = append(all, map[string]any{"party": string(m.Party), "unit": string(m.Unit)})
		}
		out[name] = all
	}
	return out
}

func list(s []string) []any {
	out := []any{}
	for _, e := range s {
		out = append(out, e)
	}
	return out
}

func decode(body []byte) any {
	if body == nil {
		return nil
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return nil
	}
	return v
}
