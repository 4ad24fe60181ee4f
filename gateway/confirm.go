package gateway

import (
	"context"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// confirm is $confirm: a custodian stands by one version of a samtykke for the records that it keeps, or
// of its own CareTeam; the person herself for all (DESIGN § 3, Registering, confirming). It is a row
// of its own, shown as Provenance; the person's epoch rises with it. A new version needs a new one.
func (g *Gateway) confirm(ctx context.Context, a Actor, in Interaction) (Outcome, error) {
	who, _, err := g.writer(ctx, a)
	if err != nil {
		return Outcome{}, err
	}
	in.Target.Version = ""
	asWrite := in
	asWrite.Target.Type = "Consent" // to stand by a team is to say who a samtykke reaches
	if _, err := g.mayWrite(ctx, who, asWrite); err != nil {
		return Outcome{}, err
	}
	var out Outcome
	err = g.Store.Tx(ctx, func(tx Tx) error {
		full, err := g.resolve(ctx, tx, a)
		if err != nil {
			return err
		}
		look := g.confirmable
		if in.Target.Type == "CareTeam" {
			look = g.confirmableTeam
		}
		c, holder, err := look(ctx, tx, full, in.Target)
		if err != nil {
			return err
		}
		if c.Version.Version != in.Operation.Version {
			return Fault("gateway.confirm", Precondition, fhir.Issue{Severity: "error", Type: "conflict", Code: "confirm.version", Expression: "Parameters.parameter"})
		}
		out, err = g.confirmed(ctx, tx, full, c, holder)
		return err
	})
	if err != nil {
		return Outcome{}, g.refusedWrite(ctx, who, in, err)
	}
	return out, nil
}

// confirmed keeps the row and what follows of it. To confirm again changes nothing.
func (g *Gateway) confirmed(ctx context.Context, tx Tx, who asked, c Confirmation, holder HERID) (Outcome, error) {
	kept, err := tx.Confirm(ctx, c)
	if err != nil {
		return Outcome{}, err
	}
	if kept {
		if c.Version.Type == "CareTeam" {
			err = g.renormalise(ctx, tx, c.Version.ID)
		} else {
			var stored StoredConsent
			if stored, _, err = tx.Registered(ctx, c.Version); err == nil {
				err = g.again(ctx, tx, stored)
			}
		}
		if err != nil {
			return Outcome{}, err
		}
		if err := g.provenance(ctx, tx, who, c, holder); err != nil {
			return Outcome{}, err
		}
	}
	entry, err := g.entry(who, Operate, Written, c.Person)
	if err != nil {
		return Outcome{}, err
	}
	entry.Type, entry.Query = c.Version.Type, string(c.Version.Type)+"/$confirm"
	entry.Entities = []AuditEntity{{Record: c.Version, Custodian: holder}}
	return Outcome{Release: Release{body: provenanceOf(who, c)}, Created: kept}, tx.Record(ctx, []AuditEntry{entry})
}

// confirmable is what the actor may say of a samtykke that counts: the person herself, or a party that it
// names as the one who has the records. To everybody else it is not there.
func (g *Gateway) confirmable(ctx context.Context, tx Tx, who asked, r fhir.Reference) (Confirmation, HERID, error) {
	const op = "gateway.confirm"
	if _, err := tx.FactsOf(ctx, r); err != nil {
		return Confirmation{}, "", err
	}
	stored, _, err := tx.Registered(ctx, r)
	if err != nil {
		if CodeOf(err) == NotFound {
			return Confirmation{}, "", absent(op)
		}
		return Confirmation{}, "", err
	}
	c := Confirmation{Version: stored.Consent, By: who.Party, Person: stored.Person, At: g.Clock()}
	switch {
	case stored.Person <= 0:
	case who.Kind == Patient:
		c.Patient = who.own == stored.Person
		if c.Patient {
			return c, stored.Custodian, nil
		}
	case who.Kind == Person && who.attestedFor(stored.Person):
		res, err := ParseAuthored(stored.Body)
		if err != nil {
			return Confirmation{}, "", Failed(op, Internal, err)
		}
		if who.Party == stored.Custodian || slices.Contains(custodiansIn(res, stored.Basis), who.Party) {
			return c, stored.Custodian, nil
		}
	}
	return Confirmation{}, "", absent(op)
}

// confirmableTeam is the same of a CareTeam: the person herself, or the party that keeps it.
func (g *Gateway) confirmableTeam(ctx context.Context, tx Tx, who asked, r fhir.Reference) (Confirmation, HERID, error) {
	const op = "gateway.confirm"
	facts, err := tx.FactsOf(ctx, r)
	if err != nil {
		return Confirmation{}, "", err
	}
	body, custodian, err := tx.Team(ctx, r)
	if err != nil {
		if CodeOf(err) == NotFound {
			return Confirmation{}, "", absent(op)
		}
		return Confirmation{}, "", err
	}
	patient := who.Kind == Patient && facts.Person > 0 && who.own == facts.Person
	keeper := who.Kind == Person && who.Party == custodian && (who.attested == 0 || who.attested == facts.Person)
	if !patient && !keeper {
		return Confirmation{}, "", absent(op)
	}
	res, err := ParseAuthored(body)
	if err != nil {
		return Confirmation{}, "", Failed(op, Internal, err)
	}
	r.Version = res.Root().Get("meta", "versionId").Text()
	return Confirmation{Version: r, By: who.Party, Patient: patient, Person: facts.Person, At: g.Clock()}, custodian, nil
}

// attestedFor tells whether the actor has shown a care relationship with the person.
func (w asked) attestedFor(p PersonID) bool {
	return w.Attest.Each && w.attested == 0 || w.attested != 0 && w.attested == p
}

// custodiansIn gives the parties that a Consent names as those who have the records.
func custodiansIn(consent *fhir.Resource, basis Basis) []HERID {
	var out []HERID
	add := func(v *fhir.Value) {
		ref, err := fhir.ParseReference(v.Get("reference").Text())
		if err != nil {
			return
		}
		ref.Version = ""
		if a, ok := basis.Addresses[ref.String()]; ok && a.Party != "" && a.Unit == "" {
			out = append(out, a.Party)
		}
	}
	for _, o := range consent.Root().Get("organization").Items() {
		add(o)
	}
	var walk func(*fhir.Value)
	walk = func(p *fhir.Value) {
		for _, actor := range p.Get("actor").Items() {
			for _, coding := range actor.Get("role", "coding").Items() {
				if coding.Get("code").Text() == "CST" {
					add(actor.Get("reference"))
				}
			}
		}
		for _, n := range p.Get("provision").Items() {
			walk(n)
		}
	}
	walk(consent.Root().Get("provision"))
	return out
}

// provenance tells who stands by what: to the party that keeps it, as a record about its Patient, and to who
// has confirmed it.
func (g *Gateway) provenance(ctx context.Context, tx Tx, who asked, c Confirmation, holder HERID) error {
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	parties := []HERID{holder}
	if who.Party != holder {
		parties = append(parties, who.Party)
	}
	for _, id := range parties {
		party, ok := dir.Party(id)
		if !ok {
			continue
		}
		owner := asked{Actor: Actor{Kind: Machine, Party: id, Purpose: Administer}, party: party}
		name, err := newID(g.Random)
		if err != nil {
			return err
		}
		w, err := g.authored(ctx, owner, provenanceOf(who, c), fhir.ID(name), Samarbeid)
		if err != nil {
			return err
		}
		if w.draft.Subject, err = tx.PatientFor(ctx, id, c.Person); err != nil {
			return err
		}
		w.draft.Subject.Version = ""
		w.draft.Labels = Samarbeid
		if err := g.store(ctx, tx, owner, w, c.Person); err != nil {
			return err
		}
	}
	return nil
}

// provenanceOf is the row as a Provenance (R4 provenance.html): who has confirmed which version, and when.
func provenanceOf(who asked, c Confirmation) []byte {
	b := []byte(`{"resourceType":"Provenance","target":[{"reference":`)
	b = append(appendJSON(b, c.Version.String()), `}],"recorded":`...)
	b = append(appendJSON(b, c.At.UTC().Format(time.RFC3339Nano)), `,"activity":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-DocumentCompletion","code":"LA"}],"text":"Bekreftet"},`+
		`"agent":[{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/provenance-participant-type","code":"verifier"}]},"who":{`...)
	if c.Patient {
		return append(b, `"display":"Pasienten selv"}}]}`...)
	}
	b = append(appendJSON(append(b, `"reference":`...), who.party.Organization.String()), `}}]}`...)
	return b
}
