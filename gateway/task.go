package gateway

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// taskSystem holds the codes of Tasks that Sluse itself writes.
const taskSystem = "http://sluse.no/fhir/CodeSystem/oppgave"

// task gives a party a Task about a person, written by Sluse: its own record, labelled samarbeid. The party
// of the patients gets a Patient of hers with it, when it has none.
func (g *Gateway) task(ctx context.Context, tx Tx, party Party, person PersonID, code, text string) (fhir.ID, error) {
	return g.taskAbout(ctx, tx, party, person, code, text, fhir.Reference{})
}

// taskAbout is a task that has a record as its focus, when one is named.
func (g *Gateway) taskAbout(ctx context.Context, tx Tx, party Party, person PersonID, code, text string, focus fhir.Reference) (fhir.ID, error) {
	return g.assign(ctx, tx, assignment{party: party, person: person, code: code, text: text, focus: focus})
}

// assignment is a Task that Sluse writes for a party.
type assignment struct {
	party      Party
	person     PersonID
	code, text string
	focus      fhir.Reference
	to         Responsible // the one at the party who is asked; the party itself when nobody is named
	due        time.Time   // urgent, and to be done by then; zero: neither
	routine    bool        // not urgent, although it is to be done by a time
	state      DutyState   // what became of it before it was written; "": it is asked for
}

// assign writes the Task.
func (g *Gateway) assign(ctx context.Context, tx Tx, t assignment) (fhir.ID, error) {
	party, person := t.party, t.person
	owner := asked{Actor: Actor{Kind: Machine, Party: party.ID, Purpose: Administer}, party: party}
	id, err := newID(g.Random)
	if err != nil {
		return "", err
	}
	body := append([]byte(`{"resourceType":"Task","status":"`), cmp.Or(t.state, DutyOwed)...)
	body = append(body, `","intent":"order",`...)
	if why := dutyTexts[t.state]; why != "" {
		body = append(appendJSON(append(body, `"statusReason":{"text":`...), why), `},`...)
	}
	body = append(body, `"code":{"coding":[{"system":"`+taskSystem+`","code":`...)
	body = append(appendJSON(body, t.code), `}],"text":`...)
	body = append(appendJSON(body, t.text), `},"description":`...)
	body = append(appendJSON(body, t.text), `,"owner":`...)
	body = append(t.owner(body), `,"authoredOn":`...)
	body = append(appendJSON(body, g.Clock().UTC().Format(time.RFC3339)), ',')
	if !t.due.IsZero() {
		priority := "urgent"
		if t.routine {
			priority = "routine"
		}
		body = append(body, `"priority":"`+priority+`","restriction":{"period":{"end":`...)
		body = append(appendJSON(body, t.due.In(fhir.Oslo()).Format(time.RFC3339)), `}},`...)
	}
	if person != 0 {
		patient, err := tx.PatientFor(ctx, party.ID, person)
		if err != nil {
			return "", err
		}
		if patient.ID != "" {
			body = append(body, `"for":{"reference":`...)
			body = append(appendJSON(body, fhir.Reference{Type: "Patient", ID: patient.ID}.String()), `},`...)
		}
	}
	if t.focus.ID != "" {
		body = append(appendJSON(append(body, `"focus":{"reference":`...), t.focus.String()), `},`...)
	}
	body[len(body)-1] = '}'
	w, err := g.authored(ctx, owner, body, fhir.ID(id), Samarbeid)
	if err != nil {
		return "", err
	}
	return fhir.ID(id), g.store(ctx, tx, owner, w, person)
}

// owner writes who is asked: a named person by HPR number, else the party.
func (t assignment) owner(b []byte) []byte {
	if t.to.HPR == "" {
		return append(appendJSON(append(b, `{"reference":`...), t.party.Organization.String()), '}')
	}
	b = append(b, `{"type":"Practitioner","identifier":{"system":"`+fhir.SystemHPR+`","value":`...)
	b = append(appendJSON(b, string(t.to.HPR)), '}')
	if t.to.Name != "" {
		b = appendJSON(append(b, `,"display":`...), t.to.Name)
	}
	return append(b, '}')
}

// store writes what Sluse itself has made for a party, and the line of the ledger.
func (g *Gateway) store(ctx context.Context, tx Tx, owner asked, w *written, person PersonID) error {
	if err := g.stamp(owner, w); err != nil {
		return err
	}
	if _, err := tx.Put(ctx, g.custody(owner, Create), w.draft); err != nil {
		return err
	}
	e, err := g.entry(owner, Create, Written, person)
	if err != nil {
		return err
	}
	e.Type = w.draft.Reference.Type
	e.Entities = []AuditEntity{{Record: w.draft.Reference, Custodian: owner.party.ID}}
	return tx.Record(ctx, []AuditEntry{e})
}

// endedTask are the states that a Task does not leave by itself (R4 task.html#statemachine).
var endedTask = []string{"completed", "cancelled", "rejected", "failed", "entered-in-error"}

// endTask ends a Task that nobody has ended: what it was about has been seen to, or is no longer so.
func (g *Gateway) endTask(ctx context.Context, tx Tx, t OwnedTask, status, why string) error {
	return g.turnTask(ctx, tx, t, status, why, func(was string) bool { return !slices.Contains(endedTask, was) })
}

// moveTask takes a Task from one state of its duty to another, unless somebody has ended it otherwise.
func (g *Gateway) moveTask(ctx context.Context, tx Tx, t OwnedTask, from, to DutyState) error {
	return g.turnTask(ctx, tx, t, string(to), dutyTexts[to], func(was string) bool {
		return was == string(from) || !slices.Contains(endedTask, was)
	})
}

// turnTask writes the next version of a Task that Sluse has written, when its status is such.
func (g *Gateway) turnTask(ctx context.Context, tx Tx, t OwnedTask, status, why string, such func(status string) bool) error {
	const op = "gateway.task"
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	party, ok := dir.Party(t.Party)
	if !ok || t.Task == "" {
		return nil
	}
	owner := asked{Actor: Actor{Kind: Machine, Party: party.ID, Purpose: Administer}, party: party}
	custody := g.custody(owner, Update)
	current, err := tx.Lock(ctx, custody, fhir.Reference{Type: "Task", ID: t.Task})
	if err != nil {
		return ignoreAbsent(err)
	}
	if current.Deleted {
		return nil
	}
	res, err := ParseAuthored(current.Body)
	if err != nil {
		return Failed(op, Internal, err)
	}
	root := res.Root()
	if was := root.Get("status").Text(); was == status || !such(was) {
		return nil
	}
	e := res.Edit()
	e.Set(root, "status", appendJSON(nil, status))
	if v := root.Get("statusReason"); why != "" {
		e.Set(root, "statusReason", append(appendJSON([]byte(`{"text":`), why), '}'))
	} else if v != nil {
		e.Remove(v)
	}
	body, err := e.Bytes()
	if err != nil {
		return Failed(op, Internal, err)
	}
	return g.revise(ctx, tx, owner, custody, current, body)
}

// remind gives a party a Task: its own record, labelled samarbeid, naming no other party.
func (g *Gateway) remind(ctx context.Context, tx Tx, to HERID, person PersonID, code, text string) error {
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	party, ok := dir.Party(to)
	if !ok {
		return nil
	}
	_, err = g.task(ctx, tx, party, person, code, text)
	return err
}

// ownPatient makes a Patient of the person at a party that has none: her number and nothing else.
func (g *Gateway) ownPatient(ctx context.Context, tx Tx, party Party, person PersonID, n NIN) error {
	known, err := tx.PatientFor(ctx, party.ID, person)
	if err != nil || known.ID != "" || n.IsZero() {
		return err
	}
	owner := asked{Actor: Actor{Kind: Machine, Party: party.ID, Purpose: Administer}, party: party}
	id, err := newID(g.Random)
	if err != nil {
		return err
	}
	system := fhir.SystemFNR
	if n.Reveal()[0] > '3' { // a D-number: the first digit is raised by four
		system = fhir.SystemDNR
	}
	body := []byte(`{"resourceType":"Patient","identifier":[{"system":"` + system + `","value":"` + n.Reveal() + `"}]}`)
	w, err := g.authored(ctx, owner, body, fhir.ID(id), 0)
	if err != nil {
		return err
	}
	w.draft.National = n
	return g.store(ctx, tx, owner, w, person)
}
