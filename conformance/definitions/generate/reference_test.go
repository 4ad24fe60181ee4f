//go:build reference

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestTablesAreCurrent: the committed tables are what the generator writes.
func TestTablesAreCurrent(t *testing.T) {
	t.Parallel()
	reference := os.Getenv("SLUSE_REFERENCE")
	if reference == "" {
		reference = filepath.Join("..", "shared", "reference")
	}
	if !filepath.IsAbs(reference) {
		reference = filepath.Join("..", "..", "..", reference)
	}
	committed, err := os.ReadFile(filepath.Join("..", "r4.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, generate(filepath.Join(reference, "fhir-r4", "definitions"))) {
		t.Error("r4.txt differs from what the generator writes: run go run ./conformance/definitions/generate")
	}
}
