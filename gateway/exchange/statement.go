package exchange

import (
	"encoding/json"
	"slices"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/mapping"
)

// statements tell what the codes of a sender's statement of samtykke mean, by list and code. Both lists stand in
// messages of the same version; where none is named, only what both agree on, or one of them alone knows, is
// understood: 2 is "not needed" in one and "no" in the other.
var statements = map[[2]string]gateway.ConsentStatement{
	{"9064", "1"}: gateway.ConsentStated, {"9064", "2"}: gateway.ConsentUnneeded, {"9064", "3"}: gateway.ConsentStated,
	{"9064", "4"}: gateway.ConsentRefused, {"3109", "1"}: gateway.ConsentStated, {"3109", "2"}: gateway.ConsentRefused,
	{"", "1"}: gateway.ConsentStated, {"", "3"}: gateway.ConsentStated, {"", "4"}: gateway.ConsentRefused,
}

// statedIn gives what a sender states; a statement that is not understood may be a no.
func statedIn(c mapping.Consent) gateway.ConsentStatement {
	if !c.Stated {
		return gateway.NothingStated
	}
	if s, ok := statements[[2]string{c.List, c.Code}]; ok {
		return s
	}
	return gateway.ConsentUnclear
}

// answering are the roles of Volven 8254 that answer for a message, in the order in which they are asked.
var answering = []string{"ARP", "AHP", "ALE", "AMO", "ASO", "SLE"}

// responsible finds whom a message names as answering for it, by HPR number.
func responsible(in *mapping.Incoming) []gateway.Responsible {
	type named struct {
		rank int
		gateway.Responsible
	}
	var found []named
	for _, r := range in.Resources {
		if r.Type != "CareTeam" {
			continue
		}
		var team struct {
			Participant []struct {
				Role   []concept `json:"role"`
				Member struct {
					Identifier identifier `json:"identifier"`
					Display    string     `json:"display"`
				} `json:"member"`
			} `json:"participant"`
		}
		if json.Unmarshal(r.Body, &team) != nil {
			continue
		}
		for _, p := range team.Participant {
			for _, role := range p.Role {
				for _, c := range role.Coding {
					rank := slices.Index(answering, c.Code)
					if c.System == volven+"8254" && rank >= 0 && p.Member.Identifier.System == fhir.SystemHPR {
						found = append(found, named{rank, gateway.Responsible{HPR: gateway.HPRNumber(p.Member.Identifier.Value), Name: p.Member.Display}})
					}
				}
			}
		}
	}
	slices.SortStableFunc(found, func(a, b named) int { return a.rank - b.rank })
	list := make([]gateway.Responsible, 0, len(found))
	for _, f := range found {
		list = append(list, f.Responsible)
	}
	return list
}
