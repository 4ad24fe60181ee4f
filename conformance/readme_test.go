package conformance_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var shellBlock = regexp.MustCompile("(?s)\n```bash\n(.*?)```\n")

// The tutorial of the README works as it is written: every line runs, and what it prints holds
// what the line below it says.
func TestTutorial(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t)
	script := tutorial(string(readme))
	if n := strings.Count(script, "\nexpect "); n < 10 {
		t.Fatalf("only %d outputs are told", n)
	}
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	script = strings.NewReplacer("http://127.0.0.1:8080", s.base, ".bin/sluse", program).Replace(script)
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// tutorial makes one script of the blocks: "# → text" demands that the output of the command
// before it holds the text.
func tutorial(readme string) string {
	var script strings.Builder
	script.WriteString(`expect() { grep -qF -- "$1" "$OUT" || { echo "line $2: no \"$1\" in:"; cat "$OUT"; exit 1; }; }
OUT=$(mktemp); trap 'rm -f "$OUT"' EXIT
`)
	number := 0
	for _, block := range shellBlock.FindAllStringSubmatch(readme, -1) {
		lines := strings.Split(strings.TrimSuffix(block[1], "\n"), "\n")
		for i, line := range lines {
			number++
			told := i+1 < len(lines) && strings.HasPrefix(lines[i+1], "# → ")
			switch want, is := strings.CutPrefix(line, "# → "); {
			case is:
				fmt.Fprintf(&script, "expect '%s' %d\n", want, number)
			case told:
				fmt.Fprintf(&script, "{ %s ; } > \"$OUT\"\n", line)
			default:
				fmt.Fprintln(&script, line)
			}
		}
	}
	return script.String()
}

// Every path that the README names is there.
func TestReadmeNamesWhatIsThere(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:cmd|conformance|gateway|mapping|policies|deploy)/?[a-z0-9_./]*)`").FindAllStringSubmatch(string(readme), -1)
	if len(named) < 8 {
		t.Fatalf("only %d paths found", len(named))
	}
	for _, m := range named {
		if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
			t.Errorf("the README names %s: %v", m[1], err)
		}
	}
}
