package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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

// run turns the mutants on one after the other and gives the fate of each: who has noticed it, "survived", or "invalid".
func (s suite) run(list []mutant, files map[string][]byte) (map[int]string, error) {
	dir, err := os.MkdirTemp("", "mutation")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // temporary
	binary, err := s.build(dir, files)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	mutants, told := filepath.Join(dir, "mutants.json"), filepath.Join(dir, "fates")
	if err := os.WriteFile(mutants, raw, 0o600); err != nil {
		return nil, err
	}
	fates := map[int]string{}
	for {
		before := len(fates)
		cmd := exec.Command(binary, "-test.run=^TestMutants$", "-test.timeout=0", "-rapid.nofailfile", "-rapid.shrinktime=1ms", "-rapid.checks=60", "-rapid.seed=1") //nolint:gosec // our own
		cmd.Dir = s.dir
		cmd.Env = append(os.Environ(), "SLUSE_MUTANTS="+mutants, "SLUSE_FATES="+told, "SLUSE_SUITE="+s.name)
		out, ran := cmd.CombinedOutput()
		text, err := os.ReadFile(told)
		if err != nil {
			return nil, errors.Join(err, ran, errors.New(last(string(out))))
		}
		begun := 0
		for line := range strings.Lines(string(text)) {
			id, fate, _ := strings.Cut(strings.TrimSpace(line), " ")
			n, err := strconv.Atoi(id)
			switch {
			case err != nil:
				return nil, fmt.Errorf("a fate that cannot be read: %q", line)
			case n == 0 && fate != "sound":
				return nil, fmt.Errorf("the suites are red without a mutant: %s: %s", fate, last(string(out)))
			case n == 0:
			case fate == "begun":
				begun = n
			default:
				fates[n] = fate
			}
		}
		if begun != 0 && fates[begun] == "" { // it took the process along
			fates[begun] = "crash"
		}
		switch {
		case len(fates) == len(list):
			return fates, nil
		case len(fates) == before:
			return nil, fmt.Errorf("no mutant was run: %w: %s", ran, last(string(out)))
		}
	}
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
	embedding, err := os.ReadFile("policies/policies.go")
	if err != nil {
		return "", err
	}
	hooked := strings.Replace(string(embedding), "out[name] = string(b)", "out[name] = mutant.File(name, string(b))", 1)
	hooked = strings.Replace(hooked, "package policies\n", "package policies; import \"github.com/sluse/sluse/policies/mutant\"\n", 1)
	if strings.Count(hooked, "mutant") != 2 {
		return "", errors.New("policies/policies.go does not read its files as this command knows it")
	}
	faults := []error{put("policies/policies.go", hooked), put("policies/mutant/mutant.go", switches), put(s.dir+"/mutants_test.go", s.driver)}
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
