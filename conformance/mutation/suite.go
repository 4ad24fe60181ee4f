package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	//go:embed testdata/mutant.go.txt
	switches string
	//go:embed testdata/consent.go.txt
	consentDriver string
	//go:embed testdata/postgres.go.txt
	postgresDriver string
)

// suite is the unit tests of one package, in one binary.
type suite struct {
	name, dir, driver string
}

var suites = []suite{
	{"rego", "gateway/consent", consentDriver},
	{"consent", "gateway/consent", consentDriver},
	{"postgres", "gateway/postgres", postgresDriver},
}

// run turns the mutants on one after the other and gives the fate of each by its name: who has noticed it, "survived",
// or "invalid". What stands in told already is not asked again, unless it survived.
func (s suite) run(list []mutant, files map[string][]byte, told string) (map[string]string, error) {
	fates, err := readFates(told)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(slices.Clone(list), func(m mutant) bool { return settled(fates[m.Name]) })
	if len(list) == 0 {
		return fates, nil
	}
	dir, err := os.MkdirTemp("", "mutation")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // temporary
	binary, err := s.build(dir, files)
	if err != nil {
		return nil, err
	}
	mutants := filepath.Join(dir, "mutants.json")
	if told, err = filepath.Abs(told); err != nil {
		return nil, err
	}
	for {
		raw, err := json.Marshal(list)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(mutants, raw, 0o600); err != nil {
			return nil, err
		}
		cmd := exec.Command(binary, "-test.run=^TestMutants$", "-test.timeout=0", "-rapid.nofailfile", "-rapid.shrinktime=1ms", "-rapid.checks=60", "-rapid.seed=1") //nolint:gosec // our own
		cmd.Dir = s.dir
		cmd.Env = append(os.Environ(), "SLUSE_MUTANTS="+mutants, "SLUSE_FATES="+told, "SLUSE_SUITE="+s.name, "GOGC=400")
		out, ran := cmd.CombinedOutput()
		if fates, err = readFates(told); err != nil {
			return nil, errors.Join(err, ran, errors.New(last(string(out))))
		}
		if fate := fates[""]; !strings.HasPrefix(fate, "sound ") {
			return nil, fmt.Errorf("the suites are red without a mutant: %s: %s", fate, last(string(out)))
		}
		at := slices.IndexFunc(list, func(m mutant) bool { return fates[m.Name] == begun || fates[m.Name] == endless })
		switch {
		case ran == nil, at == len(list)-1:
			return fates, nil
		case at < 0:
			return nil, fmt.Errorf("no mutant was run: %w: %s", ran, last(string(out)))
		}
		list = list[at+1:] // this one took the process along
	}
}

// begun is the fate of a mutant that is being asked about, or that took the process along.
const begun = "begun"

// settled tells of a fate that no further test changes.
func settled(fate string) bool {
	return fate != "" && fate != begun && fate != endless && !strings.HasPrefix(fate, "survived")
}

// readFates reads "NAME, tab, FATE" lines; of one mutant the last counts. None is no fault: nothing has been run.
func readFates(path string) (map[string]string, error) {
	fates := map[string]string{}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		name, fate, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok {
			return nil, fmt.Errorf("%s: a fate that cannot be read: %q", path, line)
		}
		fates[name] = fate
	}
	return fates, nil
}

// hooks are what is changed in the sources besides: the policies are read with the mutant that is on, compiled once for
// all who ask, and it is noted which rules an evaluation enters.
var hooks = []struct{ path, was, is string }{
	{"policies/policies.go", "out[name] = string(b)", "out[name] = mutant.File(name, string(b))"},
	{"gateway/consent/rego.go", "ast.CompileModules(modules)", "mutant.Compile(modules)"},
	{"gateway/consent/formula.go", "f.query.Eval(ctx, rego.EvalInput(input))", "f.query.Eval(ctx, mutant.Input(input)...)"},
	{"gateway/consent/ground.go", "rego.EvalParsedInput(input), quiet, uncancelled)", "mutant.Traced(rego.EvalParsedInput(input), quiet, uncancelled)...)"},
}

// hooked gives a source with its hook.
func hooked(path, was, is string) (string, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	text := string(source)
	clause := regexp.MustCompile(`(?m)^package \w+$`).FindString(text)
	if strings.Count(text, was) != 1 || clause == "" {
		return "", fmt.Errorf("%s is not as this command knows it: no %s", path, was)
	}
	text = strings.Replace(text, was, is, 1)
	return strings.Replace(text, clause+"\n", clause+"; import \"github.com/sluse/sluse/policies/mutant\"\n", 1), nil
}

// build makes the test binary with every mutant of Go in it.
func (s suite) build(dir string, files map[string][]byte) (string, error) {
	replace := map[string]string{}
	put := func(path, text string) error {
		source, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		into := filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
		replace[source] = into
		return os.WriteFile(into, []byte(text), 0o600)
	}
	faults := []error{put("policies/mutant/mutant.go", switches), put(s.dir+"/mutants_test.go", s.driver)}
	for _, h := range hooks {
		text, err := hooked(h.path, h.was, h.is)
		faults = append(faults, err, put(h.path, text))
	}
	for path, text := range files {
		if !strings.HasPrefix(path, s.dir) || s.name == "rego" {
			continue
		}
		faults = append(faults, put(path, string(text)))
	}
	overlay := filepath.Join(dir, "overlay.json")
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err = errors.Join(append(faults, err, os.WriteFile(overlay, raw, 0o600))...); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, s.name+".test")
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-overlay="+overlay, "-o", binary, "./"+s.dir) //nolint:gosec // our own
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly -buildvcs=false -tags=nomsgpack")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the mutants do not compile: %s", last(string(out)))
	}
	return binary, nil
}

// last keeps the end of an output.
func last(out string) string {
	out = strings.TrimSpace(out)
	return out[max(0, len(out)-2000):]
}
