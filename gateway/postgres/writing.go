package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// writing is the transaction of a Tx. It begins with its first statement, and what gives nothing that anybody waits for
// (later) travels with the next statement that does, or with the end. PostgreSQL performs all in the order in which they
// were given, and nothing after one that failed.
type writing struct {
	conn   *pgxpool.Conn
	queued pgx.Batch
	begun  bool
	asked  bool  // one of those queued has to be looked at before the end
	failed error // of what travelled together: perhaps not even the beginning has arrived
}

var _ querier = (*writing)(nil)

const (
	beginSQL  = `begin isolation level repeatable read`
	commitSQL = `commit`
)

// later runs a statement before the next one. Its error is that of whatever it travels with.
func (w *writing) later(op, sql string, args ...any) {
	var b pgx.Batch
	b.Queue(sql, args...)
	w.laterAll(op, &b)
}

// check is later with what may be wrong about the number of its rows, before which nothing is committed.
func (w *writing) check(op string, wrong func(pgconn.CommandTag) error, sql string, args ...any) {
	var b pgx.Batch
	b.Queue(sql, args...).Exec(wrong)
	w.laterAll(op, &b)
}

// laterAll runs a batch before the next statement.
func (w *writing) laterAll(op string, b *pgx.Batch) {
	for _, q := range b.QueuedQueries {
		w.begin()
		w.asked = w.asked || q.Fn != nil
		look := *q
		q.Fn = func(br pgx.BatchResults) error {
			if err := perform(&look, br); err != nil {
				return &laterError{op, err}
			}
			return nil
		}
		w.queued.QueuedQueries = append(w.queued.QueuedQueries, q)
	}
}

// begin has the transaction begin with its first statement.
func (w *writing) begin() {
	if !w.begun {
		w.begun = true
		w.queued.Queue(beginSQL)
	}
}

// alone tells that a statement has nothing to travel with.
func (w *writing) alone() bool { return w.begun && w.queued.Len() == 0 && w.failed == nil }

// send gives the results of what is queued and of what follows it, in one round trip.
func (w *writing) send(ctx context.Context, more ...*pgx.QueuedQuery) (pgx.BatchResults, []*pgx.QueuedQuery) {
	w.begin()
	before := w.queued.QueuedQueries
	b := &pgx.Batch{QueuedQueries: append(before, more...)}
	w.queued, w.asked = pgx.Batch{}, false
	return w.conn.SendBatch(ctx, b), before
}

// run performs a batch, after what is queued, in one round trip.
func (w *writing) run(ctx context.Context, more *pgx.Batch) error {
	if w.failed != nil {
		return w.failed
	}
	results, _ := w.send(ctx, more.QueuedQueries...)
	return w.note(results.Close())
}

// note keeps an error after which nothing more may be asked: a row that is asked for and not there is none.
func (w *writing) note(err error) error {
	var later *laterError
	if err != nil && (!errors.Is(err, pgx.ErrNoRows) || errors.As(err, &later)) {
		w.failed = err
	}
	return err
}

// Exec performs a statement and tells how many rows it is about.
func (w *writing) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	if w.alone() {
		return w.conn.Exec(ctx, sql, args...)
	}
	var b pgx.Batch
	b.Queue(sql, args...).Exec(func(t pgconn.CommandTag) error {
		tag = t
		return nil
	})
	return tag, w.run(ctx, &b)
}

// Query performs a statement and gives its rows.
func (w *writing) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if w.alone() {
		return w.conn.Query(ctx, sql, args...)
	}
	if w.failed != nil {
		return nil, w.failed
	}
	results, before := w.send(ctx, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	for _, q := range before {
		if err := perform(q, results); err != nil {
			_ = results.Close() // the error is told already
			return nil, w.note(err)
		}
	}
	rows, err := results.Query()
	if err != nil {
		_ = results.Close() // as above
		return nil, w.note(err)
	}
	return &lastRows{Rows: rows, batch: results}, nil
}

func perform(q *pgx.QueuedQuery, results pgx.BatchResults) error {
	if q.Fn != nil {
		return q.Fn(results)
	}
	_, err := results.Exec()
	return err
}

// QueryRow performs a statement that gives one row when that is read.
func (w *writing) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if w.alone() {
		return w.conn.QueryRow(ctx, sql, args...)
	}
	return deferredRow(func(dest []any) error {
		var (
			b    pgx.Batch
			none error // is no error of the batch, which would have its statements prepared anew
		)
		b.Queue(sql, args...).QueryRow(func(row pgx.Row) error {
			err := row.Scan(dest...)
			if errors.Is(err, pgx.ErrNoRows) {
				none, err = err, nil
			}
			return err
		})
		if err := w.run(ctx, &b); err != nil {
			return err
		}
		return none
	})
}

// looked performs what has to be looked at before the end.
func (w *writing) looked(ctx context.Context) error {
	if !w.asked {
		return w.failed
	}
	return w.run(ctx, &pgx.Batch{})
}

// commit ends the transaction, and with it, in one round trip, what is queued.
func (w *writing) commit(ctx context.Context) error {
	if !w.begun { // nothing was asked
		return nil
	}
	tag, err := w.Exec(ctx, commitSQL)
	if err == nil && tag.String() != "COMMIT" {
		return pgx.ErrTxCommitRollback
	}
	return err
}

// lastRows are the rows of the last statement of a batch, which ends with them.
type lastRows struct {
	pgx.Rows
	batch pgx.BatchResults
	err   error
}

// Next reads on; after the last row, the batch has ended.
func (r *lastRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Close ends the batch.
func (r *lastRows) Close() {
	r.Rows.Close()
	if err := r.batch.Close(); r.err == nil {
		r.err = err
	}
}

// Err tells what went wrong with the rows, or with the batch.
func (r *lastRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

// laterError is the error of a statement that travelled with another.
type laterError struct {
	op  string
	err error
}

// Error tells which operation the statement was of.
func (e *laterError) Error() string { return e.op + ": " + e.err.Error() }

// Unwrap gives the error of the statement.
func (e *laterError) Unwrap() error { return e.err }
