package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
)

const (
	maxLines = 512 // entries of one commit
	commits  = 1   // under way at the same time: those who come meanwhile share the next, and its cost
)

var errClosed = errors.New("the store is closed")

// order is what one caller of Record wants to be durable.
type order struct {
	lines   []line
	fetched []gateway.FetchedVersion
	done    chan error
}

// writer writes the ledger of reads. While its commits are under way the next callers gather, and
// share the next one.
type writer struct {
	store  *Store
	orders chan *order
	quit   chan struct{}
	ended  chan struct{}
	once   sync.Once
}

func startWriter(s *Store) *writer {
	w := &writer{store: s, orders: make(chan *order, 1024), quit: make(chan struct{}), ended: make(chan struct{})}
	var running sync.WaitGroup
	for range commits {
		running.Go(w.run)
	}
	go func() {
		running.Wait()
		close(w.ended)
	}()
	return w
}

func (w *writer) stop() {
	w.once.Do(func() { close(w.quit) })
	<-w.ended
}

// Record makes the entries durable; many callers share one commit. It returns after that commit. An
// error means that nobody knows whether they are; a caller then releases nothing.
func (s *Store) Record(ctx context.Context, entries []gateway.AuditEntry, fetched []gateway.FetchedVersion) error {
	const op = "postgres.record"
	o := &order{fetched: fetched, done: make(chan error, 1)}
	for _, e := range entries {
		l, err := s.line(op, e)
		if err != nil {
			return err
		}
		o.lines = append(o.lines, l)
	}
	if len(o.lines)+len(o.fetched) == 0 {
		return nil
	}
	select {
	case s.ledger.orders <- o:
	case <-s.ledger.quit:
		return gateway.Failed(op, gateway.Unavailable, errClosed)
	case <-ctx.Done():
		return failure(op, ctx.Err())
	}
	select {
	case err := <-o.done:
		return err
	case <-s.ledger.ended: // an order that came too late
		select {
		case err := <-o.done:
			return err
		default:
			return gateway.Failed(op, gateway.Unavailable, errClosed)
		}
	case <-ctx.Done():
		return failure(op, ctx.Err())
	}
}

func (w *writer) run() {
	for {
		select {
		case o := <-w.orders:
			w.write(w.gather(o))
		case <-w.quit:
			for {
				select {
				case o := <-w.orders:
					w.write(w.gather(o))
				default:
					return
				}
			}
		}
	}
}

func (w *writer) gather(first *order) []*order {
	orders, lines := []*order{first}, len(first.lines)
	for lines < maxLines {
		select {
		case o := <-w.orders:
			orders, lines = append(orders, o), lines+len(o.lines)
		default:
			return orders
		}
	}
	return orders
}

// write commits the orders together. When that fails, each is tried by itself, so that one that
// cannot be written takes no other with it; an entry that is there already has its effect once.
func (w *writer) write(orders []*order) {
	err := w.commit(orders)
	if err == nil || len(orders) == 1 {
		for _, o := range orders {
			o.done <- err
		}
		return
	}
	for _, o := range orders {
		o.done <- w.commit([]*order{o})
	}
}

func (w *writer) commit(orders []*order) error {
	const op = "postgres.record"
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return w.store.repeat(ctx, op, func(bool) error {
		return w.store.single(ctx, op, func(conn *pgx.Conn) error {
			var (
				b     pgx.Batch
				lines []line
			)
			for _, o := range orders {
				lines = append(lines, o.lines...)
			}
			queueLines(&b, lines)
			for _, o := range orders {
				for _, f := range o.fetched {
					queueFetched(&b, f)
				}
			}
			return conn.SendBatch(ctx, &b).Close()
		})
	})
}
