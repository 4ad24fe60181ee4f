package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// line is one entry of the ledger, rendered and hashed.
type line struct {
	entry      gateway.AuditEntry
	custodians []string // whose records were released
	tok        []int64
	body       []byte
}

// line renders an entry outside any transaction.
func (s *Store) line(op string, e gateway.AuditEntry) (line, error) {
	e.Recorded = e.Recorded.UTC().Truncate(time.Microsecond)
	event, err := s.source.Render(e)
	if err != nil {
		return line{}, gateway.Failed(op, gateway.Internal, err)
	}
	l := line{entry: e, custodians: []string{}, body: compress(event), tok: s.keys.eventHashes(e)}
	for _, entity := range e.Entities {
		if c := string(entity.Custodian); e.Outcome == gateway.Released && c != "" && !slices.Contains(l.custodians, c) {
			l.custodians = append(l.custodians, c)
		}
	}
	return l, nil
}

// eventHashes are the values by which an AuditEvent is searched: its entities and the Consents it
// stands on, with and without version, its agent, outcome and policy.
func (k keyring) eventHashes(e gateway.AuditEntry) []int64 {
	const t = "AuditEvent"
	var tok []int64
	entity := func(r fhir.Reference) {
		if r.ID == "" {
			return
		}
		tok = append(tok, k.token(t, "entity", exactForm, r.String()))
		r.Version = ""
		tok = append(tok, k.token(t, "entity", exactForm, r.String()), k.token(t, "entity", anyForm, string(r.ID)))
	}
	for _, touched := range e.Entities {
		entity(touched.Record)
		for _, c := range touched.Citations {
			entity(c.Consent)
		}
		if e.Outcome == gateway.Released && touched.Custodian != "" {
			tok = append(tok, k.token(t, "custodian", exactForm, string(touched.Custodian)))
		}
	}
	if o := e.Party.Organization; o.ID != "" {
		o.Version = ""
		tok = append(tok, k.referenceHashes(t, "agent", o.String())...)
	}
	tok = append(tok, k.token(t, "outcome", anyForm, outcomeCode(e)))
	if e.Policy != "" {
		tok = append(tok, k.token(t, "policy", anyForm, e.Policy))
	}
	slices.Sort(tok)
	return slices.Compact(tok)
}

// outcomeCode is AuditEvent.outcome (R4 valueset-audit-event-outcome): 0 success, 4 the request was
// at fault, 8 the server was.
func outcomeCode(e gateway.AuditEntry) string {
	switch {
	case e.Outcome != gateway.Refused:
		return "0"
	case e.Code == gateway.Unavailable || e.Code == gateway.Internal:
		return "8"
	}
	return "4"
}

// entrySQL writes a line for row made, whose person it takes when the entry names none.
func entrySQL(l *line, a *arguments) string {
	e := &l.entry
	return `entry as (insert into ledger (person, recorded, id, party, outcome, interaction, policy, custodians, tok, body)
  select coalesce(` + a.bind(orNobody(e.Person)) + `::bigint, made.person), ` + a.bind(e.Recorded) + `::timestamptz, ` + a.bind(e.ID) + `, ` +
		a.bind(string(e.Party.ID)) + `, ` + a.bind(string(e.Outcome)) + `, ` + a.bind(string(e.Interaction)) + `, ` + a.bind(e.Policy) + `, ` +
		a.bind(l.custodians) + `::text[], ` + a.bind(l.tok) + `::bigint[], ` + a.bind(l.body) + `::bytea from made returning key),
queued as (insert into ledger_queue (key) select key from entry)`
}

const (
	ledgerSQL = `with entry as (insert into ledger (person, recorded, id, party, outcome, interaction, policy, custodians, tok, body)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (id) do nothing returning key)
insert into ledger_queue (key) select key from entry`

	// A version fetched twice is in the journal with all that was covered either time.
	fetchedSQL = `insert into fetched (party, version, rid, mask)
select $1, $2, r.rid, $5 from resource r where r.type = $3 and r.id = $4
on conflict (party, rid, version) do update set mask = fetched.mask | excluded.mask`
)

func (l *line) queue(b *pgx.Batch) {
	e := &l.entry
	b.Queue(ledgerSQL, orNobody(e.Person), e.Recorded, e.ID, string(e.Party.ID), string(e.Outcome), string(e.Interaction), e.Policy,
		l.custodians, l.tok, l.body)
}

func queueFetched(b *pgx.Batch, f gateway.FetchedVersion) {
	b.Queue(fetchedSQL, string(f.Party), f.Record.Version, string(f.Record.Type), string(f.Record.ID), int64(f.Mask)) //nolint:gosec // fewer than 63 bits
}

// Record writes entries into the ledger of this transaction.
func (t *Tx) Record(ctx context.Context, entries []gateway.AuditEntry) error {
	const op = "postgres.record"
	var b pgx.Batch
	for _, e := range entries {
		l, err := t.store.line(op, e)
		if err != nil {
			return err
		}
		l.queue(&b)
	}
	if b.Len() == 0 {
		return nil
	}
	return failure(op, t.tx.SendBatch(ctx, &b).Close())
}

// keepFetched keeps which versions a party has in its journal, in this transaction.
func (t *Tx) keepFetched(ctx context.Context, op string, fetched []gateway.FetchedVersion) error {
	var b pgx.Batch
	for _, f := range fetched {
		queueFetched(&b, f)
	}
	if b.Len() == 0 {
		return nil
	}
	return failure(op, t.tx.SendBatch(ctx, &b).Close())
}
