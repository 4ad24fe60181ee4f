package mapping

import (
	"strings"
)

// writer builds XML text: the declaration in UTF-8, elements in the order they are asked for, two blanks of indent in
// element-only content and never inside text, so that the same call always gives the same bytes.
type writer struct {
	b     strings.Builder
	depth int
}

func newWriter() *writer {
	w := &writer{}
	w.b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	return w
}

func (w *writer) indent() {
	for range w.depth {
		w.b.WriteString("  ")
	}
}

// open begins an element; attrs are name, value pairs, and an empty value leaves its attribute out.
func (w *writer) open(name string, attrs ...string) {
	w.indent()
	w.tag(name, attrs)
	w.b.WriteString(">\n")
	w.depth++
}

func (w *writer) close(name string) {
	w.depth--
	w.indent()
	w.b.WriteString("</" + name + ">\n")
}

// text writes an element with text; nothing when the text is empty.
func (w *writer) text(name, text string, attrs ...string) {
	if text == "" {
		return
	}
	w.indent()
	w.tag(name, attrs)
	w.b.WriteByte('>')
	w.b.WriteString(textEscaper.Replace(text))
	w.b.WriteString("</" + name + ">\n")
}

// empty writes an element that has attributes only; nothing when all are empty.
func (w *writer) empty(name string, attrs ...string) {
	for i := 1; i < len(attrs); i += 2 {
		if attrs[i] != "" {
			w.indent()
			w.tag(name, attrs)
			w.b.WriteString("/>\n")
			return
		}
	}
}

func (w *writer) tag(name string, attrs []string) {
	w.b.WriteString("<" + name)
	for i := 0; i+1 < len(attrs); i += 2 {
		if attrs[i+1] != "" {
			w.b.WriteString(" " + attrs[i] + `="` + attrEscaper.Replace(attrs[i+1]) + `"`)
		}
	}
}

var (
	textEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#13;")
	attrEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\r", "&#13;", "\n", "&#10;", "\t", "&#9;")
)

// printable drops what XML 1.0 cannot hold; FHIR strings may not hold it either, so nothing is lost.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0xFFFE || c == 0xFFFF {
			return -1
		}
		return c
	}, s)
}

func (w *writer) bytes() []byte { return []byte(printable(w.b.String())) }
