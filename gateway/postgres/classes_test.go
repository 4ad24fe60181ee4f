package postgres

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent/consenttest"
	"github.com/sluse/sluse/gateway/fhir"
)

// classRowSQL is what the predicates look at of a row, for many records that one store could not hold: they have the
// same id.
const classRowSQL = `create temporary table class_row (n int, grp int, person bigint, custodian text, type text, id text, labels bigint,
  low timestamptz, high timestamptz, sent_to text[], sent_mask bigint[], context_type text, context_id text, deleted boolean default false)`

// classKey is what classes have in common that one statement asks about.
type classKey struct {
	party, unit gateway.HERID
	hpr         gateway.HPRNumber
	role        string
	kind        gateway.Kind
	purpose     gateway.Purpose
	action      gateway.Action
	message     string
	now         int64
	typ         fhir.Type
}

func keyOf(a consenttest.Answered) classKey {
	q := a.Question
	return classKey{q.Party.ID, q.Actor.Unit, q.Actor.Practitioner, q.Actor.Role, q.Actor.Kind, q.Actor.Purpose, q.Action, q.Message,
		q.Now.UnixNano(), a.Record.Reference.Type}
}

// classes is SQL's part of the trio on one connection.
type classes struct {
	*bench
	trio *consenttest.Trio
	conn *pgx.Conn
}

// ask gives every class of a set to SQL: by the predicates of a search, by those of a read by id, and by those of a
// question that names nobody, each of which finds the grants by itself.
func (c *classes) ask(s consenttest.Set, answers []consenttest.Answered) error {
	groups := map[classKey]int{}
	var order [][]consenttest.Answered
	var rows [][]any
	for i, a := range answers {
		g, known := groups[keyOf(a)]
		if !known {
			g = len(order)
			groups[keyOf(a)] = g
			order = append(order, nil)
		}
		order[g] = append(order[g], a)
		r := a.Record
		to, masks := packSent(r.Sent)
		rows = append(rows, []any{i, g, int64(r.Person), string(r.Custodian), string(r.Reference.Type), string(r.Reference.ID), int64(r.Labels),
			moment(r.Low), moment(r.High), to, masks, orNull(r.Context.Type), orNull(r.Context.ID)})
	}
	if err := c.store(s, rows); err != nil {
		return err
	}
	var batch pgx.Batch
	for g, list := range order {
		first := list[0]
		c.queue(&batch, answers, "a search", g, first.Scope, false, first.Record.Reference.Type)
		if first.Question.Action != gateway.ReadAction {
			continue
		}
		c.queue(&batch, answers, "a read", g, first.Scope, true, first.Record.Reference.Type)
		q := first.Question
		q.Named, q.Facts = false, gateway.Facts{}
		d, err := c.trio.Decider().Decide(c.ctx, q)
		if err != nil {
			return err
		}
		joined := d.Scope
		if d.Effect != gateway.Allow {
			joined = gateway.Scope{}
		}
		c.queue(&batch, answers, "a search that names nobody", g, joined, false, first.Record.Reference.Type)
	}
	return c.conn.SendBatch(c.ctx, &batch).Close()
}

// store puts the grants and the rows of a set where the statements find them.
func (c *classes) store(s consenttest.Set, rows [][]any) error {
	for _, sql := range []string{`delete from grant_`, `delete from consent_grants`, `delete from epoch`} {
		if _, err := c.pool.Exec(c.ctx, sql); err != nil {
			return err
		}
	}
	byConsent := map[fhir.Reference][]gateway.Grant{}
	for _, g := range s.Grants {
		byConsent[g.Consent] = append(byConsent[g.Consent], g)
	}
	if err := c.tx(func(t *Tx) error {
		for consent, list := range byConsent {
			if err := t.PutGrants(c.ctx, s.Facts.Person, consent, list, gateway.Basis{}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if _, err := c.conn.Exec(c.ctx, `truncate class_row`); err != nil {
		return err
	}
	_, err := c.conn.CopyFrom(c.ctx, pgx.Identifier{"class_row"}, []string{"n", "grp", "person", "custodian", "type", "id", "labels", "low", "high",
		"sent_to", "sent_mask", "context_type", "context_id"}, pgx.CopyFromRows(rows))
	return err
}

// queue asks about the rows of a group under a scope; named: as if each row had been found by its name.
func (c *classes) queue(batch *pgx.Batch, answers []consenttest.Answered, way string, group int, scope gateway.Scope, named bool, typ fhir.Type) {
	var args arguments
	s := newScoped(scope, typ, &args)
	var from, releases string
	if s.named = named; named {
		from, releases = s.coverOneSQL(), s.releasesOneSQL("r", "c", "f")
	} else {
		from, releases = s.coverBySQL("r", "c", s.termRowsSQL()), s.releasesSQL("r", "c", "f")
	}
	sql := `select r.n, c.covered, coalesce(` + releases + `, false) from class_row r cross join (select null::bigint as mask) f` + from + ` where r.grp = ` + args.bind(group) + `::int`
	batch.Queue(sql, args.values...).Query(func(rows pgx.Rows) error {
		var (
			n       int
			covered int64
			out     bool
		)
		_, err := pgx.ForEachRow(rows, []any{&n, &covered, &out}, func() error {
			a := answers[n]
			if out != a.Crosses {
				return fmt.Errorf("%s: SQL releases %v, Go and Rego %v\n%s", way, out, a.Crosses, consenttest.Told(a.Class))
			}
			crossing := out && a.Record.Custodian != a.Question.Party.ID
			if got := gateway.Labels(covered) & gateway.AllLabels; crossing && got != a.Covered { //nolint:gosec // a mask
				return fmt.Errorf("%s: SQL covers %v, Go and Rego %v\n%s", way, got.Codes(), a.Covered.Codes(), consenttest.Told(a.Class))
			}
			return nil
		})
		return err
	})
}

// trio draws so many sets, and asks Rego, Go and SQL about every class of those that have at most limit.
func trio(t *testing.T, seed, draws, limit int) consenttest.Tally {
	t.Helper()
	b := newBench(t)
	conn, err := b.pool.Acquire(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Release)
	if _, err := conn.Exec(b.ctx, classRowSQL); err != nil {
		t.Fatal(err)
	}
	c := &classes{bench: b, trio: consenttest.NewTrio(t, limit), conn: conn.Conn()}
	began := time.Now()
	n := c.trio.Run(t, seed, draws, c.ask)
	t.Logf("seeds from %d, at most %d classes a set: %v; %s", seed, limit, n, time.Since(began).Round(time.Millisecond))
	return n
}

// TestEveryClassThroughSQL asks Rego on the raw Consents, Go on the grants, and SQL, about every request that a
// generated consent set tells apart: they give one answer. Larger sets and many more are asked by make soak.
func TestEveryClassThroughSQL(t *testing.T) {
	if n := trio(t, 0, 300, 400); n.Sets < 100 || n.Classes < 15000 || n.Permits < 100 {
		t.Errorf("%v: the sets show little", n)
	}
}
