package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

var _ gateway.Withdrawals = (*Tx)(nil)

const (
	grantsOfSQL = `select g.version, g.grants from consent_grants g where g.consent = $1`

	// recipientsSQL gives each party with the last of its lines, and whether it has only fetched messages.
	recipientsSQL = `select r.party, r.mail, k.body from (
  select l.party, max(l.key) as key, bool_and(l.interaction = $6) as mail from ledger l
  where l.tok && $1::bigint[] and l.exact && $2::bigint[] and l.outcome = 'released' and l.person = $3::bigint
    and l.party = any($4::text[]) and l.interaction <> $5
  group by l.party) r
cross join lateral (select l.body from ledger l where l.key = r.key offset 0) k
order by r.party`

	postSQL = `select m.party, m.sender, b.receiver from mailbox b join message m on m.id = b.message
where b.party = $1 and m.msg_id = $2 and m.party = any($3::text[]) order by b.key desc limit 1`

	putWithdrawalSQL = `insert into withdrawal (consent, version, person, at, ended, lost) values ($1, $2, $3, $4, $5, $6)
on conflict do nothing`

	openWithdrawalSQL = `select w.consent, w.version, w.person, w.at, w.ended, w.lost from withdrawal w
where not w.settled and w.at <= $1 order by w.at, w.consent, w.version limit 1 for update skip locked`

	settleWithdrawalSQL = `update withdrawal set settled = true where consent = $1 and version = $2`

	notifiedSQL = `select n.party from withdrawal_notice n where n.consent = $1 and n.version = $2 order by n.party`

	putNoticeSQL = `insert into withdrawal_notice (consent, version, party, task, communication) values ($1, $2, $3, $4, $5)`
)

// GrantsOf gives the grants that a Consent has now.
func (t *Tx) GrantsOf(ctx context.Context, consent fhir.ID) (version string, grants []gateway.Grant, err error) {
	const op = "postgres.grantsof"
	var stored []byte
	err = t.tx.QueryRow(ctx, grantsOfSQL, string(consent)).Scan(&version, &stored)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, failure(op, err)
	}
	if stored, err = expand(op, stored); err != nil {
		return "", nil, err
	}
	if grants, err = gateway.DecodeGrants(stored); err != nil {
		return "", nil, gateway.Failed(op, gateway.Internal, err)
	}
	return version, grants, nil
}

// recipient is a party that something has left to, before it is known by which way.
type recipient struct {
	party gateway.HERID
	mail  bool
	last  []byte
}

// Recipients lists those of the parties that something has left to on a Consent.
func (t *Tx) Recipients(ctx context.Context, consent fhir.ID, person gateway.PersonID, of []gateway.HERID) ([]gateway.Reached, error) {
	const op = "postgres.recipients"
	k := t.store.keys
	rows, err := t.tx.Query(ctx, recipientsSQL, []int64{k.token("AuditEvent", "entity", exactForm, "Consent/"+string(consent))},
		[]int64{k.basisHash(consent, "")}, int64(person), texts(of), string(gateway.Relay), string(gateway.Collect))
	if err != nil {
		return nil, failure(op, err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r recipient, err error) {
		return r, row.Scan(&r.party, &r.mail, &r.last)
	})
	if err != nil {
		return nil, failure(op, err)
	}
	list := make([]gateway.Reached, 0, len(found))
	for _, r := range found {
		one := gateway.Reached{Party: r.party}
		if r.mail {
			if one.Mail, err = t.post(ctx, consent, r); err != nil {
				return nil, err
			}
		}
		list = append(list, one)
	}
	return list, nil
}

// post finds the way by which the message came that a party fetched last; nil when it is not known.
func (t *Tx) post(ctx context.Context, consent fhir.ID, r recipient) (*gateway.Post, error) {
	const op = "postgres.recipients"
	e, err := entryOf(op, r.last)
	if err != nil {
		return nil, err
	}
	x, _ := gateway.DisclosedBy(e, consent)
	var senders []string
	for _, touched := range x.Entities {
		if !slices.Contains(senders, string(touched.Custodian)) {
			senders = append(senders, string(touched.Custodian))
		}
	}
	var p gateway.Post
	err = t.tx.QueryRow(ctx, postSQL, string(r.party), e.Message, senders).Scan(&p.Party, &p.Sender, &p.Receiver)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &p, failure(op, err)
}

// PutWithdrawal keeps a withdrawal.
func (t *Tx) PutWithdrawal(ctx context.Context, w gateway.Withdrawal) error {
	t.tx.later("postgres.putwithdrawal", putWithdrawalSQL, string(w.Consent.ID), w.Consent.Version, int64(w.Person), w.At, texts(w.Ended), texts(w.Lost))
	return nil
}

// OpenWithdrawal locks a withdrawal that is not settled.
func (t *Tx) OpenWithdrawal(ctx context.Context, before time.Time) (gateway.Withdrawal, error) {
	w := gateway.Withdrawal{Consent: fhir.Reference{Type: "Consent"}}
	err := t.tx.QueryRow(ctx, openWithdrawalSQL, before).Scan(&w.Consent.ID, &w.Consent.Version, &w.Person, &w.At, &w.Ended, &w.Lost)
	return w, failure("postgres.openwithdrawal", err)
}

// SettleWithdrawal takes a withdrawal off the list of open ones.
func (t *Tx) SettleWithdrawal(ctx context.Context, consent fhir.Reference) error {
	t.tx.later("postgres.settlewithdrawal", settleWithdrawalSQL, string(consent.ID), consent.Version)
	return nil
}

// Notified lists who has been told of a withdrawal.
func (t *Tx) Notified(ctx context.Context, consent fhir.Reference) ([]gateway.HERID, error) {
	const op = "postgres.notified"
	rows, err := t.tx.Query(ctx, notifiedSQL, string(consent.ID), consent.Version)
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[gateway.HERID])
	return list, failure(op, err)
}

// PutNotice keeps that somebody has been told of a withdrawal.
func (t *Tx) PutNotice(ctx context.Context, n gateway.Notice) error {
	c := n.Withdrawal.Consent
	t.tx.later("postgres.putnotice", putNoticeSQL, string(c.ID), c.Version, string(n.Party), string(n.Task), string(n.Communication))
	return nil
}
