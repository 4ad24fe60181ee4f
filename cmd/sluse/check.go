package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lestrrat-go/helium"
	"github.com/lestrrat-go/helium/xsd"

	"github.com/sluse/sluse/mapping"
)

// check tells what is wrong with a message, a line each: by the guard and the tables, and by the schema when one is
// given. What the tables find names places and never values; a schema's finding may quote the message.
func check(s streams, message []byte, schema string) error {
	faults, err := faultsByTables(message)
	if err != nil {
		return err
	}
	if schema != "" {
		bySchema, err := faultsBySchema(message, schema)
		if err != nil {
			return err
		}
		faults = append(faults, bySchema...)
	}
	for _, f := range faults {
		if _, err := fmt.Fprintln(s.out, f); err != nil {
			return err
		}
	}
	if len(faults) > 0 {
		return exitError(1)
	}
	by := "the tables"
	if schema != "" {
		by += " and " + filepath.Base(schema)
	}
	_, err = fmt.Fprintln(s.out, "nothing is wrong by "+by)
	return err
}

// wrong are the outcomes of a report that say that the message is not as its standard has it.
var wrong = map[mapping.Outcome]string{
	mapping.Invalid:     "not as the table has it",
	mapping.UnknownCode: "not a code of the list that the table names",
}

// faultsByTables are those that stop a message from being read, or else those of the report.
func faultsByTables(message []byte) (faults []string, err error) {
	if _, err := mapping.ReadAppRec(message); err == nil {
		return nil, nil
	}
	_, report, err := mapping.ToFHIR(message)
	var fault *mapping.Error
	if errors.As(err, &fault) {
		return []string{"tables: " + fault.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	for _, f := range report {
		if what := wrong[f.Outcome]; what != "" {
			if f.Outcome == mapping.Invalid && (f.Target == "cardinality" || f.Target == "order") {
				what += ": " + f.Target
			}
			faults = append(faults, "tables: "+f.Path+": "+what)
		}
	}
	return slices.Compact(faults), nil
}

// faultsBySchema are those that XML Schema finds.
func faultsBySchema(message []byte, path string) (faults []string, err error) {
	ctx := context.Background()
	if _, err := mapping.ReadHead(message); err != nil { // the guard has the word before any other parser
		var fault *mapping.Error
		if errors.As(err, &fault) && slices.Contains([]mapping.Code{mapping.NotXML, mapping.Forbidden, mapping.TooLarge, mapping.Charset}, fault.Code) {
			return nil, nil // told already
		}
	}
	schema, err := xsd.NewCompiler().FS(helium.PermissiveFS()).CompileFile(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read as a schema: %w", filepath.Base(path), err)
	}
	doc, err := helium.NewParser().Parse(ctx, message)
	if err != nil {
		return []string{"schema: not XML"}, nil
	}
	found := helium.NewErrorCollector(ctx, helium.ErrorLevelNone)
	if err := xsd.NewValidator(schema).Label("message").ErrorHandler(found).Validate(ctx, doc); err == nil {
		return nil, nil
	}
	for _, f := range found.Errors() {
		faults = append(faults, "schema: "+strings.TrimSpace(f.Error()))
	}
	if len(faults) == 0 {
		faults = []string{"schema: not valid"}
	}
	return faults, nil
}
