package gateway

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// actorUnknown is the code of the issue when who asks is not in the directory.
const actorUnknown = "actor-unknown"

// recordingFailure bounds how long the entry of a failure may take, after the request itself has ended.
const recordingFailure = 2 * time.Second

// failed makes it durable that an interaction ended in a failure of ours, or was asked by who is not in the
// directory: it is a refusal as any other. It is deferred, reads how the interaction ends from err, and puts there
// what is told instead when a refusal that is told by its cause cannot be recorded. A panic goes on when it is recorded.
// What the ledger itself has just failed to take is not tried again.
func (g *Gateway) failed(ctx context.Context, a Actor, in Interaction, err *error) {
	fault := recover()
	code := CodeOf(*err)
	if fault != nil {
		code = Internal
	}
	if failure := code == Unavailable || code == Internal; failure && !unledgered(*err) || unknownActor(*err) {
		if kept := g.recordFailure(context.WithoutCancel(ctx), a, in, code); kept != nil {
			g.Log.LogAttrs(ctx, slog.LevelError, "a failure is not in the ledger", slog.String("interaction", string(in.Code)), slog.Any("error", kept))
			if !failure {
				*err = kept
			}
		}
	}
	if fault != nil {
		panic(fault)
	}
}

// recordFailure keeps that what the actor asked for failed. Whom it is about is not said: that may be what failed.
func (g *Gateway) recordFailure(ctx context.Context, a Actor, in Interaction, code Code) error {
	if IsDirectory(in.Target.Type) || a.Party == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, recordingFailure)
	defer cancel()
	who := asked{Actor: a, party: Party{ID: a.Party}}
	if dir, err := g.Store.Directory(ctx); err == nil {
		if party, ok := dir.Party(a.Party); ok {
			who.party = party
		}
	}
	entry, err := g.refusal(who, in, 0, code)
	if err != nil {
		return err
	}
	if in.Target.Type == "" {
		entry.Entities = nil
	}
	return g.record(ctx, []AuditEntry{entry}, nil)
}

// unledgered tells whether the ledger is what failed.
func unledgered(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Op == opRecord
}

// unknownActor tells whether who asked is not in the directory.
func unknownActor(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == Forbidden && slices.ContainsFunc(e.Issues, func(i fhir.Issue) bool { return i.Code == actorUnknown })
}
