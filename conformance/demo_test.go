package conformance_test

import (
	"strings"
	"testing"
)

// The story happens as it is told, on synthetic persons, from one command.
func TestDemoTellsTheStory(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := demo(t)
	if code != 0 {
		t.Fatalf("exit %d\n%s\n%s", code, stdout, stderr)
	}
	for n := 1; n <= 8; n++ {
		if !strings.Contains(stdout, "\n"+string(rune('0'+n))+". ") {
			t.Errorf("step %d is not in the table", n)
		}
	}
	t.Log(stdout)
}

// One grant less, and the story is another: every cell is computed from what was received.
func TestDemoNoticesABrokenGrant(t *testing.T) {
	t.Parallel()
	for _, label := range []string{"kriseplan", "legemidler"} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := demo(t, "--story-omit-label", label)
			if code != 1 || !strings.Contains(stdout, "fortellingen sier") {
				t.Errorf("without %s: exit %d\n%s\n%s", label, code, stdout, stderr)
			}
		})
	}
}
