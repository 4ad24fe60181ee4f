//go:build soak

package conformance_test

import "testing"

// The kill loop at its full length.
func TestKilledFortyTimes(t *testing.T) { killLoop(t, 40) }
