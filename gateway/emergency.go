package gateway

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Emergencies keeps who has been told of emergency accesses. Errors are *Error.
type Emergencies interface {
	// Tell marks that somebody is told of an actor's access to the person, and gives true the first time
	// within the spell.
	Tell(ctx context.Context, s Spell, now time.Time) (bool, error)
	// AskReview keeps whose access a Task asks to be reviewed.
	AskReview(ctx context.Context, task fhir.ID, party HERID, actor [32]byte, at time.Time) error
	// Reviewed gives whose access a Task asks to be reviewed; false when it asks for no review.
	Reviewed(ctx context.Context, task fhir.ID) (actor [32]byte, ok bool, err error)
}

// Spell is one actor's emergency access to one person, as far as one of those who must know is concerned.
type Spell struct {
	Actor  [32]byte // actorKey
	Person PersonID
	Told   string // "patient", "review", or the HER-id of a custodian
	Until  time.Time
}

// actorKey is who somebody is at a party, for comparing only: by the HPR number, whatever system she comes by.
func actorKey(a Actor) [32]byte {
	if a.Practitioner != "" {
		a.Name, a.Client = "", ""
	}
	return sha256.Sum256([]byte(string(a.Party) + "\x00" + string(a.Practitioner) + "\x00" + a.Name + "\x00" + a.Client))
}

// outsideEmergency tells whether emergency access asks for more than it may: reading, and searching by
// the patient it is bound to, and nothing else, or is asked for by somebody who has none (DESIGN § 3,
// Emergency). The directory is read by everybody.
func (g *Gateway) outsideEmergency(ctx context.Context, a Actor, in Interaction) (bool, error) {
	if a.Purpose != BreakTheGlass {
		return false, nil
	}
	switch in.Code {
	case Read, VRead, History:
		if IsDirectory(in.Target.Type) {
			return false, nil
		}
	case Find:
		if IsDirectory(in.Target.Type) && !throughRecords(in.Search) {
			return false, nil
		}
		if in.Search.Subject.IsZero() {
			return true, nil
		}
	default:
		return true, nil
	}
	dir, err := g.Store.Directory(ctx)
	if err != nil {
		return true, Failed("gateway.emergency", Unavailable, err)
	}
	party, _ := dir.Party(a.Party)
	d, err := g.Decider.Decide(ctx, Question{Actor: a, Party: party, Parts: party.Above, Action: ReadAction, Now: g.Clock()})
	if err != nil {
		return true, Failed("gateway.emergency", Unavailable, err)
	}
	return d.Scope.Emergency == 0, nil
}

// refuseEmergency makes the refusal durable before it is told.
func (g *Gateway) refuseEmergency(ctx context.Context, a Actor, in Interaction) error {
	who, _, err := g.writer(ctx, a)
	if err != nil {
		return err
	}
	entry, err := g.refusal(who, in, 0, Forbidden)
	if err != nil {
		return err
	}
	if err := g.record(ctx, []AuditEntry{entry}, nil); err != nil {
		return err
	}
	return forbidden("gateway.emergency", "emergency-limited")
}

// withoutEmergency refuses emergency access to what it never has.
func withoutEmergency(a Actor) error {
	if a.Purpose != BreakTheGlass {
		return nil
	}
	return forbidden("gateway.emergency", "emergency-limited")
}

// glass is an emergency access as the ledger has it: what left of whose records.
type glass struct {
	asked
	person     PersonID
	custodians []HERID
}

// broken gathers of the lines of one answer whom emergency access has reached at other parties.
func broken(entries []AuditEntry) []glass {
	var list []glass
	for _, e := range entries {
		if e.Actor.Purpose != BreakTheGlass || e.Outcome != Released || e.Person == 0 {
			continue
		}
		for _, touched := range e.Entities {
			if touched.Custodian == "" || touched.Custodian == e.Party.ID {
				continue
			}
			at := slices.IndexFunc(list, func(x glass) bool { return x.person == e.Person && x.party.ID == e.Party.ID })
			if at < 0 {
				at, list = len(list), append(list, glass{asked: asked{Actor: e.Actor, party: e.Party}, person: e.Person})
			}
			if !slices.Contains(list[at].custodians, touched.Custodian) {
				list[at].custodians = append(list[at].custodians, touched.Custodian)
			}
		}
	}
	return list
}

// The Tasks that follow an emergency access (kodeverk oppgave).
const (
	emergencyPatient   = "emergency-tell-patient"
	emergencyCustodian = "emergency-tell-custodian"
	emergencyReview    = "emergency-review"
)

// emergencyTexts tell each of them what it may know: the patient who it was, a custodian that it was, and
// the asking party's reviewer that somebody must look at it. The reason stands in the ledger only.
var emergencyTexts = map[string]string{
	emergencyPatient:   "Opplysninger om deg er åpnet med nødrett (hpl. § 7, § 23 nr. 4) av {0}. Tilgangsloggen viser hva, når og hvorfor.",
	emergencyCustodian: "Opplysninger fra dere om pasienten er åpnet med nødrett (hpl. § 7, § 23 nr. 4). Tilgangsloggen viser hvilke.",
	emergencyReview:    "En av dere har åpnet opplysninger med nødrett (hpl. § 7, § 23 nr. 4). Vurder om vilkårene var til stede. Tilgangsloggen viser tilgangen og begrunnelsen.",
}

// recordEmergency makes lines durable together with the Tasks for those who must know: once for each of
// them and each spell.
func (g *Gateway) recordEmergency(ctx context.Context, entries []AuditEntry, accesses []glass) error {
	return g.Store.Tx(ctx, func(tx Tx) error {
		if err := tx.Record(ctx, entries); err != nil {
			return err
		}
		for _, x := range accesses {
			if err := g.tellEmergency(ctx, tx, x); err != nil {
				return err
			}
		}
		return nil
	})
}

// tellEmergency makes the Tasks of one access.
func (g *Gateway) tellEmergency(ctx context.Context, tx Tx, x glass) error {
	now := g.Clock()
	first := func(told string) (bool, error) {
		return tx.Tell(ctx, Spell{Actor: actorKey(x.Actor), Person: x.person, Told: told, Until: now.Add(g.Decider.Protection().Spell)}, now)
	}
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	untold, err := first("patient")
	if err != nil {
		return err
	}
	if home, ok := patientsOf(dir); ok && untold {
		if err := g.ownPatient(ctx, tx, home, x.person, x.Attest.NIN); err != nil {
			return err
		}
		if _, err := g.task(ctx, tx, home, x.person, emergencyPatient, worded(emergencyTexts[emergencyPatient], x.party.Name)); err != nil {
			return err
		}
	}
	for _, custodian := range x.custodians {
		told, err := first(string(custodian))
		if err != nil {
			return err
		}
		if party, ok := dir.Party(custodian); ok && told {
			if _, err := g.task(ctx, tx, party, x.person, emergencyCustodian, emergencyTexts[emergencyCustodian]); err != nil {
				return err
			}
		}
	}
	due, err := first("review")
	if err != nil || !due {
		return err
	}
	task, err := g.task(ctx, tx, x.party, x.person, emergencyReview, emergencyTexts[emergencyReview])
	if err != nil {
		return err
	}
	return tx.AskReview(ctx, task, x.party.ID, actorKey(x.Actor), now)
}
