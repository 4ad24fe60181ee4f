package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/sluse/sluse/mapping"
)

// maxTranslated bounds the input of translate in bytes.
const maxTranslated = 14 << 20

// translateCommand translates one message from standard input to standard output. The same input
// gives the same bytes.
type translateCommand struct {
	To     string `enum:"fhir,plo," default:"" help:"fhir: from Hodemelding to a Bundle; plo: from a Bundle to Hodemelding."`
	Table  string `placeholder:"TYPE" help:"Print the table that messages of a type are read and written by (kodeverk 8279), or of all."`
	Report bool   `help:"Tell on standard error what became of each element: path, outcome, target. It holds no values."`
}

var (
	errTooLong  = errors.New("the input is larger than 14 MiB")
	errNoTarget = errors.New("--to fhir, --to plo or --table TYPE is wanted")
)

// Run translates.
func (t translateCommand) Run(s streams) error {
	switch {
	case t.Table == "all":
		return mapping.WriteTable(s.out, "")
	case t.Table != "":
		return mapping.WriteTable(s.out, mapping.Kind(t.Table))
	case t.To == "":
		return errNoTarget
	}
	input, err := io.ReadAll(io.LimitReader(s.in, maxTranslated+1))
	if err != nil {
		return err
	}
	if len(input) > maxTranslated {
		return errTooLong
	}
	translate := mapping.ToFHIR
	if t.To == "plo" {
		translate = mapping.ToMessage
	}
	output, report, err := translate(input)
	if err != nil {
		return err
	}
	if t.Report {
		for _, f := range report {
			if _, err := fmt.Fprintf(s.err, "%s\t%s\t%s\t%s\n", f.Path, f.Outcome, f.Key, f.Target); err != nil {
				return err
			}
		}
	}
	_, err = s.out.Write(output)
	return err
}
