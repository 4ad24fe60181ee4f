// Command generate writes conformance/definitions/r4.txt from the official R4 definitions.
//
//	go run ./conformance/definitions/generate
//
// It reads fhir-r4/definitions/*.ndjson below the folder in SLUSE_REFERENCE, or
// ../shared/reference seen from the module's root, and is deterministic. The form of the
// output is described in conformance/definitions/table.go, which reads it.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	reference := os.Getenv("SLUSE_REFERENCE")
	if reference == "" {
		reference = "../shared/reference"
	}
	tables := generate(filepath.Join(reference, "fhir-r4", "definitions"))
	target := filepath.Join("conformance", "definitions", "r4.txt")
	if err := os.WriteFile(target, tables, 0o644); err != nil {
		log.Fatal(err)
	}
	log.Printf("%s: %d bytes, %d lines", target, len(tables), bytes.Count(tables, []byte("\n")))
}

// generate gives the tables for the definitions in a folder.
func generate(dir string) []byte {
	out := &bytes.Buffer{}
	fmt.Fprintln(out, "# FHIR R4 4.0.1 tables, written by conformance/definitions/generate. Do not edit.")
	structures := read[structureDefinition](dir, "StructureDefinition")
	bound := writeStructures(out, structures)
	writeValueSets(out, bound, read[valueSet](dir, "ValueSet"), read[codeSystem](dir, "CodeSystem"))
	writeSearchParameters(out, read[searchParameter](dir, "SearchParameter"), structures)
	return out.Bytes()
}

// read decodes the resources of one NDJSON file.
func read[T any](dir, name string) []T {
	file, err := os.Open(filepath.Join(dir, name+".ndjson"))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = file.Close() }() // read only
	var list []T
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	for lines.Scan() {
		var resource T
		if err := json.Unmarshal(lines.Bytes(), &resource); err != nil {
			log.Fatalf("%s: %v", name, err)
		}
		list = append(list, resource)
	}
	if err := lines.Err(); err != nil {
		log.Fatalf("%s: %v", name, err)
	}
	return list
}

// line writes the fields of one line, separated by tabs.
func line(out *bytes.Buffer, fields ...string) {
	for i, f := range fields {
		if strings.ContainsAny(f, "\t\n\r") {
			log.Fatalf("a field holds a tab or line break: %q", f)
		}
		fields[i] = f
	}
	for len(fields) > 0 && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	fmt.Fprintln(out, strings.Join(fields, "\t"))
}

// last gives what follows the last slash of a canonical URL, less its version.
func last(canonical string) string {
	canonical, _, _ = strings.Cut(canonical, "|")
	return canonical[strings.LastIndexByte(canonical, '/')+1:]
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
