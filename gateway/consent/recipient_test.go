package consent

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
)

// The key of a receiver tells all that it names, and is read back as it was written.
func TestKeysAreReadBack(t *testing.T) {
	t.Parallel()
	seen := map[gateway.Recipient]bool{}
	for _, unit := range []gateway.HERID{"", "2", untold} {
		for _, hpr := range []gateway.HPRNumber{"", "3", untold} {
			for _, code := range []string{"", "lege", "a:b", untold} {
				for _, group := range []string{"", "g", "g+h"} {
					w := who{"1", unit, hpr, code, group}
					k := key(w)
					if got := parseKey(k); got != w {
						t.Errorf("%q is %v, was %v", k, got, w)
					}
					if seen[k] {
						t.Errorf("two receivers have the key %q", k)
					}
					seen[k] = true
				}
			}
		}
	}
	for w, k := range map[who]gateway.Recipient{
		{party: "1"}: "p:1", {party: "1", unit: "2"}: "u:1:2", {party: "1", hpr: "3"}: "h:1:3", {party: "1", code: "x"}: "c:1:x",
		{party: "1", hpr: "3", code: "x"}: "r:1:3:x", {party: "1", unit: "2", hpr: "3"}: "uh:1:2:3", {party: "1", unit: "2", code: "x"}: "uc:1:2:x",
		{"1", "2", "3", "x", "g"}: "g/ur:1:2:3:x",
	} {
		if got := key(w); got != k {
			t.Errorf("%v has the key %q, want %q", w, got, k)
		}
	}
}

// keysOf joins keys in the order of the alphabet.
func keysOf(keys []gateway.Recipient) string {
	var out []string
	for _, k := range keys {
		out = append(out, string(k))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// A permit names a receiver by one key; a deny also by those of who leaves something out.
func TestKeysOfAGrant(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		w            who
		permit, deny string
	}{
		{who{party: "1"}, "p:1", "p:1"},
		{who{party: "1", unit: "2"}, "u:1:2", "u:1:2 u:1:?"},
		{who{party: "1", hpr: "3"}, "h:1:3", "h:1:3 h:1:?"},
		{who{party: "1", code: "x"}, "c:1:x", "c:1:? c:1:x"},
		{who{party: "1", hpr: "3", code: "x"}, "r:1:3:x", "r:1:3:? r:1:3:x r:1:?:? r:1:?:x"},
		{who{party: "1", unit: untold}, "u:1:?", "u:1:?"},
		{who{party: "1", unit: "2", hpr: untold}, "uh:1:2:?", "uh:1:2:? uh:1:?:?"},
	} {
		if got := keysOf(c.w.keys(false)); got != c.permit {
			t.Errorf("%v in a permit: %s, want %s", c.w, got, c.permit)
		}
		if got := keysOf(c.w.keys(true)); got != c.deny {
			t.Errorf("%v in a deny: %s, want %s", c.w, got, c.deny)
		}
	}
}

// Who asks is found by the keys of all that she tells; by a deny also where she tells nothing, in the parties above
// hers, and wherever a practitioner works.
func TestKeysOfWhoAsks(t *testing.T) {
	t.Parallel()
	if got := keysOf(permitKeys(who{party: "1"}, nil)); got != "p:1" {
		t.Errorf("who tells nothing: %s", got)
	}
	if got := keysOf(permitKeys(who{party: "1", unit: "2", hpr: "3", code: "x"}, nil)); got != "c:1:x h:1:3 p:1 r:1:3:x u:1:2 uc:1:2:x uh:1:2:3 ur:1:2:3:x" {
		t.Errorf("who tells all: %s", got)
	}
	if got := keysOf(permitKeys(who{party: "1", hpr: "3"}, []string{"a", "b", "c"})); got != "a+b/h:1:3 a+b/p:1 a+c/h:1:3 a+c/p:1 a/h:1:3 a/p:1 b+c/h:1:3 b+c/p:1 b/h:1:3 b/p:1 c/h:1:3 c/p:1 h:1:3 p:1" {
		t.Errorf("in groups: %s", got)
	}
	if got := keysOf(denyKeys(who{party: "1", hpr: "3"}, nil, nil)); got != "* c:1:? h:*:3 h:1:3 p:1 r:1:3:? u:1:? uc:1:?:? uh:1:?:3 ur:1:?:3:?" {
		t.Errorf("by a deny: %s", got)
	}
	above := denyKeys(who{party: "1", unit: "2", hpr: "3", code: "x"}, []gateway.HERID{"8", "9"}, nil)
	for _, k := range []gateway.Recipient{"p:8", "p:9", "ur:9:2:3:x", "h:*:3", "*"} {
		if !slices.Contains(above, k) {
			t.Errorf("by a deny of a party above: %s is not in %s", k, keysOf(above))
		}
	}
	if len(above) != 26 {
		t.Errorf("%d keys, want 26: %s", len(above), keysOf(above))
	}
	grouped := denyKeys(who{party: "1", hpr: "3"}, nil, []string{"a"})
	for _, k := range []gateway.Recipient{"a/p:1", "a/p:*", "a/h:*:3", "a/uh:*:?:3", "p:1", "*"} {
		if !slices.Contains(grouped, k) {
			t.Errorf("by a deny of a group: %s is not in %s", k, keysOf(grouped))
		}
	}
	if slices.Contains(grouped, "a/*") || slices.Contains(denyKeys(who{party: "1"}, nil, nil), "p:*") {
		t.Error("everybody is named by something else than a deny of everybody")
	}
}

// Who both levels name: what one leaves open the other tells; where they contradict each other nobody, but by a deny who
// leaves it out.
func TestWhoBothLevelsName(t *testing.T) {
	t.Parallel()
	nobody := who{}
	for _, c := range []struct {
		a, b         who
		permit, deny who
	}{
		{who{party: "1"}, who{party: "1"}, who{party: "1"}, who{party: "1"}},
		{who{party: "1"}, who{party: "2"}, nobody, nobody},
		{who{party: anyParty}, who{party: "2"}, who{party: "2"}, who{party: "2"}},
		{who{party: "2"}, who{party: anyParty}, who{party: "2"}, who{party: "2"}},
		{who{party: "1", unit: "2"}, who{party: "1"}, who{party: "1", unit: "2"}, who{party: "1", unit: "2"}},
		{who{party: "1"}, who{party: "1", unit: "2"}, who{party: "1", unit: "2"}, who{party: "1", unit: "2"}},
		{who{party: "1", unit: "2"}, who{party: "1", unit: "2", hpr: "3"}, who{party: "1", unit: "2", hpr: "3"}, who{party: "1", unit: "2", hpr: "3"}},
		{who{party: "1", unit: "2"}, who{party: "1", unit: "4"}, nobody, who{party: "1", unit: untold}},
		{who{party: "1", hpr: "2"}, who{party: "1", hpr: "4"}, nobody, who{party: "1", hpr: untold}},
		{who{party: "1", code: "a"}, who{party: "1", code: "b"}, nobody, who{party: "1", code: untold}},
		{who{party: "1", hpr: "2"}, who{party: "1", code: "b"}, who{party: "1", hpr: "2", code: "b"}, who{party: "1", hpr: "2", code: "b"}},
		{who{party: "1", group: "g"}, who{party: "1", group: "f"}, who{party: "1", group: "f+g"}, who{party: "1", group: "f+g"}},
	} {
		for wide, want := range map[bool]who{false: c.permit, true: c.deny} {
			got, ok := c.a.meet(c.b, wide)
			if ok != (want != nobody) || ok && got != want {
				t.Errorf("%v and %v, wide %v: %v %v, want %v", c.a, c.b, wide, got, ok, want)
			}
		}
	}
}

// What an actor says of itself counts when it is a number, or a role that the rules do not take for unknown.
func TestWhatAnActorTells(t *testing.T) {
	t.Parallel()
	p := &tables{roleUnknown: map[string]bool{"": true, "ukjent": true}}
	for _, c := range []struct {
		a gateway.Actor
		w who
	}{
		{gateway.Actor{Party: "1", Unit: "2", Practitioner: "3", Role: "lege"}, who{party: "1", unit: "2", hpr: "3", code: "lege"}},
		{gateway.Actor{Party: "1", Unit: "2x", Practitioner: "x3", Role: " ukjent "}, who{party: "1"}},
		{gateway.Actor{Party: "1", Unit: "12345678901234567", Practitioner: "1234567890123456"}, who{party: "1", hpr: "1234567890123456"}},
		{gateway.Actor{Party: "1", Unit: "/", Practitioner: ":", Role: "9"}, who{party: "1", code: "9"}},
		{gateway.Actor{Party: "1", Unit: "0", Practitioner: "9"}, who{party: "1", unit: "0", hpr: "9"}},
	} {
		if got := p.told(c.a); got != c.w {
			t.Errorf("%+v tells %v, want %v", c.a, got, c.w)
		}
	}
}

// The intersection of intervals, of which a bound may be open.
func TestSpansMeet(t *testing.T) {
	t.Parallel()
	day := func(n int) span { return span{closedNow.AddDate(0, 0, n), closedNow.AddDate(0, 0, n+2)} }
	for _, c := range []struct {
		a, b, want span
		empty      bool
	}{
		{span{}, span{}, span{}, false}, {day(0), span{}, day(0), false}, {span{}, day(0), day(0), false},
		{day(0), day(1), span{day(1).low, day(0).high}, false}, {day(1), day(0), span{day(1).low, day(0).high}, false},
		{day(0), day(2), span{day(2).low, day(0).high}, true}, {day(0), day(3), span{day(3).low, day(0).high}, true},
		{span{low: day(1).low}, span{high: day(1).low}, span{day(1).low, day(1).low}, true},
		{span{low: day(1).low}, span{low: day(2).low}, span{low: day(2).low}, false}, {span{high: day(1).low}, span{high: day(2).low}, span{high: day(1).low}, false},
	} {
		if got := c.a.meet(c.b); got != c.want || got.empty() != c.empty {
			t.Errorf("%v and %v: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}
