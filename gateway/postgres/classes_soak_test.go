//go:build soak

package postgres

import "testing"

// TestEveryClassOfAThousandSets asks Rego, Go and SQL about every request that a thousand generated consent sets tell
// apart, large ones among them.
func TestEveryClassOfAThousandSets(t *testing.T) {
	for _, part := range []struct {
		name                     string
		seed, draws, limit, sets int
	}{{"small", 10_000, 2000, 600, 800}, {"large", 20_000, 400, 2000, 200}} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			if n := trio(t, part.seed, part.draws, part.limit); n.Sets < part.sets || n.Permits < part.sets {
				t.Errorf("%v: the sets show little", n)
			}
		})
	}
}
