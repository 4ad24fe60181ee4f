package gateway

import (
	"context"
	"encoding/binary"
	"io"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// ConsentStatement is what the sender of a message says in it of the patient's samtykke (Volven 9064).
type ConsentStatement uint8

// What a sender may say. Only the first registers a samtykke.
const (
	NothingStated   ConsentStatement = iota
	ConsentStated                    // she has agreed to what the message holds: 9064 1 and 3
	ConsentUnneeded                  // 9064 2: counts for nothing by itself; an agreement under lov is asked as ever
	ConsentRefused                   // she has said no: 9064 4, 3109 2
	ConsentUnclear                   // something is said that is not understood: it may be a no
)

// statementDays is how long a samtykke that a message itself states lasts, counted from when the message was
// made: what the sender was told was about this course of care, and no more is known of it.
//
// It does not end with the stay. No message names the episode that its statement is about; utskrivningsrapport, epikrise and
// what lies unfetched in a mailbox rest on it after the discharge; and a discharge that is cancelled could not give back what
// it had ended, since nobody but the patient and the sender may widen a samtykke. Both may end it earlier.
const statementDays = 90

// statementLaw is the rettsgrunnlag by which a samtykke lifts the taushetsplikt of a party.
func statementLaw(l Lovgrunnlag) string {
	switch l {
	case "helse-kommune", "helse-spesialist":
		return "HPL22"
	case "sosial":
		return "SOSTJL44"
	case "nav-stat":
		return "NAV7"
	}
	return "FVL13"
}

// stated acts on what the sender says of samtykke in the message itself, in the transaction that settles it. A
// samtykke is registered as the sender's own: for its own records and no other's, to those that the message
// names as receivers, for the labels of what it holds, to be sent and not to be read. It counts for this
// message because it is then decided as ever: an objection, or any deny, is above it. A refusal is kept as
// one, and nothing crosses.
func (g *Gateway) stated(ctx context.Context, tx Tx, dir Directory, w *arrival) error {
	if w.reason != NoReason {
		return nil
	}
	status := "active"
	switch w.message.Consent {
	case ConsentStated:
		if w.message.Change == Cancel || g.outdated(w.message) {
			return nil
		}
	case ConsentRefused:
		status, w.reason = "rejected", ConsentMissing
	case ConsentUnclear:
		w.reason = ConsentMissing
		return nil
	default:
		return nil
	}
	to := stateable(dir, w)
	if len(to) == 0 {
		return nil
	}
	if err := g.firstPatient(ctx, tx, w); err != nil {
		return err
	}
	if err := g.registerStatement(ctx, tx, dir, w, statementBody(w, status, to)); err != nil {
		return err
	}
	return g.lookAgain(ctx, tx, w)
}

// outdated tells of a message so old, or dated so far ahead, that what it states does not count now.
func (g *Gateway) outdated(m Message) bool {
	now := g.Clock()
	return m.Generated.After(now.Add(clockSkew)) || !m.Generated.AddDate(0, 0, statementDays).After(now)
}

// stateable are the parties that the message itself names as receivers, each once: all of them, also those that
// are handled later, and nobody besides.
func stateable(dir Directory, w *arrival) (list []Party) {
	for _, to := range w.message.Named {
		p, ok := dir.Party(to.HERID)
		if ok && p.ID != w.sender.party.ID && !slices.ContainsFunc(list, func(o Party) bool { return o.ID == p.ID }) {
			list = append(list, p)
		}
	}
	return list
}

// statementBody writes the Consent. What no rule can label is covered only for the records of this message: a
// permit of uklassifisert names its items (DESIGN § 3).
func statementBody(w *arrival, status string, to []Party) []byte {
	m := w.message
	given := m.Generated.In(fhir.Oslo())
	b := []byte(`{"resourceType":"Consent","status":"` + status + `",` +
		`"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},` +
		`"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":`)
	b = append(appendJSON(b, fhir.Reference{Type: "Patient", ID: w.patient.ID}.String()), `},"dateTime":`...)
	b = append(appendJSON(b, given.Truncate(time.Second).Format(time.RFC3339)), `,"organization":[{"reference":`...)
	b = append(appendJSON(b, w.sender.party.Organization.String()), `}],`...)
	if at := slices.IndexFunc(w.drafts, func(d *written) bool { return d.draft.Reference.Type == "DocumentReference" && w.whole(d) }); at >= 0 {
		source := w.drafts[at].draft.Reference
		source.Version = ""
		b = append(appendJSON(append(b, `"sourceReference":{"reference":`...), source.String()), `},`...)
	}
	b = append(b, `"policyRule":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/rettsgrunnlag","code":"`+
		statementLaw(w.sender.party.Lovgrunnlag)+`"}]},"provision":{"type":"deny","period":{"start":`...)
	b = append(appendJSON(b, given.Truncate(time.Second).Format(time.RFC3339)), `,"end":`...)
	b = append(appendJSON(b, given.AddDate(0, 0, statementDays).Format(time.DateOnly)), `},"actor":[`...)
	b = appendParticipant(b, "CST", w.sender.party)
	for _, p := range to {
		b = appendParticipant(append(b, ','), "IRCP", p)
	}
	b = append(b, `],"action":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentaction","code":"disclose"}]}],"provision":[`...)
	labels := w.labels()
	if known := labels &^ Uklassifisert; known != 0 {
		b = append(appendLabels(append(b, `{"type":"permit",`...), known), '}')
	}
	if labels&Uklassifisert != 0 {
		if labels != Uklassifisert {
			b = append(b, ',')
		}
		b = append(appendLabels(append(b, `{"type":"permit",`...), labels), `,"data":[`...)
		for i, d := range w.drafts {
			if i > 0 {
				b = append(b, ',')
			}
			item := fhir.Reference{Type: d.draft.Reference.Type, ID: d.draft.Reference.ID}
			b = append(appendJSON(append(b, `{"meaning":"instance","reference":{"reference":`...), item.String()), `}}`...)
		}
		b = append(b, `]}`...)
	}
	return append(b, `]}}`...)
}

func appendParticipant(b []byte, role string, p Party) []byte {
	b = append(b, `{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"`+role+`"}]},"reference":{"reference":`...)
	return append(appendJSON(b, p.Organization.String()), `}}`...)
}

func appendLabels(b []byte, l Labels) []byte {
	b = append(b, `"securityLabel":[`...)
	for i, code := range l.Codes() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"system":"`+LabelSystem+`","code":"`+code+`"}`...)
	}
	return append(b, ']')
}

// whole tells whether a draft holds the message as it came.
func (w *arrival) whole(d *written) bool {
	for i := range w.drafts {
		if w.drafts[i] == d {
			return w.delivery.Resources[i].Whole
		}
	}
	return false
}

// labels are those of all that the message holds.
func (w *arrival) labels() (all Labels) {
	all = Samarbeid
	for _, s := range w.delivery.Sections {
		all |= s.Labels
	}
	for _, r := range w.records {
		all |= needs(r)
	}
	return all & AllLabels
}

// firstPatient stores the Patient that the message makes, before a Consent that names her; who it was sent to
// is added when that is decided.
func (g *Gateway) firstPatient(ctx context.Context, tx Tx, w *arrival) error {
	if w.known {
		return nil
	}
	at := slices.IndexFunc(w.drafts, func(d *written) bool { return d.draft.Reference.Type == "Patient" })
	if at < 0 {
		return nil
	}
	d := w.drafts[at]
	if err := g.stamp(w.sender, d); err != nil {
		return err
	}
	r, err := tx.Put(ctx, w.permit, d.draft)
	if err != nil {
		return err
	}
	if err := g.bear(ctx, tx, Record{}, r); err != nil {
		return err
	}
	w.first = &r
	return nil
}

// registerStatement stores the Consent and makes it count.
func (g *Gateway) registerStatement(ctx context.Context, tx Tx, dir Directory, w *arrival, body []byte) error {
	who := w.sender
	who.Party = who.party.ID
	id, err := newID(g.Random)
	if err != nil {
		return err
	}
	c, err := g.authored(ctx, who, body, fhir.ID(id), 0)
	if err != nil {
		return err
	}
	c.dir = dir
	if err := g.stamp(who, c); err != nil {
		return err
	}
	r, err := tx.Put(ctx, w.permit, c.draft)
	if err != nil {
		return err
	}
	if err := g.register(ctx, tx, who, c, r); err != nil {
		return err
	}
	entry, err := g.writtenEntry(who, c, r.Person)
	if err != nil {
		return err
	}
	entry.Message = string(w.message.MsgID)
	return tx.Record(ctx, []AuditEntry{entry})
}

// lookAgain takes the facts anew, with the samtykke that this transaction has registered. They are decided on
// under an epoch of their own: the transaction may yet be undone, and what the Decider remembers of it must
// never be found by the epoch that another one then gives.
func (g *Gateway) lookAgain(ctx context.Context, tx Tx, w *arrival) error {
	facts, _, err := tx.FactsAbout(ctx, w.message.Party, Subject{NIN: w.message.National})
	if err != nil {
		return err
	}
	var random [8]byte
	if _, err := io.ReadFull(g.Random, random[:]); err != nil {
		return Failed("gateway.statement", Internal, err)
	}
	facts.Epoch = -1 - int64(binary.BigEndian.Uint64(random[:])>>1) //nolint:gosec // 63 bits fit
	w.facts = facts
	for i := range w.records {
		w.records[i].Person = facts.Person
	}
	return nil
}
