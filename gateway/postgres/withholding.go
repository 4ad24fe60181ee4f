package postgres

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

var _ gateway.Withholdings = (*Tx)(nil)

const (
	withholdSQL = `insert into withholding (type, id, person, body) values ($1, $2, $3, $4)
on conflict (type, id) do update set person = excluded.person, body = excluded.body`

	liftWithholdingSQL = `delete from withholding where type = $1 and id = $2`

	withholdFromSQL = `update withholding set person = $3 where type = $1 and id = $2`

	withheldSQL = `select w.body from withholding w where w.person = $1 order by w.type, w.id`
)

// Withhold keeps a decision about a record of the person.
func (t *Tx) Withhold(ctx context.Context, person gateway.PersonID, w gateway.Withholding) error {
	const op = "postgres.withhold"
	kind, id := string(w.Record.Type), string(w.Record.ID)
	if w.Kind == "" {
		t.tx.later(op, liftWithholdingSQL, kind, id)
		return t.raise(ctx, op, person)
	}
	body, err := json.Marshal(w)
	if err != nil {
		return gateway.Failed(op, gateway.Internal, err)
	}
	t.tx.later(op, withholdSQL, kind, id, int64(person), body)
	return t.raise(ctx, op, person)
}

// WithholdFrom lets a decision hold for whom the record is about now.
func (t *Tx) WithholdFrom(ctx context.Context, record fhir.Reference, was, now gateway.PersonID) error {
	const op = "postgres.withholdfrom"
	tag, err := t.tx.Exec(ctx, withholdFromSQL, string(record.Type), string(record.ID), int64(now))
	if err != nil || tag.RowsAffected() == 0 {
		return failure(op, err)
	}
	return t.raise(ctx, op, was, now)
}

// withheld gives what is withheld from a person in the form in which it lies beside her epoch; nothing when
// nothing is.
func (t *Tx) withheld(ctx context.Context, op string, person int64) ([]byte, error) {
	rows, err := t.tx.Query(ctx, withheldSQL, person)
	if err != nil {
		return nil, failure(op, err)
	}
	bodies, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil || len(bodies) == 0 {
		return []byte{}, failure(op, err)
	}
	list := make([]gateway.Withholding, len(bodies))
	for i, b := range bodies {
		if err := json.Unmarshal(b, &list[i]); err != nil {
			return nil, gateway.Failed(op, gateway.Internal, err)
		}
	}
	encoded, err := gateway.EncodeWithholdings(list)
	if err != nil {
		return nil, gateway.Failed(op, gateway.Internal, err)
	}
	return encoded, nil
}
