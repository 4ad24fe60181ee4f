package cases

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Table is a file of cases of law: a world of parties, and for each case who asks for what for which purpose and what
// crosses. Everything that a case does not list must be withheld.
type Table struct {
	File  string
	World World
	Cases []Legal
}

// Legal is one case: the decision that the law gives, and what crosses by it under each regime.
type Legal struct {
	ID, Title string
	Decision  Decision
	Law       string // the paragraph as the table of law has it
	Reason    string // why nothing crosses, in bokmål; of a manual or out-of-scope case what a person does instead
	Line      int
	Regimes   []Regime
	Questions []LegalQuestion // every combination, those that are not listed too
}

// Decision is what the law says of a case.
type Decision string

// The decisions of a table.
const (
	Permit       Decision = "permit"        // disclose and log
	PermitNotify Decision = "permit-notify" // disclose, log as an exception, tell the patient afterwards
	Refuse       Decision = "deny"
	Manual       Decision = "manual"       // a named person decides, and sends by hand
	OutOfScope   Decision = "out-of-scope" // not for a gateway
)

// Regime is under which agreements a case is asked.
type Regime string

// The regimes: without agreements, and with those of the file.
const (
	BySamtykke Regime = "samtykke"
	ByLov      Regime = "lov"
)

// LegalQuestion is one combination of a case: who × what × purpose, under a regime. What a party asks for of its
// own is none: it does not cross.
type LegalQuestion struct {
	Who, What, Purpose, Action string
	Regime                     Regime
	Listed                     bool // the file says that it crosses
	Law, Duty                  string
	Line                       int  // of what lists it, else of the case
	Case                       Case // what is asked
}

// tableNote is a file as it is written.
type tableNote struct {
	NeedsLegalReview bool                      `yaml:"needsLegalReview"`
	World            World                     `yaml:"world"`
	Given            given                     `yaml:"given"`
	What             map[string]map[string]any `yaml:"what"`
	Who              map[string]map[string]any `yaml:"who"`
	Cases            []legalNote               `yaml:"cases"`
}

type legalNote struct {
	ID       string         `yaml:"id"`
	Title    string         `yaml:"title"`
	Decision Decision       `yaml:"decision"`
	Law      string         `yaml:"law"`
	Reason   string         `yaml:"reason"`
	Now      string         `yaml:"now"`
	Consents []consentNote  `yaml:"consents"`
	Refused  many           `yaml:"refused"` // elements for which the Consents cannot become active; then they are not there
	Stated   []statedNote   `yaml:"stated"`
	Hjemler  []Switch       `yaml:"hjemler"`
	Who      many           `yaml:"who"`
	What     many           `yaml:"what"`
	Purposes many           `yaml:"purposes"`
	Actions  many           `yaml:"actions"`
	Record   map[string]any `yaml:"record"`   // laid over each of what
	Question map[string]any `yaml:"question"` // laid over each of who
	Lov      []crossingNote `yaml:"lov"`      // what crosses under regime lov
	Samtykke []crossingNote `yaml:"samtykke"` // what crosses without agreements
	Regimes  []Regime       `yaml:"regimes"`  // both, when not told
	line     int
}

// crossingNote lists what crosses; a list stands for each of its values.
type crossingNote struct {
	Who     many   `yaml:"who"`
	What    many   `yaml:"what"`
	Purpose many   `yaml:"purpose"`
	Action  many   `yaml:"action"`
	Law     string `yaml:"law"`
	Duty    string `yaml:"duty"`
	line    int
}

// many is one value or a list of them.
type many []string

// UnmarshalYAML reads both forms.
func (m *many) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*m = many{n.Value}
		return nil
	}
	return n.Decode((*[]string)(m))
}

// UnmarshalYAML keeps the line; what it does not know is refused with it.
func (n *legalNote) UnmarshalYAML(node *yaml.Node) error {
	type plain legalNote
	n.line = node.Line
	return strictly(node, (*plain)(n))
}

// UnmarshalYAML keeps the line; what it does not know is refused with it.
func (n *crossingNote) UnmarshalYAML(node *yaml.Node) error {
	type plain crossingNote
	n.line = node.Line
	return strictly(node, (*plain)(n))
}

// strictly decodes a map of which every key must be one of the struct's, which Node.Decode does not ask.
func strictly(node *yaml.Node, into any) error {
	if err := node.Decode(into); err != nil {
		return err
	}
	known := fieldsOf(into)
	for i := 0; i+1 < len(node.Content); i += 2 {
		if key := node.Content[i]; node.Kind == yaml.MappingNode && !slices.Contains(known, key.Value) {
			return fmt.Errorf("line %d: %s is not known here", key.Line, key.Value)
		}
	}
	return nil
}

// LegalFiles are the tables that come with the program, by name.
func LegalFiles() (map[string][]byte, error) {
	names, err := fs.Glob(files, "legal-*.yaml")
	if err != nil {
		return nil, fmt.Errorf("cases: %w", err)
	}
	out := map[string][]byte{}
	for _, name := range names {
		if out[name], err = files.ReadFile(name); err != nil {
			return nil, fmt.Errorf("cases: %w", err)
		}
	}
	return out, nil
}

// LoadLegal gives the tables that come with the program, in the order of their names.
func LoadLegal() ([]Table, error) {
	all, err := LegalFiles()
	if err != nil {
		return nil, err
	}
	var out []Table
	for name, raw := range all {
		t, err := ReadLegal(name, raw)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b Table) int { return strings.Compare(a.File, b.File) })
	return out, nil
}

// ReadLegal reads a table strictly. An error names the file, the line and the element.
func ReadLegal(name string, raw []byte) (Table, error) {
	var doc tableNote
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(&doc); err != nil {
		return Table{}, fmt.Errorf("%s: %w", name, err)
	}
	t := Table{File: name, World: doc.World}
	fault := func(line int, format string, args ...any) (Table, error) {
		return Table{}, fmt.Errorf("%s: line %d: %s", name, line, fmt.Sprintf(format, args...))
	}
	switch {
	case !doc.NeedsLegalReview:
		return fault(1, "needsLegalReview: must be true: no table has been through a lawyer's hands")
	case len(doc.Cases) == 0:
		return fault(1, "cases: there are none")
	}
	seen := map[string]int{}
	for _, n := range doc.Cases {
		if first, twice := seen[n.ID]; n.ID == "" || twice {
			return fault(n.line, "id: %q is missing, or stands at line %d too", n.ID, first)
		}
		seen[n.ID] = n.line
		l, err := n.legal(doc)
		if err != nil {
			return Table{}, fmt.Errorf("%s: %w", name, err)
		}
		l.name(name)
		t.Cases = append(t.Cases, l)
	}
	return t, nil
}

// name tells each question where it stands.
func (l *Legal) name(file string) {
	for i := range l.Questions {
		q := &l.Questions[i]
		q.Case.File, q.Case.Sentence = strings.TrimSuffix(file, ".yaml"), l.ID+" "+l.Title
		q.Case.Name = fmt.Sprintf("%s × %s × %s, %s (%s)", q.Who, q.What, q.Purpose, q.Action, q.Regime)
	}
}
