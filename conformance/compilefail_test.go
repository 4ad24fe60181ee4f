package conformance_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// No package but gateway makes a Permit or a Release: each fixture tries one
// way, and the compiler refuses it for that reason. The fixture without a
// wanted message compiles, so that a refusal is not that of a broken set-up.
func TestForgeriesDoNotCompile(t *testing.T) {
	t.Parallel()
	fixtures, err := filepath.Glob("testdata/compilefail/*.go.txt")
	if err != nil || len(fixtures) < 10 {
		t.Fatalf("%d fixtures, %v", len(fixtures), err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	// The fixtures become packages of the module without touching its files.
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	packages := map[string]string{}
	for _, fixture := range fixtures {
		name := strings.TrimSuffix(filepath.Base(fixture), ".go.txt")
		packages[fixture] = "./conformance/forger_" + name
		absolute, err := filepath.Abs(fixture)
		if err != nil {
			t.Fatal(err)
		}
		overlay.Replace[filepath.Join(root, "conformance", "forger_"+name, "forger.go")] = absolute
	}
	encoded, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(path, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	for fixture, name := range packages {
		text, err := os.ReadFile(fixture)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("go", "build", "-overlay", path, name)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		want, refused := strings.CutPrefix(strings.SplitN(string(text), "\n", 2)[0], "// want: ")
		switch {
		case !refused && err != nil:
			t.Errorf("%s does not compile: %s", fixture, out)
		case refused && err == nil:
			t.Errorf("%s compiles: a forgery is possible", fixture)
		case refused && !regexp.MustCompile(want).Match(out):
			t.Errorf("%s is refused for another reason than %q: %s", fixture, want, out)
		}
	}
}
