package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluse/sluse/gateway"
)

const (
	writeTurnSQL = `insert into message_turn (key, turn) values ($1, $2)`
	readTurnsSQL = `select turn from message_turn where key = any($1) order by key`
)

// turns are the rows that the test has written, as anybody else sees them.
func (b *bench) turns(keys ...string) []int64 {
	b.Helper()
	rows, err := b.pool.Query(b.ctx, readTurnsSQL, bytesOf(keys))
	if err != nil {
		b.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		b.Fatal(err)
	}
	return list
}

func bytesOf(keys []string) (list [][]byte) {
	for _, k := range keys {
		list = append(list, []byte(k))
	}
	return list
}

// What is written later is seen by what is asked next, in the order in which it was given, and kept at the end; a
// transaction that only wrote later is one round trip.
func TestWhatIsWrittenLaterIsWritten(t *testing.T) {
	heard := &spoken{seen: map[string]bool{}}
	b := newBench(t)
	b.Store = openWith(t, func(c *Config) { c.Tracer = heard })
	first := []byte("first")
	for _, ask := range []func(*Tx) ([]int64, error){
		func(t *Tx) ([]int64, error) {
			rows, err := t.tx.Query(b.ctx, readTurnsSQL, [][]byte{first})
			if err != nil {
				return nil, err
			}
			return pgx.CollectRows(rows, pgx.RowTo[int64])
		},
		func(t *Tx) ([]int64, error) {
			var turn int64
			err := t.tx.QueryRow(b.ctx, readTurnsSQL, [][]byte{first}).Scan(&turn)
			return []int64{turn}, err
		},
		func(t *Tx) ([]int64, error) {
			tag, err := t.tx.Exec(b.ctx, `update message_turn set turn = turn where key = $1 and turn = 3`, first)
			return []int64{2 + tag.RowsAffected()}, err
		},
	} {
		err := b.tx(func(t *Tx) error {
			t.tx.later("test", `delete from message_turn where key = $1`, first)
			t.tx.later("test", writeTurnSQL, first, 1)
			t.tx.later("test", `update message_turn set turn = turn + 2 where key = $1`, first)
			seen, err := ask(t)
			if !slices.Equal(seen, []int64{3}) {
				b.Errorf("seen %v, want 3", seen)
			}
			t.tx.later("test", `update message_turn set turn = turn * 2 where key = $1`, first)
			return err
		})
		if err != nil || !slices.Equal(b.turns("first"), []int64{6}) {
			t.Errorf("kept %v, want 6: %v", b.turns("first"), err)
		}
	}
	heard.trips.Store(0)
	err := b.tx(func(t *Tx) error {
		t.tx.later("test", writeTurnSQL, []byte("second"), 1)
		t.tx.later("test", writeTurnSQL, []byte("third"), 2)
		return nil
	})
	if trips := heard.trips.Load(); err != nil || trips != 1 {
		t.Errorf("what is only written takes %d round trips: %v", trips, err)
	}
	heard.trips.Store(0)
	if err := b.tx(func(*Tx) error { return nil }); err != nil || heard.trips.Load() != 0 {
		t.Errorf("a transaction of nothing takes a round trip: %v", err)
	}
	if kept := b.turns("second", "third"); !slices.Equal(kept, []int64{1, 2}) {
		t.Errorf("kept %v", kept)
	}
}

// Nothing is kept of a transaction in which something that was written later failed: whenever it is noticed, by whatever
// is asked, and also by who does not listen.
func TestNothingIsKeptOfWhatFailedLater(t *testing.T) {
	b := newBench(t)
	failing := map[string]func(*Tx){
		"an error of the server": func(t *Tx) {
			t.tx.later("test.failing", `select 1 / turn from message_turn where key = $1`, []byte("zero"))
		},
		"rows that are too few": func(t *Tx) { t.tx.check("test.failing", noRow, `delete from message_turn where key = 'none'`) },
		"too few in a batch": func(t *Tx) {
			var more pgx.Batch
			more.Queue(`delete from message_turn where key = 'none'`).Exec(noRow)
			t.tx.laterAll("test.failing", &more)
		},
	}
	asking := map[string]func(*Tx) error{
		"the end": func(*Tx) error { return nil },
		"rows": func(t *Tx) error {
			rows, err := t.tx.Query(b.ctx, `select 1`)
			if err == nil {
				rows.Close()
			}
			return err
		},
		"a row": func(t *Tx) error {
			var one int
			return t.tx.QueryRow(b.ctx, `select 1`).Scan(&one)
		},
		"a command": func(t *Tx) error {
			_, err := t.tx.Exec(b.ctx, `select 1`)
			return err
		},
		"a batch": func(t *Tx) error {
			var more pgx.Batch
			more.Queue(`select 1`)
			return t.tx.run(b.ctx, &more)
		},
	}
	if err := b.tx(func(t *Tx) error { t.tx.later("test", writeTurnSQL, []byte("zero"), 0); return nil }); err != nil {
		t.Fatal(err)
	}
	for what, fail := range failing {
		for by, ask := range asking {
			for _, deaf := range []bool{false, true} {
				err := b.tx(func(t *Tx) error {
					t.tx.later("test", writeTurnSQL, []byte("before"), 1)
					fail(t)
					t.tx.later("test", writeTurnSQL, []byte("after"), 1)
					if err := ask(t); err != nil && !deaf {
						return failure("test.asking", err)
					}
					t.tx.later("test", writeTurnSQL, []byte("last"), 1)
					return nil
				})
				var known *gateway.Error
				if !errors.As(err, &known) || known.Op != "test.failing" || known.Code == gateway.Unavailable {
					t.Errorf("%s, noticed by %s: %v", what, by, err)
				}
				if kept := b.turns("before", "after", "last"); len(kept) != 0 {
					t.Errorf("%s, noticed by %s: %d rows are kept", what, by, len(kept))
				}
			}
		}
	}
}

func noRow(tag pgconn.CommandTag) error {
	if tag.RowsAffected() == 0 {
		return gateway.Failed("test.failing", gateway.Internal, errors.New("too few rows"))
	}
	return nil
}

// Of a transaction whose beginning did not arrive nothing is written: not even by who goes on all the same.
func TestNothingIsWrittenWithoutItsBeginning(t *testing.T) {
	b := newBench(t)
	over, cancel := context.WithCancel(b.ctx)
	cancel()
	err := b.tx(func(t *Tx) error {
		if err := t.tx.run(over, &pgx.Batch{}); err == nil {
			b.Error("a request that is over has begun a transaction")
		}
		if _, err := t.tx.Exec(b.ctx, writeTurnSQL, []byte("alone"), 1); err == nil {
			b.Error("a statement is performed in a transaction that did not begin")
		}
		var turn int64
		if err := t.tx.QueryRow(b.ctx, writeTurnSQL+` returning turn`, []byte("alone"), 1).Scan(&turn); err == nil {
			b.Error("a row is given of a transaction that did not begin")
		}
		if rows, err := t.tx.Query(b.ctx, writeTurnSQL+` returning turn`, []byte("alone"), 1); err == nil {
			rows.Close()
			b.Error("rows are given of a transaction that did not begin")
		}
		t.tx.later("test", writeTurnSQL, []byte("alone"), 1)
		return nil
	})
	if kept := b.turns("alone"); err == nil || len(kept) != 0 {
		t.Errorf("%d rows are kept, %v", len(kept), err)
	}
}

// A transaction that the server has given up is not committed, also when nobody listened to the error.
func TestGivenUpIsNotCommitted(t *testing.T) {
	b := newBench(t)
	if err := b.tx(func(t *Tx) error {
		if _, err := t.tx.Exec(b.ctx, writeTurnSQL, []byte("kept"), 1); err != nil {
			return err
		}
		if _, err := t.tx.Exec(b.ctx, `select 1 / 0`); err == nil {
			b.Error("1 / 0 is no error")
		}
		return nil
	}); err == nil {
		t.Error("the end of a transaction that was given up is taken for its commit")
	}
}

// A row that is asked for and not there ends no transaction, and costs no more than one that is; one that is missed by what
// was to be looked at later does end it.
func TestNoRowIsNoFailure(t *testing.T) {
	heard := &spoken{seen: map[string]bool{}}
	b := newBench(t)
	b.Store = openWith(t, func(c *Config) { c.Tracer, c.MaxConns = heard, 1 })
	absent := func(t *Tx) error {
		var turn int64
		t.tx.later("test", writeTurnSQL+` on conflict do nothing`, []byte("kept"), 1)
		if err := t.tx.QueryRow(b.ctx, readTurnsSQL, bytesOf([]string{"none"})).Scan(&turn); !errors.Is(err, pgx.ErrNoRows) {
			b.Errorf("no row gives %v", err)
		}
		return nil
	}
	if err := b.tx(absent); err != nil || !slices.Equal(b.turns("kept"), []int64{1}) {
		t.Errorf("kept %v: %v", b.turns("kept"), err)
	}
	heard.prepared.Store(0)
	if err := b.tx(absent); err != nil || heard.prepared.Load() != 0 {
		t.Errorf("%d statements were prepared anew: %v", heard.prepared.Load(), err)
	}
	err := b.tx(func(t *Tx) error {
		var more pgx.Batch
		more.Queue(`select turn from message_turn where key = 'none'`).QueryRow(func(row pgx.Row) error {
			var turn int64
			return row.Scan(&turn)
		})
		t.tx.later("test", writeTurnSQL, []byte("missed"), 1)
		t.tx.laterAll("test", &more)
		_, _ = t.tx.Exec(b.ctx, `select 1`) // nobody listens
		return nil
	})
	if kept := b.turns("missed"); err == nil || len(kept) != 0 {
		t.Errorf("%d rows are kept, %v", len(kept), err)
	}
}

// What is not looked at to its end leaves the connection as it was.
func TestRowsMayBeLeft(t *testing.T) {
	b := newBench(t)
	if err := b.tx(func(t *Tx) error {
		for _, rest := range []int{0, 1, 1000} {
			t.tx.later("test", writeTurnSQL, []byte(strings.Repeat("x", rest+1)), 1)
			rows, err := t.tx.Query(b.ctx, `select n from generate_series(1, 2000) n`)
			if err != nil {
				return err
			}
			for range rest {
				rows.Next()
			}
			rows.Close()
			var one int
			if err := t.tx.QueryRow(b.ctx, `select 1`).Scan(&one); err != nil || rows.Err() != nil {
				b.Errorf("after %d rows: %v %v", rest, err, rows.Err())
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
