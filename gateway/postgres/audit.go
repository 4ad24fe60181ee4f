package postgres

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// line is one entry of the ledger, made ready to be written.
type line struct {
	entry      gateway.AuditEntry
	custodians []string // whose records were released
	result     string   // AuditEvent.outcome
	tok, exact []int64
	body       []byte
}

// line makes an entry ready outside any transaction.
func (s *Store) line(op string, e gateway.AuditEntry) (line, error) {
	e.Recorded = e.Recorded.UTC().Truncate(time.Microsecond)
	e.Alias = s.keys.alias(e.Party.ID, e.Person)
	kept, err := s.source.Line(e)
	if err != nil {
		return line{}, gateway.Failed(op, gateway.Internal, err)
	}
	l := line{entry: e, custodians: []string{}, body: packLine(kept), result: outcomeCode(e)}
	l.tok, l.exact = s.keys.eventHashes(e)
	for _, entity := range e.Entities {
		if c := string(entity.Custodian); e.Outcome == gateway.Released && c != "" && !slices.Contains(l.custodians, c) {
			l.custodians = append(l.custodians, c)
		}
	}
	return l, nil
}

// eventHashes are the values by which an AuditEvent is searched. Those of tok have an index: its
// entities and the Consents it stands on, without version, and whose records left. Those of exact are
// looked at in lines found otherwise: the versions of the same, its agent, and on which Consents something of
// whom has left.
func (k keyring) eventHashes(e gateway.AuditEntry) (tok, exact []int64) {
	const t = "AuditEvent"
	tok, exact = make([]int64, 0, 4), make([]int64, 0, 4)
	var last fhir.Reference
	entity := func(r fhir.Reference) {
		if r.ID == "" || r == last {
			return
		}
		last = r
		if r.Version != "" {
			exact = append(exact, k.token(t, "entity", exactForm, r.String()))
			r.Version = ""
		}
		tok = append(tok, k.token(t, "entity", exactForm, r.String()))
	}
	var keeper gateway.HERID
	for _, touched := range e.Entities {
		entity(touched.Record)
		for _, c := range touched.Citations {
			entity(c.Consent)
		}
		if e.Outcome == gateway.Released && touched.Custodian != keeper {
			keeper = touched.Custodian
			tok = append(tok, k.token(t, "custodian", exactForm, string(keeper)))
		}
	}
	exact = k.basisHashes(e, exact)
	if o := e.Party.Organization; o.ID != "" {
		o.Version = ""
		exact = append(exact, k.token(t, "agent", exactForm, o.String()))
	}
	slices.Sort(tok)
	slices.Sort(exact)
	return slices.Compact(tok), slices.Compact(exact)
}

// longLine is from where a line is compressed: shorter ones lie in their row as they are.
const longLine = 1500

// packLine gives the form in which the body of a line is stored. The first byte of a line is that
// of no frame of zstd.
func packLine(b []byte) []byte {
	if len(b) < longLine {
		return b
	}
	return compress(b)
}

func unpackLine(op string, stored []byte) ([]byte, error) {
	if bytes.HasPrefix(stored, frameMark) {
		return expand(op, stored)
	}
	return stored, nil
}

// frameMark begins every frame of zstd (RFC 8878 § 3.1.1).
var frameMark = []byte{0x28, 0xb5, 0x2f, 0xfd}

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
	return `entry as (insert into ledger (person, recorded, id, party, outcome, result, interaction, policy, custodians, tok, exact, body)
  select coalesce(` + a.bind(orNobody(e.Person)) + `::bigint, made.person), ` + a.bind(e.Recorded) + `::timestamptz, ` + a.bind(e.ID) + `, ` +
		a.bind(string(e.Party.ID)) + `, ` + a.bind(string(e.Outcome)) + `, ` + a.bind(l.result) + `, ` + a.bind(string(e.Interaction)) + `, ` + a.bind(e.Policy) + `, ` +
		a.bind(l.custodians) + `::text[], ` + a.bind(l.tok) + `::bigint[], ` + a.bind(l.exact) + `::bigint[], ` + a.bind(l.body) + `::bytea from made returning key),
queued as (insert into ledger_queue (keys) select array[key] from entry)`
}

const (
	// ledgerSQL writes many lines at once. Arrays of one line lie end to end: tokens from first to
	// middle and from there to last, custodians between separators. An entry that is there already stays as it is.
	ledgerSQL = `with entry as (insert into ledger (person, recorded, id, party, outcome, result, interaction, policy, custodians, tok, exact, body)
  select v.person, v.recorded, v.id, v.party, v.outcome, v.result, v.interaction, v.policy,
    string_to_array(v.custodians, e'\x1f') collate "C", ($13::bigint[])[v.first:v.middle], ($13::bigint[])[v.middle + 1:v.last], v.body
  from unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::int[], $11::int[], $12::int[], $14::bytea[])
    as v(person, recorded, id, party, outcome, result, interaction, policy, custodians, first, middle, last, body)
  on conflict (id) do nothing returning key)
insert into ledger_queue (keys) select array_agg(key order by key) from entry having count(*) > 0`

	// A version fetched twice is in the journal with all that was covered either time.
	fetchedSQL = `insert into fetched (party, version, rid, mask)
select $1, $2, r.rid, $5 from resource r where r.type = $3 and r.id = $4
on conflict (party, rid, version) do update set mask = fetched.mask | excluded.mask`
)

// separator stands between custodians of one line; no HER-id holds it.
const separator = "\x1f"

// queueLines adds the one statement that writes the lines.
func queueLines(b *pgx.Batch, lines []line) {
	if len(lines) == 0 {
		return
	}
	var (
		persons                                                             []*int64
		recorded                                                            []time.Time
		ids, parties, outcomes, results, interactions, policies, custodians []string
		first, middle, last                                                 []int32
		tok                                                                 = []int64{}
		bodies                                                              [][]byte
	)
	for i := range lines {
		l := &lines[i]
		persons = append(persons, orNobody(l.entry.Person))
		recorded = append(recorded, l.entry.Recorded)
		ids = append(ids, l.entry.ID)
		parties = append(parties, string(l.entry.Party.ID))
		outcomes = append(outcomes, string(l.entry.Outcome))
		results = append(results, l.result)
		interactions = append(interactions, string(l.entry.Interaction))
		policies = append(policies, l.entry.Policy)
		custodians = append(custodians, strings.Join(l.custodians, separator))
		first = append(first, int32(len(tok)+1)) //nolint:gosec // far below 2^31
		tok = append(tok, l.tok...)
		middle = append(middle, int32(len(tok))) //nolint:gosec // far below 2^31
		tok = append(tok, l.exact...)
		last = append(last, int32(len(tok))) //nolint:gosec // far below 2^31
		bodies = append(bodies, l.body)
	}
	b.Queue(ledgerSQL, persons, recorded, ids, parties, outcomes, results, interactions, policies, custodians, first, middle, last, tok, bodies)
}

func queueFetched(b *pgx.Batch, f gateway.FetchedVersion) {
	b.Queue(fetchedSQL, string(f.Party), f.Record.Version, string(f.Record.Type), string(f.Record.ID), int64(f.Mask)) //nolint:gosec // fewer than 63 bits
}

// Record writes entries into the ledger of this transaction.
func (t *Tx) Record(ctx context.Context, entries []gateway.AuditEntry) error {
	const op = "postgres.record"
	var (
		b     pgx.Batch
		lines []line
	)
	for _, e := range entries {
		l, err := t.store.line(op, e)
		if err != nil {
			return err
		}
		lines = append(lines, l)
	}
	queueLines(&b, lines)
	t.tx.laterAll(op, &b)
	return nil
}
