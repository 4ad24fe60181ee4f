//go:build soak

package mapping

import "testing"

// TestTenThousandGenerated is TestGeneratedMessages at its full length.
func TestTenThousandGenerated(t *testing.T) { holdGenerated(t, 10_000) }
