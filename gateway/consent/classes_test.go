package consent_test

import (
	"testing"

	"github.com/sluse/sluse/gateway/consent/consenttest"
)

// Every request that a generated consent set tells apart: Rego on the raw Consents and Go's Decider on the grants
// give one answer. SQL is asked the same in package postgres, and of many more sets by make soak.
func TestEveryClassAgrees(t *testing.T) {
	t.Parallel()
	x := consenttest.NewTrio(t, 400)
	n := x.Run(t, 1_000_000, 40, func(consenttest.Set, []consenttest.Answered) error { return nil })
	t.Log(n)
	if n.Classes < 500 || n.Permits == 0 {
		t.Errorf("%v: the sets show little", n)
	}
}
