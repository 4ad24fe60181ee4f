package gateway

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// HjemmelID names a row of policies/data/hjemler.json: a legal basis, other than samtykke, for sending a message.
type HjemmelID string

// HjemmelPath begins the path of a citation of a row.
const HjemmelPath = "hjemler.rows."

// Switched is a hjemmel that a party has switched on for what it sends.
type Switched struct {
	Hjemmel HjemmelID
	Party   HERID
	Sector  Sector // of the party, as the directory has it
}

// Hjemler are those that are on, as of one revision of the directory. The zero Hjemler are none.
type Hjemler struct {
	On  []Switched
	Key string // the same exactly when On is the same; "" for none
}

// NewHjemler orders what is on and gives it its key.
func NewHjemler(on []Switched) Hjemler {
	on = slices.Clone(on)
	slices.SortFunc(on, func(a, b Switched) int { return strings.Compare(a.key(), b.key()) })
	var key strings.Builder
	for _, s := range on {
		key.WriteString(s.key())
	}
	return Hjemler{On: on, Key: key.String()}
}

func (s Switched) key() string {
	return string(s.Hjemmel) + "\x00" + string(s.Party) + "\x00" + string(s.Sector) + "\x01"
}

// Lawful is a Directory that knows what is on. One that does not knows of nothing.
type Lawful interface{ Hjemler() Hjemler }

func hjemlerOf(dir Directory) Hjemler {
	if l, ok := dir.(Lawful); ok {
		return l.Hjemler()
	}
	return Hjemler{}
}

// HjemmelSwitch is what the controller of a party has decided of one hjemmel.
type HjemmelSwitch struct {
	Hjemmel HjemmelID
	Party   HERID
	On      bool
	By      string // client and person, as the token names them
	Reason  string
	At      time.Time
}

// Switchboard keeps what controllers have decided. Errors are *Error.
type Switchboard interface {
	// SwitchHjemmel keeps the decision as the next version of that party's hjemmel, from 1, and raises the
	// revision of the directory, so that the next question on every replica knows it.
	SwitchHjemmel(ctx context.Context, s HjemmelSwitch) (version int64, err error)
}

// HjemmelRow is what the operation needs of a row of the policy data.
type HjemmelRow struct {
	ID   HjemmelID
	Name string // in bokmål
	From Sector
}

// HjemmelRows is a Decider that tells which rows there are. With one that does not nothing is switched on.
type HjemmelRows interface {
	HjemmelRow(HjemmelID) (HjemmelRow, bool)
}

// switchHjemmel is $hjemmel: the controller of a sending party switches a row on or off for what that party
// sends, by its name and with a reason. The controller is the party itself, and who acts for it here is its
// compliance, whom the token binds to it: nobody who treats patients or keeps the directory, and no compliance
// of another party, whatever it may see of the ledger by agreement. The decision is a version of its own and
// stands in the ledger; switched off, nothing more crosses by it, fetched or not.
func (g *Gateway) switchHjemmel(ctx context.Context, a Actor, in Interaction) (Outcome, error) {
	const op = "gateway.hjemmel"
	who, _, err := g.writer(ctx, a)
	if err != nil {
		return Outcome{}, err
	}
	if a.Kind != Compliance {
		return Outcome{}, g.refusedWrite(ctx, who, in, forbidden(op, "hjemmel.controller"))
	}
	var row HjemmelRow
	known := false
	if rows, ok := g.Decider.(HjemmelRows); ok {
		row, known = rows.HjemmelRow(HjemmelID(in.Operation.Code))
	}
	switch {
	case !known:
		return Outcome{}, hjemmelFault("code-invalid", "hjemmel.unknown")
	case in.Operation.Reason == "":
		return Outcome{}, hjemmelFault("required", "operation.reason")
	case row.From != who.party.Sector:
		return Outcome{}, hjemmelFault("business-rule", "hjemmel.sector")
	}
	var version int64
	err = g.Store.Tx(ctx, func(tx Tx) error {
		var err error
		version, err = tx.SwitchHjemmel(ctx, HjemmelSwitch{
			Hjemmel: row.ID, Party: who.party.ID, On: in.Operation.Active, By: a.Client, Reason: in.Operation.Reason, At: g.Clock(),
		})
		if err != nil {
			return err
		}
		e, err := g.entry(who, Operate, Written, 0)
		if err != nil {
			return err
		}
		e.Query = "$hjemmel?id=" + in.Operation.Code + "&active=" + strconv.FormatBool(in.Operation.Active) + "&version=" + strconv.FormatInt(version, 10)
		e.Actor.Reason = in.Operation.Reason
		return tx.Record(ctx, []AuditEntry{e})
	})
	if err != nil {
		return Outcome{}, err
	}
	state := "slått av"
	if in.Operation.Active {
		state = "slått på"
	}
	return Outcome{Release: spokenRelease("Hjemmelen " + in.Operation.Code + " (" + row.Name + ") er " + state + " for " +
		who.party.Name + ", versjon " + strconv.FormatInt(version, 10) + ".")}, nil
}

func hjemmelFault(kind fhir.IssueType, code string) error {
	return Fault("gateway.hjemmel", Invalid, fhir.Issue{Severity: "error", Type: kind, Code: code, Expression: "Parameters.parameter"})
}
