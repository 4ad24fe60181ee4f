package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/audit"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/gateway/postgres/postgrestest"
)

// Synthetic national identity numbers (month + 80).
const (
	kari  = "14837912092"
	ola   = "03918537774"
	nobil = "21869245515"
)

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// ticking is a clock that moves a microsecond each time it is read.
func ticking() func() time.Time {
	var n atomic.Int64
	return func() time.Time { return start.Add(time.Duration(n.Add(1)) * time.Microsecond) }
}

// open gives a store on a database of its own.
func open(t testing.TB) *Store { return openWith(t, nil) }

func openWith(t testing.TB, change func(*Config)) *Store {
	t.Helper()
	dsn := postgrestest.OpenPrepared(t, "store", func(dsn string) error { return Migrate(context.Background(), dsn) })
	c := Config{
		DSN: dsn + os.Getenv("XOPT"), HashKey: [32]byte{1, 2, 3}, Clock: ticking(), MaxConns: 8, Source: audit.Source{Site: "sluse-test"}, Unsafe: true,
	}
	if change != nil {
		change(&c)
	}
	s, err := Open(context.Background(), c)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

func uuid(t testing.TB) string {
	t.Helper()
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	h := hex.EncodeToString(b[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

func ref(kind fhir.Type, id string) fhir.Reference {
	return fhir.Reference{Type: kind, ID: fhir.ID(id)}
}

func nin(t testing.TB, digits string) gateway.NIN {
	t.Helper()
	n, err := gateway.NewNIN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// own is the scope in which a party reads and writes its own.
func own(party gateway.HERID) gateway.Scope { return gateway.Scope{Own: party, Write: true} }

// bench holds a store and what the tests write into it.
type bench struct {
	testing.TB
	*Store
	ctx context.Context
}

func newBench(t testing.TB) *bench { return &bench{TB: t, Store: open(t), ctx: context.Background()} }

// draft makes a version of a record. The body need not be valid: the store looks at it for the
// directory only.
func (b *bench) draft(party gateway.HERID, r fhir.Reference, subject string, labels gateway.Labels) gateway.Draft {
	r.Version = uuid(b)
	d := gateway.Draft{
		Reference: r, Custodian: party, Labels: labels, Updated: b.clock(), Method: gateway.Create,
		Body: []byte(fmt.Sprintf(`{"resourceType":%q,"id":%q,"meta":{"versionId":%q}}`, r.Type, r.ID, r.Version)),
	}
	if subject != "" {
		d.Subject = ref("Patient", subject)
	}
	return d
}

func (b *bench) entry(party gateway.HERID, d gateway.Draft) gateway.AuditEntry {
	return gateway.AuditEntry{
		ID: uuid(b), Recorded: b.clock(), Interaction: d.Method, Outcome: gateway.Written, Party: gateway.Party{ID: party, Name: "Part " + string(party)},
		Entities: []gateway.AuditEntity{{Record: d.Reference, Custodian: party}}, Type: d.Reference.Type, Policy: "p1",
	}
}

// make creates a record of the party by the short way.
func (b *bench) make(d gateway.Draft) gateway.Record {
	b.Helper()
	r, err := b.create(b.ctx, own(d.Custodian), d, b.entry(d.Custodian, d))
	if err != nil {
		b.Fatalf("create %s: %v", d.Reference, err)
	}
	return r
}

// patient creates a Patient.
func (b *bench) patient(party gateway.HERID, id, digits string) gateway.Record {
	b.Helper()
	d := b.draft(party, ref("Patient", id), "", gateway.Samarbeid)
	if digits != "" {
		d.National = nin(b, digits)
	}
	return b.make(d)
}

// next makes the draft of a version that follows r.
func (b *bench) next(r gateway.Record, change func(*gateway.Draft)) gateway.Draft {
	d := b.draft(r.Custodian, ref(r.Reference.Type, string(r.Reference.ID)), "", r.Labels)
	d.Previous, d.Method, d.Low, d.High, d.Sent = r.Reference.Version, gateway.Update, r.Low, r.High, r.Sent
	if change != nil {
		change(&d)
	}
	return d
}

func (b *bench) tx(fn func(*Tx) error) error { return b.transact(b.ctx, "postgres.test", fn) }

// set writes a version.
func (b *bench) set(d gateway.Draft) gateway.Record {
	b.Helper()
	var r gateway.Record
	if err := b.tx(func(t *Tx) (err error) {
		r, err = t.put(b.ctx, own(d.Custodian), d)
		return err
	}); err != nil {
		b.Fatalf("put %s: %v", d.Reference, err)
	}
	return r
}

// see runs fn on a snapshot.
func (b *bench) see(fn func(*view) error) {
	b.Helper()
	if err := b.Snapshot(b.ctx, func(v gateway.View) error { return fn(v.(*view)) }); err != nil {
		b.Fatalf("snapshot: %v", err)
	}
}

// get reads a record within a scope.
func (b *bench) get(scope gateway.Scope, r fhir.Reference) (out gateway.Record, err error) {
	b.see(func(v *view) error {
		out, err = v.read(b.ctx, scope, r)
		return nil
	})
	return out, err
}

func (b *bench) find(scope gateway.Scope, t fhir.Type, s gateway.Search, person gateway.PersonID) []gateway.Record {
	b.Helper()
	var out []gateway.Record
	b.see(func(v *view) (err error) {
		out, err = v.search(b.ctx, scope, t, s, person, 100, gateway.Cursor{})
		return err
	})
	return out
}

func (b *bench) one(sql string, args ...any) int64 {
	b.Helper()
	var n int64
	if err := b.pool.QueryRow(b.ctx, sql, args...).Scan(&n); err != nil {
		b.Fatalf("%s: %v", sql, err)
	}
	return n
}

func (b *bench) wants(err error, code gateway.Code) {
	b.Helper()
	if err == nil || gateway.CodeOf(err) != code {
		b.Fatalf("got %v, want %s", err, code)
	}
}

func ids(list []gateway.Record) string {
	var out []string
	for _, r := range list {
		out = append(out, string(r.Reference.ID))
	}
	return strings.Join(out, " ")
}

func TestCreateReadsBack(t *testing.T) {
	b := newBench(t)
	p := b.patient("100", "100-kari", kari)
	if p.Person == 0 {
		t.Fatal("a Patient has no person")
	}
	d := b.draft("100", ref("CarePlan", "100-plan"), "100-kari", gateway.Plan|gateway.Rus)
	d.Low, d.High = start, start.Add(24*time.Hour)
	d.Parts = []gateway.Part{{Path: "CarePlan.activity[0]", Labels: gateway.Okonomi}}
	d.Sent = []gateway.Sent{{To: "200", Mask: gateway.Plan}}
	d.Added = gateway.Rus
	d.Body = bytes.Repeat([]byte(`{"tall": 1.10, "æ": "ø\u0000" }`), 100)
	made := b.make(d)
	got, err := b.get(own("100"), d.Reference)
	if err != nil {
		t.Fatal(err)
	}
	if made.Person != p.Person || got.Person != p.Person {
		t.Errorf("person %d and %d, want %d", made.Person, got.Person, p.Person)
	}
	got.Covered, made.Covered = 0, 0
	got.Key, made.Key = 0, 0 // a version's key and a row's are two orders
	if fmt.Sprint(got) != fmt.Sprint(made) || !bytes.Equal(got.Body, d.Body) {
		t.Errorf("read back\n%v\nwritten\n%v", got, made)
	}
	if current, err := b.get(own("100"), ref("CarePlan", "100-plan")); err != nil || current.Reference.Version != d.Reference.Version {
		t.Errorf("current version %v, %v", current.Reference, err)
	}
	_, err = b.create(b.ctx, own("100"), d, b.entry("100", d))
	b.wants(err, gateway.Conflict)
	if n := b.one(`select count(*) from ledger`); n != 2 {
		t.Errorf("%d lines in the ledger, want 2: a refused create leaves none", n)
	}
	if n := b.one(`select count(*) from ledger where person = $1`, int64(p.Person)); n != 2 {
		t.Errorf("%d lines about the person, want 2", n)
	}
}

// statements counts what reaches the server, by its first words.
type statements struct{ seen atomic.Pointer[[]string] }

func (s *statements) add(sql string) {
	old := s.seen.Load()
	var list []string
	if old != nil {
		list = append(list, *old...)
	}
	list = append(list, sql)
	s.seen.Store(&list)
}

func (s *statements) take() []string {
	list := s.seen.Swap(nil)
	if list == nil {
		return nil
	}
	return *list
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	s.add(d.SQL)
	return ctx
}

func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (s *statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchStartData) context.Context {
	for _, q := range d.Batch.QueuedQueries {
		s.add(q.SQL)
	}
	return ctx
}

func (s *statements) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (s *statements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}
