package mapping

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed plo.table
var tableText string

// table is plo.table, parsed. What its lines mean stands at the head of that file.
type table struct {
	ns       map[string]string // prefix → URI
	prefix   map[string]string // URI → prefix
	messages []message
	classes  map[string]*class
	codes    map[string]map[string]string   // list → code → text
	labels   map[string]map[string][]string // list → code → labels
	systems  map[string][]string            // list → URIs, the first is written
	listOf   map[string]string              // URI → list
	maps     map[string][][2]string         // name → code, FHIR code
}

type message struct {
	kind           Kind
	prefix, root   string
	class, version string
	reads, writes  bool
	rootClass      *class
	rootNS         string
}

type class struct {
	name     string
	resource string // FHIR type, "" when it fills what encloses it
	single   bool   // one resource per message
	fields   []*field
	consts   []constant
	defaults []constant
	when     []condition
	skip     []condition
	text     []step // where the element's own text goes
}

type field struct {
	ns, prefix, name string
	min              int
	many             bool
	kind             string
	class            *class // when kind names one
	lists            []string
	targets          []target
	section          sectionRule
	order            int
}

type target struct {
	path      []step
	name      string // path, as the report writes it
	fallbacks [][]step
	through   string // map
	literal   *node  // set when the element is there
	parts     parts
}

// parts are the elements below a target, as the report writes them.
type parts struct{ text, code, system, display, value, unit string }

func partsOf(kind, name string) parts {
	coding := name
	if kind != "CODE" {
		coding += ".coding"
	}
	return parts{text: name + ".text", code: coding + ".code", system: coding + ".system", display: coding + ".display",
		value: name + ".value", unit: name + ".unit"}
}

type constant struct {
	path  []step
	json  string
	value *node // nil for $sent
}

type condition struct {
	path   []step
	values []string
}

type sectionRule struct {
	mode    string // "", one, list, join
	group   string
	labels  []string
	content bool
	heading string
}

// step is one part of a FHIR path.
type step struct {
	name   string
	append bool
	array  bool   // [0]
	find   string // extension{x}, component{x}, extension[+x]
	url    string // of the extension
}

const extensionBase = "http://sluse.no/fhir/StructureDefinition/"

var theTable = sync.OnceValue(func() *table {
	t, err := parseTable(tableText)
	if err != nil {
		panic("mapping: plo.table: " + err.Error()) // embedded at build time; a test parses it
	}
	return t
})

func parseTable(text string) (*table, error) {
	t := &table{
		ns: map[string]string{}, prefix: map[string]string{}, classes: map[string]*class{},
		codes: map[string]map[string]string{}, labels: map[string]map[string][]string{},
		systems: map[string][]string{}, listOf: map[string]string{}, maps: map[string][][2]string{},
	}
	parents := map[*class]string{}
	var cur *class
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		var err error
		switch rest = strings.TrimSpace(rest); word {
		case "class":
			cur, err = t.addClass(rest, parents)
		case "field", "=", "?", "when", "skip", "text":
			if cur == nil {
				err = fmt.Errorf("%s outside a class", word)
			} else {
				err = t.classLine(cur, word, rest)
			}
		default:
			err = t.generalLine(word, rest)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return t, t.link(parents)
}

func (t *table) addClass(rest string, parents map[*class]string) (*class, error) {
	words := strings.Fields(rest)
	c := &class{name: words[0]}
	for i := 1; i < len(words); i++ {
		switch {
		case words[i] == ":" && i+1 < len(words):
			i++
			parents[c] = words[i]
		case words[i] == "->" && i+1 < len(words):
			i++
			c.resource = words[i]
		case words[i] == "one":
			c.single = true
		default:
			return nil, fmt.Errorf("class %s: %q", c.name, words[i])
		}
	}
	if t.classes[c.name] != nil {
		return nil, fmt.Errorf("class %s twice", c.name)
	}
	t.classes[c.name] = c
	return c, nil
}

func (t *table) classLine(c *class, word, rest string) (err error) {
	if word == "field" {
		f, err := t.parseField(rest)
		if err == nil {
			c.fields = append(c.fields, f)
		}
		return err
	}
	at, value, _ := strings.Cut(rest, " ")
	var path []step
	if path, err = parsePath(at); err != nil {
		return err
	}
	value = strings.TrimSpace(value)
	switch word {
	case "=", "?":
		k := constant{path: path, json: value}
		if value != "$sent" {
			if k.value, err = parseLiteral(value); err != nil {
				return err
			}
		}
		if word == "=" {
			c.consts = append(c.consts, k)
		} else {
			c.defaults = append(c.defaults, k)
		}
	case "when":
		c.when = append(c.when, condition{path, splitValues(value)})
	case "skip":
		c.skip = append(c.skip, condition{path, splitValues(value)})
	case "text":
		c.text = path
	}
	return nil
}

// splitValues splits codes at commas; a comma followed by a space belongs to a text.
func splitValues(s string) []string {
	var out []string
	for _, v := range strings.Split(strings.ReplaceAll(s, ", ", "\x00"), ",") {
		out = append(out, strings.ReplaceAll(v, "\x00", ", "))
	}
	return out
}

func (t *table) generalLine(word, rest string) error {
	head, tail, _ := strings.Cut(rest, " ")
	words := strings.Fields(tail)
	switch word {
	case "ns":
		t.ns[head], t.prefix[tail] = tail, head
	case "message":
		if len(words) != 4 {
			return fmt.Errorf("message %s: four words wanted", head)
		}
		prefix, root, _ := strings.Cut(words[0], ":")
		t.messages = append(t.messages, message{kind: Kind(head), prefix: prefix, root: root, rootNS: t.ns[prefix],
			class: words[1], version: words[2], reads: words[3] != "out", writes: words[3] != "in"})
	case "codes":
		t.codes[head] = map[string]string{}
		for _, pair := range strings.Split(tail, ";") {
			code, text, _ := strings.Cut(strings.TrimSpace(pair), "=")
			t.codes[head][code] = text
		}
	case "labels":
		if t.labels[head] == nil {
			t.labels[head] = map[string][]string{}
		}
		t.labels[head][words[0]] = words[1:]
	case "system":
		t.systems[head] = words
		for _, uri := range words {
			t.listOf[uri] = head
		}
	case "map":
		for _, pair := range words {
			code, fhirCode, _ := strings.Cut(pair, "=")
			t.maps[head] = append(t.maps[head], [2]string{code, fhirCode})
		}
	default:
		return fmt.Errorf("unknown word %q", word)
	}
	return nil
}

func (t *table) parseField(rest string) (*field, error) {
	cols := strings.Split(rest, "|")
	if len(cols) != 7 {
		return nil, fmt.Errorf("field: %d columns, 7 wanted", len(cols))
	}
	for i := range cols {
		cols[i] = strings.TrimSpace(cols[i])
	}
	f := &field{kind: cols[2]}
	f.prefix, f.name, _ = strings.Cut(cols[0], ":")
	if f.ns = t.ns[f.prefix]; f.ns == "" {
		return nil, fmt.Errorf("field %s: unknown prefix", cols[0])
	}
	if f.min = 0; strings.HasPrefix(cols[1], "1") {
		f.min = 1
	}
	f.many = strings.HasSuffix(cols[1], "n")
	if cols[3] != "" {
		f.lists = strings.Split(cols[3], ",")
	}
	var err error
	if f.targets, err = parseTargets(cols[4]); err != nil {
		return nil, fmt.Errorf("field %s: %w", cols[0], err)
	}
	for i := range f.targets {
		f.targets[i].parts = partsOf(f.kind, f.targets[i].name)
	}
	if f.section, err = parseSection(cols[5], cols[6]); err != nil {
		return nil, fmt.Errorf("field %s: %w", cols[0], err)
	}
	return f, nil
}

func parseTargets(s string) ([]target, error) {
	if s == "" || s == "=" || s == "-" {
		return nil, nil
	}
	var out []target
	for _, part := range strings.Split(s, "; ") {
		var g target
		var err error
		if at, lit, ok := strings.Cut(part, "!"); ok {
			if g.literal, err = parseLiteral(lit); err != nil {
				return nil, err
			}
			part = at
		}
		part, back, _ := strings.Cut(part, " ~ ")
		part, g.through, _ = strings.Cut(part, "<")
		if g.path, err = parsePath(part); err != nil {
			return nil, err
		}
		g.name = pathName(g.path)
		if back != "" {
			for _, alternative := range strings.Split(back, " ~ ") {
				p, err := parsePath(alternative)
				if err != nil {
					return nil, err
				}
				g.fallbacks = append(g.fallbacks, p)
			}
		}
		out = append(out, g)
	}
	return out, nil
}

func parseSection(rule, heading string) (sectionRule, error) {
	words := strings.Fields(rule)
	if len(words) == 0 {
		return sectionRule{}, nil
	}
	r := sectionRule{heading: heading}
	r.mode, r.group, _ = strings.Cut(words[0], ":")
	for _, w := range words[1:] {
		if w == "innhold" {
			r.content = true
		} else {
			r.labels = append(r.labels, w)
		}
	}
	if !slices.Contains([]string{"one", "list", "join"}, r.mode) || len(words) < 2 || heading == "" ||
		(r.mode == "join") != (r.group != "") {
		return r, fmt.Errorf("section %q needs a mode, a label and a heading", rule)
	}
	return r, nil
}

// parsePath reads "dosage[0].text", "note[+].text", "extension{x}.valueString", "extension[+x]".
func parsePath(s string) ([]step, error) {
	var out []step
	for _, part := range splitPath(s) {
		st := step{name: part}
		if i := strings.IndexAny(part, "[{"); i > 0 {
			st.name = part[:i]
			switch inner := part[i+1 : len(part)-1]; {
			case part[i] == '{':
				st.find = inner
			case inner == "0":
				st.array = true
			case strings.HasPrefix(inner, "+"):
				st.append, st.find = true, inner[1:]
			default:
				return nil, fmt.Errorf("path %q", s)
			}
		}
		if st.find != "" && st.name != "extension" && st.name != "component" || st.name == "" {
			return nil, fmt.Errorf("path %q", s)
		}
		if st.find != "" {
			st.url = extensionBase + st.find
		}
		out = append(out, st)
	}
	return out, nil
}

// splitPath splits at dots outside braces.
func splitPath(s string) []string {
	var out []string
	depth, from := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '.':
			if depth == 0 {
				out = append(out, s[from:i])
				from = i + 1
			}
		}
	}
	return append(out, s[from:])
}

func parseLiteral(s string) (*node, error) {
	wrapped, err := parseJSON([]byte(`{"v":` + s + `}`))
	if err != nil {
		return nil, fmt.Errorf("value %q is not JSON", s)
	}
	return wrapped.get("v"), nil
}

// leafKinds are the kinds of plo.table that are no classes.
var leafKinds = []string{"TEXT", "NOTE", "RICH", "BOOL", "INT", "DATE", "DAY", "TS", "CS", "CV", "CODE", "PQ", "HCP",
	"ORG", "PERSON", "CONTACT", "PLACE", "KEEP"}

// link resolves class names and inherited fields.
func (t *table) link(parents map[*class]string) error {
	for c, name := range parents {
		parent := t.classes[name]
		if parent == nil {
			return fmt.Errorf("class %s: no class %s", c.name, name)
		}
		c.fields = append(slices.Clone(parent.fields), c.fields...)
	}
	for _, c := range t.classes {
		for i, f := range c.fields {
			f.order = i // the same in a class that inherits: only appended to
			if slices.Contains(leafKinds, f.kind) {
				continue
			}
			if f.class = t.classes[f.kind]; f.class == nil {
				return fmt.Errorf("class %s, field %s: no kind or class %q", c.name, f.name, f.kind)
			}
		}
	}
	for i := range t.messages {
		m := &t.messages[i]
		if m.rootClass = t.classes[m.class]; m.rootClass == nil || m.rootNS == "" {
			return fmt.Errorf("message %s: no class %s or no namespace", m.kind, m.class)
		}
	}
	return nil
}

func (c *class) field(e *elem) *field {
	for _, f := range c.fields {
		if f.name == e.name && f.ns == e.ns {
			return f
		}
	}
	return nil
}

// system returns the FHIR system of an OID as it stands in @S.
func (t *table) system(oid string) string {
	if oid == "" {
		return ""
	}
	if uris := t.systems[strings.TrimPrefix(oid, volven)]; len(uris) > 0 && strings.HasPrefix(oid, volven) {
		return uris[0]
	}
	return "urn:oid:" + oid
}

// oid returns what @S holds for a FHIR system, "" when no OID is known for it.
func (t *table) oid(system string) string {
	if list, ok := t.listOf[system]; ok {
		return volven + list
	}
	if oid, ok := strings.CutPrefix(system, "urn:oid:"); ok {
		return oid
	}
	return ""
}

// volven is the root of the Norwegian code lists (plo.md § 3.3).
const volven = "2.16.578.1.12.4.1.1."
