package cases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"

	"go.yaml.in/yaml/v3"

	"github.com/sluse/sluse/policies"
)

const worldFile = "world.yaml"

// World is the directory of the cases: names of this package to numbers of the registers.
type World struct {
	Parties       []Party        `yaml:"parties"`
	Units         []Unit         `yaml:"units"`
	Practitioners []Practitioner `yaml:"practitioners"`
	Roles         []Role         `yaml:"roles"`
	Groups        map[string]any `yaml:"groups"`     // data/groups.json: groups
	Agreements    map[string]any `yaml:"agreements"` // data/agreements.json: trust and lov
}

// Policies is the policy data of the cases: what comes with the program, with the groups and agreements of the
// world in the place of its own.
func (w World) Policies() (policies.Set, error) {
	var system struct {
		System string `json:"nameSystem"`
	}
	if err := policies.Table("groups", &system); err != nil {
		return policies.Set{}, fmt.Errorf("cases: %w", err)
	}
	agreements := map[string]any{"needsLegalReview": true, "note": "of the cases"}
	maps.Copy(agreements, w.Agreements)
	if w.Groups == nil {
		w.Groups = map[string]any{}
	}
	set := policies.Set{}
	for name, doc := range map[string]any{
		"groups":     map[string]any{"needsLegalReview": true, "note": "of the cases", "nameSystem": system.System, "groups": w.Groups},
		"agreements": agreements,
	} {
		raw, err := json.Marshal(doc)
		if err != nil {
			return policies.Set{}, fmt.Errorf("cases: %w", err)
		}
		if set, err = set.With(name, raw); err != nil {
			return policies.Set{}, fmt.Errorf("cases: %w", err)
		}
	}
	return set, nil
}

// Party is one virksomhet under one lovgrunnlag; its directory entry is Organization/NAME.
type Party struct {
	Name        string `yaml:"name"`
	HER         string `yaml:"her"`
	Sector      string `yaml:"sector"`
	Lovgrunnlag string `yaml:"lovgrunnlag"`
	PartOf      string `yaml:"partOf"` // name of the party above, "" none
}

// Unit is a service of a party; its directory entry is HealthcareService/NAME.
type Unit struct {
	Name  string `yaml:"name"`
	Party string `yaml:"party"`
	HER   string `yaml:"her"`
}

// Practitioner has the directory entry Practitioner/NAME.
type Practitioner struct {
	Name string `yaml:"name"`
	HPR  string `yaml:"hpr"`
}

// Role has the directory entry PractitionerRole/NAME.
type Role struct {
	Name         string `yaml:"name"`
	Party        string `yaml:"party"`
	Practitioner string `yaml:"practitioner"` // name; "" for a role that anybody fills
	Code         string `yaml:"code"`
}

func loadWorld() (World, error) {
	raw, err := files.ReadFile(worldFile)
	if err != nil {
		return World{}, fmt.Errorf("cases: %w", err)
	}
	var w World
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(&w); err != nil {
		return World{}, fmt.Errorf("cases: %s: %w", worldFile, err)
	}
	return w, nil
}

// Party finds a party by name.
func (w World) Party(name string) (Party, bool) {
	for _, p := range w.Parties {
		if p.Name == name {
			return p, true
		}
	}
	return Party{}, false
}

// Practitioner finds a practitioner by name.
func (w World) Practitioner(name string) (Practitioner, bool) {
	for _, p := range w.Practitioners {
		if p.Name == name {
			return p, true
		}
	}
	return Practitioner{}, false
}

// Below lists the parties under a party by partOf, however deep.
func (w World) Below(name string) []Party {
	var out []Party
	for _, p := range w.Parties {
		if p.PartOf == name {
			out = append(out, p)
			out = append(out, w.Below(p.Name)...)
		}
	}
	return out
}

// Above lists the parties that a party is part of, nearest first.
func (w World) Above(name string) []Party {
	p, ok := w.Party(name)
	if !ok || p.PartOf == "" {
		return nil
	}
	above, ok := w.Party(p.PartOf)
	if !ok {
		return nil
	}
	return append([]Party{above}, w.Above(above.Name)...)
}
