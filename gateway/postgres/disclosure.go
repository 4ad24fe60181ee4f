package postgres

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/audit"
	"github.com/sluse/sluse/gateway/fhir"
)

// basisHash is what a line of the ledger is found by, among those that name a Consent, when something of
// another has left on it; with a custodian, when something of that one has.
func (k keyring) basisHash(consent fhir.ID, custodian string) int64 {
	return k.token("AuditEvent", "basis", exactForm, string(consent), custodian)
}

// basisHashes are those of an entry.
func (k keyring) basisHashes(e gateway.AuditEntry, exact []int64) []int64 {
	if e.Outcome != gateway.Released {
		return exact
	}
	type pair struct {
		consent   fhir.ID
		custodian gateway.HERID
	}
	var seen []pair
	for _, touched := range e.Entities {
		if touched.Custodian == "" || touched.Custodian == e.Party.ID || touched.Record.Type == "Consent" {
			continue
		}
		for _, c := range touched.Citations {
			one := pair{c.Consent.ID, touched.Custodian}
			if one.consent == "" || slices.Contains(seen, one) {
				continue
			}
			seen = append(seen, one)
			exact = append(exact, k.basisHash(one.consent, ""), k.basisHash(one.consent, string(one.custodian)))
		}
	}
	return exact
}

// deliveries are rows of the registry, column by column: on which Consents a message was laid ready.
type deliveries struct {
	consent, version, custodian []string
	body                        [][]byte
}

// deliveredOn gives one row for each version of a Consent that what crosses stands on.
func deliveredOn(op string, entities []gateway.AuditEntity) (d deliveries, err error) {
	for _, version := range consentsOf(entities) {
		var list []gateway.AuditEntity
		for _, x := range entities {
			x.Citations = slices.DeleteFunc(slices.Clone(x.Citations), func(c gateway.Citation) bool { return c.Consent != version })
			if len(x.Citations) > 0 {
				list = append(list, x)
			}
		}
		body, err := json.Marshal(list)
		if err != nil {
			return deliveries{}, gateway.Failed(op, gateway.Internal, err)
		}
		d.consent, d.version = append(d.consent, string(version.ID)), append(d.version, version.Version)
		d.custodian, d.body = append(d.custodian, string(list[0].Custodian)), append(d.body, body)
	}
	return d, nil
}

// consentsOf lists the Consent versions that the entities stand on.
func consentsOf(entities []gateway.AuditEntity) (versions []fhir.Reference) {
	for _, x := range entities {
		for _, c := range x.Citations {
			if c.Consent.ID != "" && !slices.Contains(versions, c.Consent) {
				versions = append(versions, c.Consent)
			}
		}
	}
	return versions
}

// disclosed is a row of the registry before it is read: a line of the ledger, or what was laid ready.
type disclosed struct {
	gateway.Disclosure
	line []byte
}

// Disclosures lists what has left on a Consent. Lines of the ledger are found by the Consent that they
// name, and those of one instant are told apart by their key: even in the ledger, odd in what was delivered.
func (v *view) Disclosures(ctx context.Context, p gateway.Permit, consent fhir.Reference, person gateway.PersonID, limit int, after gateway.Cursor) ([]gateway.Disclosure, error) {
	const op = "postgres.disclosures"
	var args arguments
	lines, delivered := v.registrySQL(p.Scope().Ledger, consent.ID, person, &args)
	place := ``
	if after.Set {
		place = ` and (x.at, x.place) < (` + args.bind(moment(after.At)) + `::timestamptz, ` + args.bind(after.Key) + `::bigint)`
	}
	end := place + ` order by x.at desc, x.place desc limit ` + args.bind(limit) + `::bigint`
	sql := `select x.at, x.place, x.line, x.party, x.receiver, x.version, x.body from (
  (select x.* from (select l.recorded as at, l.key * 2 as place, l.body as line, '' collate "C" as party, '' collate "C" as receiver, '' collate "C" as version, null::jsonb as body
    from ledger l where ` + lines + `) x where true` + end + `)
  union all
  (select x.* from (select d.at, d.key * 2 + 1 as place, null::bytea as line, d.party, d.receiver, d.version, d.body
    from delivered d where ` + delivered + `) x where true` + end + `)) x where true` + end
	rows, err := collected(ctx, v, op, sql, args.values, func(row pgx.CollectableRow) (d disclosed, err error) {
		var (
			version string
			body    []byte
		)
		if err = row.Scan(&d.At, &d.Key, &d.line, &d.Party, &d.Unit, &version, &body); err != nil || d.line != nil {
			return d, err
		}
		d.Way, d.Waiting = gateway.ByMessage, true
		return d, json.Unmarshal(body, &d.Entities)
	})
	if err != nil {
		return nil, err
	}
	list := make([]gateway.Disclosure, 0, len(rows))
	for _, row := range rows {
		if row.line != nil {
			e, err := entryOf(op, row.line)
			if err != nil {
				return nil, err
			}
			x, _ := gateway.DisclosedBy(e, consent.ID)
			x.Key = row.Key
			row.Disclosure = x
		}
		row.At = row.At.UTC()
		list = append(list, row.Disclosure)
	}
	return list, nil
}

// entryOf reads a line as it is stored.
func entryOf(op string, stored []byte) (gateway.AuditEntry, error) {
	kept, err := unpackLine(op, stored)
	if err != nil {
		return gateway.AuditEntry{}, err
	}
	e, err := audit.Read(kept)
	if err != nil {
		return gateway.AuditEntry{}, gateway.Failed(op, gateway.Internal, err)
	}
	return e, nil
}

// registrySQL is what of line l and of row d belongs to the registry of a Consent and may be known.
func (v *view) registrySQL(s gateway.LedgerScope, consent fhir.ID, person gateway.PersonID, a *arguments) (lines, delivered string) {
	k := v.store.keys
	about := a.bind(int64(person)) + `::bigint`
	lines = `l.tok && ` + a.bind([]int64{k.token("AuditEvent", "entity", exactForm, "Consent/"+string(consent))}) + `::bigint[]
      and l.exact && ` + a.bind([]int64{k.basisHash(consent, "")}) + `::bigint[] and l.outcome = 'released' and l.person = ` + about
	delivered = `d.consent = ` + a.bind(string(consent)) + `::text and d.person = ` + about
	if s.Person != 0 && s.Person == person {
		return lines, delivered
	}
	custodians := texts(s.Compliance)
	if s.Custodian != "" {
		custodians = append(custodians, string(s.Custodian))
	}
	hashes := make([]int64, len(custodians))
	for i, c := range custodians {
		hashes[i] = k.basisHash(consent, c)
	}
	parties := a.bind(texts(s.Compliance)) + `::text[]`
	lines += ` and (l.exact && ` + a.bind(hashes) + `::bigint[] or l.party = any(` + parties + `))`
	delivered += ` and (d.custodian = any(` + a.bind(custodians) + `::text[]) or d.party = any(` + parties + `))`
	return lines, delivered
}
