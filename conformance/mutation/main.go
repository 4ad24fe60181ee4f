// Command mutation changes the rules that decide, one small thing at a time, and demands that a test notices: every
// rule of the policies by its syntax tree, the translation of consents in package consent, and the predicates of
// package postgres. At least 95 of a hundred mutants must be killed, and each survivor is in survivors.txt with the
// reason why nothing notices it; one that is not fails the run.
//
// No file is touched. All mutants of Go are compiled at once, by an overlay of the compiler, each behind a switch
// (mutant schemata); those of Rego are texts that are read instead of the policies. The test binary then turns them on
// one after the other. Each test, and each question of a test that asks many, is a unit: a run without a mutant notes
// which switches and which rules it reaches, and a mutant is put only to the units that reach it, those first that have
// noticed others of the same function or rule. What stands still is answered once: Rego for mutants of Go, Go for
// mutants of Rego.
//
// A suite takes about a minute of CPU to begin with, then a killed mutant about 0.1 s and a survivor up to 5 s: some
// minutes for consent, about ten for rego. With -fates FILE the outcome is kept as it is found, and a further run with
// the same file asks only about what is new or has survived: after tests were added, not after any were taken away.
//
//	go run ./conformance/mutation [-only REGEXP] [-sample N] [-seed N] [-list] [-suite rego|consent|postgres] [-fates FILE]
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	var c config
	flag.StringVar(&c.only, "only", "", "only mutants whose name matches")
	flag.StringVar(&c.suite, "suite", "", "only mutants of rego, consent or postgres")
	flag.IntVar(&c.sample, "sample", 0, "so many of each suite, drawn; all of them when zero")
	flag.Uint64Var(&c.seed, "seed", 1, "of the draw")
	flag.BoolVar(&c.list, "list", false, "name the mutants and run none")
	flag.StringVar(&c.survivors, "survivors", "conformance/mutation/survivors.txt", "survivors with their reasons")
	flag.StringVar(&c.fates, "fates", "", "file in which the fates are kept: what was killed before is not asked again")
	flag.Parse()
	if err := run(c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}

type config struct {
	only, suite, survivors, fates string
	sample                        int
	seed                          uint64
	list                          bool
}

// mutant is one small change.
type mutant struct {
	ID    int    // from 1, over all suites
	Suite string // which unit tests are asked
	Name  string // file, function or rule, and the change: the same as long as that text is there
	File  string // of Rego: the policy file that Text stands for
	Text  string
}

// killed is how far the suites must reach.
const killed = 0.95

func run(c config, out io.Writer) error {
	pattern, err := regexp.Compile(c.only)
	if err != nil {
		return err
	}
	all, files, err := generate()
	if err != nil {
		return err
	}
	reasons, err := readSurvivors(c.survivors, all)
	if err != nil {
		return err
	}
	chosen := choose(all, c, pattern)
	if len(chosen) == 0 {
		return fmt.Errorf("no mutant matches %q", c.only)
	}
	if c.list {
		for _, m := range chosen {
			fmt.Fprintf(out, "%-8s %s\n", m.Suite, m.Name)
		}
		return nil
	}
	return judge(out, chosen, files, c, reasons)
}

// choose takes what is asked for, and of that a draw of each suite.
func choose(all []mutant, c config, pattern *regexp.Regexp) []mutant {
	by := map[string][]mutant{}
	for _, m := range all {
		if pattern.MatchString(m.Name) && (c.suite == "" || c.suite == m.Suite) {
			by[m.Suite] = append(by[m.Suite], m)
		}
	}
	var chosen []mutant
	for _, s := range suites {
		list := by[s.name]
		if c.sample > 0 && len(list) > c.sample {
			r := rand.New(rand.NewPCG(c.seed, 0)) //nolint:gosec // a draw that can be repeated
			r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			list = list[:c.sample]
			slices.SortFunc(list, func(a, b mutant) int { return a.ID - b.ID })
		}
		chosen = append(chosen, list...)
	}
	return chosen
}

// judge runs the mutants and holds the outcome against the promise.
func judge(out io.Writer, chosen []mutant, files map[string][]byte, c config, reasons map[string]string) error {
	told := c.fates
	if told == "" {
		dir, err := os.MkdirTemp("", "mutation")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // temporary
		told = filepath.Join(dir, "fates")
	}
	fates := map[string]string{}
	for _, s := range suites {
		list := slices.DeleteFunc(slices.Clone(chosen), func(m mutant) bool { return m.Suite != s.name })
		if len(list) == 0 {
			continue
		}
		of, err := s.run(list, files, told)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		maps.Copy(fates, of)
	}
	return verdict(out, chosen, fates, reasons)
}

// endless is the fate of a mutant that took ten times as long as all suites without one, and two minutes at least.
const endless = "it does not end"

// tally is what became of the mutants of a suite.
type tally struct{ dead, alive, explained, invalid int }

// verdict tells what became of the mutants, and what is wrong with that.
func verdict(out io.Writer, chosen []mutant, fates, reasons map[string]string) error {
	var faults []error
	counts := map[string]*tally{}
	for _, m := range chosen {
		n := counts[m.Suite]
		if n == nil {
			n = &tally{}
			counts[m.Suite] = n
		}
		fate := fates[m.Name]
		switch {
		case fate == "":
			faults = append(faults, fmt.Errorf("not run: %s", m.Name))
		case fate == "invalid":
			n.invalid++
		case fate == endless && reasons[m.Name] == "": // it may be a loop, or a machine that is too busy to tell
			faults = append(faults, fmt.Errorf("not settled, %s: %s", endless, m.Name))
			fmt.Fprintf(out, "UNSETTLED %s\n", m.Name)
		case fate == begun:
			n.dead++
			fmt.Fprintf(out, "killed    %s (it took the process along)\n", m.Name)
		case settled(fate):
			n.dead++
			fmt.Fprintf(out, "killed    %s (%s)\n", m.Name, fate)
		case reasons[m.Name] != "":
			n.alive++
			n.explained++
			fmt.Fprintf(out, "explained %s: %s\n", m.Name, reasons[m.Name])
		default:
			n.alive++
			faults = append(faults, fmt.Errorf("nothing notices %s", m.Name))
			fmt.Fprintf(out, "SURVIVED  %s\n", m.Name)
		}
	}
	for _, suite := range slices.Sorted(maps.Keys(counts)) {
		n := counts[suite]
		ran := n.dead + n.alive
		fmt.Fprintf(out, "mutation: %s: %d mutants, %d killed (%.1f %%), %d survivors of which %d explained; %d more are no program\n",
			suite, ran, n.dead, 100*float64(n.dead)/float64(max(1, ran)), n.alive, n.explained, n.invalid)
		if float64(n.dead) < killed*float64(ran) {
			faults = append(faults, fmt.Errorf("%s: %d of %d killed is less than %.0f %%", suite, n.dead, ran, 100*killed))
		}
	}
	return errors.Join(faults...)
}

// readSurvivors reads "NAME :: REASON" lines; # begins a comment. A name that no mutant has is a fault: the text has changed.
func readSurvivors(path string, all []mutant) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, m := range all {
		known[m.Name] = true
	}
	reasons := map[string]string{}
	var faults []error
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, found := strings.Cut(line, " :: ")
		name, reason = strings.TrimSpace(name), strings.TrimSpace(reason)
		switch {
		case !found || len(reason) < 10:
			faults = append(faults, fmt.Errorf("%s: no reason in %q", path, line))
		case !known[name]:
			faults = append(faults, fmt.Errorf("%s: there is no such mutant: %s", path, name))
		case reasons[name] != "":
			faults = append(faults, fmt.Errorf("%s: twice: %s", path, name))
		}
		reasons[name] = reason
	}
	return reasons, errors.Join(faults...)
}
