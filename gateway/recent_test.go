package gateway

import "testing"

// What is remembered is bounded, whatever is put there, and what was used lately stays.
func TestRecentIsBounded(t *testing.T) {
	t.Parallel()
	m := newRecent[int, int](320)
	for n := range 1000 {
		m.put(n, n, 1+n%10)
		if _, ok := m.get(0); !ok {
			t.Fatalf("what is used all the time is forgotten after %d more", n)
		}
	}
	m.put(-1, 0, 11)
	if _, ok := m.get(-1); ok {
		t.Error("what weighs more than a 32nd of all is kept")
	}
	sum := 0
	for _, at := range m.kept {
		sum += drawn[int, int](at).weight
	}
	if sum != m.sum || sum > m.limit || sum < m.limit/2 {
		t.Errorf("%d is kept and %d counted, of at most %d", sum, m.sum, m.limit)
	}
}
