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
	HTML   bool   `name:"html" help:"From Hodemelding, henvisning, epikrise or AppRec to a page for people: what the receiver reads."`
	Check  bool   `xor:"what" help:"Say what is wrong with a message by the tables it is read by, and by the schemas of --schema; exit status 1 when anything is."`
	Schema string `type:"existingfile" placeholder:"FILE" help:"With --check: an XSD that names those of the standards, as all-messages-driver.xsd of NHN does."`
	Table  string `placeholder:"TYPE" help:"Print the table that messages of a type are read and written by (kodeverk 8279), or of all."`
	Report bool   `help:"Tell on standard error what became of each element: path, outcome, target. It holds no values."`
}

var (
	errTooLong  = errors.New("the input is larger than 14 MiB")
	errNoTarget = errors.New("--to fhir, --to plo, --html, --check or --table TYPE is wanted")
	errTwice    = errors.New("one of --to, --html, --check and --table is wanted")
	errNoCheck  = errors.New("--schema is of --check")
)

// Validate refuses a command line that asks for two things.
func (t translateCommand) Validate() error {
	asked := 0
	for _, one := range []bool{t.To != "", t.HTML, t.Check, t.Table != ""} {
		if one {
			asked++
		}
	}
	switch {
	case asked > 1:
		return errTwice
	case t.Schema != "" && !t.Check:
		return errNoCheck
	}
	return nil
}

// Run translates.
func (t translateCommand) Run(s streams) error {
	switch {
	case t.Table == "all":
		return mapping.WriteTable(s.out, "")
	case t.Table != "":
		return mapping.WriteTable(s.out, mapping.Kind(t.Table))
	case t.To == "" && !t.HTML && !t.Check:
		return errNoTarget
	}
	input, err := io.ReadAll(io.LimitReader(s.in, maxTranslated+1))
	if err != nil {
		return err
	}
	if len(input) > maxTranslated {
		return errTooLong
	}
	switch {
	case t.HTML:
		page, err := mapping.View(input)
		if err != nil {
			return err
		}
		_, err = s.out.Write(page)
		return err
	case t.Check:
		return check(s, input, t.Schema)
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
