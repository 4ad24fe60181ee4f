package gateway

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func sealing() *Gateway {
	return &Gateway{Config: Config{Random: rand.Reader, SealKey: make([]byte, 32)}}
}

func TestPageTokenIsBound(t *testing.T) {
	t.Parallel()
	g, a := sealing(), Actor{Party: "100", Practitioner: "1", Client: "c"}
	want := Cursor{At: time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC), Key: 42, Set: true}
	token, err := g.seal(want, binding(a, "Task?owner=x", "p1"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := g.unseal(token, binding(a, "Task?owner=x", "p1"))
	if err != nil || !got.At.Equal(want.At) || got.Key != want.Key || !got.Set {
		t.Fatalf("unseal = %+v, %v; want %+v", got, err, want)
	}
	undated, _ := g.seal(Cursor{Key: 1, Set: true}, nil)
	if c, err := g.unseal(undated, nil); err != nil || !c.At.IsZero() || len(undated) != len(token) {
		t.Errorf("undated cursor: %+v %v, length %d and %d", c, err, len(undated), len(token))
	}
	b := a
	b.Practitioner = "2"
	flipped := []byte(token)
	flipped[len(flipped)-2] ^= 1
	for name, try := range map[string]func() (Cursor, error){
		"another actor":  func() (Cursor, error) { return g.unseal(token, binding(b, "Task?owner=x", "p1")) },
		"another search": func() (Cursor, error) { return g.unseal(token, binding(a, "Task?owner=y", "p1")) },
		"another policy": func() (Cursor, error) { return g.unseal(token, binding(a, "Task?owner=x", "p2")) },
		"changed":        func() (Cursor, error) { return g.unseal(string(flipped), binding(a, "Task?owner=x", "p1")) },
		"garbage":        func() (Cursor, error) { return g.unseal("%%%", binding(a, "Task?owner=x", "p1")) },
	} {
		if _, err := try(); CodeOf(err) != BadQuery {
			t.Errorf("%s: %v, want %s", name, err, BadQuery)
		}
	}
}

// What a page tells of itself is told in the language asked for, under the same code.
func TestPageTellsOfItselfInTwoLanguages(t *testing.T) {
	t.Parallel()
	for english, want := range map[bool][2]string{
		false: {"viser bare det som er delt med deg", "ikke alt som skulle tas med, er med"},
		true:  {"shows only what is shared with you", "not all that was to be included is there"},
	} {
		p := newPage("searchset", Search{Self: "http://x/Task", English: english})
		p.outcome, p.cut = true, true
		body := string(p.bytes())
		if !json.Valid([]byte(body)) || !strings.Contains(body, want[0]) || !strings.Contains(body, want[1]) {
			t.Errorf("English %v: %s", english, body)
		}
		if !strings.Contains(body, `"shared-only"`) || !strings.Contains(body, `"search.include-cut"`) {
			t.Errorf("English %v: a code is missing: %s", english, body)
		}
	}
}
