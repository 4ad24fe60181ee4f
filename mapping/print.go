package mapping

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteTable prints the tables as a message of each kind and version is read and written by them: every element with
// cardinality, data type, code lists, FHIR path and label, indented as it stands. An empty kind prints them all.
func WriteTable(w io.Writer, kind Kind) error {
	p := &printer{w: w, t: theTable()}
	found := false
	for i := range p.t.messages {
		if m := &p.t.messages[i]; kind == "" || m.kind == kind {
			found = true
			p.message(m)
		}
	}
	if !found {
		return fault(NotSupported, "", "no table for this message type")
	}
	return p.err
}

type printer struct {
	w   io.Writer
	t   *table
	err error
}

func (p *printer) line(depth int, format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, strings.Repeat("  ", depth)+format+"\n", args...)
	}
}

func (p *printer) message(m *message) {
	direction := map[[2]bool]string{{true, true}: "in and out", {true, false}: "in", {false, true}: "out"}[[2]bool{m.reads, m.writes}]
	p.line(0, "%s %s (%s): %s, %s", m.kind, m.version, p.t.codes["8279"][string(m.kind)], m.root, direction)
	p.line(1, "%s", m.rootNS)
	p.fields(m.rootClass, 1, nil)
}

// fields prints a class; above are those around it, which it does not enter again.
func (p *printer) fields(c *class, depth int, above []*class) {
	for _, f := range c.fields {
		upper := "1"
		if f.many {
			upper = "n"
		}
		kind, to := f.kind, make([]string, 0, len(f.targets))
		for _, g := range f.targets {
			to = append(to, g.name)
		}
		if f.class != nil {
			kind = ""
			for _, k := range f.classes() {
				kind = strings.TrimPrefix(kind+" | "+k.resource, " | ")
			}
		}
		if f.class == nil && len(f.targets) == 0 && f.kind != "CONTACT" {
			to = []string{"(original)"}
		}
		label := ""
		if f.section.mode != "" {
			label = "[" + strings.Join(f.section.labels, " ")
			if f.section.content {
				label += " + codes"
			}
			label += "] " + f.section.heading
		}
		p.line(depth, "%s %d..%s %s %s %s %s", f.name, f.min, upper, kind, strings.Join(f.lists, ","), strings.Join(to, "; "), label)
		for _, k := range f.classes() {
			if !slices.Contains(above, k) {
				p.fields(k, depth+1, append(slices.Clone(above), k))
			}
		}
	}
}
