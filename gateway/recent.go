package gateway

import (
	"container/list"
	"sync"
)

// recent remembers what was used lately, up to a weight of all together. The package of the words imports
// nothing but its values, so this is no library's.
type recent[K comparable, V any] struct {
	limit int
	mu    sync.Mutex
	kept  map[K]*list.Element // of weighed
	order *list.List          // the latest used first
	sum   int                 // of the weights kept
}

type weighed[K comparable, V any] struct {
	key    K
	value  V
	weight int
}

func newRecent[K comparable, V any](limit int) *recent[K, V] {
	return &recent[K, V]{limit: limit, kept: make(map[K]*list.Element), order: list.New()}
}

func (m *recent[K, V]) get(key K) (value V, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.kept[key]
	if !ok {
		return value, false
	}
	m.order.MoveToFront(at)
	return drawn[K, V](at).value, true
}

// put keeps a value, and forgets those least lately used for it. What weighs more than a 32nd of all
// is not kept.
func (m *recent[K, V]) put(key K, value V, weight int) {
	if weight > m.limit/32 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(key)
	m.kept[key] = m.order.PushFront(weighed[K, V]{key: key, value: value, weight: weight})
	for m.sum += weight; m.sum > m.limit; {
		m.drop(drawn[K, V](m.order.Back()).key)
	}
}

func (m *recent[K, V]) forget(key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(key)
}

func (m *recent[K, V]) drop(key K) {
	if at, ok := m.kept[key]; ok {
		m.order.Remove(at)
		delete(m.kept, key)
		m.sum -= drawn[K, V](at).weight
	}
}

func drawn[K comparable, V any](at *list.Element) weighed[K, V] {
	w, _ := at.Value.(weighed[K, V]) // nothing else is put there
	return w
}
