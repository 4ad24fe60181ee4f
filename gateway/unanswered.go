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
// objection holds this back as well. One question is answered so once, however many answers to it are refused.
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
	if err := tx.Serialize(ctx, turnOfQuestion(MsgID(u.parent))); err != nil {
		return err
	}
	told, err := tx.Noticed(ctx, from.ID, to.ID, MsgID(u.parent), u.person)
	if err != nil || told {
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

// turnOfQuestion is the key by which a question and the answers to it follow each other, so that neither misses the other.
func turnOfQuestion(id MsgID) string { return "question\x00" + string(id) }

// tellEarlyUnanswered does so for the answers that were here before the question, and were refused: they are decided now.
func (g *Gateway) tellEarlyUnanswered(ctx context.Context, tx Tx, m Message, person PersonID, verdicts []Verdict) error {
	if person <= 0 || !slices.Contains(questions, m.Kind) || !slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.Crosses }) {
		return nil
	}
	if err := tx.Serialize(ctx, turnOfQuestion(m.MsgID)); err != nil {
		return err
	}
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	asked := map[HERID]bool{} // parties, each once
	for _, v := range verdicts {
		if !v.Crosses || v.Party == m.Party || asked[v.Party] {
			continue
		}
		asked[v.Party] = true
		answers, err := tx.Answers(ctx, v.Party, m.MsgID, person)
		if err != nil {
			return err
		}
		for _, e := range answers {
			if err := g.tellEarly(ctx, tx, dir, e, m.Party); err != nil {
				return err
			}
		}
	}
	return nil
}

// tellEarly answers a question in the place of an answer that was refused before the question was known, when it lacks
// samtykke now as well.
func (g *Gateway) tellEarly(ctx context.Context, tx Tx, dir Directory, e Envelope, asker HERID) error {
	if e.Message.Kind != "DIALOG_SVAR" || e.Content.Reason != NoReason {
		return nil
	}
	statuses, err := tx.Statuses(ctx, e.Message.ID)
	if err != nil {
		return err
	}
	for _, to := range e.Message.Receivers {
		party, ok := dir.Party(to.HERID)
		delivered := slices.ContainsFunc(statuses, func(s DeliveryStatus) bool { return s.Receiver == to.HERID && s.Delivered })
		if !ok || party.ID != asker || delivered {
			continue
		}
		e.Receiver, e.Party, e.Withheld = to.HERID, party.ID, nil
		p, records, intact, err := g.stored(ctx, tx, dir, e)
		if err != nil || !intact {
			return err
		}
		if j, _ := judged(p, e, records); len(j.crossing) > 0 || !j.lacking {
			continue
		}
		return g.tellUnanswered(ctx, tx, dir, unanswered{
			from: e.Message.Sender, to: to, person: e.Person, conversation: e.Message.Conversation, parent: e.Message.Parent,
		})
	}
	return nil
}

// tellAllUnanswered does so for every receiver of an answer that came as a message.
func (g *Gateway) tellAllUnanswered(ctx context.Context, tx Tx, m Message, person PersonID, verdicts []Verdict) error {
	if m.Kind != "DIALOG_SVAR" || m.Change == Cancel {
		return nil
	}
	if err := tx.Serialize(ctx, turnOfQuestion(MsgID(m.Parent))); err != nil {
		return err
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
