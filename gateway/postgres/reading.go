package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// reading is the read-only transaction of one snapshot. It begins with its first statement, so
// that the beginning costs no round trip of its own.
type reading struct {
	conn     *pgxpool.Conn
	revision int64 // of the directory in this snapshot
	begun    bool
}

var _ querier = (*reading)(nil)

const (
	beginSnapshotSQL = `begin isolation level repeatable read read only`
	rollbackSQL      = `rollback`
	// A statement of a search may take two seconds; what is ended ends a little after its limit.
	timedSQL = `set local statement_timeout = '1500ms'`
)

// with begins the snapshot, unless it has begun, and runs what queue adds to the batch.
func (r *reading) with(ctx context.Context, queue func(*pgx.Batch)) error {
	var b pgx.Batch
	if !r.begun {
		b.Queue(beginSnapshotSQL)
	}
	queue(&b)
	err := r.conn.SendBatch(ctx, &b).Close()
	r.begun = r.conn.Conn().PgConn().TxStatus() != 'I'
	return err
}

// begin takes the snapshot and reads the revision of the directory, unless that is done.
func (r *reading) begin(ctx context.Context) error {
	if r.begun && r.revision != 0 {
		return nil
	}
	return r.with(ctx, func(b *pgx.Batch) {
		b.Queue(revisionSQL).QueryRow(func(row pgx.Row) error { return row.Scan(&r.revision) })
	})
}

// timed runs a statement that may take two seconds at most, and so may what follows on the snapshot: PostgreSQL ends it
// up to a third of a second late on a busy machine (1 M resources).
func (r *reading) timed(ctx context.Context, sql string, args []any, read func(pgx.Rows) error) error {
	return r.with(ctx, func(b *pgx.Batch) {
		b.Queue(timedSQL)
		b.Queue(sql, args...).Query(read)
	})
}

// Query runs a statement on the snapshot.
func (r *reading) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if !r.begun {
		if err := r.begin(ctx); err != nil {
			return nil, err
		}
	}
	return r.conn.Query(ctx, sql, args...)
}

// QueryRow runs a statement that gives one row on the snapshot; the first of all in one round trip
// with what begins it.
func (r *reading) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if r.begun {
		return r.conn.QueryRow(ctx, sql, args...)
	}
	return deferredRow(func(dest []any) error {
		return r.with(ctx, func(b *pgx.Batch) {
			b.Queue(sql, args...).QueryRow(func(row pgx.Row) error { return row.Scan(dest...) })
		})
	})
}

// deferredRow asks for its row when it is read.
type deferredRow func(dest []any) error

// Scan asks and reads.
func (d deferredRow) Scan(dest ...any) error { return d(dest) }
