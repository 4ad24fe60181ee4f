package gateway

import (
	"context"
	"slices"

	"github.com/sluse/sluse/gateway/fhir"
)

// register makes a stored Consent count: its grants replace those of its earlier version and the
// person's epoch rises, in the transaction that stores it. From the next snapshot on every
// decision is another.
func (g *Gateway) register(ctx context.Context, tx Tx, who asked, w *written, r Record) error {
	const op = "gateway.register"
	_, own, err := tx.FactsAbout(ctx, who.Party, Subject{Patient: w.draft.Subject})
	if err != nil {
		return err
	}
	if !own || r.Person == 0 {
		return Fault(op, Invalid, fhir.Issue{
			Severity: "error", Type: "business-rule", Code: "consent.patient-not-own", Expression: "Consent.patient",
		})
	}
	if who.Kind == Patient {
		if self, err := g.personOf(ctx, tx, who.Party, who.Self); err != nil || self != r.Person {
			return Fault(op, Invalid, fhir.Issue{
				Severity: "error", Type: "business-rule", Code: "consent.patient-not-own", Expression: "Consent.patient",
			})
		}
	}
	t := teams{tx: tx}
	grants, issues := g.Normalizer.Grants(w.resource, r.Reference, who.party, who.Kind == Patient, w.dir,
		func(ref fhir.Reference) (listed, current *fhir.Resource) {
			current = t.read(ctx, ref)
			return current, current
		})
	if t.err != nil {
		return t.err
	}
	if faulty(issues) {
		return Fault(op, Invalid, issues...)
	}
	if !t.ofParties(who.Party, grants) {
		return Fault(op, Invalid, fhir.Issue{
			Severity: "error", Type: "business-rule", Code: "consent.team-not-own", Expression: "Consent.provision.actor",
		})
	}
	return tx.PutGrants(ctx, r.Person, r.Reference, grants, t.versions)
}

// renormalise computes anew the grants of every Consent that rests on a CareTeam which has just
// changed: a member who is gone is out at once, one who is new is not in (DESIGN § 3, CareTeam).
func (g *Gateway) renormalise(ctx context.Context, tx Tx, w *written) error {
	team := fhir.Reference{Type: "CareTeam", ID: w.draft.Reference.ID}
	stored, err := tx.ConsentsNaming(ctx, team)
	if err != nil {
		return err
	}
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	for _, c := range stored {
		consent, err := fhir.Parse(c.Body)
		if err != nil {
			return Failed("gateway.renormalise", Internal, err)
		}
		registrar, ok := dir.Party(c.Custodian)
		if !ok {
			return Failed("gateway.renormalise", Internal, errCustodianUnknown)
		}
		t := teams{tx: tx}
		listedVersion := c.Team
		grants, issues := g.Normalizer.Grants(consent, c.Consent, registrar, registrar.Sector == SectorPatient, dir,
			func(ref fhir.Reference) (listed, current *fhir.Resource) {
				current = t.read(ctx, ref)
				if ref.ID != listedVersion.ID {
					return current, current
				}
				if current == nil { // the team is gone: no member is active now
					t.versions = append(t.versions, listedVersion)
				} else {
					t.versions[len(t.versions)-1] = listedVersion
				}
				return t.body(ctx, listedVersion), current
			})
		if t.err != nil {
			return t.err
		}
		if faulty(issues) { // it no longer stands: nothing of it permits
			grants = slices.DeleteFunc(grants, func(g Grant) bool { return g.Effect == Allow })
		}
		if err := tx.PutGrants(ctx, c.Person, c.Consent, grants, t.versions); err != nil {
			return err
		}
	}
	return nil
}

// teams reads CareTeams for the Normalizer and remembers which versions it saw.
type teams struct {
	tx       Tx
	versions []fhir.Reference
	owners   []HERID
	err      error
}

func (t *teams) read(ctx context.Context, ref fhir.Reference) *fhir.Resource {
	body, custodian, err := t.tx.Team(ctx, fhir.Reference{Type: "CareTeam", ID: ref.ID})
	if err != nil {
		if CodeOf(err) != NotFound {
			t.err = err
		}
		return nil
	}
	res, err := fhir.Parse(body)
	if err != nil {
		t.err = Failed("gateway.team", Internal, err)
		return nil
	}
	version := res.Root().Get("meta", "versionId").Text()
	t.versions = append(t.versions, fhir.Reference{Type: "CareTeam", ID: ref.ID, Version: version})
	t.owners = append(t.owners, custodian)
	return res
}

func (t *teams) body(ctx context.Context, ref fhir.Reference) *fhir.Resource {
	body, _, err := t.tx.Team(ctx, ref)
	if err != nil {
		if CodeOf(err) != NotFound {
			t.err = err
		}
		return nil
	}
	res, err := fhir.Parse(body)
	if err != nil {
		t.err = Failed("gateway.team", Internal, err)
	}
	return res
}

// ofParties tells whether every team belongs to the registering party or to a custodian named.
func (t *teams) ofParties(registrar HERID, grants []Grant) bool {
	for _, owner := range t.owners {
		if owner == registrar {
			continue
		}
		if !slices.ContainsFunc(grants, func(g Grant) bool { return slices.Contains(g.Custodians.Of, owner) }) {
			return false
		}
	}
	return true
}

func faulty(issues []fhir.Issue) bool {
	return slices.ContainsFunc(issues, func(i fhir.Issue) bool { return i.Severity == "error" || i.Severity == "fatal" })
}
