//go:build soak

package conformance_test

import "testing"

// 5,000 cells, where make test asks 304.
func TestSectionAndTwinAreDecidedAlikeAtLength(t *testing.T) { crossingBy(t, 1250, 2000) }
