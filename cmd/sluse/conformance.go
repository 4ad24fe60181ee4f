package main

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/sluse/sluse/conformance/suite"
)

// conformanceCommand asks an installation over HTTP whether it does what it promises.
type conformanceCommand struct {
	Base       string   `required:"" placeholder:"URL" help:"FHIR base of the installation: https://host/fhir."`
	Token      string   `required:"" env:"SLUSE_TOKEN" placeholder:"TOKEN" help:"Access token of a party that may write records of its own. Better in the environment: a command line is seen by others."`
	TokenOther string   `env:"SLUSE_TOKEN_OTHER" placeholder:"TOKEN" help:"Access token of another party, to see that nothing crosses unasked."`
	Endpoint   string   `placeholder:"URL" help:"An address that the installation allows for notifications and that answers 2xx: a subscription is made and followed."`
	Lasting    bool     `help:"Write what cannot be deleted, too: a Provenance."`
	JUnit      string   `name:"junit" placeholder:"FILE" help:"Write the report as JUnit XML as well."`
	Only       []string `placeholder:"GROUP" help:"Check these groups only."`
	Type       []string `placeholder:"TYPE" help:"Look at the interactions and parameters of these types only."`
	All        bool     `help:"Print what passed, too."`
}

// Run checks: exit status 0 when everything holds, 1 otherwise.
func (c conformanceCommand) Run(ctx context.Context, s streams) error {
	report, err := suite.Run(ctx, suite.Config{Base: c.Base, Token: c.Token, Other: c.TokenOther, Endpoint: c.Endpoint, Lasting: c.Lasting, Only: c.Only, Types: c.Type, Clock: time.Now})
	if report != nil {
		err = errors.Join(err, report.WriteText(s.out, c.All), writeFile(c.JUnit, report.WriteJUnit))
	}
	switch {
	case err != nil:
		return err
	case report.Count(suite.Failed) > 0:
		return exitError(1)
	}
	return nil
}

// writeFile writes what write writes; without a path nothing.
func writeFile(path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
