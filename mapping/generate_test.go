package mapping

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// generator writes messages of the tables: every field by chance, every code list, cardinalities from none to several.
type generator struct {
	t     *table
	r     *rand.Rand
	plain string  // prefix that is the default namespace
	fill  float64 // how likely an optional field is
	seen  map[*field]bool
	lists map[string][]string // codes of a list in order
	n     int
}

func newGenerator(seed uint64) *generator {
	g := &generator{t: theTable(), r: rand.New(rand.NewPCG(seed, 1)), seen: map[*field]bool{}, lists: map[string][]string{}}
	for list, codes := range g.t.codes {
		for code := range codes {
			if list == "7309" && (code == "X" || code == "O") {
				continue // older codes of what is new
			}
			g.lists[list] = append(g.lists[list], code)
		}
		sort.Strings(g.lists[list])
	}
	return g
}

// words gives a text that no other place has.
func (g *generator) words() string {
	g.n++
	s := "tekst " + strconv.Itoa(g.n) + []string{"", " æøå", " & <ni>", " \"sitat\""}[g.r.IntN(4)]
	return s
}

// message writes one message of a kind, with every field of it when fill is 1.
func (g *generator) message(m *message, fill float64) []byte {
	g.fill, g.plain = fill, ""
	root := &out{name: m.prefix + ":" + m.root}
	for prefix, uri := range g.t.ns {
		if prefix != "mh" {
			root.attrs = append(root.attrs, "xmlns:"+prefix, uri)
		}
	}
	sortPairs(root.attrs)
	root.attrs = append(root.attrs, "xmlns:fk1", nsFK1)
	events := slices.DeleteFunc(slices.Clone(m.rootClass.fields), func(f *field) bool { return !g.t.isEvent(f.name) })
	event := ""
	if len(events) > 0 {
		event = events[g.r.IntN(len(events))].name
		for _, ev := range g.t.events {
			if ev.kind == m.kind {
				event = ev.element
			}
		}
	}
	use := "Notat" // of a dialogmelding: the schema has one or the other
	if m.kind == KindDialogQuestion || m.kind == KindDialogClinical && g.r.IntN(2) == 0 {
		use = "Foresporsel"
	}
	for _, f := range m.rootClass.fields {
		switch {
		case strings.HasPrefix(m.rootNS, nsDialog) && (f.name == "Foresporsel" || f.name == "Notat"):
			if f.name == use {
				root.kids = append(root.kids, g.one(f, 1))
				if theme := root.kids[len(root.kids)-1].kids[0]; m.kind == KindDialogClinical && use == "Notat" {
					g.code(theme, "7322", g.lists["7322"][g.r.IntN(4)]) // a theme of questions makes it one
				}
			}
		case g.t.isEvent(f.name):
			if f.name == event {
				root.kids = append(root.kids, g.one(f, 1))
			}
		default:
			root.kids = append(root.kids, g.field(f, 1)...)
		}
	}
	kids := []*out{root}
	if m.rootNS == nsHead {
		for kids = root.kids; len(kids) == 0; { // a component at least
			kids = append(kids, g.field(m.rootClass.fields[g.r.IntN(len(m.rootClass.fields))], 1)...)
		}
		for _, k := range kids {
			k.attrs = append(k.attrs, root.attrs...)
		}
	}
	h := demoHead(m.kind)
	h.RefToParent, h.RefToConversation = "0b3d0e0c-51a9-4b8c-8a15-2a8b5d0f7c01", "0b3d0e0c-51a9-4b8c-8a15-2a8b5d0f7c01"
	w := newWriter()
	w.open("MsgHead", "xmlns", nsHead)
	w.head(g.t, h)
	w.document(instant(h.Generated), "XML", "XML-instans", "", "", func() {
		for _, k := range kids {
			k.write(w)
		}
	})
	w.close("MsgHead")
	return w.bytes()
}

func sortPairs(pairs []string) {
	var list [][2]string
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, [2]string{pairs[i], pairs[i+1]})
	}
	sort.Slice(list, func(i, j int) bool { return list[i][0] < list[j][0] })
	for i, p := range list {
		pairs[2*i], pairs[2*i+1] = p[0], p[1]
	}
}

// field writes the elements of a field: none, one, or several where several may stand.
func (g *generator) field(f *field, depth int) []*out {
	if f.min == 0 && g.r.Float64() > g.fill || f.kind == "KEEP" && g.r.IntN(3) > 0 {
		return nil
	}
	if f.slot != f.order { // another spelling: it comes back in the right one
		g.seen[f] = true
		return nil
	}
	n := 1
	if f.many {
		n += g.r.IntN(3)
	}
	var all []*out
	for range n {
		if o := g.one(f, depth); o != nil {
			all = append(all, o)
		}
	}
	return all
}

func (g *generator) one(f *field, depth int) *out {
	g.seen[f] = true
	o := &out{name: f.prefix + ":" + f.name}
	if f.class != nil {
		c := f.classes()[g.r.IntN(1+len(f.others))]
		if c.text != nil {
			o.text = g.words()
		}
		said := o.text != ""
		for _, k := range c.fields {
			kids := g.field(k, depth+1)
			o.kids = append(o.kids, kids...)
			said = said || len(kids) > 0 && !original(k)
		}
		for _, ch := range c.choose { // what makes the element one of the class
			for _, k := range o.kids {
				if k.name[strings.Index(k.name, ":")+1:] == ch.names[0] {
					g.code(k, "9121", ch.values[g.r.IntN(len(ch.values))])
				}
			}
		}
		if !said {
			return g.inhabited(o, c, depth)
		}
		return o
	}
	g.leaf(o, f)
	return o
}

// original tells of a field that stands in the original only.
func original(f *field) bool {
	return f.kind == "KEEP" || len(f.targets) == 0 && f.class == nil && f.kind != "CONTACT"
}

// inhabited gives an element one child at least: an empty one says nothing that could come back.
func (g *generator) inhabited(o *out, c *class, depth int) *out {
	if depth > 20 || len(c.fields) == 0 {
		return nil
	}
	for range 20 {
		f := c.fields[g.r.IntN(len(c.fields))]
		if f.slot != f.order || original(f) {
			continue
		}
		if k := g.one(f, depth+1); k != nil {
			o.kids = append(o.kids, k)
			return o
		}
	}
	return nil
}

func (g *generator) code(o *out, list, code string) {
	o.attrs = []string{"V", code, "S", volven + list, "DN", g.t.codes[list][code]}
}

func (g *generator) leaf(o *out, f *field) {
	day := fmt.Sprintf("20%02d-%02d-%02d", 10+g.r.IntN(16), 1+g.r.IntN(12), 1+g.r.IntN(28))
	moment := []string{day, day[:7], day[:4], day + "T10:15:30+01:00", day + "T09:00:00Z"}[g.r.IntN(5)]
	switch f.kind {
	case "TEXT", "NOTE", "RICH", "PLACE", "WHERE", "KEEP":
		o.text = g.words()
	case "BOOL":
		o.text = []string{"true", "false"}[g.r.IntN(2)]
	case "INT":
		o.text = strconv.Itoa(g.r.IntN(10))
	case "DATE":
		o.text = moment
	case "DAY":
		o.text = day
	case "TS":
		o.attrs = []string{"V", moment}
	case "CS", "CV", "CODE", "ANY":
		g.coded(o, f)
	case "PQ":
		o.attrs = []string{"V", []string{"10", "0.50", "7"}[g.r.IntN(3)], "U", []string{"mg", "d", "ml"}[g.r.IntN(3)]}
	case "HCP", "ORG", "PERSON", "CONTACT":
		g.party(o, f)
	}
}

func (g *generator) coded(o *out, f *field) {
	list := "7999" // one that the tables do not know
	if len(f.lists) > 0 {
		list = f.lists[g.r.IntN(len(f.lists))]
	}
	code, text := "K"+strconv.Itoa(g.r.IntN(9)), "navn "+strconv.Itoa(g.r.IntN(9))
	if codes := g.lists[list]; len(codes) > 0 {
		code = codes[g.r.IntN(len(codes))]
		text = g.t.codes[list][code]
	}
	switch {
	case f.kind == "CS":
		o.attrs = []string{"V", code, "DN", text}
	case f.kind == "ANY" && g.r.IntN(2) == 0:
		o.text = g.words()
	case f.kind == "CV" && f.min == 0 && g.r.IntN(6) == 0 && len(f.targets) == 1 && !wordless(f.name):
		o.attrs = []string{"OT", g.words()}
	default:
		o.attrs = []string{"V", code, "S", volven + list, "DN", text}
	}
}

// wordless are the coded elements whose words alone would come back in a neighbour, which shares their place in FHIR.
func wordless(name string) bool {
	return slices.Contains([]string{"IntervensjonTiltakKode", "Slektskap", "Omsorgsfunksjon"}, name)
}

func (g *generator) party(o *out, f *field) {
	names := []string{"Nordlie", "Van Dam", "Ås"}
	given := []string{"Kari", "Per Olav", "Åse"}
	prefix := "fk1:"
	if strings.HasPrefix(f.ns, nsDialog) && f.kind != "ORG" {
		prefix = f.prefix + ":"
	}
	ident := func(id, typ, list string) {
		o.kids = append(o.kids, &out{name: prefix + "Ident", kids: []*out{{name: "fk1:Id", text: id},
			{name: "fk1:TypeId", attrs: []string{"V", typ, "S", volven + list, "DN", g.t.codes[list][typ]}}}})
	}
	if f.kind == "ORG" {
		o.add("fk1:OrganisationName", "Enhet "+strconv.Itoa(g.r.IntN(9)))
		ident("81000"+strconv.Itoa(10+g.r.IntN(80)), "HER", "9051")
		return
	}
	if f.kind == "HCP" && len(f.targets) > 1 {
		role := &out{name: prefix + "RoleToPatient"}
		g.coded(role, &field{kind: "CODE", lists: []string{"9034"}})
		o.kids = append(o.kids, role)
	}
	parts := [][2]string{{"FamilyName", names[g.r.IntN(3)]}, {"GivenName", given[g.r.IntN(3)]}}
	if g.r.IntN(3) == 0 {
		parts = slices.Insert(parts, 1, [2]string{"MiddleName", "Marie"})
	}
	if prefix != "fk1:" && f.kind == "PERSON" {
		slices.Reverse(parts)
	}
	for _, p := range parts {
		o.add(prefix+p[0], p[1])
	}
	if f.kind == "HCP" {
		ident("91448"+strconv.Itoa(10+g.r.IntN(80)), "HPR", "8116")
	}
	o.kids = append(o.kids, &out{name: prefix + "TeleCom", kids: []*out{{name: "fk1:TeleAddress", attrs: []string{"V", "tel:9990000" + strconv.Itoa(g.r.IntN(9))}}}})
}

// generated gives n messages of every kind and version in MsgHead in turn, each from a seed of its own.
func generated(t *testing.T, n int, visit func(name string, m *message, g *generator, raw []byte)) {
	t.Helper()
	var kinds []*message
	tab := theTable()
	for i := range tab.messages {
		if ns := tab.messages[i].rootNS; strings.Contains(ns, "/po/") || strings.HasPrefix(ns, nsDialog) || ns == nsHead {
			kinds = append(kinds, &tab.messages[i])
		}
	}
	for i := range n {
		m := kinds[i%len(kinds)]
		g := newGenerator(uint64(i))
		fill := []float64{0.15, 0.5, 0.9}[i/len(kinds)%3]
		raw := g.message(m, fill)
		visit(fmt.Sprintf("seed %d: %s %s", i, m.kind, m.version), m, g, raw)
		if t.Failed() {
			t.Fatalf("seed %d: %s %s\n%s", i, m.kind, m.version, raw)
		}
	}
}

// TestGeneratedMessages: whatever a message of the tables holds, each of its values has one outcome, what is mapped
// stands in a valid resource and comes back in the message that is written from them.
func TestGeneratedMessages(t *testing.T) { holdGenerated(t, 500) }

func holdGenerated(t *testing.T, n int) {
	t.Helper()
	seen := map[string]bool{}
	generated(t, n, func(name string, m *message, g *generator, raw []byte) {
		in, err := read(raw, ids, true)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, raw)
		}
		account(t, raw, 1)
		validResources(t, name, in)
		if writable(in.Head) && !theTable().logs[m.class] {
			comesBack(t, raw, in)
		}
		for f := range g.seen {
			seen[f.prefix+":"+f.name+" "+f.kind] = true
		}
	})
	var never []string
	for _, c := range theTable().classes {
		for _, f := range c.fields {
			if name := f.prefix + ":" + f.name + " " + f.kind; !seen[name] && inGenerated(c) {
				never = append(never, c.name+"/"+name)
			}
		}
	}
	sort.Strings(never)
	if len(never) > 0 {
		t.Errorf("fields that no generated message had: %v", never)
	}
}

// inGenerated tells whether a class belongs to a message that the generator writes.
func inGenerated(c *class) bool {
	if strings.Contains(c.name, "@") {
		return false
	}
	found := false
	var walk func(k *class, depth int)
	walk = func(k *class, depth int) {
		if found = found || k.name == c.name; found || depth > 12 {
			return
		}
		for _, f := range k.fields {
			for _, kk := range f.classes() {
				walk(kk, depth+1)
			}
		}
	}
	for _, m := range theTable().messages {
		if strings.Contains(m.rootNS, "/po/") || strings.HasPrefix(m.rootNS, nsDialog) || m.rootNS == nsHead {
			walk(m.rootClass, 0)
		}
	}
	return found
}
