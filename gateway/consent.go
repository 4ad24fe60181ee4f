package gateway

import (
	"context"
	"slices"
	"time"

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
	dir := resolved{Directory: w.dir, addresses: make(map[string]Address)}
	grants, issues := g.Normalizer.Grants(w.resource, r.Reference, who.party, who.Kind == Patient, dir,
		func(ref fhir.Reference) (listed, current *fhir.Resource) {
			current = t.read(ctx, ref, who.Party)
			return current, current
		})
	if t.err != nil {
		return t.err
	}
	if datedAhead(w.resource.Root(), grants, g.Clock()) {
		issues = append(issues, fhir.Issue{
			Severity: "error", Type: "business-rule", Code: "consent.dated-ahead", Expression: "Consent.dateTime",
		})
	}
	if faulty(issues) {
		return Fault(op, Invalid, issues...)
	}
	return tx.PutGrants(ctx, r.Person, r.Reference, grants, Basis{Addresses: dir.addresses, Teams: t.versions})
}

// clockSkew is how far ahead of ours the clock may be by which a party dates a Consent.
const clockSkew = 5 * time.Minute

// datedAhead tells of a samtykke that says it was given later than now, and not when it begins: it
// would begin then, and until then the party that stored it would believe that it holds. One that
// is to begin later says so in its period. What only denies holds at once, however it is dated.
func datedAhead(consent *fhir.Value, grants []Grant, now time.Time) bool {
	given, _, err := fhir.ParseDate(consent.Get("dateTime").Text())
	if err != nil || !given.After(now.Add(clockSkew)) {
		return false
	}
	permits := slices.ContainsFunc(grants, func(g Grant) bool { return g.Effect == Allow })
	return permits && undatedPermit(consent.Get("provision"))
}

// undatedPermit tells whether a permit in the provision begins when the Consent is dated.
func undatedPermit(provision *fhir.Value) bool {
	if provision.Get("period", "start") != nil {
		return false
	}
	return provision.Get("type").Text() == "permit" ||
		slices.ContainsFunc(provision.Get("provision").Items(), undatedPermit)
}

// resolved is a directory that remembers what references meant, or that gives back what they
// meant before and nothing else.
type resolved struct {
	Directory
	addresses map[string]Address
	before    bool
}

// Resolve gives what the reference means, or meant.
func (d resolved) Resolve(r fhir.Reference) (Address, bool) {
	if d.before {
		a, ok := d.addresses[r.String()]
		return a, ok
	}
	a, ok := d.Directory.Resolve(r)
	if ok {
		d.addresses[r.String()] = a
	}
	return a, ok
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
		then := resolved{Directory: dir, addresses: c.Basis.Addresses, before: true}
		grants, issues := g.Normalizer.Grants(consent, c.Consent, registrar, registrar.Sector == SectorPatient, then,
			func(ref fhir.Reference) (listed, current *fhir.Resource) {
				for _, version := range c.Basis.Teams {
					if version.ID == ref.ID {
						return t.body(ctx, version), t.read(ctx, ref, c.Custodian)
					}
				}
				return nil, nil // not there when the Consent was stored
			})
		if t.err != nil {
			return t.err
		}
		if faulty(issues) { // it no longer stands: nothing of it permits
			grants = slices.DeleteFunc(grants, func(g Grant) bool { return g.Effect == Allow })
		}
		if err := tx.PutGrants(ctx, c.Person, c.Consent, grants, c.Basis); err != nil {
			return err
		}
	}
	return nil
}

// teams reads CareTeams for the Normalizer and remembers which versions it saw. A team of another
// than the registering party is absent, whether it exists or not: the answer to a Consent must not
// tell that a party has a team about somebody.
type teams struct {
	tx       Tx
	versions []fhir.Reference
	err      error
}

func (t *teams) read(ctx context.Context, ref fhir.Reference, registrar HERID) *fhir.Resource {
	body, custodian, err := t.tx.Team(ctx, fhir.Reference{Type: "CareTeam", ID: ref.ID})
	if err != nil {
		if CodeOf(err) != NotFound {
			t.err = err
		}
		return nil
	}
	if custodian != registrar {
		return nil
	}
	res, err := fhir.Parse(body)
	if err != nil {
		t.err = Failed("gateway.team", Internal, err)
		return nil
	}
	version := res.Root().Get("meta", "versionId").Text()
	t.versions = append(t.versions, fhir.Reference{Type: "CareTeam", ID: ref.ID, Version: version})
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

func faulty(issues []fhir.Issue) bool {
	return slices.ContainsFunc(issues, func(i fhir.Issue) bool { return i.Severity == "error" || i.Severity == "fatal" })
}
