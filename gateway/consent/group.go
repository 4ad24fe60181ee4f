package consent

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluse/sluse/gateway"
)

// groups are the receiver groups of the policy data.
type groups struct {
	System string           `json:"nameSystem"`
	Groups map[string]group `json:"groups"`
}

type group struct {
	NB      string `json:"nb"`
	Members []struct {
		gateway.Member
		NB string `json:"nb"`
	} `json:"members"`
}

// validate refuses what would not be understood in a key, or not by the patient.
func (g groups) validate() error {
	var faults []error
	for name, one := range g.Groups {
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			faults = append(faults, fmt.Errorf("consent: group %q: a name is of a-z, 0-9 and hyphen", name))
		}
		if one.NB == "" || len(one.Members) == 0 {
			faults = append(faults, fmt.Errorf("consent: group %q has no text or no members", name))
		}
		for _, m := range one.Members {
			if m.NB == "" || !digits(string(m.Party)) || m.Unit != "" && !digits(string(m.Unit)) {
				faults = append(faults, fmt.Errorf("consent: group %q has a member without text or HER-id", name))
			}
		}
	}
	return errors.Join(faults...)
}

// members gives who is in the group now; nil when there is no such group.
func (g groups) members(name string) []gateway.Member {
	var out []gateway.Member
	for _, m := range g.Groups[name].Members {
		out = append(out, m.Member)
	}
	return out
}

// of gives the groups that somebody is in now, sorted: exactly, for a permit; for a deny also who does
// not tell her unit, and all parts of a party.
func (g groups) of(w who, above []gateway.HERID, wide bool) []string {
	var out []string
	for name, one := range g.Groups {
		for _, m := range one.Members {
			party := m.Party == w.party || wide && slices.Contains(above, m.Party)
			if party && (m.Unit == "" || m.Unit == w.unit || wide && w.unit == "") {
				out = append(out, name)
				break
			}
		}
	}
	slices.Sort(out)
	return out
}

// group gives the receivers of a named group. A permit reaches who was in it when the Consent was stored,
// and only while she is; a deny who was, and who is.
func (r *resolver) group(a actor, wide bool) (out []slice, all bool) {
	then, stored := r.groupsThen[a.name]
	if !stored {
		if then = r.groups.members(a.name); then == nil {
			r.nobody(a.path)
			return nil, true
		}
		if r.groupsThen != nil {
			r.groupsThen[a.name] = then
		}
	}
	for _, m := range then {
		w := who{party: m.Party, unit: m.Unit}
		if !wide {
			w.group = a.name
		}
		out = append(out, slice{who: w})
	}
	if wide {
		out = append(out, slice{who: who{party: anyParty, group: a.name}})
	}
	return out, false
}

// joined is both names of groups: who must be in each.
func joined(a, b string) string {
	if a == "" || a == b {
		return b
	}
	if b == "" {
		return a
	}
	names := append(strings.Split(a, "+"), strings.Split(b, "+")...)
	slices.Sort(names)
	return strings.Join(slices.Compact(names), "+")
}

// everyJoin lists what joined can make of at most n of the groups.
func everyJoin(of []string, n int) []string {
	out := []string{}
	seen := map[string]bool{"": true}
	last := []string{""}
	for range n {
		var next []string
		for _, a := range last {
			for _, b := range of {
				if j := joined(a, b); !seen[j] {
					seen[j] = true
					next = append(next, j)
				}
			}
		}
		out, last = append(out, next...), next
	}
	return out
}
