package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

const (
	outlinedSQL = `select rid, vkey, type, parts, body from resource where rid > $1 and not deleted order by rid limit $2`
	// The key is of the version: one that has been replaced meanwhile is left as it is.
	outlineSQL = `update resource set body = $3 where rid = $1 and vkey = $2`
)

// outlinesAtOnce bounds what is held in memory.
const outlinesAtOnce = 200

// Outline stores anew how current versions are cut for others, where another binary stored it, or none did, and tells of how
// many. Without it they are read each time, which takes longer and gives the same. No version changes, and servers may run;
// what cannot be read is left to whoever reads it. What lies in histories is read each time.
func Outline(ctx context.Context, dsn string) (made int, err error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return 0, fmt.Errorf("postgres: outline: %w", reduced(err))
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	// What is lost by a crash is made again.
	if _, err := conn.Exec(ctx, "set synchronous_commit = off"); err != nil {
		return 0, fmt.Errorf("postgres: outline: %w", reduced(err))
	}
	for last := int64(0); ; {
		list, err := outlined(ctx, conn, last)
		if err != nil || len(list) == 0 {
			return made, err
		}
		for _, v := range list {
			last = v.rid
			anew := v.anew()
			if anew == nil {
				continue
			}
			tag, err := conn.Exec(ctx, outlineSQL, v.rid, v.vkey, anew)
			if err != nil {
				return made, fmt.Errorf("postgres: outline: %w", reduced(err))
			}
			made += int(tag.RowsAffected())
		}
	}
}

// stored is a version as it lies in its table.
type stored struct {
	rid, vkey   int64
	kind        fhir.Type
	parts, body []byte
}

func outlined(ctx context.Context, conn *pgx.Conn, after int64) ([]stored, error) {
	rows, err := conn.Query(ctx, outlinedSQL, after, outlinesAtOnce)
	if err != nil {
		return nil, fmt.Errorf("postgres: outline: %w", reduced(err))
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v stored, err error) {
		return v, row.Scan(&v.rid, &v.vkey, &v.kind, &v.parts, &v.body)
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: outline: %w", reduced(err))
	}
	return list, nil
}

// anew packs the body with the Outline of this binary; nil when it has that, or cannot have one.
func (v stored) anew() []byte {
	body, has, err := unpackBody("postgres.outline", v.body)
	if err != nil {
		return nil
	}
	d := gateway.Draft{Reference: fhir.Reference{Type: v.kind}, Body: body}
	if d.Parts, err = unpackParts(v.parts); err != nil {
		return nil
	}
	o := d.Outline()
	if o == nil || bytes.Equal(o, has) {
		return nil
	}
	return packBody(body, o)
}
