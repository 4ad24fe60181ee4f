package gateway

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Comparer asks the forms of the consent semantics that are independent of each other about what a person's
// Consents tell apart. An error is no comparison.
type Comparer interface {
	Compare(ctx context.Context, k Known) (Comparison, error)
}

// Comparison is what a comparison has found.
type Comparison struct {
	Classes     int    // requests asked about
	Left        int    // that were too many to ask
	Differences int    // answered differently
	First       string // the first of them: parties, codes and times, nothing that names a person
}

// Known is a person's Consents as they stand in one snapshot, with what they were resolved against and the grants that
// decisions rest on.
type Known struct {
	Consents   []KnownConsent
	Teams      map[string]KnownTeam // by reference
	Statements []Stated
	Grants     []Grant
	Directory  Directory // what references meant when they were stored; what they mean now where nothing was stored
	Hjemler    Hjemler
	Now        time.Time
}

// KnownConsent is one of them.
type KnownConsent struct {
	StoredConsent
	Patient   bool // she registered it herself
	Confirmed []Stated
}

// KnownTeam is a CareTeam as it was when a Consent was stored, as it is now (nil: not of the registering party), and
// the versions confirmed since.
type KnownTeam struct {
	Listed, Current *fhir.Resource
	Confirmed       []Stated
}

// ConsentReader is the part of a Tx that finds a person's Consents.
type ConsentReader interface {
	// ConsentsAbout lists all Consents about the person that are not deleted, whether they count or not.
	ConsentsAbout(ctx context.Context, person PersonID) ([]StoredConsent, error)
}

// Watch compares the forms of the rules in the background each time that a person's Consents have changed, and gives
// alarm when they disagree: an entry in the log, a figure, and a line in readiness. It never keeps a write waiting:
// what does not fit is counted and told of, and is compared at that person's next change.
type Watch struct {
	WatchConfig
	wake chan struct{}

	mu       sync.Mutex
	pending  map[PersonID]bool
	unlike   map[PersonID]bool // whose forms disagree
	figures  WatchFigures
	overflow bool // told of
}

// WatchConfig wires a Watch. Every field but Most and Log is required.
type WatchConfig struct {
	Store    Store
	Comparer Comparer
	Clock    func() time.Time
	Most     int // persons that may wait; 1024 when zero
	Log      *slog.Logger
}

// WatchFigures count since the start.
type WatchFigures struct {
	Compared    int64 // persons
	Classes     int64
	Left        int64 // classes that were too many to ask
	Overflowed  int64 // persons that did not fit
	Failed      int64 // comparisons that could not be made
	Differences int64 // classes answered differently
	Waiting     int   // persons, now
	Unlike      int   // persons whose forms disagreed when last compared
}

// NewWatch checks the wiring.
func NewWatch(c WatchConfig) (*Watch, error) {
	if c.Store == nil || c.Comparer == nil || c.Clock == nil {
		return nil, errors.New("gateway: watch: Store, Comparer and Clock are required")
	}
	if c.Most == 0 {
		c.Most = 1024
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Watch{WatchConfig: c, wake: make(chan struct{}, 1), pending: make(map[PersonID]bool), unlike: make(map[PersonID]bool)}, nil
}

// Over is the store for a Gateway: it tells the Watch of every person whose grants a transaction has replaced, once
// it has committed.
func (w *Watch) Over() Store { return &watchedStore{w.Store, w} }

type watchedStore struct {
	Store
	watch *Watch
}

// Tx is that of the store.
func (s *watchedStore) Tx(ctx context.Context, fn func(Tx) error) error {
	var changed map[PersonID]bool
	err := s.Store.Tx(ctx, func(tx Tx) error {
		changed = make(map[PersonID]bool) // it may run again
		return fn(watchedTx{tx, changed})
	})
	if err == nil && len(changed) > 0 {
		s.watch.add(slices.Collect(maps.Keys(changed)))
	}
	return err
}

type watchedTx struct {
	Tx
	changed map[PersonID]bool
}

// PutGrants is that of the transaction.
func (t watchedTx) PutGrants(ctx context.Context, person PersonID, consent fhir.Reference, grants []Grant, basis Basis) error {
	if person > 0 {
		t.changed[person] = true
	}
	return t.Tx.PutGrants(ctx, person, consent, grants, basis)
}

func (w *Watch) add(persons []PersonID) {
	w.mu.Lock()
	told := w.overflow
	for _, p := range persons {
		switch {
		case w.pending[p]:
		case len(w.pending) >= w.Most:
			w.figures.Overflowed++
			w.overflow = true
		default:
			w.pending[p] = true
		}
	}
	now := w.overflow
	w.mu.Unlock()
	if now && !told {
		w.Log.Warn("rules: more changes than can be compared", slog.Int("most", w.Most))
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run compares until ctx ends. It takes at most half of one processor's time.
func (w *Watch) Run(ctx context.Context) {
	for {
		began := w.Clock()
		worked, err := w.Once(ctx)
		pause := min(w.Clock().Sub(began), time.Minute)
		if err != nil {
			pause = max(pause, time.Second)
		}
		if !worked {
			select {
			case <-ctx.Done():
				return
			case <-w.wake:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// Once compares the Consents of one person that waits; false when none does. One that could not be compared waits
// again, unless the failure is not that of the store: then it is counted, and waits for her next change.
func (w *Watch) Once(ctx context.Context) (bool, error) {
	w.mu.Lock()
	var person PersonID
	for p := range w.pending {
		person = p
		break
	}
	delete(w.pending, person)
	if len(w.pending) == 0 {
		w.overflow = false
	}
	w.mu.Unlock()
	if person == 0 {
		return false, nil
	}
	c, err := w.compare(ctx, person)
	if err != nil {
		if CodeOf(err) == Unavailable || ctx.Err() != nil {
			w.add([]PersonID{person})
			return true, err
		}
		w.mu.Lock()
		w.figures.Failed++
		w.mu.Unlock()
		w.Log.ErrorContext(ctx, "rules: not compared", slog.Any("error", err))
		return true, err
	}
	w.mu.Lock()
	f := &w.figures
	f.Compared, f.Classes, f.Left, f.Differences = f.Compared+1, f.Classes+int64(c.Classes), f.Left+int64(c.Left), f.Differences+int64(c.Differences)
	if delete(w.unlike, person); c.Differences > 0 {
		w.unlike[person] = true
	}
	w.mu.Unlock()
	if c.Differences > 0 {
		w.Log.ErrorContext(ctx, "rules: the forms disagree", slog.Int("classes", c.Classes), slog.Int("differences", c.Differences),
			slog.String("first", c.First))
	}
	return true, nil
}

func (w *Watch) compare(ctx context.Context, person PersonID) (c Comparison, err error) {
	var k Known
	if err := w.Store.Tx(ctx, func(tx Tx) (err error) {
		k, err = w.known(ctx, tx, person)
		return err
	}); err != nil {
		return c, err
	}
	if c, err = w.Comparer.Compare(ctx, k); err != nil {
		return c, Failed("gateway.watch", Internal, err)
	}
	return c, nil
}

// Figures tells what has been done.
func (w *Watch) Figures() WatchFigures {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.figures
	f.Waiting, f.Unlike = len(w.pending), len(w.unlike)
	return f
}

var errUnlike = errors.New("the forms of the rules disagree")

// Agree is the line in readiness: an error while the forms disagree about somebody's Consents.
func (w *Watch) Agree(context.Context) error {
	if w.Figures().Unlike > 0 {
		return errUnlike
	}
	return nil
}

// known reads what is known of the person, as a Consent is resolved anew from it.
func (w *Watch) known(ctx context.Context, tx Tx, person PersonID) (Known, error) {
	k := Known{Teams: make(map[string]KnownTeam), Now: w.Clock()}
	dir, err := tx.Directory(ctx)
	if err != nil {
		return k, err
	}
	list, err := tx.ConsentsAbout(ctx, person)
	if err != nil {
		return k, err
	}
	facts, err := tx.FactsFor(ctx, []PersonID{person})
	if err != nil {
		return k, err
	}
	for _, f := range facts {
		if k.Grants, err = DecodeGrants(f.Grants); err != nil {
			return k, Failed("gateway.watch", Internal, err)
		}
	}
	rest := &resting{view: tx, tx: tx, person: person, dir: resolved{Directory: dir, addresses: make(map[string]Address)}}
	k.Statements, k.Directory, k.Hjemler = rest.bearers(ctx), rest.dir, hjemlerOf(dir)
	for _, c := range list {
		registrar, _ := dir.Party(c.Custodian)
		k.Consents = append(k.Consents, KnownConsent{c, registrar.Sector == SectorPatient, rest.standing(ctx, c.Consent)})
		if err := k.rests(ctx, rest, c); err != nil {
			return k, err
		}
	}
	return k, rest.err
}

var errOtherBasis = errors.New("two Consents rest on different meanings of one reference")

// rests adds what a Consent was resolved against. Two that were resolved differently cannot be compared at once.
func (k *Known) rests(ctx context.Context, rest *resting, c StoredConsent) error {
	for ref, a := range c.Basis.Addresses {
		if was, known := rest.dir.addresses[ref]; known && !sameAddress(was, a) {
			return Failed("gateway.watch", Internal, errOtherBasis)
		}
		rest.dir.addresses[ref] = a
	}
	for _, version := range c.Basis.Teams {
		current := fhir.Reference{Type: "CareTeam", ID: version.ID}
		team := KnownTeam{
			Listed: rest.team(ctx, version, ""), Current: rest.team(ctx, current, c.Custodian),
			Confirmed: rest.confirmed(ctx, current, c.Basis.At),
		}
		if was, known := k.Teams[current.String()]; known && !was.same(team) {
			return Failed("gateway.watch", Internal, errOtherBasis)
		}
		k.Teams[current.String()] = team
	}
	return nil
}

func sameAddress(a, b Address) bool {
	return a.Party == b.Party && a.Unit == b.Unit && a.Practitioner == b.Practitioner && a.Role == b.Role && slices.Equal(a.Parts, b.Parts)
}

func (t KnownTeam) same(o KnownTeam) bool {
	version := func(r *fhir.Resource) string {
		if r == nil {
			return ""
		}
		return r.Root().Get("meta", "versionId").Text()
	}
	told := func(t KnownTeam) string {
		list := []string{version(t.Listed), version(t.Current)}
		for _, s := range t.Confirmed {
			list = append(list, string(s.By), version(s.Resource))
		}
		return strings.Join(list, " ")
	}
	return told(t) == told(o)
}
