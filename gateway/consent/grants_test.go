package consent_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent/consenttest"
	"github.com/sluse/sluse/policies/cases"
)

var update = flag.Bool("update", false, "write the golden files")

// The normal form of every hand-written case stands in testdata/grants.txt: what is stored, joined by SQL and shown to
// those who ask for an explanation, with every fault and remark. An answer can stay right while this changes.
func TestGrantsOfCases(t *testing.T) {
	t.Parallel()
	world, all, err := cases.Load()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	forms := map[string]string{}
	for i, name := range formNames(all) {
		c := all[i]
		forms[name] = normalForm(consenttest.Make(t, world, c))
		fmt.Fprintf(&out, "%s\n%s\n", name, forms[name])
	}
	if *update {
		if err := os.WriteFile(goldenForms, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	golden := readForms(t)
	for name, form := range forms {
		if golden[name] != form {
			t.Errorf("%s: (go test -update writes them)\n%swant\n%s", name, form, golden[name])
		}
	}
	if len(golden) != len(all) || len(all) < 200 {
		t.Errorf("%d cases, %d normal forms", len(all), len(golden))
	}
}

// formNames names the cases, of which several in a file may have the same name.
func formNames(all []cases.Case) (out []string) {
	seen := map[string]int{}
	for _, c := range all {
		name := c.File + "/" + c.Name
		if seen[name]++; seen[name] > 1 {
			name += fmt.Sprintf(" (%d)", seen[name])
		}
		out = append(out, name)
	}
	return out
}

var goldenForms = filepath.Join("testdata", "grants.txt")

// readForms gives the normal forms of the cases by their names.
func readForms(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(goldenForms)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for form := range strings.SplitSeq(strings.TrimSuffix(string(raw), "\n\n"), "\n\n") {
		name, lines, _ := strings.Cut(form, "\n")
		if lines != "" {
			lines += "\n"
		}
		out[name] = lines
	}
	return out
}

// normalForm writes the grants and issues of a vector, a line each; what is any is left out.
func normalForm(v consenttest.Vector) string {
	var b strings.Builder
	for _, i := range v.Issues {
		fmt.Fprintf(&b, "  %s %s %s %s\n", i.Severity, i.Code, i.Expression, strings.Join(i.Args, "; "))
	}
	for _, g := range v.Grants {
		effect := "deny"
		if g.Effect == gateway.Allow {
			effect = "permit"
		}
		if g.Objection {
			effect = "objection"
		}
		fmt.Fprintf(&b, "  %s %s %s", effect, g.Consent.ID, strings.TrimPrefix(g.Path, "Consent."))
		if g.Labels == gateway.AllLabels {
			b.WriteString(" | all")
		} else {
			fmt.Fprintf(&b, " | %s", strings.Join(g.Labels.Codes(), " "))
		}
		list(&b, "to", g.Recipients)
		list(&b, "from", g.Custodians)
		list(&b, "roles", g.Roles)
		list(&b, "purposes", g.Purposes)
		list(&b, "actions", g.Actions)
		list(&b, "types", g.Types)
		list(&b, "items", g.Items)
		between(&b, "data", g.DataLow, g.DataHigh)
		between(&b, "time", g.Start, g.End)
		if g.Trust != "" {
			fmt.Fprintf(&b, " | trust %s", g.Trust)
		}
		fmt.Fprintf(&b, " | %s\n", g.Law)
	}
	return b.String()
}

func list[T comparable](b *strings.Builder, name string, s gateway.Set[T]) {
	if s.Any {
		return
	}
	fmt.Fprintf(b, " | %s", name)
	for _, v := range s.Of {
		fmt.Fprintf(b, " %v", v)
	}
}

func between(b *strings.Builder, name string, low, high time.Time) {
	bound := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.In(cases.Oslo).Format("2006-01-02T15:04:05.999")
	}
	if !low.IsZero() || !high.IsZero() {
		fmt.Fprintf(b, " | %s %s–%s", name, bound(low), bound(high))
	}
}
