// Command sabotage breaks every guard of the project in turn and demands that
// the test which stands for the guard turns red. A guard whose breakage nothing
// notices is not a guard.
//
// No file is touched: each breakage is an overlay of the compiler, inherited by
// builds that the test starts itself.
//
// Each test is first run without the breakage, unless -green says that all have just been seen green.
//
//	go run ./conformance/sabotage [-only REGEXP] [-list FILE] [-green]
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

func main() {
	list := flag.String("list", "conformance/sabotage/list.txt", "the breakages")
	only := flag.String("only", "", "only breakages whose id matches")
	seen := flag.Bool("green", false, "the tests have just been seen green without the breakages")
	flag.Parse()
	red, err := run(*list, *only, *seen)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sabotage:", err)
		os.Exit(1)
	}
	fmt.Printf("sabotage: %d breakages, all red\n", red)
}

func run(list, only string, seen bool) (red int, err error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return 0, err
	}
	text, err := os.ReadFile(list)
	if err != nil {
		return 0, err
	}
	breakages, err := parse(string(text))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", list, err)
	}
	var failed []error
	green := map[string]error{}
	for _, b := range breakages {
		if !pattern.MatchString(b.ID) {
			continue
		}
		key := b.Package + " " + b.Test
		if _, known := green[key]; !known && !seen {
			green[key] = b.baseline()
		}
		err := green[key]
		if err == nil {
			err = b.provoke()
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", b.ID, err))
			fmt.Printf("FAIL  %-28s %s: %v\n", b.ID, b.Guard, err)
			continue
		}
		red++
		fmt.Printf("red   %-28s %s (%s)\n", b.ID, b.Guard, b.Test)
	}
	if len(failed) > 0 {
		return red, fmt.Errorf("%d of %d breakages did not turn their test red:\n%w", len(failed), red+len(failed), errors.Join(failed...))
	}
	if red == 0 {
		return 0, fmt.Errorf("no breakage matches %q", only)
	}
	return red, nil
}

// breakage is one edit of one file and the test that must notice it.
type breakage struct {
	ID      string // unique, short
	Guard   string // what the broken line guards, in words
	File    string // from the project's root
	Old     string // occurs exactly once in File
	New     string
	Package string // ./gateway/audit
	Test    string // regular expression for -run, one test
	Tags    string // further build tags
}

// baseline demands that the test is green without the breakage.
func (b breakage) baseline() error {
	if out, err := b.goTest(""); err != nil {
		return fmt.Errorf("the test is red without the breakage: %s", last(out))
	}
	return nil
}

// provoke applies the breakage and demands a red test, not a broken build.
func (b breakage) provoke() error {
	broken, err := b.apply()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sabotage")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // temporary
	source, err := filepath.Abs(b.File)
	if err != nil {
		return err
	}
	replacement := filepath.Join(dir, "broken"+filepath.Ext(b.File))
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {source: replacement}})
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "overlay.json")
	if err := errors.Join(os.WriteFile(replacement, []byte(broken), 0o600), os.WriteFile(path, overlay, 0o600)); err != nil {
		return err
	}
	out, err := b.goTest(path)
	name, _, _ := strings.Cut(b.Test, "/")
	switch {
	case err == nil:
		return errors.New("nothing notices it")
	case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
		return fmt.Errorf("it does not compile: %s", last(out))
	case !strings.Contains(out, "--- FAIL: "+name) && !strings.Contains(out, "panic: test timed out"):
		return fmt.Errorf("something else fails: %s", last(out))
	}
	return nil
}

// apply gives the text of the broken file.
func (b breakage) apply() (string, error) {
	text, err := os.ReadFile(b.File)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(text), b.Old); n != 1 {
		return "", fmt.Errorf("%s holds the old text %d times, want exactly once: %s", b.File, n, b.Old)
	}
	return strings.Replace(string(text), b.Old, b.New, 1), nil
}

// goTest runs the test anew: what it builds or reads itself is not in go's cache.
func (b breakage) goTest(overlay string) (string, error) {
	tags := strings.Trim("nomsgpack,"+b.Tags, ",")
	cmd := exec.Command("go", "test", "-count=1", "-vet=off", "-timeout=5m", "-run", "^"+strings.ReplaceAll(b.Test, "/", "$/^")+"$", b.Package)
	cmd.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace("-mod=readonly -buildvcs=false -tags="+tags))
	if overlay != "" {
		cmd.Env[len(cmd.Env)-1] += " -overlay=" + overlay
	}
	out, err := cmd.CombinedOutput()
	if err == nil && strings.Contains(string(out), "no tests to run") {
		return string(out), errors.New("no such test")
	}
	return string(out), err
}

// last keeps the end of a test's output, which tells how it ended.
func last(out string) string {
	out = strings.TrimSpace(out)
	return out[max(0, len(out)-400):]
}

// parse reads the list: blocks of "name: value" lines, apart by empty lines;
// # begins a comment line. A value ends at the end of its line and may be
// written in Go quotes, for leading blanks or a line break.
func parse(text string) (breakages []breakage, err error) {
	seen := map[string]bool{}
	for block := range strings.SplitSeq(text, "\n\n") {
		var b breakage
		fields := map[string]*string{
			"id": &b.ID, "guard": &b.Guard, "file": &b.File, "old": &b.Old, "new": &b.New,
			"package": &b.Package, "test": &b.Test, "tags": &b.Tags,
		}
		set := 0
		for line := range strings.SplitSeq(block, "\n") {
			if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
				continue
			}
			name, value, found := strings.Cut(line, ":")
			if !found || fields[name] == nil {
				return nil, fmt.Errorf("line %q: not name: value", line)
			}
			*fields[name] = unquote(strings.TrimSpace(value))
			set++
		}
		if set == 0 {
			continue
		}
		if b.ID == "" || b.Guard == "" || b.File == "" || b.Old == "" || b.Package == "" || b.Test == "" || b.Old == b.New {
			return nil, fmt.Errorf("breakage %q is incomplete", b.ID)
		}
		if seen[b.ID] {
			return nil, fmt.Errorf("breakage %q stands twice", b.ID)
		}
		seen[b.ID] = true
		breakages = append(breakages, b)
	}
	return breakages, nil
}

// unquote takes a value as it stands, unless it is wholly in Go quotes.
func unquote(value string) string {
	if len(value) >= 2 && (value[0] == '"' || value[0] == '`') && value[len(value)-1] == value[0] {
		if s, err := strconv.Unquote(value); err == nil {
			return s
		}
	}
	return value
}
