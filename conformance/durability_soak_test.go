//go:build soak

package conformance_test

import "testing"

// The kill loop at its full length.
func TestKilledFortyTimes(t *testing.T) { killLoop(t, 40) }

// A hundred kills in each gap.
func TestKilledInEachGapAHundredTimes(t *testing.T) { killInGaps(t, 100) }
