package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

var _ gateway.Emergencies = (*Tx)(nil)

const (
	// tellSQL gives a row the first time within a spell, and none afterwards. Of two at the same time the
	// later one gets a serialization failure, and runs again.
	tellSQL = `insert into emergency_spell (actor, person, told, until) values ($1, $2, $3, $4)
on conflict (actor, person, told) do update set until = excluded.until where emergency_spell.until <= $5 returning true`

	askReviewSQL = `insert into review (task, party, actor, at) values ($1, $2, $3, $4)`

	reviewedSQL = `select w.actor from review w where w.task = $1`
)

// Tell marks that somebody is told of an emergency access.
func (t *Tx) Tell(ctx context.Context, s gateway.Spell, now time.Time) (first bool, err error) {
	err = t.tx.QueryRow(ctx, tellSQL, s.Actor[:], int64(s.Person), s.Told, s.Until, now).Scan(&first)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return first, failure("postgres.tell", err)
}

// AskReview keeps whose access a Task asks to be reviewed.
func (t *Tx) AskReview(ctx context.Context, task fhir.ID, party gateway.HERID, actor [32]byte, at time.Time) error {
	t.tx.later("postgres.askreview", askReviewSQL, string(task), string(party), actor[:], at)
	return nil
}

// Reviewed gives whose access a Task asks to be reviewed.
func (t *Tx) Reviewed(ctx context.Context, task fhir.ID) (actor [32]byte, ok bool, err error) {
	var kept []byte
	err = t.tx.QueryRow(ctx, reviewedSQL, string(task)).Scan(&kept)
	if errors.Is(err, pgx.ErrNoRows) {
		return actor, false, nil
	}
	copy(actor[:], kept)
	return actor, err == nil, failure("postgres.reviewed", err)
}
