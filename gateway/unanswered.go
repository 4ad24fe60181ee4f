package gateway

import (
	"context"
	"slices"
)

// What is told to who has asked when the answer may not cross: that it needs the patient's samtykke (Volven 9069), and
// nothing of what the answer held.
const (
	unansweredTopic = `{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.9069","code":"4","display":"Kan ikke besvares. Krever pasientens samtykke"}]}`
	unansweredText  = "Forespørselen kan ikke besvares uten pasientens samtykke."
)

// questions are the messages that ask for an answer.
var questions = []string{"DIALOG_FORESPORSEL", "DIALOG_HELSEFAGLIG"}

// unanswered is an answer that nothing of reaches who it is for.
type unanswered struct {
	from, to             Addressee
	person               PersonID
	conversation, parent string
}

// tellUnanswered answers a question in the place of an answer that was refused for lack of samtykke, when the one it
// was for has asked it, of the sender and about the same person. Who has not asked is told nothing; a deny or an
// objection holds this back as well.
func (g *Gateway) tellUnanswered(ctx context.Context, tx Tx, dir Directory, u unanswered) error {
	from, ok := dir.Party(u.from.HERID)
	to, reachable := dir.Party(u.to.HERID)
	if !ok || !reachable || u.parent == "" || u.person <= 0 || from.ID == to.ID {
		return nil
	}
	found, err := tx.Settled(ctx, to.ID, MsgID(u.parent))
	if err != nil {
		return err
	}
	toUs := func(a Addressee) bool { p, known := dir.Party(a.HERID); return known && p.ID == from.ID }
	if !slices.ContainsFunc(found, func(e Envelope) bool {
		return e.Person == u.person && e.Message.State == Acknowledged && slices.Contains(questions, e.Message.Kind) && slices.ContainsFunc(e.Message.Receivers, toUs)
	}) {
		return nil
	}
	_, err = g.postNotice(ctx, tx, posting{
		from: from, to: to, mail: Post{Party: from.ID, Sender: u.from.HERID, Receiver: u.to.HERID}, person: u.person, kind: "DIALOG_SVAR",
		topic: unansweredTopic, text: unansweredText, conversation: u.conversation, parent: u.parent,
	})
	return err
}

// tellAllUnanswered does so for every receiver of an answer that came as a message.
func (g *Gateway) tellAllUnanswered(ctx context.Context, tx Tx, m Message, person PersonID, verdicts []Verdict) error {
	if m.Kind != "DIALOG_SVAR" || m.Change == Cancel {
		return nil
	}
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	for _, v := range verdicts {
		if v.Crosses || !slices.Contains(v.Reasons, ConsentMissing) {
			continue
		}
		u := unanswered{from: m.Sender, to: v.Receiver, person: person, conversation: m.Conversation, parent: m.Parent}
		if err := g.tellUnanswered(ctx, tx, dir, u); err != nil {
			return err
		}
	}
	return nil
}
