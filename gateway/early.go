package gateway

import "context"

// Who cancels or changes what is not here is heard at once, as with ConversationRef (DESIGN § 5, Receiving), and must not
// believe that something is withdrawn: the Task stands until what it names is here.
const (
	earlyTask     = "message-awaits-first"
	earlyText     = "En endring eller kansellering av en henvisning er mottatt, men henvisningen den gjelder (ServReq/Id), er ikke her. Den virker når henvisningen kommer. Kontroller nummeret, eller ring mottakeren."
	earlyDoneText = "Henvisningen er kommet, og endringen eller kanselleringen har virket."
)

// awaited gives the sender of a change or cancellation without what it names its Task, and ends those that waited for this
// message.
func (g *Gateway) awaited(ctx context.Context, tx Tx, w *arrival, person PersonID) error {
	m := w.message
	if m.Thread == "" || w.reason != NoReason {
		return nil
	}
	if w.early {
		if err := g.note(ctx, tx, m.ID, "", m.Party, person, earlyTask, earlyText); err != nil {
			return err
		}
	}
	tasks, err := tx.ThreadTasks(ctx, m, person)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if err := g.endTask(ctx, tx, t, "completed", earlyDoneText); err != nil {
			return err
		}
	}
	return nil
}
