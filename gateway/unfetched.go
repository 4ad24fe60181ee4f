package gateway

import (
	"context"
	"strings"
	"time"
)

// FetchLimits tell by when a message must be fetched after its positive AppRec, by message type (kodeverk 8279). A key
// that ends in _ stands for all types that begin so; "" for all others.
type FetchLimits map[string]time.Duration

// fetchLimits are the defaults: what somebody waits for on the same day, and the rest.
var fetchLimits = FetchLimits{
	"LOG_": 2 * time.Hour, "PASIENTLOGISTIKK": 2 * time.Hour, "UTSKRIVNINGSRAPPORT": 2 * time.Hour, "TVERRFAGLIG_EPIKRISE": 2 * time.Hour,
	"": 24 * time.Hour,
}

// Of gives the limit of a message type: the one set for it, else the default.
func (l FetchLimits) Of(kind string) time.Duration {
	if d, ok := l.of(kind); ok {
		return d
	}
	if d, ok := fetchLimits.of(kind); ok {
		return d
	}
	if d, ok := l[""]; ok {
		return d
	}
	return fetchLimits[""]
}

func (l FetchLimits) of(kind string) (time.Duration, bool) {
	if d, ok := l[kind]; ok && kind != "" {
		return d, true
	}
	family, _, _ := strings.Cut(kind, "_")
	d, ok := l[family+"_"]
	return d, ok && family != kind
}

// The Tasks on a message that was acknowledged and has not reached those who are to read it, and their texts to its
// sender and to its receiver. Who may not have it now is told neither of whom it is nor from whom it came.
const (
	unfetchedTask         = "message-not-fetched"
	unfetchedText         = "En melding er kvittert for, men ikke hentet av mottakeren. Ta kontakt med mottakeren."
	unfetchedReceiverText = "En melding ligger klar og er ikke hentet innen fristen. Hent meldingen."
	fetchedText           = "Meldingen er hentet."
	withheldTask          = "message-withheld"
	withheldSenderText    = "En melding som var kvittert for, er holdt tilbake før den ble hentet: samtykket eller hjemmelen gjelder ikke lenger, eller opplysninger i den er endret eller slettet."
	withheldReceiverText  = "En melding som lå klar til dere, er holdt tilbake før den ble hentet. Avsenderen er varslet."
)

// watched gives an entry its limits: by when it must be fetched, and when to look whether it still may be.
func (g *Gateway) watched(e Envelope, until time.Time) Envelope {
	e.FetchBy = g.Clock().Add(g.Fetch.Of(e.Message.Kind))
	e.LookAt = nextLook(e.FetchBy, until)
	return e
}

func nextLook(by, until time.Time) time.Time {
	if !until.IsZero() && until.Before(by) {
		return until
	}
	return by
}

// WatchUnfetched looks at messages that were acknowledged and not fetched, when their time is up or what was decided
// on them may have changed, and tells sender and receiver by Tasks of those that lie too long and those that may
// not be fetched any more: the AppRec is not all that they must know (DESIGN § 5, Receiving). Each is told of
// once. It tells how many it looked at.
func (g *Gateway) WatchUnfetched(ctx context.Context, limit int) (int, error) {
	count := 0
	err := g.Store.Tx(ctx, func(tx Tx) error {
		now := g.Clock()
		entries, err := tx.Unfetched(ctx, now, limit)
		if err != nil {
			return err
		}
		dir, err := tx.Directory(ctx)
		if err != nil {
			return err
		}
		count = len(entries)
		for _, e := range entries {
			o, err := g.open(ctx, tx, dir, e)
			if err != nil {
				return err
			}
			switch {
			case !o.crosses:
				err = g.tellBoth(ctx, tx, e, withheldTask, withheldSenderText, withheldReceiverText, 0)
			case !now.Before(e.FetchBy):
				err = g.tellBoth(ctx, tx, e, unfetchedTask, unfetchedText, unfetchedReceiverText, e.Person)
			default:
				err = tx.LookAgain(ctx, e.Key, nextLook(e.FetchBy, o.permit.decision.Until))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return count, err
}

// tellBoth gives sender and receiver their Tasks; about is whom the receiver may know that it is about.
func (g *Gateway) tellBoth(ctx context.Context, tx Tx, e Envelope, code, sender, receiver string, about PersonID) error {
	if err := g.note(ctx, tx, e.Message.ID, e.Receiver, e.Message.Party, e.Person, code, sender); err != nil {
		return err
	}
	if e.Party != e.Message.Party {
		if err := g.note(ctx, tx, e.Message.ID, e.Receiver, e.Party, about, code, receiver); err != nil {
			return err
		}
	}
	return tx.Reminded(ctx, e.Key)
}

// note gives a party a Task that ends when what it waits for comes.
func (g *Gateway) note(ctx context.Context, tx Tx, m MessageID, receiver, to HERID, person PersonID, code, text string) error {
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	party, ok := dir.Party(to)
	if !ok {
		return nil
	}
	task, err := g.task(ctx, tx, party, person, code, text)
	if err != nil {
		return err
	}
	return tx.NoteTask(ctx, m, receiver, OwnedTask{party.ID, task})
}

// endNoted ends the Tasks of an entry: what they waited for has come.
func (g *Gateway) endNoted(ctx context.Context, tx Tx, e Envelope, why string) error {
	tasks, err := tx.NotedTasks(ctx, e.Message.ID, e.Receiver)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if err := g.endTask(ctx, tx, t, "completed", why); err != nil {
			return err
		}
	}
	return nil
}
