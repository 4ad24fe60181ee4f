package mapping

import "sync"

// desk is the memory of one reading: the elements of a message and the values of what becomes of it. None of them
// outlives its reading, which leaves bytes and texts behind and nothing else: the next reading finds the desk cleared and
// asks the garbage collector for little. The zero value is an empty desk.
type desk struct {
	elems slab[elem]
	attrs slab[attr]
	kids  slab[*elem]
	forge
}

// desks are those at hand. Each is as large as a message of some 50 KB needs; what a larger one needs beyond is not kept.
var desks = sync.Pool{New: func() any {
	return &desk{elems: newSlab[elem](768), attrs: newSlab[attr](1536), kids: newSlab[*elem](1024),
		forge: forge{scalars: newSlab[node](1024), objects: newSlab[roomy](768)}}
}}

func newDesk() *desk {
	d, ok := desks.Get().(*desk)
	if !ok {
		d = &desk{} // nothing else is put there
	}
	return d
}

// leave clears the desk for the next.
func (d *desk) leave() {
	d.elems.clear()
	d.attrs.clear()
	d.kids.clear()
	d.scalars.clear()
	d.objects.clear()
	desks.Put(d)
}

// slab gives values many at a time.
type slab[T any] struct {
	room, kept []T
	beyond     bool // kept is used up
}

func newSlab[T any](n int) slab[T] {
	kept := make([]T, n)
	return slab[T]{room: kept, kept: kept}
}

// chunk is how many values are made at a time, once there are no more.
const chunk = 128

// take gives n of them, all zero.
func (s *slab[T]) take(n int) []T {
	if len(s.room) < n {
		s.room, s.beyond = make([]T, max(chunk, n)), true
	}
	taken := s.room[:n:n]
	s.room = s.room[n:]
	return taken
}

func (s *slab[T]) clear() {
	if s.beyond {
		clear(s.kept)
	} else {
		clear(s.kept[:len(s.kept)-len(s.room)])
	}
	s.room, s.beyond = s.kept, false
}
