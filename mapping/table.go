package mapping

import (
	"embed"
	"slices"
	"strings"
	"sync"
)

// tableFiles are the tables: codes.table (namespaces, code lists, labels; its head tells what the lines mean), one
// table per standard, and one per older version that states only what differs.
//
//go:embed *.table
var tableFiles embed.FS

// table is all of them, parsed.
type table struct {
	ns         map[string]string // prefix → URI
	prefix     map[string]string // URI → prefix
	messages   []message
	classes    map[string]*class
	codes      map[string]map[string]string   // list → code → text
	labels     map[string]map[string][]string // list → code → labels
	systems    map[string][]string            // list → URIs, the first is written
	listOf     map[string]string              // URI → list
	maps       map[string][][2]string         // name → code, FHIR code
	heads      map[string]*ownHead            // root class → where a root without MsgHead tells who sends it to whom
	threads    map[string][]string            // root classes without MsgHead → where they name what a change or cancellation is of
	loose      map[string]bool                // root classes that are known by the local name
	statements map[string][][]string          // root → where the sender says that the patient has agreed
	editions   map[string]map[string]string   // version → prefix of the current version → prefix of that one
	contents   map[Kind]string                // what a message holds when its writer does not say (9137 to 9140)
	logs       map[string]bool                // root classes of messages without free text
	events     []event                        // of logistics: the element that makes it the kind
	reveals    map[string][]string            // list → codes that no message of logistics carries
}

// event is the child element that makes a message of logistics what it is (plo.md § 2.2).
type event struct {
	kind    Kind
	element string
	code    string // of Volven 9121: what has happened
}

type message struct {
	kind           Kind
	prefix, root   string
	class, version string
	reads, writes  bool
	loose          bool // its root is known by the local name
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
	top      []constant // of the resource itself, where the class fills a part of it
	when     []condition
	skip     []condition
	choose   []chooser // reading: the class takes the element
	attrs    []classAttr
	text     []step // where the element's own text goes
	ancestry        // until linked
	homes    []home // of a root: where resources go
}

// ancestry is what a class says of the one whose fields it has.
type ancestry struct {
	parent string
	less   []string          // fields that it does not have
	place  string            // the field of the parent's that what follows stands after
	after  map[*field]string // likewise, field by field
	linked bool
}

type field struct {
	ns, prefix, name string
	min              int
	many             bool
	kind             string
	class            *class   // when kind names one
	others           []*class // further ones that it names
	lists            []string
	targets          []target
	section          sectionRule
	order            int
	slot             int // order of the field that fills the same place: another spelling of it
}

// places tells whether the text names a place, which may tell what is done there.
func (f *field) places() bool { return f.kind == "PLACE" || f.kind == "WHERE" }

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

// classAttr is an attribute that an element may have, with a code of the list.
type classAttr struct{ ns, name, list string }

// chooser looks at @V of an element below.
type chooser struct {
	names  []string
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
	files, err := embeddedTables()
	if err != nil {
		panic("mapping: " + err.Error()) // embedded at build time
	}
	t, err := parseTables(files)
	if err != nil {
		panic("mapping: " + err.Error()) // embedded at build time; a test parses it
	}
	return t
})

func embeddedTables() ([]tableFile, error) {
	entries, err := tableFiles.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var files []tableFile
	for _, e := range entries {
		text, err := tableFiles.ReadFile(e.Name())
		if err != nil {
			return nil, err
		}
		files = append(files, tableFile{e.Name(), string(text)})
	}
	return files, nil
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

// classes are all classes that a field's KIND names.
func (f *field) classes() []*class {
	if f.class == nil {
		return nil
	}
	return append([]*class{f.class}, f.others...)
}

// choice gives the class that takes an element: the first whose condition holds, or that has none.
func (f *field) choice(e *elem) *class {
	for _, c := range f.classes() {
		if c.takes(e) {
			return c
		}
	}
	return f.class
}

func (c *class) takes(e *elem) bool {
	for _, ch := range c.choose {
		if !slices.Contains(ch.values, strings.TrimSpace(e.at(ch.names...).attr("V"))) {
			return false
		}
	}
	return true
}
