package gateway

import (
	"context"
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
	owner := asked{Actor: Actor{Kind: Machine, Party: party.ID, Purpose: Administer}, party: party}
	id, err := newID(g.Random)
	if err != nil {
		return "", err
	}
	body := []byte(`{"resourceType":"Task","status":"requested","intent":"order","code":{"coding":[{"system":"` + taskSystem + `","code":`)
	body = append(appendJSON(body, code), `}],"text":`...)
	body = append(appendJSON(body, text), `},"description":`...)
	body = append(appendJSON(body, text), `,"owner":{"reference":`...)
	body = append(appendJSON(body, party.Organization.String()), `},"authoredOn":`...)
	body = append(appendJSON(body, g.Clock().UTC().Format(time.RFC3339)), ',')
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
	if focus.ID != "" {
		body = append(appendJSON(append(body, `"focus":{"reference":`...), focus.String()), `},`...)
	}
	body[len(body)-1] = '}'
	w, err := g.authored(ctx, owner, body, fhir.ID(id), Samarbeid)
	if err != nil {
		return "", err
	}
	return fhir.ID(id), g.store(ctx, tx, owner, w, person)
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
