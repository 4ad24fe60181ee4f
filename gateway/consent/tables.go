package consent

import (
	"errors"

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
	persons      roles
	groups       groups
	agreed       agreements
	emergency    protection
	protected    gateway.Protection
	hjemler      hjemler
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

// loadTables reads the policy data, strictly: an agreement or a group that does not say all is an error.
func loadTables(set policies.Set) (*tables, error) {
	var laws struct {
		System string         `json:"system"`
		Codes  map[string]law `json:"codes"`
	}
	var purposes struct {
		System string             `json:"system"`
		Codes  map[string]purpose `json:"codes"`
	}
	var roleData struct {
		Unknown []string `json:"unknown"`
		roles
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
	var emergency struct {
		Purpose gateway.Purpose `json:"purpose"`
		Law     string          `json:"law"`
		Labels  []string        `json:"labels"`
	}
	var grouped groups
	var agreed agreements
	var bases hjemler
	for name, v := range map[string]any{"laws": &laws, "purposes": &purposes, "roles": &roleData, "limits": &limits,
		"crossing": &crossing, "compliance": &compliance, "groups": &grouped, "agreements": &agreed, "emergency": &emergency,
		"hjemler": &bases} {
		if err := set.Table(name, v); err != nil {
			return nil, err
		}
	}
	t := &tables{
		lawSystem: laws.System, laws: laws.Codes, purpSystem: purposes.System,
		purposes: purposes.Codes, roleUnknown: map[string]bool{}, maxMonths: limits.MaxMonths,
		except: crossing.Except, directory: map[string]bool{},
		complianceOf: compliance.Agreements, persons: roleData.roles, groups: grouped, agreed: agreed,
		hjemler: bases,
	}
	for _, r := range roleData.Unknown {
		t.roleUnknown[r] = true
	}
	for _, d := range crossing.Directory {
		t.directory[d] = true
	}
	var err error
	if t.protected, err = readTexts(set); err != nil {
		return nil, err
	}
	if err := t.readProtection(emergency.Purpose, emergency.Labels, emergency.Law); err != nil {
		return nil, err
	}
	if err := t.groups.validate(); err != nil {
		return nil, err
	}
	return t, errors.Join(t.agreed.resolve(t), t.hjemler.resolve(t.laws))
}
