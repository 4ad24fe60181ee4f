//go:build reference

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// By the published schemas a dialogmelding is right, and one with an element too much is told so.
func TestCheckByPublishedSchemas(t *testing.T) {
	root := os.Getenv("SLUSE_REFERENCE")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "reference")
	}
	schema := filepath.Join(root, "messages", "xsd", "kith", "all-messages-driver.xsd")
	for name, c := range map[string]struct {
		input  []byte
		status int
		says   string
	}{
		"right":      {sample(t, "dialog-1.0-foresporsel"), 0, "nothing is wrong"},
		"wrong head": {sample(t, "dialog-1.0-foresporsel", "<MsgId>", "<Ekstra/><MsgId>"), 1, "Ekstra"},
		"wrong body": {sample(t, "dialog-1.0-foresporsel", "Sporsmal>", "Sporsmaal>"), 1, "Sporsmaal"},
	} {
		var out bytes.Buffer
		if status := run(t.Context(), []string{"translate", "--check", "--schema", schema}, streams{bytes.NewReader(c.input), &out, &out}); status != c.status || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: status %d: %s", name, status, out.String())
		}
	}
}
