package gateway_test

import (
	"context"
	"io"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// faulty is what goes wrong in one process on the real store, with the real policy: each function that is set stands
// before the real one, and may fail, lie or change the world before it calls it.
type faulty struct {
	world  *world // of the healthy process
	shared lent

	decide   func(next gateway.Decider, ctx context.Context, q gateway.Question) (gateway.Decision, error)
	label    func(next gateway.Labeller, ctx context.Context, r *fhir.Resource) (gateway.Labelling, error)
	grants   func(next gateway.Normalizer, c *fhir.Resource, ref fhir.Reference, in gateway.Setting) ([]gateway.Grant, []fhir.Issue)
	now      func() time.Time
	random   io.Reader
	listed   func(gateway.Directory, error) (gateway.Directory, error) // the directory, wherever it is asked for
	snapshot func() error                                              // instead of a snapshot or a transaction
	facts    func(gateway.Facts, error) (gateway.Facts, error)         // of a record or of a person, wherever they are asked for
	page     func([]gateway.Facts, error) ([]gateway.Facts, error)     // of the persons on a page
	row      func(gateway.Record) gateway.Record                       // every row that the store gives
	read     func() error                                              // before a row is read
	stands   func(gateway.Standing, error) (gateway.Standing, error)   // what comes with a row
	ledger   func(ctx context.Context) error                           // before an entry is written
}

// process is a gateway of its own on the store of the world, with the faults.
func (f *faulty) process() *world {
	c := f.world.Config
	c.Store, c.Decider, c.Labeller, c.Normalizer = faultyStore{c.Store, f}, faultyDecider{c.Decider, f}, faultyLabeller{c.Labeller, f}, faultyNormalizer{c.Normalizer, f}
	if f.now != nil {
		c.Clock = f.now
	}
	if f.random != nil {
		c.Random = f.random
	}
	g, err := gateway.New(c)
	must(f.world.t, err)
	return &world{Gateway: g, t: f.world.t, clock: f.world.clock, store: f.world.store, dsn: f.world.dsn}
}

type faultyDecider struct {
	gateway.Decider
	f *faulty
}

func (d faultyDecider) Decide(ctx context.Context, q gateway.Question) (gateway.Decision, error) {
	if d.f.decide == nil {
		return d.Decider.Decide(ctx, q)
	}
	return d.f.decide(d.Decider, ctx, q)
}

type faultyLabeller struct {
	gateway.Labeller
	f *faulty
}

func (l faultyLabeller) Label(ctx context.Context, r *fhir.Resource) (gateway.Labelling, error) {
	if l.f.label == nil {
		return l.Labeller.Label(ctx, r)
	}
	return l.f.label(l.Labeller, ctx, r)
}

type faultyNormalizer struct {
	gateway.Normalizer
	f *faulty
}

func (n faultyNormalizer) Grants(c *fhir.Resource, ref fhir.Reference, in gateway.Setting) ([]gateway.Grant, []fhir.Issue) {
	if n.f.grants == nil {
		return n.Normalizer.Grants(c, ref, in)
	}
	return n.f.grants(n.Normalizer, c, ref, in)
}

type faultyStore struct {
	gateway.Store
	f *faulty
}

func (s faultyStore) Snapshot(ctx context.Context, fn func(gateway.View) error) error {
	if s.f.snapshot != nil {
		return s.f.snapshot()
	}
	return s.Store.Snapshot(ctx, func(v gateway.View) error { return fn(faultyView{v, s.f}) })
}

func (s faultyStore) Tx(ctx context.Context, fn func(gateway.Tx) error) error {
	if s.f.snapshot != nil {
		return s.f.snapshot()
	}
	return s.Store.Tx(ctx, func(tx gateway.Tx) error { return fn(faultyTx{tx, faultyView{tx, s.f}}) })
}

func (s faultyStore) Directory(ctx context.Context) (gateway.Directory, error) {
	return s.f.directory(s.Store.Directory(ctx))
}

func (s faultyStore) DirectoryAt(revision int64) (gateway.Directory, bool) {
	dir, ok := s.Store.DirectoryAt(revision)
	if !ok {
		return nil, false
	}
	dir, err := s.f.directory(dir, nil)
	return dir, err == nil
}

func (s faultyStore) Create(ctx context.Context, p gateway.Permit, d gateway.Draft, e gateway.AuditEntry) (gateway.Record, error) {
	if s.f.ledger != nil { // the entry is part of the statement
		if err := s.f.ledger(ctx); err != nil {
			return gateway.Record{}, err
		}
	}
	return s.Store.Create(ctx, p, d, e)
}

func (s faultyStore) Record(ctx context.Context, entries []gateway.AuditEntry, fetched []gateway.FetchedVersion) error {
	if s.f.ledger != nil {
		if err := s.f.ledger(ctx); err != nil {
			return err
		}
	}
	return s.Store.Record(ctx, entries, fetched)
}

func (s faultyStore) Standing(ctx context.Context, r fhir.Reference, bound gateway.NIN) (gateway.Standing, error) {
	now, err := s.Store.Standing(ctx, r, bound)
	now.Facts, err = s.f.factual(now.Facts, err)
	return now, err
}

func (s faultyStore) ReadStanding(ctx context.Context, p gateway.Permit, r fhir.Reference, bound gateway.NIN) (gateway.Record, gateway.Standing, error) {
	if s.f.read != nil {
		if err := s.f.read(); err != nil {
			return gateway.Record{}, gateway.Standing{}, err
		}
	}
	found, now, err := s.Store.ReadStanding(ctx, p, r, bound)
	if s.f.stands != nil {
		now, err = s.f.stands(now, err)
	}
	return s.f.seen(found), now, err
}

func (f *faulty) directory(dir gateway.Directory, err error) (gateway.Directory, error) {
	if f.listed == nil {
		return dir, err
	}
	return f.listed(dir, err)
}

func (f *faulty) factual(facts gateway.Facts, err error) (gateway.Facts, error) {
	if f.facts == nil {
		return facts, err
	}
	return f.facts(facts, err)
}

func (f *faulty) seen(r gateway.Record) gateway.Record {
	if f.row == nil || r.Key == 0 {
		return r
	}
	return f.row(r)
}

func (f *faulty) all(list []gateway.Record, err error) ([]gateway.Record, error) {
	for i := range list {
		list[i] = f.seen(list[i])
	}
	return list, err
}

type faultyView struct {
	gateway.View
	f *faulty
}

func (v faultyView) Directory(ctx context.Context) (gateway.Directory, error) {
	return v.f.directory(v.View.Directory(ctx))
}

func (v faultyView) FactsOf(ctx context.Context, r fhir.Reference) (gateway.Facts, error) {
	return v.f.factual(v.View.FactsOf(ctx, r))
}

func (v faultyView) FactsAbout(ctx context.Context, party gateway.HERID, s gateway.Subject) (gateway.Facts, bool, error) {
	facts, own, err := v.View.FactsAbout(ctx, party, s)
	facts, err = v.f.factual(facts, err)
	return facts, own, err
}

func (v faultyView) FactsFor(ctx context.Context, persons []gateway.PersonID) ([]gateway.Facts, error) {
	list, err := v.View.FactsFor(ctx, persons)
	if v.f.page == nil {
		return list, err
	}
	return v.f.page(list, err)
}

func (v faultyView) Read(ctx context.Context, p gateway.Permit, r fhir.Reference) (gateway.Record, error) {
	if v.f.read != nil {
		if err := v.f.read(); err != nil {
			return gateway.Record{}, err
		}
	}
	found, err := v.View.Read(ctx, p, r)
	return v.f.seen(found), err
}

func (v faultyView) History(ctx context.Context, p gateway.Permit, r fhir.Reference, w gateway.Window, limit int, after gateway.Cursor) ([]gateway.Record, error) {
	return v.f.all(v.View.History(ctx, p, r, w, limit, after))
}

func (v faultyView) Search(ctx context.Context, p gateway.Permit, t fhir.Type, s gateway.Search, person gateway.PersonID, limit int, after gateway.Cursor) ([]gateway.Record, error) {
	return v.f.all(v.View.Search(ctx, p, t, s, person, limit, after))
}

// faultyTx is a transaction whose reads and entries fail as those of a snapshot do.
type faultyTx struct {
	gateway.Tx
	view faultyView
}

func (t faultyTx) Directory(ctx context.Context) (gateway.Directory, error) {
	return t.view.Directory(ctx)
}

func (t faultyTx) FactsOf(ctx context.Context, r fhir.Reference) (gateway.Facts, error) {
	return t.view.FactsOf(ctx, r)
}

func (t faultyTx) FactsAbout(ctx context.Context, party gateway.HERID, s gateway.Subject) (gateway.Facts, bool, error) {
	return t.view.FactsAbout(ctx, party, s)
}

func (t faultyTx) FactsFor(ctx context.Context, persons []gateway.PersonID) ([]gateway.Facts, error) {
	return t.view.FactsFor(ctx, persons)
}

func (t faultyTx) Read(ctx context.Context, p gateway.Permit, r fhir.Reference) (gateway.Record, error) {
	return t.view.Read(ctx, p, r)
}

func (t faultyTx) Record(ctx context.Context, entries []gateway.AuditEntry) error {
	if t.view.f.ledger != nil {
		if err := t.view.f.ledger(ctx); err != nil {
			return err
		}
	}
	return t.Tx.Record(ctx, entries)
}
