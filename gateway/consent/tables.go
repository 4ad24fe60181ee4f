package consent

import (
	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/policies"
)

// tables is the policy data that Go itself needs, read once from package policies.
type tables struct {
	lawSystem    string
	laws         map[string]law
	purpSystem   string
	purposes     map[string]purpose
	roleUnknown  map[string]bool
	maxMonths    int
	except       []fhir.Type
	directory    map[string]bool
	complianceOf map[string][]gateway.HERID
}

type law struct {
	Kind  string `json:"kind"`
	Texts []struct {
		From string `json:"from"`
		NB   string `json:"nb"`
	} `json:"texts"`
}

// text is the paragraph as people read it, of the version of the law in force on that day
// (YYYY-MM-DD); the first when none is.
func (l law) text(day string) string {
	out := ""
	for _, t := range l.Texts {
		if out == "" || t.From <= day {
			out = t.NB
		}
	}
	return out
}

type purpose struct {
	NB    string   `json:"nb"`
	Below []string `json:"below"`
}

func loadTables() (*tables, error) {
	var laws struct {
		System string         `json:"system"`
		Codes  map[string]law `json:"codes"`
	}
	var purposes struct {
		System string             `json:"system"`
		Codes  map[string]purpose `json:"codes"`
	}
	var roles struct {
		Unknown []string `json:"unknown"`
	}
	var limits struct {
		MaxMonths int `json:"maxMonths"`
	}
	var crossing struct {
		Except    []fhir.Type `json:"except"`
		Directory []string    `json:"directory"`
	}
	var compliance struct {
		Agreements map[string][]gateway.HERID `json:"agreements"`
	}
	for name, v := range map[string]any{"laws": &laws, "purposes": &purposes, "roles": &roles,
		"limits": &limits, "crossing": &crossing, "compliance": &compliance} {
		if err := policies.Table(name, v); err != nil {
			return nil, err
		}
	}
	t := &tables{
		lawSystem: laws.System, laws: laws.Codes, purpSystem: purposes.System,
		purposes: purposes.Codes, roleUnknown: map[string]bool{}, maxMonths: limits.MaxMonths,
		except: crossing.Except, directory: map[string]bool{},
		complianceOf: compliance.Agreements,
	}
	for _, r := range roles.Unknown {
		t.roleUnknown[r] = true
	}
	for _, d := range crossing.Directory {
		t.directory[d] = true
	}
	return t, nil
}
