//go:build soak

package exchange_test

import "testing"

// TestTenThousandSchedules is TestSchedules at its full length.
func TestTenThousandSchedules(t *testing.T) { schedules(t, 10_000) }
