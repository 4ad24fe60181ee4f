package audit_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/audit"
	"github.com/sluse/sluse/gateway/fhir"
)

var keeper = audit.Source{Site: "Sluse Oslo", Observer: fhir.Reference{Type: "Organization", ID: "80001010-drift"}}

// lines are entries that together use every field.
func lines(t *testing.T) map[string]gateway.AuditEntry {
	t.Helper()
	refused := entry(t)
	refused.Outcome, refused.Code, refused.Interaction = gateway.Refused, gateway.NotFound, gateway.Find
	refused.Query, refused.Entities[0].Citations = "CarePlan?patient=Patient/1", nil
	failed := refused
	failed.Code, failed.Person, failed.Alias, failed.Entities = gateway.Unavailable, 0, "", nil
	message := entry(t)
	message.Interaction, message.Message, message.Actor = gateway.Submit, "msg-1", gateway.Actor{Kind: gateway.Machine, Party: "8140005", Client: "epj-2"}
	many := entry(t)
	for range 50 {
		many.Entities = append(many.Entities, many.Entities[0])
	}
	odd := entry(t)
	odd.Actor.Name, odd.Actor.Reason = "Jø <b>\u2028\xff", "a\x00b\"\\"
	plain := gateway.AuditEntry{ID: "i", Recorded: at, Interaction: gateway.Create, Outcome: gateway.Written}
	return map[string]gateway.AuditEntry{
		"read": entry(t), "refused": refused, "failed": failed, "message": message, "many": many, "odd": odd, "plain": plain,
	}
}

// A line gives the AuditEvent of its entry, byte for byte, whoever reads it later.
func TestLineGivesTheEvent(t *testing.T) {
	t.Parallel()
	for name, e := range lines(t) {
		e.Recorded = e.Recorded.Truncate(time.Microsecond)
		want, err := keeper.Render(e)
		if err != nil {
			t.Fatal(name, err)
		}
		line, err := keeper.Line(e)
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := audit.Event(line)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v\n%s\n%s", name, err, got, want)
		}
		if strings.Contains(string(line), selfNIN) {
			t.Errorf("%s: a national identity number stands in the line", name)
		}
		if len(line) >= len(want) {
			t.Errorf("%s: %d bytes for %d", name, len(line), len(want))
		}
		// cut anywhere, or with something behind it, it is no line
		for n := range len(line) {
			if _, err := audit.Event(line[:n]); err == nil {
				t.Fatalf("%s: read when cut to %d of %d bytes", name, n, len(line))
			}
			if n > 2000 {
				break
			}
		}
		if _, err := audit.Event(append(bytes.Clone(line), 0)); err == nil {
			t.Errorf("%s: read with a byte behind it", name)
		}
	}
}

// What the asker must not see is not kept either, but for a refusal.
func TestLineHoldsWithheldOnlyInRefusals(t *testing.T) {
	t.Parallel()
	e := entry(t)
	e.Entities[0].Withheld = 0
	without, err := keeper.Line(e)
	if err != nil {
		t.Fatal(err)
	}
	with, err := keeper.Line(entry(t))
	if err != nil || !bytes.Equal(with, without) {
		t.Errorf("a release keeps what was withheld: %v", err)
	}
	e.Interaction = ""
	if _, err := keeper.Line(e); err == nil {
		t.Error("a line without interaction")
	}
	if _, err := (audit.Source{}).Line(entry(t)); err == nil {
		t.Error("a line without a keeper")
	}
}

// The first lines that were ever written are read for as long as they are kept.
func TestFirstFormIsRead(t *testing.T) {
	t.Parallel()
	line := []byte("\x01\x01S\x00\x00\x00\x01i\x80\xa8\xd6\xb9\x07\x00\x04read\x08released" + strings.Repeat("\x00", 19) + "\x00")
	got, err := audit.Event(line)
	if err != nil || !strings.Contains(string(got), `"recorded":"1970-01-01T`) {
		t.Errorf("%v: %s", err, got)
	}
	line[0] = 2
	if _, err := audit.Event(line); err == nil || errors.Unwrap(err) != nil {
		t.Errorf("a form of later days was read: %v", err)
	}
}

func FuzzEvent(f *testing.F) {
	line, err := keeper.Line(gateway.AuditEntry{
		ID: "i", Recorded: at, Interaction: gateway.Read, Outcome: gateway.Released,
		Entities: []gateway.AuditEntity{{Citations: []gateway.Citation{{}}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(_ *testing.T, line []byte) { _, _ = audit.Event(line) })
}
