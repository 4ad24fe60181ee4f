//go:build soak

package consent_test

import "testing"

// TestEveryFieldOfEveryCase damages the input of every hand-written case, a field at a time.
func TestEveryFieldOfEveryCase(t *testing.T) {
	t.Parallel()
	if tried := fields(t, 1); tried < 40_000 {
		t.Errorf("only %d damaged inputs tried", tried)
	}
}
