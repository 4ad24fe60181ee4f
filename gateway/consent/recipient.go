package consent

import (
	"strings"

	"github.com/sluse/sluse/gateway"
)

const (
	untold   = "?" // what a requester may leave out; only a deny names it
	anyParty = "*" // a practitioner wherever she works; only a deny names it
)

// who is a receiver: everybody at a party who has the unit, number and code that are set, and is in the
// groups.
type who struct {
	party gateway.HERID
	unit  gateway.HERID
	hpr   gateway.HPRNumber
	code  string
	group string // names joined by "+"
}

// meet is the receiver that both name. Where they contradict each other nobody is named by both,
// but in a deny whoever leaves the matter out is still matched by each.
func (a who) meet(b who, wide bool) (who, bool) {
	m := who{party: a.party, group: joined(a.group, b.group)}
	switch {
	case a.party == anyParty:
		m.party = b.party
	case b.party != anyParty && a.party != b.party:
		return who{}, false
	}
	unit, ok1 := meetText(string(a.unit), string(b.unit), wide)
	hpr, ok2 := meetText(string(a.hpr), string(b.hpr), wide)
	code, ok3 := meetText(a.code, b.code, wide)
	m.unit, m.hpr, m.code = gateway.HERID(unit), gateway.HPRNumber(hpr), code
	return m, ok1 && ok2 && ok3
}

func meetText(a, b string, wide bool) (string, bool) {
	switch {
	case a == "" || a == b:
		return b, true
	case b == "":
		return a, true
	case wide:
		return untold, true
	}
	return "", false
}

// keys gives the keys under which a grant names the receiver: one in a permit; in a deny also
// those that only a requester carries who leaves something out.
func (a who) keys(wide bool) []gateway.Recipient {
	if !wide {
		return []gateway.Recipient{key(a)}
	}
	out := []gateway.Recipient{key(a)}
	expand := func(set string, with func(*who)) {
		if set == "" || set == untold {
			return
		}
		for _, k := range out {
			w := parseKey(k)
			with(&w)
			out = append(out, key(w))
		}
	}
	expand(string(a.unit), func(w *who) { w.unit = untold })
	expand(string(a.hpr), func(w *who) { w.hpr = untold })
	expand(a.code, func(w *who) { w.code = untold })
	return out
}

// key writes the canonical form: p, u, h, c, r as gateway.Recipient lists them, and uh, uc, ur
// where a nested provision narrows a unit to a person or code.
func key(a who) gateway.Recipient {
	kind, fields := "", []string{string(a.party)}
	if a.unit != "" {
		kind, fields = "u", append(fields, string(a.unit))
	}
	switch {
	case a.hpr != "" && a.code != "":
		kind, fields = kind+"r", append(fields, string(a.hpr), a.code)
	case a.hpr != "":
		kind, fields = kind+"h", append(fields, string(a.hpr))
	case a.code != "":
		kind, fields = kind+"c", append(fields, a.code)
	case a.unit == "":
		kind = "p"
	}
	return inGroup(a.group, gateway.Recipient(kind+":"+strings.Join(fields, ":")))
}

// inGroup is the key of those behind a key who are in the groups too.
func inGroup(group string, k gateway.Recipient) gateway.Recipient {
	if group == "" {
		return k
	}
	return gateway.Recipient(group) + "/" + k
}

func parseKey(k gateway.Recipient) who {
	kind, rest, _ := strings.Cut(string(k), ":")
	var w who
	if group, plain, ok := strings.Cut(kind, "/"); ok {
		w.group, kind = group, plain
	}
	next := func() string {
		f, r, _ := strings.Cut(rest, ":")
		rest = r
		return f
	}
	w.party = gateway.HERID(next())
	if strings.HasPrefix(kind, "u") {
		w.unit = gateway.HERID(next())
	}
	if strings.HasSuffix(kind, "h") || strings.HasSuffix(kind, "r") {
		w.hpr = gateway.HPRNumber(next())
	}
	w.code = rest // a code may hold colons; of other kinds nothing is left
	return w
}

// told reads what an actor says of itself; what tells nothing is left out.
func (p *tables) told(a gateway.Actor) who {
	w := who{party: a.Party}
	if digits(string(a.Unit)) {
		w.unit = a.Unit
	}
	if digits(string(a.Practitioner)) {
		w.hpr = a.Practitioner
	}
	if !p.roleUnknown[strings.TrimSpace(a.Role)] {
		w.code = a.Role
	}
	return w
}

// permitKeys are the keys by which a permit may name the actor: what it does not tell, no permit
// can ask for. A permit names at most two groups at once: one in each of two provisions.
func permitKeys(w who, groups []string) []gateway.Recipient {
	out := subsets(w.party, string(w.unit), string(w.hpr), w.code)
	return inGroups(out, everyJoin(groups, 2))
}

// inGroups adds the keys as they are in each of the groups.
func inGroups(plain []gateway.Recipient, groups []string) []gateway.Recipient {
	out := plain
	for _, g := range groups {
		for _, k := range plain {
			out = append(out, inGroup(g, k))
		}
	}
	return out
}

// denyKeys are the keys by which a deny may name the actor: its party or one above it, with what
// it tells, and "?" for what it does not. A deny names at most three groups at once.
func denyKeys(w who, above []gateway.HERID, groups []string) []gateway.Recipient {
	unit, hpr, code := orUntold(string(w.unit)), orUntold(string(w.hpr)), orUntold(w.code)
	out := subsets(w.party, unit, hpr, code)
	for _, p := range above {
		out = append(out, subsets(p, unit, hpr, code)...)
	}
	out = append(out, key(who{party: anyParty, hpr: gateway.HPRNumber(hpr)}))
	if joins := everyJoin(groups, 3); len(joins) > 0 {
		out = inGroups(append(out, subsets(anyParty, unit, hpr, code)...), joins)
	}
	return append(out, anyParty) // denies that name nobody are kept under it
}

func orUntold(s string) string {
	if s == "" {
		return untold
	}
	return s
}

// subsets lists the keys of a party with every choice of the parts that are set.
func subsets(party gateway.HERID, unit, hpr, code string) []gateway.Recipient {
	out := make([]gateway.Recipient, 0, 8)
	for _, u := range choices(unit) {
		for _, h := range choices(hpr) {
			for _, c := range choices(code) {
				out = append(out, key(who{party, gateway.HERID(u), gateway.HPRNumber(h), c, ""}))
			}
		}
	}
	return out
}

func choices(s string) []string {
	if s == "" {
		return []string{""}
	}
	return []string{"", s}
}

func digits(s string) bool {
	if s == "" || len(s) > 16 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
