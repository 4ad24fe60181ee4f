package gateway

import "testing"

// Two standings are the same only if nothing that a decision looks at is another.
func TestStandingsDiffer(t *testing.T) {
	t.Parallel()
	a := Standing{Facts: Facts{Person: 7, Epoch: 3, Grants: []byte("x")}, Revision: 5, Bound: 7}
	if b := a; !a.same(b) {
		t.Error("a standing is not the same as itself")
	}
	for name, change := range map[string]func(*Standing){
		"person":   func(s *Standing) { s.Facts.Person++ },
		"epoch":    func(s *Standing) { s.Facts.Epoch++ },
		"revision": func(s *Standing) { s.Revision++ },
		"bound":    func(s *Standing) { s.Bound++ },
	} {
		b := a
		if change(&b); a.same(b) {
			t.Errorf("another %s is not seen", name)
		}
	}
}
