//go:build soak

package conformance_test

import (
	"testing"
	"time"
)

// The race at its full length: a hundred thousand permitted reads. The persons are few, so that most reads meet
// a withdrawal.
func TestWithdrawalRaceLong(t *testing.T) { raceWithdrawals(t, 8, 100_000, 40*time.Minute) }
