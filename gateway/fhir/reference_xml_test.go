//go:build reference

package fhir_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// canonical writes JSON as ParseXML does: without white space, strings escaped only where they must
// be, numbers literally, members in the order they stand.
func canonical(t *testing.T, v *fhir.Value) []byte {
	t.Helper()
	var b []byte
	switch v.Kind() {
	case fhir.Object:
		b = append(b, '{')
		for i, m := range v.Members() {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(fhir.AppendString(b, m.Name), ':')
			b = append(b, canonical(t, m.Value)...)
		}
		return append(b, '}')
	case fhir.Array:
		b = append(b, '[')
		for i, item := range v.Items() {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, canonical(t, item)...)
		}
		return append(b, ']')
	case fhir.String:
		return fhir.AppendString(b, v.Text())
	}
	return append(b, v.Raw()...)
}

// sameLeaves compares two documents whatever the order of their members, numbers literally.
func sameLeaves(t *testing.T, a, b []byte) bool {
	t.Helper()
	again := func(body []byte) string {
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(v) // sorts the members
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	return again(a) == again(b)
}

// TestExamplesThroughXML takes every official example, of whatever type, to XML and back: the
// bytes are those of the original but for white space, and where the original has its members in
// another order than R4's, the leaves are.
func TestExamplesThroughXML(t *testing.T) {
	t.Parallel()
	equal, reordered := 0, 0
	for name, body := range examples(t) {
		r, err := fhir.ParseBundle(body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		x, err := fhir.AppendXML(nil, r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		back, err := fhir.ParseXML(x, fhir.Limits{Bytes: fhir.BundleBytes})
		if err != nil {
			t.Errorf("%s: back: %v", name, err)
			continue
		}
		want, got := canonical(t, r.Root()), back.Bytes()
		switch {
		case bytes.Equal(want, got):
			equal++
		case reorderedExamples[name] && sameLeaves(t, want, got):
			reordered++
		default:
			n := 0
			for n < len(want) && n < len(got) && want[n] == got[n] {
				n++
			}
			from := max(0, n-60)
			t.Errorf("%s: %v differs at %d:\n%s\n%s", name, sameLeaves(t, want, got), n, want[from:min(len(want), n+80)], got[from:min(len(got), n+80)])
		}
		if a, b := verdict(r), verdict(back); a != b {
			t.Errorf("%s: the findings differ:\n%s\n%s", name, a, b)
		}
		pretty, err := fhir.AppendXMLIndent(nil, back)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if again, err := fhir.ParseXML(pretty, fhir.Limits{Bytes: 2 * fhir.BundleBytes}); err != nil || !bytes.Equal(again.Bytes(), got) {
			t.Errorf("%s: indented: %v", name, err)
		}
	}
	t.Logf("%d equal, %d with members in another order", equal, reordered)
	if reordered != len(reorderedExamples) {
		t.Errorf("%d reordered", reordered)
	}
}

// verdict gives what Validate says, less the position.
func verdict(r *fhir.Resource) string {
	var b strings.Builder
	for _, i := range fhir.Validate(r) {
		b.WriteString(i.Code + " " + i.Expression + " " + strings.Join(i.Args, " ") + "\n")
	}
	return b.String()
}

// reorderedExamples have their members in alphabetical order, not in R4's.
var reorderedExamples = map[string]bool{"Questionnaire-qs1.json": true, "Bundle-terminologies.json": true}
