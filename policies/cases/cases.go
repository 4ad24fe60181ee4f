// Package cases holds worked examples of the consent semantics: for each sentence of the normative
// text a few consents, one record, one question, and the answer that follows from the sentence.
//
// The answers are written by hand. Rego (`releasable`), Go (Normalizer, Decider and
// gateway.Scope) and SQL (the store's predicate) must all give them. The package is test support:
// it knows neither gateway nor OPA, so that each of the three can be run against it.
package cases

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"time"
	_ "time/tzdata" // record dates are days in Europe/Oslo, on any machine

	"go.yaml.in/yaml/v3"
)

//go:embed *.yaml
var files embed.FS

// Oslo is the zone of dates without one (DESIGN § 3).
var Oslo = func() *time.Location {
	l, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		panic(err) // tzdata is linked in
	}
	return l
}()

// Case is one worked example.
type Case struct {
	File     string
	Sentence string // the sentence of the semantics that it shows
	Name     string
	Now      time.Time
	Consents []Consent
	Teams    []Team
	Stated   []Stated // who has a role for the person
	Hjemler  []Switch // legal bases that senders have switched on
	Record   Record
	Question Question
	Expect   Expect
}

// Consent is one stored Consent version as FHIR JSON.
type Consent struct {
	ID, Version string
	Registrar   string          // name of the party that wrote it
	Patient     bool            // the person herself wrote it
	Body        json.RawMessage // R4 Consent
	Confirmed   []string        // names of parties that have confirmed it; "pasient": she has herself
	Groups      map[string][]Member
	Withdrawn   bool // by another than who registered it, or the person
}

// Member is somebody in a receiver group as it was when a Consent was stored.
type Member struct {
	Party string // party name
	Unit  string // HER-id, "" for the whole party
}

// Stated is a Patient or CareTeam that tells who has a role for the person, or a confirmed version of a team.
type Stated struct {
	By      string // party name
	Patient bool   // the person herself
	Body    json.RawMessage
}

// Switch is a row of data/hjemler.json that a sender has switched on.
type Switch struct {
	ID string `yaml:"id"`
	By string `yaml:"by"` // party name
}

// Team is a CareTeam as it was when the Consents were stored, and as it is now.
type Team struct {
	ID              string
	Listed, Current json.RawMessage // R4 CareTeam with meta; nil when it is not there
	Confirmed       []Stated        // versions confirmed since
}

// Record is what may or may not cross.
type Record struct {
	Type, ID  string
	Context   string // securityContext of a Binary, "Type/id"; "" when it has none
	Custodian string // party name
	Person    bool   // false: it has no person
	Labels    []string
	Low, High time.Time // half-open; zero: undated
	Parts     []Part
	Sent      []Sent
	Other     bool     // it is about another person than the one asked for
	Withheld  string   // nektet, utsatt or tredjepart: from the person herself
	Fetched   []string // labels of the version that the asking party fetched by message
}

// Part is a labelled piece of the record.
type Part struct {
	Path   string
	Labels []string
}

// Sent is a receiver of the message that the record came with.
type Sent struct {
	To      string // party name
	Message string // kind, of Volven 8279; "" when not told
	Labels  []string
}

// Question is who asks for what.
type Question struct {
	Party        string // party name
	Unit         string // HER-id
	Practitioner string // HPR number
	Role         string
	Purpose      string
	Action       string // read, message, notify or contribute
	Attest       bool   // a care relationship is attested for the patient
	Message      string // kind of the message, of Volven 8279
	Kind         string // person, when not told; machine, patient, nobody
	Emergency    bool   // a reason is given, and the token is bound to the patient
}

// Expect is the answer.
type Expect struct {
	Crosses bool     // the record is released
	Parts   []string // paths of the parts that go with it
	Refused []string // elements named by the 422; then nothing else is asked
	Only    string   // "" or the form for which the case is stated, such as "go"
}

// Load gives all cases in the order of file and place, and the world they live in.
func Load() (World, []Case, error) {
	world, err := loadWorld()
	if err != nil {
		return World{}, nil, err
	}
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return World{}, nil, fmt.Errorf("cases: %w", err)
	}
	var all []Case
	for _, name := range names {
		if name == worldFile || strings.HasPrefix(name, "legal-") {
			continue
		}
		cs, err := loadFile(name)
		if err != nil {
			return World{}, nil, fmt.Errorf("cases: %s: %w", name, err)
		}
		all = append(all, cs...)
	}
	return world, all, nil
}

func loadFile(name string) ([]Case, error) {
	raw, err := files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Given     given   `yaml:"given"`
		Sentences []group `yaml:"sentences"`
	}
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	var out []Case
	for _, g := range doc.Sentences {
		for _, c := range g.Cases {
			built, err := c.build(doc.Given, g.Given)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.Name, err)
			}
			built.File, built.Sentence = strings.TrimSuffix(name, ".yaml"), g.Sentence
			out = append(out, built)
		}
	}
	return out, nil
}

type group struct {
	Sentence string  `yaml:"sentence"`
	Given    given   `yaml:"given"`
	Cases    []entry `yaml:"cases"`
}

// given is what several cases share; a case's own value replaces it whole, except record and
// question, whose fields are replaced one by one.
type given struct {
	Now      string         `yaml:"now"`
	Consents []consentNote  `yaml:"consents"`
	Teams    []teamNote     `yaml:"teams"`
	Stated   []statedNote   `yaml:"stated"`
	Hjemler  []Switch       `yaml:"hjemler"`
	Record   map[string]any `yaml:"record"`
	Question map[string]any `yaml:"question"`
}

type entry struct {
	Name    string `yaml:"name"`
	given   `yaml:",inline"`
	Crosses bool     `yaml:"crosses"`
	Parts   []string `yaml:"parts"`
	Refused []string `yaml:"refused"`
	Only    string   `yaml:"only"`
}

func (e entry) build(outer ...given) (Case, error) {
	c := Case{Name: e.Name, Expect: Expect{Crosses: e.Crosses, Parts: e.Parts, Refused: e.Refused, Only: e.Only}}
	var all given
	record, question := map[string]any{}, map[string]any{}
	for _, g := range append(outer, e.given) {
		if g.Now != "" {
			all.Now = g.Now
		}
		if g.Consents != nil {
			all.Consents = g.Consents
		}
		if g.Teams != nil {
			all.Teams = g.Teams
		}
		if g.Stated != nil {
			all.Stated = g.Stated
		}
		if g.Hjemler != nil {
			all.Hjemler = g.Hjemler
		}
		merge(record, g.Record)
		merge(question, g.Question)
	}
	c.Hjemler = all.Hjemler
	var err error
	if c.Now, err = time.Parse(time.RFC3339, all.Now); err != nil {
		return c, err
	}
	for i, n := range all.Consents {
		consent, err := n.build(i)
		if err != nil {
			return c, err
		}
		c.Consents = append(c.Consents, consent)
	}
	for _, n := range all.Teams {
		team, err := n.build()
		if err != nil {
			return c, err
		}
		c.Teams = append(c.Teams, team)
	}
	for _, n := range all.Stated {
		stated, err := n.build()
		if err != nil {
			return c, err
		}
		c.Stated = append(c.Stated, stated)
	}
	if c.Record, err = buildRecord(record); err != nil {
		return c, err
	}
	c.Question, err = buildQuestion(question)
	return c, err
}

func merge(into, from map[string]any) {
	for k, v := range from {
		into[k] = v
	}
}
