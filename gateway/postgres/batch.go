package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
)

// PutAll writes first versions of own records that are not of the directory, all in one round trip. Each is in the
// store when the next is written, so that a Patient comes before what is about her.
func (t *Tx) PutAll(ctx context.Context, p gateway.Permit, drafts []gateway.Draft) ([]gateway.Record, error) {
	const op = "postgres.putall"
	if len(drafts) == 0 {
		return nil, nil
	}
	var b pgx.Batch
	out := make([]gateway.Record, len(drafts))
	for i, d := range drafts {
		if !mayWrite(p.Scope(), d) || d.Previous != "" || gateway.IsDirectory(d.Reference.Type) {
			return nil, forbidden(op)
		}
		draft, err := t.store.prepare(op, d)
		if err != nil {
			return nil, err
		}
		var args arguments
		b.Queue(firstSQL(&draft, &args), args.values...).QueryRow(func(row pgx.Row) error {
			var (
				rid    int64
				person gateway.PersonID
			)
			err := row.Scan(&rid, &person)
			out[i] = draft.record(rid, person)
			return err
		})
	}
	if err := t.tx.SendBatch(ctx, &b).Close(); err != nil {
		return nil, failure(op, err)
	}
	return out, nil
}
