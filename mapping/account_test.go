package mapping

import (
	"encoding/json"
	"strings"
	"testing"
)

// leaf is one value of a message as an independent walk sees it.
type leaf struct{ path, value string }

func leavesOf(t testing.TB, raw []byte) []leaf {
	t.Helper()
	_, root, err := parse(raw, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var out []leaf
	var walk func(e *elem)
	walk = func(e *elem) {
		for _, a := range e.attrs {
			if a.ns != nsXSI {
				out = append(out, leaf{e.path() + "/@" + a.name, a.value})
			}
		}
		if strings.TrimSpace(e.text) != "" {
			out = append(out, leaf{e.path(), e.text})
		}
		for _, k := range e.kids {
			walk(k)
		}
	}
	walk(root)
	return out
}

// TestEveryLeafIsAccountedFor: each value of each sample has exactly one outcome in the report, and one that is mapped is
// found in the resource that the report names.
func TestEveryLeafIsAccountedFor(t *testing.T) {
	for name, raw := range samples(t) {
		t.Run(name, func(t *testing.T) { accountFor(t, raw) })
	}
}

func accountFor(t *testing.T, raw []byte) {
	t.Helper()
	account(t, raw, 10)
}

// account wants at least some leaves mapped, so that nothing passes for being kept alone.
func account(t *testing.T, raw []byte, least int) {
	t.Helper()
	in, err := read(raw, ids, true)
	if err != nil {
		t.Fatal(err)
	}
	outcomes := map[string][]Finding{}
	for _, f := range in.Report {
		if f.Outcome == Reveals || f.Outcome == Invalid && (f.Target != "" && f.Target != "Patient.identifier") || f.Target == "Patient.identifier" {
			continue // a remark beside the outcome
		}
		if f.Path != commentPath && f.Path != namespacePath { // no values
			outcomes[f.Path] = append(outcomes[f.Path], f)
		}
	}
	values := map[string][]string{}
	for _, r := range in.Resources {
		var v any
		if err := json.Unmarshal(r.Body, &v); err != nil {
			t.Fatalf("%s: %v", r.Key, err)
		}
		values[r.Key] = scalars(v, nil)
	}
	mapped := 0
	for _, l := range leavesOf(t, raw) {
		got := outcomes[l.path]
		if len(got) != 1 {
			t.Errorf("%s: %d outcomes, want 1", l.path, len(got))
			continue
		}
		delete(outcomes, l.path)
		if f := got[0]; f.Outcome == Mapped || f.Outcome == UnknownCode {
			mapped++
			if !holds(values[f.Key], l.value) {
				t.Errorf("%s: said to stand in %s of %s, but does not", l.path, f.Target, f.Key)
			}
		}
	}
	for path := range outcomes {
		t.Errorf("%s: reported, but not a leaf", path)
	}
	if mapped < least {
		t.Errorf("only %d leaves mapped", mapped)
	}
}

func scalars(v any, out []string) []string {
	switch v := v.(type) {
	case string:
		return append(out, v)
	case bool:
		if v {
			return append(out, "true")
		}
		return append(out, "false")
	case float64:
		b, _ := json.Marshal(v)
		return append(out, string(b))
	case []any:
		for _, e := range v {
			out = scalars(e, out)
		}
	case map[string]any:
		for _, e := range v {
			out = scalars(e, out)
		}
	}
	return out
}

// holds compares as the mapping may change a value: OID to URI, sex to gender, tel: URIs, decimals, zones, white space
// of XHTML and base64.
func holds(have []string, value string) bool {
	v := strings.Join(strings.Fields(value), " ")
	for _, h := range have {
		n := strings.Join(strings.Fields(h), " ")
		switch {
		case n == v, n == "urn:oid:"+v, strings.Contains(n, v) && len(v) > 3, n == "http://www.whocc.no/atc" && v == volven+"7180",
			strings.HasSuffix(v, ":"+n), n == gender(v), strings.TrimRight(v, "0") == n && strings.Contains(v, "."),
			n == strings.ReplaceAll(v, " ", ""), strings.Contains(n, " "+v) || strings.HasPrefix(n, v+" "):
			return true
		}
		if words := strings.Fields(value); len(words) > 2 && inOrder(n, words) { // XHTML: markup between the words
			return true
		}
	}
	return false
}

func inOrder(text string, words []string) bool {
	for _, w := range words {
		i := strings.Index(text, w)
		if i < 0 {
			return false
		}
		text = text[i+len(w):]
	}
	return true
}

// TestSectionsHaveLabels: DESIGN § 2; a section without one would never be decided.
func TestSectionsHaveLabels(t *testing.T) {
	known := strings.Fields("demografi samarbeid rus psykisk somatisk legemidler plan kriseplan henvisning kartlegging bolig " +
		"okonomi arbeid familie barn nettverk voldsutsatt voldsrisiko livskvalitet tvang seksuell-helse migrasjon kriminalitet " +
		"parorende logistikk funksjon tjenester rusprover tolk tannhelse smitte uklassifisert")
	set := map[string]bool{}
	for _, l := range known {
		set[l] = true
	}
	tab := theTable()
	// Every field of every root and container leads to a section before the first leaf.
	var walk func(c *class, covered bool, path string, depth int)
	walk = func(c *class, covered bool, path string, depth int) {
		for _, f := range c.fields {
			inside := covered || f.section.mode != ""
			for _, l := range f.section.labels {
				if !set[l] {
					t.Errorf("%s/%s: label %q is not of the code system", path, f.name, l)
				}
			}
			if f.section.mode != "" && len(f.section.labels) == 0 && !f.section.content {
				t.Errorf("%s/%s: section without a label", path, f.name)
			}
			if f.class == nil && !inside {
				t.Errorf("%s/%s: a leaf outside every section", path, f.name)
			}
			for _, k := range f.classes() {
				if depth < 12 {
					walk(k, inside, path+"/"+f.name, depth+1)
				}
			}
		}
	}
	for _, m := range tab.messages {
		walk(m.rootClass, false, string(m.kind), 0)
	}
	for list, codes := range tab.labels {
		for code, labels := range codes {
			for _, l := range labels {
				if !set[l] {
					t.Errorf("labels %s %s: %q is not of the code system", list, code, l)
				}
			}
		}
	}
	for name, raw := range samples(t) {
		in, err := read(raw, ids, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range in.Sections {
			if len(s.Labels) == 0 && !s.ByContent || s.Path == "" || s.Name == "" {
				t.Errorf("%s: section %q lacks label, path or name", name, s.Path)
			}
		}
		for _, r := range in.Resources {
			found := false
			for _, s := range in.Sections {
				found = found || s.Path == r.Section
			}
			if !found {
				t.Errorf("%s: resource %s belongs to no section", name, r.Key)
			}
		}
	}
}
