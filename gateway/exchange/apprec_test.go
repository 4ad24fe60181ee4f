package exchange

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/mapping"
)

// constants lists the string constants of a type in a file of package gateway, or of package mapping.
func constants(t *testing.T, file, typ string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := v.Type.(*ast.Ident); !ok || id.Name != typ {
			return true
		}
		for _, value := range v.Values {
			if lit, ok := value.(*ast.BasicLit); ok {
				s, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				found = append(found, s)
			}
		}
		return true
	})
	if len(found) < 5 {
		t.Fatalf("%d constants of %s in %s", len(found), typ, file)
	}
	return found
}

// TestTablesAreWhole: every Code has an HTTP status and an AppRec, every Reason an AppRec, every
// fault of package mapping a Code; and none of them tells whether the patient is known.
func TestTablesAreWhole(t *testing.T) {
	all := constants(t, "../error.go", "Code")
	for _, c := range all {
		if _, ok := failures[gateway.Code(c)]; !ok {
			t.Errorf("no HTTP status for %s", c)
		}
		if _, ok := codes[gateway.Code(c)]; !ok {
			t.Errorf("no AppRec for %s", c)
		}
		if status, e := AppRecOf(gateway.Code(c)); status != gateway.AppRecRejected || e.Code == "" || e.Text == "" {
			t.Errorf("AppRec for %s: %d %+v", c, status, e)
		}
	}
	if len(failures) != len(all) || len(codes) != len(all) {
		t.Errorf("%d codes, %d HTTP rows, %d AppRec rows", len(all), len(failures), len(codes))
	}
	for _, r := range constants(t, "../message.go", "Reason") {
		if r == "" {
			continue
		}
		w, ok := reasons[gateway.Reason(r)]
		if !ok {
			t.Errorf("no AppRec for %s", r)
		}
		if !strings.HasSuffix(remedies[gateway.Reason(r)], ".") {
			t.Errorf("nothing to do about %s", r)
		}
		if errorTexts[w.code] == "" || w.code == "E35" || w.code == "E54" || w.code == "E53" {
			t.Errorf("%s gives %q", r, w.code)
		}
	}
	for _, c := range constants(t, "../../mapping/error.go", "Code") {
		known := false
		for have := range mappingCodes {
			known = known || string(have) == c
		}
		if !known {
			t.Errorf("no Code for %s of package mapping", c)
		}
	}
}

// TestLackingFits: whatever is missing, the text up to its first full stop has at most 80
// characters.
func TestLackingFits(t *testing.T) {
	begin := reasons[gateway.ConsentMissing].text
	for i := range 32 {
		for _, l := range []gateway.Labels{1 << i, 1<<(i+1) - 1, gateway.AllLabels &^ (1<<i - 1), 0} {
			text := lacking(begin, Translator{}.categories(l&gateway.AllLabels))
			stop := strings.IndexByte(text, '.')
			if !strings.HasPrefix(text, begin) || stop < 0 || len([]rune(text[:stop+1])) > 80 || stop == len(begin) {
				t.Errorf("%#x: %q", uint64(l), text)
			}
		}
	}
}

// TestPartsAndWhole: status 3 only when something crosses and every reason is about a part.
func TestPartsAndWhole(t *testing.T) {
	for _, c := range []struct {
		crosses bool
		reasons []gateway.Reason
		want    gateway.AppRecStatus
	}{
		{true, nil, gateway.AppRecOK},
		{false, nil, gateway.AppRecRejected},
		{true, []gateway.Reason{gateway.ConsentMissing}, gateway.OKErrorInMessagePart},
		{false, []gateway.Reason{gateway.ConsentMissing}, gateway.AppRecRejected},
		{true, []gateway.Reason{gateway.ConsentMissing, gateway.AttachmentFault}, gateway.OKErrorInMessagePart},
		{true, []gateway.Reason{gateway.ConsentMissing, gateway.ContentInvalid}, gateway.AppRecRejected},
		{true, []gateway.Reason{"unheard-of"}, gateway.AppRecRejected},
	} {
		got, errs := Translator{}.Acknowledge(gateway.Verdict{Crosses: c.crosses, Reasons: c.reasons})
		if got != c.want || (got != gateway.AppRecOK) != (len(errs) > 0) {
			t.Errorf("crosses %t %v: %d with %d errors, want %d", c.crosses, c.reasons, got, len(errs), c.want)
		}
	}
}

// TestEveryRejectionTellsWhatToDo: each fault of package mapping, in an AppRec and in the answer to what is not taken in, names
// the rule in bokmål, the place, a code of 8221 and what to do; each reason the code and what to do. None holds a national number.
func TestEveryRejectionTellsWhatToDo(t *testing.T) {
	const place = "/MsgHead/MsgInfo/Type"
	faults := constants(t, "../../mapping/error.go", "Code")
	for _, c := range faults {
		r, ok := rejections[mapping.Code(c)]
		if !ok || errorTexts[r.code] == "" || !strings.HasSuffix(r.remedy, ".") {
			t.Errorf("%s: %+v", c, r)
		}
		i := fhir.Issue{Code: "message." + c, Expression: place}
		for _, why := range []gateway.Reason{gateway.ContentInvalid, gateway.KindUnknown} {
			status, errs := Translator{}.Acknowledge(gateway.Verdict{Reasons: []gateway.Reason{why}, Faults: []fhir.Issue{i}})
			if status != gateway.AppRecRejected || len(errs) != 1 || errs[0].Code != r.code || !strings.Contains(errs[0].Text, place) ||
				!strings.Contains(errs[0].Text, r.remedy) || !strings.Contains(errs[0].Text, strings.TrimSuffix(texts["message."+c], ".")) {
				t.Errorf("%s %s: %d %+v", why, c, status, errs)
			}
		}
		if line := explained(i, ""); !strings.Contains(line, place) || !strings.Contains(line, r.remedy) || !strings.Contains(line, "8221: "+r.code) {
			t.Errorf("%s: %q", c, line)
		}
		secret := fhir.Issue{Code: "message." + c, Expression: "/MsgHead/x-21869245515"}
		if _, errs := (Translator{}).Acknowledge(gateway.Verdict{Reasons: []gateway.Reason{gateway.ContentInvalid}, Faults: []fhir.Issue{secret}}); strings.Contains(errs[0].Text, "21869245515") {
			t.Errorf("%s: %q", c, errs[0].Text)
		}
	}
	if len(rejections) != len(faults) {
		t.Errorf("%d rows for %d faults", len(rejections), len(faults))
	}
	for r := range reasons {
		_, errs := Translator{}.Acknowledge(gateway.Verdict{Crosses: true, Reasons: []gateway.Reason{r}, Missing: gateway.Rus})
		if len(errs) != 1 || errs[0].Code == "" || !strings.Contains(errs[0].Text, ". ") || !strings.HasSuffix(errs[0].Text, ".") {
			t.Errorf("%s: %+v", r, errs)
		}
	}
}
