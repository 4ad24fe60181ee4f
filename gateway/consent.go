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
	facts, own, err := tx.FactsAbout(ctx, who.Party, Subject{Patient: w.draft.Subject})
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
	rest := g.resting(tx, w.dir, r.Person)
	in := rest.setting(ctx, who.party, who.Kind == Patient)
	in.Team = func(ref fhir.Reference) (listed, current *fhir.Resource) {
		current = rest.read(ctx, ref, who.Party)
		return current, current
	}
	grants, issues := g.Normalizer.Grants(w.resource, r.Reference, in)
	if rest.err != nil {
		return rest.err
	}
	if datedAhead(w.resource.Root(), grants, g.Clock()) {
		issues = append(issues, fhir.Issue{
			Severity: "error", Type: "business-rule", Code: "consent.dated-ahead", Expression: "Consent.dateTime",
		})
	}
	if faulty(issues) {
		return Fault(op, Invalid, issues...)
	}
	advice, err := g.advised(who, grants, facts, r.Reference.ID)
	if err != nil {
		return err
	}
	w.remarks = append(issues, advice...)
	var basis Basis // what does not count rests on nothing
	if w.resource.Root().Get("status").Text() == "active" {
		basis = rest.basis(w.draft.Updated)
	}
	if basis.Recalled, err = recalled(ctx, tx, w, r.Reference); err != nil {
		return err
	}
	stored := StoredConsent{Consent: r.Reference, Person: r.Person, Custodian: who.Party, Basis: basis}
	return g.putGrants(ctx, tx, stored, who.Party, grants)
}

// recalled gives when another than who registered a Consent withdrew or narrowed it. Who sends again the copy
// that was there before does not undo that: it counts again when it is given anew, later than that.
func recalled(ctx context.Context, tx Tx, w *written, consent fhir.Reference) (time.Time, error) {
	if w.draft.Previous == "" {
		return time.Time{}, nil
	}
	was, _, err := tx.Registered(ctx, consent)
	if CodeOf(err) == NotFound {
		return time.Time{}, nil
	}
	if err != nil || was.Basis.Recalled.IsZero() {
		return time.Time{}, err
	}
	given, _, err := fhir.ParseDate(w.resource.Root().Get("dateTime").Text())
	switch {
	case err == nil && given.After(was.Basis.Recalled):
		return time.Time{}, nil
	case w.resource.Root().Get("status").Text() != "active":
		return was.Basis.Recalled, nil
	}
	return time.Time{}, Fault("gateway.register", Conflict, fhir.Issue{
		Severity: "error", Type: "conflict", Code: "consent.recalled", Expression: "Consent.dateTime",
	})
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

func faulty(issues []fhir.Issue) bool {
	return slices.ContainsFunc(issues, func(i fhir.Issue) bool { return i.Severity == "error" || i.Severity == "fatal" })
}
