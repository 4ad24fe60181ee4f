package mapping

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"
)

const canary = "kanari-7f3a"

// plant is a canary put in one place of a sample.
type plant struct {
	kind  string // comment, text, attribute, element, namespace: nobody's; value: of an element or attribute that is there
	place string
	rich  bool // inside free text with markup, which is the text's own
	raw   []byte
}

// nobodys tells that no element or attribute that the standards know holds the canary.
func (p plant) nobodys() bool { return p.kind != "value" && !p.rich || p.kind == "comment" }

// plants gives every place of a sample, one canary at a time.
func plants(t *testing.T, sample []byte, visit func(plant)) {
	t.Helper()
	doc, root, err := parse(sample, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	emit := func(kind, place string, rich bool) {
		raw, err := doc.WriteToBytes()
		if err != nil {
			t.Fatal(err)
		}
		visit(plant{kind, place, rich, raw})
	}
	strip(&doc.Element) // the declaration may name another character set
	for _, at := range []int{0, len(doc.Child)} {
		c := etree.NewComment(canary)
		doc.InsertChildAt(at, c)
		emit("comment", "/MsgHead", false)
		doc.RemoveChild(c)
	}
	n := 0
	var walk func(e *elem, rich bool)
	walk = func(e *elem, rich bool) {
		n++
		rich = rich || e.name == "TekstNotatInnhold" || e.name == "Sporsmal"
		add := func(kind, place string, token etree.Token, first bool) {
			at := len(e.src.Child)
			if first {
				at = 0
			}
			e.src.InsertChildAt(at, token)
			emit(kind, place, rich)
			e.src.RemoveChild(token)
		}
		add("comment", e.path(), etree.NewComment(canary), n%2 == 0)
		if len(e.kids) > 0 {
			add("text", e.path()+"/text()", etree.NewText(canary), n%2 == 0)
		}
		for _, space := range []string{e.src.Space, "k"} {
			k := etree.NewElement(canary)
			k.Space = space
			if space == "k" {
				k.CreateAttr("xmlns:k", "http://www.kith.no/xmlstds")
				k.CreateAttr("V", canary)
			} else {
				k.SetText(canary)
			}
			add("element", e.path()+"/"+canary, k, n%2 == 1)
		}
		attrs := slices.Clone(e.src.Attr)
		plantAttributes(e, rich, emit)
		for i, a := range attrs {
			if a.Space != "xmlns" && a.Key != "xmlns" {
				e.src.Attr[i].Value = canary
				emit("value", e.path()+"/@"+a.Key, rich)
				e.src.Attr[i].Value = a.Value
			}
		}
		if strings.TrimSpace(e.text) != "" && len(e.kids) == 0 {
			for _, text := range []string{canary, e.text + " " + canary} {
				e.src.SetText(text)
				emit("value", e.path(), rich)
			}
			e.src.SetText(e.text)
		}
		for _, k := range e.kids {
			walk(k, rich)
		}
	}
	walk(root, false)
}

// plantAttributes adds attributes that nobody knows, and namespaces and hints that say something.
func plantAttributes(e *elem, rich bool, emit func(kind, place string, rich bool)) {
	attrs := slices.Clone(e.src.Attr)
	for _, more := range [][]string{{"kanari", canary}, {"k:V", canary, "xmlns:k", "http://www.kith.no/xmlstds"}, {"xmlns:k", "urn:" + canary},
		{"k:schemaLocation", canary, "xmlns:k", nsXSI}} {
		kind, place := "attribute", e.path()+"/@"+strings.TrimPrefix(more[0], "k:")
		if strings.Contains(more[0], "xmlns") || strings.Contains(more[0], "schema") {
			kind, place = "namespace", e.path()
		}
		for i := 0; i < len(more); i += 2 {
			e.src.CreateAttr(more[i], more[i+1])
		}
		emit(kind, place, rich && kind == "attribute" && e.name != "TekstNotatInnhold" && e.name != "Sporsmal")
		e.src.Attr = slices.Clone(attrs)
	}
}

func (s Section) covers(place string) bool {
	return slices.ContainsFunc(strings.Split(s.Path, " | "), func(p string) bool {
		return place == p || strings.HasPrefix(place, p+"/") || strings.HasPrefix(place, p+"[")
	})
}

// beyond tells of a section that a receiver with only samarbeid, logistikk and demografi may not have.
func (s Section) beyond() bool {
	return s.Drop || s.ByContent || slices.ContainsFunc(s.Labels, func(l string) bool { return l != "samarbeid" && l != "logistikk" && l != "demografi" })
}

// TestNothingUndecidedCrosses plants a canary in every place of every sample. It never reaches the copy of somebody who
// may have samarbeid, logistikk and demografi, unless a section that crosses decides that very place; and it stands in
// no resource but those of a section that covers it, and the original, which a section of the same message then holds.
func TestNothingUndecidedCrosses(t *testing.T) {
	for name, sample := range samples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			total, refused := 0, 0
			plants(t, sample, func(p plant) {
				total++
				in, err := read(p.raw, ids, true)
				if err != nil {
					refused++
					return
				}
				checkCanary(t, p, in)
			})
			if total < 390 || refused*8 > total {
				t.Errorf("%d of %d plants were refused", refused, total)
			}
			t.Logf("%d plants, %d refused", total, refused)
		})
	}
}

func checkCanary(t *testing.T, p plant, in *Incoming) {
	t.Helper()
	log := strings.HasPrefix(string(in.Head.Kind), "LOG_")
	var paths []string
	covered, withheld, unclassified, dropped := false, false, false, false
	for _, s := range in.Sections {
		if s.Whole {
			continue
		}
		hidden := s.Path == commentPath && p.kind == "comment" || s.Path == namespacePath && p.kind == "namespace"
		if s.beyond() && !s.IsHead() {
			paths = append(paths, s.Path)
			withheld = withheld || hidden || s.covers(p.place)
		}
		covered = covered || s.covers(p.place)
		if hidden || s.covers(p.place) {
			unclassified = unclassified || slices.Contains(s.Labels, "uklassifisert")
			dropped = dropped || s.Drop
		}
	}
	copied, err := Withhold(p.raw, paths)
	if in.AllOrNothing && len(paths) > 0 {
		var e *Error
		if !errors.As(err, &e) || e.Code != Locked {
			t.Errorf("%s at %s: delivered in parts: %v", p.kind, p.place, err)
		}
		copied, err = nil, nil // refused whole
	}
	if err != nil {
		t.Errorf("%s at %s: %v", p.kind, p.place, err)
		return
	}
	words := p.kind == "value" && log && (strings.HasSuffix(p.place, "/@DN") || strings.HasSuffix(p.place, "/@OT"))
	if bytes.Contains(copied, []byte(canary)) && (p.nobodys() || words || withheld || !covered) {
		t.Errorf("%s at %s crossed", p.kind, p.place)
	}
	if p.nobodys() && !unclassified {
		t.Errorf("%s at %s: no section holds the original back", p.kind, p.place)
	}
	if log && (p.nobodys() || words) && !dropped {
		t.Errorf("%s at %s is not dropped", p.kind, p.place)
	}
	for _, r := range in.Resources {
		if !bytes.Contains(r.Body, []byte(canary)) {
			continue
		}
		var own *Section
		for i := range in.Sections {
			if in.Sections[i].Path == r.Section {
				own = &in.Sections[i]
			}
		}
		inHead := strings.HasPrefix(p.place, infoPath+"/") || in.Sections[0].IsHead() && in.Sections[0].covers(p.place)
		contact := r.Type == "Patient" && (strings.Contains(p.place, "/ParorendeForesatt") || strings.Contains(p.place, "/Patient/Address")) // parts of the Patient
		frame := own != nil && own.IsHead() && !withheld                                                                                     // the section adds nothing to the head's
		if own == nil || !own.Whole && (p.nobodys() || words || !own.covers(p.place) && !inHead && !contact && !frame) {
			t.Errorf("%s at %s stands in %s of section %s", p.kind, p.place, r.Key, r.Section)
		}
	}
}
