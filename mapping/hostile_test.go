package mapping

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// fill repeats what one gives, by number, up to the size of the largest document.
func fill(head, tail string, one func(i int) string) string {
	var b strings.Builder
	b.WriteString(head)
	for i := 0; b.Len() < 9<<20; i++ {
		b.WriteString(one(i))
	}
	b.WriteString(tail)
	return b.String()
}

// TestParserIsLinear: no document below the limits costs more than its bytes. Each of these took minutes, or memory
// beyond the machine, with one look too many at what came before.
func TestParserIsLinear(t *testing.T) {
	var bindings strings.Builder
	for i := range 8 {
		bindings.WriteString("<a")
		for j := range 60 {
			fmt.Fprintf(&bindings, ` xmlns:p%02d%02d="u%d"`, i, j, j)
		}
		bindings.WriteString(">")
	}
	unbind := strings.Repeat("</a>", 8)
	cases := map[string]string{
		"text between comments":  "<a>" + strings.Repeat("x<!---->", 99_000) + "</a>",
		"text between children":  "<a>" + strings.Repeat("x<b/>", 190_000) + "</a>",
		"names beyond ASCII":     fill("<a>", "</a>", func(i int) string { return fmt.Sprintf("<å%d y='%s'/>", i, strings.Repeat("z", 60)) }),
		"siblings of many names": fill("<a>", "</a>", func(i int) string { return fmt.Sprintf("<b%d y='%s'/>", i, strings.Repeat("z", 60)) }),
		"prefixes in scope": fill(bindings.String(), unbind, func(int) string {
			return `<a` + strings.Repeat(` p0000:x=""`, 1) + strings.Repeat(` y=""`, 1) + strings.Repeat(" ", 40) + `/>`
		}),
		"attributes with prefixes": fill(bindings.String(), unbind, func(i int) string {
			var b strings.Builder
			b.WriteString("<a")
			for j := range 60 {
				fmt.Fprintf(&b, ` p00%02d:x%d=""`, j, i%10)
			}
			return b.String() + "/>"
		}),
		"references":         "<a>" + strings.Repeat("&#65;", 1_800_000) + "</a>",
		"open brackets":      "<a>" + strings.Repeat("]]", 4<<20) + "</a>",
		"line ends":          "<a x='" + strings.Repeat("\r", 8<<20) + "'/>",
		"a name without end": "<" + strings.Repeat("a", 9<<20),
	}
	for name, doc := range cases {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			root, _, err := parseLean([]byte(doc))
			if e := new(Error); err != nil && (!errors.As(err, &e) || e.Code != TooLarge && e.Code != NotXML) {
				t.Error(err)
			}
			leaves := 0
			if err == nil {
				root.leaves(func(e *elem, _ *attr) { leaves += min(1, len(e.path())) })
			}
			if took := time.Since(begun); took > time.Minute { // a bound on what never ends, not on speed
				t.Errorf("%v for %d bytes, %d leaves", took, len(doc), leaves)
			} else {
				t.Logf("%v, %d leaves, %v", took, leaves, err)
			}
		})
	}
}

// TestLongNamesAreRefused: each line of the report names its place, so that names above many values multiply.
func TestLongNamesAreRefused(t *testing.T) {
	long := "n" + strings.Repeat("x", 20_000)
	for n, refused := range map[int]bool{100: false, 20_000: true} {
		_, _, err := parseLean([]byte("<" + long + ">" + strings.Repeat("<b>x</b>", n) + "</" + long + ">"))
		if e := new(Error); errors.As(err, &e) != refused || refused && e.Code != TooLarge {
			t.Errorf("%d values: %v", n, err)
		}
	}
}
