package postgres

import (
	"maps"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// receiving is what a resource of the directory says of receiving messages.
type receiving struct {
	endpoints     []string // "Endpoint/id" that a unit names
	kinds         []string // kodeverk 8279, that an Endpoint takes
	opens, closes *time.Time
}

// An Endpoint that takes nothing says so (R4 valueset-endpoint-payload-type): as a type, it is no message's.
const (
	systemPayload = "http://terminology.hl7.org/CodeSystem/endpoint-payload-type"
	noPayload     = "none"
)

// receivingOf reads the Endpoints of a unit, or the message types and period of an Endpoint.
func receivingOf(root *fhir.Value, d gateway.Draft) receiving {
	r := receiving{endpoints: []string{}, kinds: []string{}}
	if d.Reference.Type != "Endpoint" {
		for i := range d.Index { // as the index has them: an absolute URL of the server itself is relative there
			if v := &d.Index[i]; v.Kind == fhir.ReferenceParam && v.Form == fhir.PlainForm && v.Key == "endpoint" && !slices.Contains(r.endpoints, v.Code) {
				r.endpoints = append(r.endpoints, v.Code)
			}
		}
		return r
	}
	for _, concept := range root.Get("payloadType").Items() {
		for _, coding := range concept.Get("coding").Items() {
			code, system := coding.Get("code").Text(), coding.Get("system").Text()
			named := system == gateway.MessageTypeSystem || system == systemPayload && code == noPayload
			if named && code != "" && !slices.Contains(r.kinds, code) {
				r.kinds = append(r.kinds, code)
			}
		}
	}
	if low, _, err := fhir.ParseDate(root.Get("period", "start").Text()); err == nil {
		r.opens = &low
	}
	if _, high, err := fhir.ParseDate(root.Get("period", "end").Text()); err == nil {
		r.closes = &high
	}
	return r
}

// during tells whether the time lies in the period of an Endpoint: to the end of what its precision names.
func (r receiving) during(at time.Time) bool {
	return (r.opens == nil || !at.Before(*r.opens)) && (r.closes == nil || at.Before(*r.closes))
}

// desk is where messages for one HER-id arrive.
type desk struct {
	unit      *address
	party     *address   // nil: the unit belongs to none that is in use
	endpoints []*address // of the same party, those that are off among them
	above     *desk      // of the unit that this one belongs to, when that has a HER-id
	claims    int        // how many resources hold the HER-id
	siblings  []*desk    // of the same party, itself among them, by HER-id
}

// desks are the addresses with a HER-id, in use or not.
func (b *builder) desks(list []address) map[gateway.HERID]*desk {
	found := make(map[gateway.HERID]*desk)
	ofParty := make(map[*address][]*desk)
	for i := range list {
		a := &list[i]
		if a.her == "" || a.name.Type == "Endpoint" {
			continue
		}
		if known := found[a.her]; known != nil {
			known.claims++
			continue
		}
		d := &desk{unit: a, party: b.partyOf(a), claims: 1}
		for _, name := range a.receiving.endpoints {
			if e := b.byName[name]; e != nil && e.name.Type == "Endpoint" && (d.party == nil || b.partyOf(b.byName[e.parent]) == d.party) {
				d.endpoints = append(d.endpoints, e)
			}
		}
		found[a.her] = d
		if d.party != nil {
			ofParty[d.party] = append(ofParty[d.party], d)
		}
	}
	for _, d := range found {
		up := b.byName[d.unit.parent]
		for n := 0; up != nil && up.her == "" && n < 32; n++ { // a circle of partOf ends nowhere
			up = b.byName[up.parent]
		}
		if up != nil && up.her != "" && up != d.unit {
			d.above = found[up.her]
		}
	}
	for _, all := range ofParty {
		slices.SortFunc(all, func(x, y *desk) int { return compareHER(x.unit.her, y.unit.her) })
		for _, d := range all {
			d.siblings = all
		}
	}
	return found
}

// compareHER orders HER-ids as numbers.
func compareHER(a, b gateway.HERID) int {
	switch {
	case len(a) != len(b):
		return len(a) - len(b)
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// open tells whether the desk is in use: it, its party and what lies between, with an Endpoint in its period where
// any is named.
func (d *desk) open(at time.Time) bool {
	if d.party == nil || !d.unit.active {
		return false
	}
	for up, n := d, 0; up != nil && n < 32; up, n = up.above, n+1 {
		if len(up.endpoints) > 0 && !slices.ContainsFunc(up.endpoints, func(e *address) bool { return e.active && e.receiving.during(at) }) {
			return false
		}
	}
	return true
}

// kinds are the message types that the desk names; none: it names no types.
func (d *desk) kinds(at time.Time) (list []string) {
	for _, e := range d.endpoints {
		if e.active && e.receiving.during(at) {
			list = append(list, e.receiving.kinds...)
		}
	}
	return list
}

var _ gateway.Receptions = (*listing)(nil)

// Reception tells what an address does with a message of the type.
func (l *listing) Reception(to gateway.HERID, kind string, at time.Time) gateway.Reception {
	d := l.desks[to]
	if d == nil || d.claims > 1 {
		return gateway.Reception{}
	}
	if !d.open(at) {
		return gateway.Reception{Closed: true}
	}
	if kind == gateway.KindAppRec {
		return gateway.Reception{}
	}
	var r gateway.Reception
	for _, other := range d.siblings {
		if other != d && other.claims == 1 && other.open(at) && slices.Contains(other.kinds(at), kind) {
			r.Instead = append(r.Instead, gateway.Addressee{HERID: other.unit.her, Name: other.unit.display})
		}
	}
	if own := d.kinds(at); len(own) > 0 {
		r.Refuses = !slices.Contains(own, kind)
	} else {
		r.Refuses = len(r.Instead) > 0
	}
	if !r.Refuses {
		r.Instead = nil
	}
	return r
}

// Registered gives the resource that holds a HER-id, in use or not.
func (l *listing) Registered(id gateway.HERID) (fhir.Reference, bool) {
	d := l.desks[id]
	if d == nil || d.claims > 1 {
		return fhir.Reference{}, false
	}
	return d.unit.name, true
}

// Numbers lists the HER-ids that stand in the directory, in use or not.
func (l *listing) Numbers() []gateway.HERID {
	return slices.SortedFunc(maps.Keys(l.desks), compareHER)
}
