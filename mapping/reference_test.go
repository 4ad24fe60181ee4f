//go:build reference

package mapping

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lestrrat-go/helium"
	"github.com/lestrrat-go/helium/xsd"
)

func reference(t testing.TB, path ...string) string {
	t.Helper()
	root := os.Getenv("SLUSE_REFERENCE")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "reference")
	}
	p := filepath.Join(append([]string{root, "messages"}, path...)...)
	if _, err := os.Stat(p); err != nil {
		t.Fatalf("reference data is needed (SLUSE_REFERENCE): %v", err)
	}
	return p
}

// judges check a document by the published schemas, independently of each other.
type judges map[string]func(raw []byte) error

func newJudges(t testing.TB) judges {
	t.Helper()
	ctx := context.Background()
	driver := reference(t, "xsd", "kith", "all-messages-driver.xsd")
	schema, err := xsd.NewCompiler().FS(helium.PermissiveFS()).CompileFile(ctx, driver)
	if err != nil {
		t.Fatalf("schemas: %v", err)
	}
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Fatalf("xmllint is needed (deploy/ensure-xmllint): %v", err)
	}
	return judges{
		"helium": func(raw []byte) error {
			doc, err := helium.NewParser().Parse(ctx, raw)
			if err != nil {
				return err
			}
			faults := helium.NewErrorCollector(ctx, helium.ErrorLevelNone)
			if err := xsd.NewValidator(schema).ErrorHandler(faults).Validate(ctx, doc); err != nil {
				return errors.Join(append(faults.Errors(), err)...)
			}
			return nil
		},
		"xmllint": func(raw []byte) error {
			cmd := exec.CommandContext(t.Context(), "xmllint", "--noout", "--nonet", "--schema", driver, "-")
			cmd.Stdin = bytes.NewReader(raw)
			out, err := cmd.CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		},
	}
}

// accept demands that each finds the document valid.
func (j judges) accept(t testing.TB, name string, raw []byte) {
	t.Helper()
	for judge, valid := range j {
		if err := valid(raw); err != nil {
			t.Errorf("%s, by %s: %v", name, judge, err)
		}
	}
}

// refuse demands that each finds a fault in the document once an element that no schema knows stands before that place.
func (j judges) refuse(t testing.TB, name string, raw []byte, before string) {
	t.Helper()
	for judge, valid := range j {
		if err := valid([]byte(strings.Replace(string(raw), before, "<Extra/>"+before, 1))); err == nil {
			t.Errorf("%s: %s accepts an unknown element", name, judge)
		}
	}
}

// TestSchemas: what we write for the published standards is valid, by two validators that can tell.
func TestSchemas(t *testing.T) {
	j := newJudges(t)
	for name, o := range outgoing(t) {
		raw, _, err := Write(o)
		if err != nil {
			t.Fatal(err)
		}
		if o.Dialog == nil {
			raw = withoutPayload(t, raw) // no schema of PLO is public: the head alone
		}
		j.accept(t, name, raw)
		j.refuse(t, name, raw, "<MsgId>")
	}
	for _, version := range []string{"1.0", "1.1"} {
		raw, err := WriteAppRec(demoAppRec(version))
		if err != nil {
			t.Fatal(err)
		}
		j.accept(t, "AppRec "+version, raw)
		j.refuse(t, "AppRec "+version, raw, "<Status ")
	}
	for name, raw := range samples(t) {
		if !strings.Contains(string(raw), "MsgHead") {
			t.Logf("%s: no schema of the older root Message is public", name)
			continue
		}
		if !strings.HasPrefix(name, "dialog") {
			raw = withoutPayload(t, raw)
		}
		raw = []byte(strings.Replace(string(raw), ">%%%<", "><", 1)) // the attachment that is broken on purpose
		for _, doc := range [][]byte{raw, withheld(t, raw)} {
			j.accept(t, name, doc)
		}
	}
}

func withheld(t *testing.T, raw []byte) []byte {
	t.Helper()
	out, err := Withhold(raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// withoutPayload empties Content, which the schema checks strictly.
func withoutPayload(t *testing.T, raw []byte) []byte {
	t.Helper()
	doc, root, err := parse(raw, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range root.at("Document", "RefDoc", "Content").all() {
		content.parent.src.RemoveChild(content.src)
	}
	out, err := serialise(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestReferenceSamples: every public sample of a type that is mapped is read, every leaf of it accounted for, and
// withholding nothing changes nothing but the heading.
func TestReferenceSamples(t *testing.T) {
	paths, err := filepath.Glob(reference(t, "samples") + "/*/*.xml")
	if err != nil || len(paths) < 14 {
		t.Fatalf("%d samples: %v", len(paths), err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		compareParsers(t, raw)
		name := filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			switch {
			case strings.Contains(name, "ebms"):
				if _, err := Read(raw, ids); err == nil {
					t.Error("an envelope was read as a message")
				}
			case strings.Contains(name, "apprec"):
				a, err := ReadAppRec(raw)
				if err != nil {
					t.Fatal(err)
				}
				out, err := WriteAppRec(*a)
				if err != nil {
					t.Fatal(err)
				}
				newJudges(t).accept(t, name, out)
			default:
				accountFor(t, raw)
				copied := leafSet(t, withheld(t, raw))
				if len(copied) != len(leafSet(t, raw))+1 {
					t.Error("withholding nothing changed the number of leaves")
				}
			}
		})
	}
}

// TestCodeLists compares the texts of the tables with the national lists.
func TestCodeLists(t *testing.T) {
	f, err := os.Open(reference(t, "codelists", "volven-codes.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	national := map[string]string{}
	lists := map[string]bool{}
	for _, r := range rows {
		national[r[0]+"|"+r[2]] = r[3]
		lists[r[0]] = true
	}
	for list, codes := range theTable().codes {
		if !lists[list] {
			t.Logf("list %s is not among the public ones", list)
			continue
		}
		for code, text := range codes {
			if got, ok := national[list+"|"+code]; (!ok || got != text) && !(list == "7309" && (code == "X" || code == "O")) {
				t.Errorf("%s %s: %q, the list says %q", list, code, text, got)
			}
		}
	}
}
