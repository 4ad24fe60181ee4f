package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sluse/sluse/gateway/consent/trial"
	"github.com/sluse/sluse/policies/cases"
)

// policyCommand asks the rules themselves, without a database.
type policyCommand struct {
	Test policyTestCommand `cmd:"" help:"Ask the rules what files of cases ask, and tell where the answer is another than expected."`
}

// policyTestCommand runs files of cases: exit status 0 when every answer is as expected, 1 when one is not or a file cannot
// be read.
type policyTestCommand struct {
	Files  []string `arg:"" name:"file" help:"Files of cases (YAML), such as policies/cases/legal-helse.yaml." type:"existingfile"`
	Format string   `enum:"text,json" default:"text" help:"text: a report in Norwegian; json: one object for each file."`
	All    bool     `help:"List in the text what is withheld one by one too."`
}

// maxCases bounds a file of cases in bytes.
const maxCases = 4 << 20

// Run asks file by file, and goes on after a file that differs.
func (c policyTestCommand) Run(s streams) error {
	var faults []error
	differ := 0
	for _, path := range c.Files {
		report, err := askTable(path)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		differ += report.Differ
		if c.Format == "json" {
			err = report.JSON(s.out)
		} else {
			err = report.Text(s.out, c.All)
		}
		if err != nil {
			return err
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if differ > 0 {
		return exitError(1)
	}
	return nil
}

// askTable reads one file and puts its questions.
func askTable(path string) (cases.Report, error) {
	info, err := os.Stat(path)
	if err != nil {
		return cases.Report{}, err
	}
	if info.Size() > maxCases {
		return cases.Report{}, fmt.Errorf("%s: larger than %d bytes", path, maxCases)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return cases.Report{}, err
	}
	table, err := cases.ReadLegal(filepath.Base(path), raw)
	if err != nil {
		return cases.Report{}, err
	}
	bench, err := trial.NewBench(table)
	if err != nil {
		return cases.Report{}, err
	}
	return table.Ask(bench.Ask)
}
