package consent

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Class is one request that a Situation may tell from others.
type Class struct {
	Question gateway.Question // its facts are the person only
	Record   gateway.Record   // about the person asked for
}

// Classes are the requests that a Situation can tell apart: the constants that it names and one other in each
// dimension, both sides of the beginning and the end of each period, and where something may be left out, that too.
//
// Every combination is a class, but for dimensions of which it names no constant (a unit where it names none, the
// type where it names none): those take their values in turn. The covered labels are compared whole, so that the
// record's own labels take their turn as well. Beyond the limit, dimensions that no Consent names together are
// paired: each value of one with one of the other. What is above the limit even so is taken at even distances.
type Classes struct {
	Product int  // combinations
	Size    int  // those that are taken
	Paired  bool // dimensions were paired
	Strided bool // taken at even distances

	dims  []dim // every combination
	turns []dim // values in turn
	all   int   // combinations after pairing
}

// dim is a dimension: how many values it has, and what the n-th of them does to a class.
type dim struct {
	name string
	n    int
	set  func(c *Class, n int)
}

// Other values: known to nobody and named by nothing.
const (
	otherParty = gateway.HERID("9")
	otherUnit  = gateway.HERID("99")
	otherHPR   = gateway.HPRNumber("999")
	otherRole  = "annen"
	otherID    = fhir.ID("annen")
	person     = gateway.PersonID(1)
)

// classesOf enumerates what the Situation tells apart, at most limit. now is an instant of its own beside those of the
// periods; party tells what the directory knows of a party.
func classesOf(t *tables, s Situation, now time.Time, limit int, party func(gateway.HERID) gateway.Party) *Classes {
	k := constantsOf(t, s)
	cs := &Classes{}
	cs.ask(k, party)
	cs.told(k)
	cs.purpose(t, k)
	cs.action(s)
	cs.time(k, now)
	cs.record(t, k)
	cs.date(k)
	cs.label(k)
	cs.Product = product(cs.dims)
	cs.all, cs.Size = cs.Product, cs.Product
	if cs.all > limit {
		cs.pair(k)
		cs.all = product(cs.dims)
		cs.Size = cs.all
	}
	if cs.Size > limit {
		cs.Size, cs.Strided = limit, true
	}
	return cs
}

func product(dims []dim) int {
	n := 1
	for _, d := range dims {
		if over, at := bits.Mul64(uint64(n), uint64(d.n)); over > 0 || at > 1<<40 { //nolint:gosec // both are positive
			return 1 << 40
		}
		n *= d.n
	}
	return n
}

// Each gives every class taken, in an order that is always the same.
func (cs *Classes) Each(f func(Class) error) error {
	for i := range cs.Size {
		if err := f(cs.at(i)); err != nil {
			return err
		}
	}
	return nil
}

func (cs *Classes) at(i int) Class {
	c := Class{
		Question: gateway.Question{
			Actor: gateway.Actor{Kind: gateway.Person, Attest: gateway.Attest{Each: true}}, Named: true,
			Facts: gateway.Facts{Person: person, Epoch: 1},
		},
		Record: gateway.Record{Person: person},
	}
	n := i
	if cs.Strided {
		n = int(uint64(i) * uint64(cs.all) / uint64(cs.Size)) //nolint:gosec // positive; all is below 1<<40
	}
	at := n
	for _, d := range cs.dims {
		d.set(&c, at%d.n)
		at /= d.n
	}
	for j, d := range cs.turns {
		mixed := (uint64(n) + 1) * 0x9E3779B97F4A7C15 >> (8 + 2*j) //nolint:gosec // positive
		d.set(&c, int(mixed%uint64(d.n)))                          //nolint:gosec // less than n
	}
	if c.Question.Action != gateway.MessageAction {
		c.Question.Message = ""
	}
	return c
}

// add puts a dimension among those that are combined when the Situation names constants of it.
func (cs *Classes) add(name string, named bool, n int, set func(*Class, int)) {
	if named {
		cs.dims = append(cs.dims, dim{name, n, set})
	} else {
		cs.turns = append(cs.turns, dim{name, n, set})
	}
}

// ask adds who asks and who keeps the record.
func (cs *Classes) ask(k *constants, party func(gateway.HERID) gateway.Party) {
	parties := append(slices.Clone(k.parties), otherParty)
	known := make([]gateway.Party, len(parties))
	for i, h := range parties {
		if known[i] = party(h); known[i].ID == "" {
			known[i].ID = h
		}
	}
	cs.add("party", true, len(parties), func(c *Class, n int) {
		c.Question.Party, c.Question.Parts, c.Question.Actor.Party = known[n], known[n].Above, known[n].ID
	})
	custodians := append(slices.Clone(k.custodians), "8")
	cs.add("custodian", true, len(custodians), func(c *Class, n int) { c.Record.Custodian = custodians[n] })
	kinds := slices.Repeat([]bool{true}, 16)
	kinds[7] = false
	cs.add("attest", false, len(kinds), func(c *Class, n int) {
		if !kinds[n] {
			c.Question.Actor.Kind, c.Question.Actor.Attest = gateway.Machine, gateway.Attest{}
		}
	})
}

// told adds what the asker tells of itself, or leaves out.
func (cs *Classes) told(k *constants) {
	units := append([]gateway.HERID{"", otherUnit}, k.units...)
	cs.add("unit", len(k.units) > 0, len(units), func(c *Class, n int) { c.Question.Actor.Unit = units[n] })
	hprs := append([]gateway.HPRNumber{"", otherHPR}, k.hprs...)
	cs.add("hpr", len(k.hprs) > 0, len(hprs), func(c *Class, n int) { c.Question.Actor.Practitioner = hprs[n] })
	roles := append([]string{"", otherRole}, k.roles...)
	cs.add("role", len(k.roles) > 0, len(roles), func(c *Class, n int) { c.Question.Actor.Role = roles[n] })
}

func (cs *Classes) purpose(t *tables, k *constants) {
	purposes := []gateway.Purpose{"", "SNOOP"}
	for _, code := range []string{"HOPERAT", "PATRQT", "TREAT"} { // one that the rules know and nothing names
		if _, known := t.purposes[code]; known && !slices.Contains(k.purposes, code) {
			purposes = append(purposes, gateway.Purpose(code))
			break
		}
	}
	for _, code := range k.purposes {
		if _, known := t.purposes[code]; known {
			purposes = append(purposes, gateway.Purpose(code))
		}
	}
	cs.add("purpose", len(k.purposes) > 0, len(purposes), func(c *Class, n int) { c.Question.Actor.Purpose = purposes[n] })
}

// action adds what is done, to what came by message to the asker too.
func (cs *Classes) action(s Situation) {
	actions := []gateway.Action{gateway.ReadAction, gateway.ReadAction, gateway.MessageAction, gateway.NotifyAction, gateway.ContributeAction}
	cs.add("action", true, len(actions), func(c *Class, n int) {
		c.Question.Action = actions[n]
		if n == 1 {
			c.Record.Sent = []gateway.Sent{{}}
		}
	})
	switched := len(listOf(map[string]any(s), "hjemler")) > 0
	kinds := []string{"", "LOG_INNLAGT", "EPIKRISE"}
	cs.add("message", switched, len(kinds), func(c *Class, n int) { c.Question.Message = kinds[n] })
	cs.add("sent", false, 8, func(c *Class, n int) { // of what others do, a part came by message
		if n == 3 && (c.Question.Action == gateway.NotifyAction || c.Question.Action == gateway.ContributeAction) {
			c.Record.Sent = []gateway.Sent{{}}
		}
	})
}

// time adds both sides of every boundary.
func (cs *Classes) time(k *constants, now time.Time) {
	times := []time.Time{}
	for _, b := range k.times {
		include(&times, b.Add(-1), b)
	}
	if len(times) == 0 {
		times = append(times, now)
	}
	slices.SortFunc(times, time.Time.Compare)
	cs.add("time", true, len(times), func(c *Class, n int) { c.Question.Now = times[n] })
}

// record adds the types and ids, of the record itself or of what holds a Binary.
func (cs *Classes) record(t *tables, k *constants) {
	types := slices.DeleteFunc(slices.Clone(k.types), func(typ fhir.Type) bool { return gateway.IsDirectory(typ) })
	for _, typ := range []fhir.Type{"Goal", "CarePlan", "Condition", "Flag", "Encounter"} { // one that nothing names
		if !slices.Contains(types, typ) {
			types = append(types, typ)
			break
		}
	}
	var held []gateway.Record
	binaries := []fhir.ID{otherID}
	for _, typ := range types {
		ids := []fhir.ID{otherID}
		for _, item := range k.items {
			if item.Type == typ {
				ids = append(ids, item.ID)
			}
		}
		if typ == binary {
			binaries = ids
			continue
		}
		for _, id := range ids {
			held = append(held, gateway.Record{Reference: fhir.Reference{Type: typ, ID: id, Version: "1"}})
		}
	}
	cs.add("kind", len(k.types) > 0, len(held), func(c *Class, n int) { c.Record.Reference = held[n].Reference })
	cs.add("except", false, 12, func(c *Class, n int) { // types that never cross, and what they hold
		switch {
		case n != 5:
		case c.Record.Context.Type != "":
			c.Record.Context.Type = t.except[0]
		default:
			c.Record.Reference.Type = t.except[0]
		}
	})
	named := slices.Contains(k.types, binary)
	forms := 1 + len(binaries) // the record itself, or a Binary of it
	if !named {
		forms += 2
	}
	cs.add("binary", named, forms, func(c *Class, n int) {
		if n >= 1 && n <= len(binaries) {
			c.Record.Context = c.Record.Reference
			c.Record.Context.Version = ""
			c.Record.Reference = fhir.Reference{Type: binary, ID: binaries[n-1], Version: "1"}
		}
	})
}

// binary is the type of what is held by another record.
const binary = fhir.Type("Binary")

// date adds what the record's date may be to each bound of a dataPeriod: before, across and after it, across all, and
// no date at all.
func (cs *Classes) date(k *constants) {
	spans := []span{{}}
	bounds := slices.SortedFunc(slices.Values(k.dates), time.Time.Compare)
	for _, b := range bounds {
		include(&spans, span{b.Add(-time.Second), b}, span{b.Add(-time.Second), b.Add(time.Second)}, span{b, b.Add(time.Second)})
	}
	if len(bounds) > 1 {
		include(&spans, span{bounds[0], bounds[len(bounds)-1]}, span{bounds[0].Add(-time.Second), bounds[len(bounds)-1].Add(time.Second)})
	}
	if len(bounds) == 0 {
		day := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
		spans = append(spans, span{day, day.AddDate(0, 0, 1)})
	}
	cs.add("date", len(bounds) > 0, len(spans), func(c *Class, n int) { c.Record.Low, c.Record.High = spans[n].low, spans[n].high })
}

// label adds what the record holds, and what was released when it came by message: each label that is named, one
// other, and two together.
func (cs *Classes) label(k *constants) {
	var sets []gateway.Labels
	other := gateway.Labels(0)
	for l := gateway.Labels(1); l&gateway.AllLabels != 0; l <<= 1 {
		switch {
		case k.labels&l != 0:
			sets = append(sets, l)
		case other == 0:
			other = l
		}
	}
	sets = append(sets, other, gateway.Uklassifisert, k.labels|gateway.Samarbeid, 0)
	sets = append(sets, slices.Repeat([]gateway.Labels{gateway.Samarbeid}, len(sets))...) // what any permit covers: who decides is seen best
	cs.add("label", false, len(sets), func(c *Class, n int) { c.Record.Labels = sets[n] })
	masks := []gateway.Labels{gateway.AllLabels, k.labels, gateway.AllLabels &^ k.labels, cmp.Or(k.labels&-k.labels, other)}
	cs.add("released", false, len(masks), func(c *Class, n int) {
		if len(c.Record.Sent) > 0 {
			c.Record.Sent = gateway.SentBy(nil, c.Question.Party.ID, c.Question.Message, masks[n])
		}
	})
}

// pair makes one dimension of those that no Consent names together.
func (cs *Classes) pair(k *constants) {
	apart := func(a, b string) bool {
		return !slices.ContainsFunc(k.together, func(names map[string]bool) bool { return names[a] && names[b] })
	}
	pairable := []string{"unit", "hpr", "role", "purpose", "kind", "date"}
	var out []dim
	for _, d := range cs.dims {
		if slices.Contains(pairable, d.name) {
			at := slices.IndexFunc(out, func(o dim) bool { return slices.Contains(pairable, o.name) && apart(o.name, d.name) })
			if at >= 0 {
				a := out[at]
				cs.Paired = true
				out[at] = dim{a.name + "+" + d.name, max(a.n, d.n), func(c *Class, n int) {
					a.set(c, n%a.n)
					d.set(c, n%d.n)
				}}
				continue
			}
		}
		out = append(out, d)
	}
	cs.dims = out
}
