package postgres

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway/audit"
)

const (
	// maxLag is how far the chain may be behind before the store is not ready.
	maxLag = time.Second
	// sequenceEvery is the pause between looks at the queue: well below maxLag.
	sequenceEvery = 100 * time.Millisecond
	// maxPlaces is how many entries are read at a time.
	maxPlaces = 2000
	// maxCommits bounds the commits whose entries get their place in one transaction: at most
	// maxLines entries each.
	maxCommits = 500
	// sequenceLock lets one sequencer at a time work, in however many processes.
	sequenceLock int64 = 0x6c6564676572 // "ledger"
)

// Head is the end of the ledger's hash chain; a signed Head is a checkpoint.
type Head struct {
	Seq    int64
	Digest []byte
}

const (
	tryLockSQL  = `select pg_try_advisory_xact_lock($1)`
	headSQL     = `select c.seq, c.digest from ledger_chain c order by c.seq desc limit 1`
	unplacedSQL = `with taken as (delete from ledger_queue q
  where q.ctid = any(array(select q.ctid from ledger_queue q limit $1)) returning q.keys)
select l.key, l.id, l.body from (select unnest(t.keys) as key from taken t) t join ledger l on l.key = t.key order by l.key`
	placeSQL = `insert into ledger_chain (seq, key, digest)
select v.seq, v.key, v.digest from unnest($1::bigint[], $2::bigint[], $3::bytea[]) as v(seq, key, digest)`
	lagSQL = `select coalesce(extract(epoch from clock_timestamp() - min(q.at)), 0)::float8 from ledger_queue q`
)

// Sequence gives committed entries their places in the hash chain until the context ends. It runs in
// every process; one of them works at a time. advanced, unless nil, is called after each commit
// that moved the head, and once at the start.
func (s *Store) Sequence(ctx context.Context, advanced func(Head)) error {
	if advanced != nil {
		if head, err := s.Head(ctx); err == nil {
			advanced(head)
		}
	}
	ticker := time.NewTicker(sequenceEvery)
	defer ticker.Stop()
	for {
		head, placed, err := s.place(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.log.ErrorContext(ctx, "the ledger's chain cannot go on", slog.Any("error", err))
		case placed > 0 && advanced != nil:
			advanced(head)
		}
		if placed >= maxCommits { // there may be more
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// place chains what is committed and has no place yet. The order is that of seq; entries of one
// round are taken by key.
func (s *Store) place(ctx context.Context) (head Head, placed int, err error) {
	const op = "postgres.sequence"
	err = s.repeat(ctx, op, func(bool) error {
		head, placed = Head{}, 0
		tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
		if err != nil {
			return failure(op, err)
		}
		defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // nothing to keep, or already committed
		var alone bool
		if err := tx.QueryRow(ctx, tryLockSQL, sequenceLock).Scan(&alone); err != nil || !alone {
			return failure(op, err)
		}
		err = tx.QueryRow(ctx, headSQL).Scan(&head.Seq, &head.Digest)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return failure(op, err)
		}
		placed, err = s.chain(ctx, op, tx, &head)
		if err != nil || placed == 0 {
			return err
		}
		return s.commit(ctx, op, tx.Conn(), tx.Commit)
	})
	return head, placed, err
}

func (s *Store) chain(ctx context.Context, op string, tx pgx.Tx, head *Head) (int, error) {
	rows, err := tx.Query(ctx, unplacedSQL, maxCommits)
	if err != nil {
		return 0, failure(op, err)
	}
	var (
		seqs, keys []int64
		digests    [][]byte
		key        int64
		id         string
		stored     []byte
	)
	_, err = pgx.ForEachRow(rows, []any{&key, &id, &stored}, func() error {
		event, err := unpackLine(op, stored)
		if err != nil {
			return err
		}
		head.Seq++
		head.Digest = audit.Digest(head.Digest, head.Seq, id, event)
		seqs, keys, digests = append(seqs, head.Seq), append(keys, key), append(digests, head.Digest)
		return nil
	})
	if err != nil || len(seqs) == 0 {
		return 0, failure(op, err)
	}
	if _, err := tx.Exec(ctx, placeSQL, seqs, keys, digests); err != nil {
		return 0, failure(op, err)
	}
	return len(seqs), nil
}

// Head gives the end of the chain; the zero Head is that of an empty ledger.
func (s *Store) Head(ctx context.Context) (Head, error) {
	var h Head
	err := s.pool.QueryRow(ctx, headSQL).Scan(&h.Seq, &h.Digest)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Head{}, failure("postgres.head", err)
	}
	return h, nil
}

// Lag tells how long the oldest entry without a place has waited.
func (s *Store) Lag(ctx context.Context) (time.Duration, error) {
	var seconds float64
	if err := s.pool.QueryRow(ctx, lagSQL).Scan(&seconds); err != nil {
		return 0, failure("postgres.lag", err)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

const (
	placesSQL = `select c.seq, c.digest, l.id, l.body from ledger_chain c join ledger l on l.key = c.key
where c.seq > $1 order by c.seq limit $2`
	looseSQL = `select count(*) from ledger l
where not exists (select 1 from ledger_chain c where c.key = l.key) and l.key not in (select unnest(q.keys) from ledger_queue q)`
)

// Entries gives the chain in order, for audit.Verify. An error ends it.
func (s *Store) Entries(ctx context.Context) iter.Seq2[audit.Entry, error] {
	const op = "postgres.entries"
	return func(yield func(audit.Entry, error) bool) {
		for after := int64(0); ; {
			list, err := s.entries(ctx, op, after)
			if err != nil {
				yield(audit.Entry{}, err)
				return
			}
			for _, e := range list {
				if !yield(e, nil) {
					return
				}
				after = e.Seq
			}
			if len(list) < maxPlaces {
				return
			}
		}
	}
}

func (s *Store) entries(ctx context.Context, op string, after int64) ([]audit.Entry, error) {
	rows, err := s.pool.Query(ctx, placesSQL, after, maxPlaces)
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e audit.Entry, err error) {
		var stored []byte
		if err = row.Scan(&e.Seq, &e.Digest, &e.ID, &stored); err == nil {
			e.Event, err = unpackLine(op, stored)
		}
		return e, err
	})
	return list, failure(op, err)
}

// Loose counts entries that have no place and wait for none: none in a ledger that nobody touched.
func (s *Store) Loose(ctx context.Context) (int64, error) {
	var n int64
	if err := s.pool.QueryRow(ctx, looseSQL).Scan(&n); err != nil {
		return 0, failure("postgres.loose", err)
	}
	return n, nil
}
