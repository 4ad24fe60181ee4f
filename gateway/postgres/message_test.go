package postgres

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/sluse/sluse/gateway"
)

// What a message consists of is read as it was written: packed, and as bare JSON from before it was; and what is damaged is
// an error, never less than there was.
func TestContentOfMessage(t *testing.T) {
	t.Parallel()
	plain := gateway.Content{
		Resources: []gateway.ContentResource{{Record: ref("CarePlan", "100-plan"), Section: "Innhold/Tiltak", Whole: true}},
		Reason:    gateway.ConsentMissing,
	}
	reported := plain
	reported.Report = json.RawMessage(`{"Leaves":[{"Path":"Innhold/Tiltak","Fate":"mapped"}]}`)
	for _, want := range []gateway.Content{plain, reported} {
		readAsWritten(t, want)
	}
}

func readAsWritten(t *testing.T, want gateway.Content) {
	t.Helper()
	packed, err := packContent("test", want)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string][]byte{"packed": packed, "bare": bare} {
		if got, err := unpackContent("test", form); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, form := range map[string][]byte{"cut": packed[:len(packed)-3], "bare and cut": bare[:len(bare)-3], "nothing": nil} {
		if _, err := unpackContent("test", form); gateway.CodeOf(err) != gateway.Internal || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A message is settled once, and no two have one name: nothing is kept of the transaction that would do it again.
func TestSettledOnce(t *testing.T) {
	b := newBench(t)
	m := gateway.Message{
		ID: "11111111-2222-4333-8444-555555555501", Sender: gateway.Addressee{HERID: "8100011"}, Party: "100", MsgID: "melding-1",
		Kind: "LOG_INNLAGT", Document: []byte("<a/>"), At: start, State: gateway.Received,
	}
	other := m
	other.ID, other.MsgID = "11111111-2222-4333-8444-555555555502", "melding-2"
	settle := func(why gateway.Reason) error {
		return b.tx(func(t *Tx) error {
			if err := t.Serialize(b.ctx, string(why)); err != nil {
				return err
			}
			return t.Settle(b.ctx, m, 0, gateway.Content{Reason: why}, gateway.Rejected)
		})
	}
	lay := func() error { return b.tx(func(t *Tx) error { return t.Lay(b.ctx, other, 0, gateway.Content{}) }) }
	for name, err := range map[string]error{
		"claim":  b.tx(func(t *Tx) error { _, err := t.Claim(b.ctx, m); return err }),
		"settle": settle(gateway.KindUnknown),
		"lay":    lay(),
	} {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	b.wants(settle(gateway.NINMissing), gateway.Internal)
	b.wants(lay(), gateway.Conflict)
	if err := b.tx(func(t *Tx) error {
		kept, err := t.Kept(b.ctx, m.ID)
		if kept.Content.Reason != gateway.KindUnknown {
			b.Errorf("the message was settled anew: %q", kept.Content.Reason)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
