//go:build soak

package conformance_test

import "testing"

// Every cell, where make test asks a share.
func TestNothingPassesBesideConsentWhole(t *testing.T) { bypassBy(t, 1, 1) }
