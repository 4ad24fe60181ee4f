package gateway

import (
	"context"
	"slices"

	"github.com/sluse/sluse/gateway/fhir"
)

// maxReviews is how many Tasks that ask for a review compliance sees, the latest.
const maxReviews = 1000

// Residents is a Directory that knows which party stands for the patients themselves.
type Residents interface {
	// Patients is the party of sector pasient; false when there is none, or more than one.
	Patients() (Party, bool)
}

func patientsOf(dir Directory) (Party, bool) {
	if known, ok := dir.(Residents); ok {
		return known.Patients()
	}
	return Party{}, false
}

// ReviewReader finds what compliance is to review. Errors are *Error.
type ReviewReader interface {
	// Reviews lists Tasks that ask for a review of accesses by the parties, the latest first.
	Reviews(ctx context.Context, parties []HERID, limit int) ([]fhir.ID, error)
}

// reviews tells whether the record is a Task that compliance is to see.
func (s Scope) reviews(r Record) bool {
	return r.Reference.Type == "Task" && slices.Contains(s.Reviews, r.Reference.ID)
}

// reviewShown are the elements of such a Task that compliance reads: none in which anybody may have written.
var reviewShown = []string{"status", "intent", "code", "authoredOn"}

// reviewView writes the Task as compliance reads it.
func reviewView(r Record) ([]byte, error) {
	res, err := fhir.ParseLimits(r.Body, storedLimits)
	if err != nil {
		return nil, Failed("gateway.review", Internal, err)
	}
	root := res.Root()
	b := appendJSON([]byte(`{"resourceType":"Task","id":`), string(r.Reference.ID))
	b = append(append(b, `,"meta":`...), viewMeta(root.Get("meta"))...)
	for _, name := range reviewShown {
		if v := root.Get(name); v != nil {
			b = append(append(b, `,"`+name+`":`...), codesOnly(v)...)
		}
	}
	for _, name := range []string{"for", "owner"} {
		if v := root.Get(name, "reference"); v.Kind() == fhir.String {
			b = append(appendJSON(append(b, `,"`+name+`":{"reference":`...), v.Text()), '}')
		}
	}
	return append(b, '}'), nil
}

// reviewsFor finds what an actor of compliance is to review: accesses by the parties that it is bound to.
func (g *Gateway) reviewsFor(ctx context.Context, v View, who asked) ([]fhir.ID, error) {
	if who.Kind != Compliance {
		return nil, nil
	}
	d, err := g.Decider.Decide(ctx, Question{Actor: who.Actor, Party: who.party, Action: ReadAction, Now: g.Clock()})
	if err != nil {
		return nil, Failed("gateway.reviews", Unavailable, err)
	}
	if d.Effect != Allow || len(d.Scope.Ledger.Compliance) == 0 {
		return nil, nil
	}
	return v.Reviews(ctx, d.Scope.Ledger.Compliance, maxReviews)
}

// notOwnReview refuses who has broken the glass to settle the Task that asks whether it was right.
func (g *Gateway) notOwnReview(ctx context.Context, tx Tx, who asked, r Record) error {
	if r.Reference.Type != "Task" {
		return nil
	}
	actor, asks, err := tx.Reviewed(ctx, r.Reference.ID)
	if err != nil || !asks || actor != actorKey(who.Actor) {
		return err
	}
	return forbidden("gateway.review", "review-own")
}
