package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sluse/sluse/gateway"
)

// attempts bounds how often a transaction runs that others get in the way of.
const attempts = 12

// querier is what a view runs its statements through.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// view is one snapshot of the database.
type view struct {
	tx       querier
	store    *Store
	reading  *reading // nil in a Tx
	timed    bool     // a search: its statements may take so long only
	writes   bool     // a Tx: what a decision rests on is locked against change until it ends
	alone    bool     // nobody else writes resources until it ends
	revision int64    // of the directory in this snapshot; zero: not asked yet
}

var _ gateway.View = (*view)(nil)

// Tx is one transaction.
type Tx struct {
	view
	tx *writing // the querier of the view
}

var _ gateway.Tx = (*Tx)(nil)

// errAlone asks for the transaction to be run again with nobody else writing resources.
var errAlone = errors.New("the transaction must be alone")

const aloneSQL = `lock table resource in share row exclusive mode`

// Snapshot runs fn on one read-only snapshot (REPEATABLE READ). It is taken by the first statement
// of fn, in one round trip with it.
func (s *Store) Snapshot(ctx context.Context, fn func(gateway.View) error) error {
	const op = "postgres.snapshot"
	return s.repeat(ctx, op, func(bool) error {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return failure(op, err)
		}
		defer conn.Release()
		r := &reading{conn: conn}
		err = fn(&view{tx: r, store: s, reading: r})
		s.abandon(conn)
		return err
	})
}

// abandon ends a transaction that has nothing to keep; a connection that cannot even do that is
// closed by the pool when it is released.
func (s *Store) abandon(conn *pgxpool.Conn) {
	if conn.Conn().PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := conn.Exec(ctx, rollbackSQL); err != nil {
		conn.Conn().Close(ctx) //nolint:errcheck,gosec // it is lost anyway
	}
}

// Tx runs fn in one transaction (REPEATABLE READ) that commits when fn returns nil.
func (s *Store) Tx(ctx context.Context, fn func(gateway.Tx) error) error {
	return s.transact(ctx, "postgres.tx", func(t *Tx) error { return fn(t) })
}

func (s *Store) transact(ctx context.Context, op string, fn func(*Tx) error) error {
	return s.repeat(ctx, op, func(alone bool) error {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return failure(op, err)
		}
		defer conn.Release()
		forgetDoubt(conn.Conn())
		defer s.abandon(conn)
		tx := &writing{conn: conn}
		if alone { // before the snapshot is taken by the first query
			tx.later(op, aloneSQL)
		}
		t := &Tx{view: view{tx: tx, store: s, writes: true, alone: alone}, tx: tx}
		if err := fn(t); err != nil {
			return err
		}
		if err := tx.looked(ctx); err != nil {
			return failure(op, err)
		}
		return s.commit(ctx, op, conn.Conn(), tx.commit)
	})
}

// commit ends a transaction for good, or tells that nobody knows. An error by which the server refused something
// means that nothing was kept; any other means that the answer was lost.
func (s *Store) commit(ctx context.Context, op string, conn *pgx.Conn, end func(context.Context) error) error {
	err := end(ctx)
	var unsent pgx.ErrPreprocessingBatch
	switch {
	case err == nil && doubted(conn):
		return unsure(op, errStandby)
	case err == nil:
		return nil
	case refused(err), errors.Is(err, pgx.ErrTxCommitRollback), errors.As(err, &unsent), pgconn.SafeToRetry(err):
		return failure(op, err)
	default:
		return unsure(op, err)
	}
}

// refused tells whether the server has ended the transaction for what was asked. A server that ends the connection (FATAL)
// may have committed before: it is told to stop while the commit is under way, and says so after it.
func refused(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.SeverityUnlocalized == "ERROR"
}

// repeat runs an attempt again for as long as others got in its way.
func (s *Store) repeat(ctx context.Context, op string, attempt func(alone bool) error) error {
	alone := false
	pause := time.Millisecond
	for i := 1; ; i++ {
		err := attempt(alone)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errAlone):
			alone = true
			continue
		case !again(err) || i == attempts:
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return failure(op, ctx.Err())
		case <-timer.C:
		}
		pause = min(2*pause, 100*time.Millisecond)
	}
}

// errStandby is a commit that is kept here and not, as far as anybody knows, on the standby.
var errStandby = errors.New("the wait for the synchronous standby was cancelled")

const doubtKey = "sluse doubt"

// noticed marks a connection whose commit did not wait for the standby: the server tells by a
// warning only (PostgreSQL, warm-standby: synchronous replication).
func noticed(conn *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine == "SyncRepWaitForLSN" {
		conn.CustomData()[doubtKey] = true
	}
}

func forgetDoubt(conn *pgx.Conn) { delete(conn.PgConn().CustomData(), doubtKey) }

func doubted(conn *pgx.Conn) bool { return conn.PgConn().CustomData()[doubtKey] == true }

// single runs what is one implicit transaction: one statement, or one batch.
func (s *Store) single(ctx context.Context, op string, run func(*pgx.Conn) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return failure(op, err)
	}
	defer conn.Release()
	forgetDoubt(conn.Conn())
	err = run(conn.Conn())
	switch {
	case err == nil && doubted(conn.Conn()):
		return unsure(op, errStandby)
	case err == nil, refused(err), errors.Is(err, pgx.ErrNoRows), pgconn.SafeToRetry(err):
		return failure(op, err)
	default:
		return unsure(op, err)
	}
}
