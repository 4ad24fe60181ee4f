package mapping

import (
	"reflect"
	"sync"
	"testing"
)

// TestReadingsDoNotMeet: what one message leaves on a desk is in no other, whatever was read there before, and by
// whomever at the same time.
func TestReadingsDoNotMeet(t *testing.T) {
	t.Parallel()
	messages := samples(t)
	alone := map[string]*Incoming{}
	for name, raw := range messages {
		in, err := readOn(&desk{}, raw, ids, true)
		if err != nil {
			t.Fatal(name, err)
		}
		alone[name] = in
	}
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for range 3 {
				for name, raw := range messages { // in another order each time
					if in, err := read(raw, ids, true); err != nil || !reflect.DeepEqual(in, alone[name]) {
						t.Errorf("%s is read otherwise after others: %v", name, err)
					}
				}
			}
		})
	}
	all.Wait()
}
