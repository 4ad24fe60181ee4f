//go:build soak

package main

import (
	"os"
	"testing"
)

// A draw of each suite, the same each time; all of them: go run ./conformance/mutation.
func TestMutationDraw(t *testing.T) {
	t.Chdir("../..")
	if err := run(config{sample: 150, seed: 1, survivors: "conformance/mutation/survivors.txt"}, os.Stdout); err != nil {
		t.Error(err)
	}
}
