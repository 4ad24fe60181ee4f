package gateway

import (
	"container/list"
	"sync"

	"github.com/sluse/sluse/gateway/fhir"
)

// outlines remembers of versions that have left lately what to take away of them, so that the same
// version is read once and then only cut. It holds byte ranges, the paths of labelled parts and no
// labels, and is asked after a permit has allowed the version: nobody gets anything by it, and who may
// not see a record learns nothing of it. Its nil value remembers nothing.
type outlines struct {
	mu    sync.Mutex
	kept  map[fhir.Reference]*list.Element // of outlined
	order *list.List                       // the latest used first
	size  int                              // values in all outlines kept
}

// outlined is one version: its outline, and the paths of its labelled parts, which are the choices.
type outlined struct {
	version fhir.Reference
	outline *fhir.Outline
	paths   []string
}

const (
	maxOutlined  = 1 << 16 // values of all outlines kept, of about 100 bytes each
	longOutlined = 1 << 11 // values of one
)

func newOutlines() *outlines {
	return &outlines{kept: make(map[fhir.Reference]*list.Element), order: list.New()}
}

func (o *outlines) get(version fhir.Reference) (outlined, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	at, ok := o.kept[version]
	if !ok {
		return outlined{}, false
	}
	o.order.MoveToFront(at)
	return o.drawn(at), true
}

func (o *outlines) drawn(at *list.Element) outlined {
	known, _ := at.Value.(outlined) // nothing else is put there
	return known
}

func (o *outlines) forget(at *list.Element) {
	known := o.drawn(at)
	o.order.Remove(at)
	delete(o.kept, known.version)
	o.size -= known.outline.Size()
}

// cut makes a release of a version that is remembered.
func (o *outlines) cut(r Record, covered Labels) (body []byte, withheld Labels, ok bool) {
	if o == nil {
		return nil, 0, false
	}
	known, ok := o.get(r.Reference)
	if !ok || len(known.paths) != len(r.Parts) {
		return nil, 0, false
	}
	without := make([]bool, len(r.Parts))
	for i, part := range r.Parts {
		if part.Path != known.paths[i] {
			return nil, 0, false
		}
		if !part.Labels.Within(covered) {
			without[i] = true
			withheld |= part.Labels &^ covered
		}
	}
	body, ok = known.outline.Apply(r.Body, without)
	return body, withheld, ok
}

func (o *outlines) remember(r Record, e *fhir.Editor, parts []*fhir.Value) {
	if o == nil {
		return
	}
	known := outlined{version: r.Reference, outline: e.Outline(parts), paths: make([]string, len(r.Parts))}
	if known.outline == nil || known.outline.Size() > longOutlined {
		return
	}
	for i, part := range r.Parts {
		known.paths[i] = part.Path
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if old, ok := o.kept[r.Reference]; ok {
		o.forget(old)
	}
	o.kept[r.Reference] = o.order.PushFront(known)
	for o.size += known.outline.Size(); o.size > maxOutlined; {
		o.forget(o.order.Back())
	}
}
