package conformance_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"
)

// clientSteps are what each public client must have done: its script prints "ok" and the name.
var clientSteps = map[string][]string{
	"fhir-kit-client": {
		"capability", "create", "create with a chosen id", "conditional create", "read", "update", "update of an old version", "patch", "vread",
		"history", "search with paging", "search by POST", "search with include, sort and total", "chain and compartment", "batch", "transaction",
		"transaction that fails leaves nothing", "operations", "errors", "delete",
	},
	"medplum": {
		"capability", "create", "conditional create", "upsert", "create with a chosen id", "read", "update", "patch", "vread", "history",
		"search", "search with paging", "batch", "transaction", "operations", "errors", "delete",
	},
}

var stepDone = regexp.MustCompile(`(?m)^ok (.+)$`)

// Two public client libraries, unchanged and as npm gives them, do what an EPJ vendor's integration
// does.
func TestPublicClients(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("clients/node_modules/.installed"); err != nil {
		t.Fatalf("the clients are not installed: run make clients (%v)", err)
	}
	s := start(t, "--no-story")
	for name, steps := range clientSteps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := s.as("bydel-sagene")
			cmd := exec.CommandContext(t.Context(), "node", name+".mjs")
			cmd.Dir = "clients"
			cmd.Env = append(os.Environ(), "SLUSE_BASE="+s.base, "SLUSE_TOKEN="+c.token, "SLUSE_PREFIX="+c.herID+"-")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			var done []string
			for _, m := range stepDone.FindAllStringSubmatch(string(out), -1) {
				done = append(done, m[1])
			}
			if !slices.Equal(done, steps) {
				t.Errorf("done %q, want %q", done, steps)
			}
		})
	}
}
