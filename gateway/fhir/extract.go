package fhir

import (
	"strings"
	"sync"
	"time"
)

// IndexForm tells the further forms under which one element is found apart.
type IndexForm uint8

const (
	// PlainForm is the value itself.
	PlainForm IndexForm = iota
	// TextForm is what :text of a token looks at, in Text and Folded: CodeableConcept.text,
	// Coding.display, Identifier.type.text (R4 search.html#token).
	TextForm
	// IdentifierForm is what :identifier of a reference looks at: System and Code of
	// Reference.identifier.
	IdentifierForm
)

// IndexValue is one searchable value of a resource.
type IndexValue struct {
	// Key names the place within the type, as SearchParameter.Keys does; Bits has the Ordinal of each
	// parameter that the value is of.
	Key  string
	Bits uint64
	Kind ParamType
	Form IndexForm
	// System and Code are those of a token. A code element carries the system of its required
	// value set. For a reference Code is "Type/id" without version, or the URL when it is absolute
	// or canonical; for a uri it is the uri.
	System, Code string
	// Version is that of a versioned reference or canonical, "" when it has none.
	Version string
	// Target is the type that a reference points at, as far as it can be told.
	Target Type
	// Above lists what :below finds the value by besides itself: the codes that its code system
	// places above it, the URLs that its URL lies under.
	Above []string
	// Text is a string as it is written, Folded the form in which strings are compared.
	Text, Folded string
	// Low and High are the half-open interval of a date by its precision, Europe/Oslo where it
	// has no zone. A period without start has a zero Low, one without end has High = Endless.
	Low, High time.Time
	// Amount is the value of a number or quantity.
	Amount *Amount
	// Tuple holds the values of a composite, in the order of its components.
	Tuple []IndexValue
	// Mask holds the labels of the labelled parts that the value lies in, 0 outside all of them:
	// set by MarkParts.
	Mask uint64

	at *Value
}

// Endless is the High of a period that has no end.
var Endless = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// Index gives every searchable value of a resource by the plans of its type: nothing for _id and
// _lastUpdated, which the store promotes itself, nor for types that are not searchable. The
// resource is taken as it is: what is not of the form that its type asks for gives no value. The
// order is that of the document.
func Index(r *Resource) []IndexValue {
	plan := searches().plans[r.kind]
	if plan == nil {
		return nil
	}
	room := indexRoom.Get().(*[]IndexValue) //nolint:forcetypeassert // nothing else is put there
	x := extractor{out: *room}
	x.visit(r.root, plan)
	values := append(make([]IndexValue, 0, len(x.out)), x.out...)
	if clear(x.out); cap(x.out) <= 1024 {
		*room = x.out[:0]
		indexRoom.Put(room)
	}
	return values
}

// indexRoom is where values are gathered until it is known how many they are.
var indexRoom = sync.Pool{New: func() any { room := make([]IndexValue, 0, 48); return &room }}

// IndexAt is Index for the server at base: an absolute URL of its own is the relative reference.
func IndexAt(base string, r *Resource) []IndexValue {
	values := Index(r)
	if base != "" {
		localize(base, values)
	}
	return values
}

func localize(base string, values []IndexValue) {
	for i := range values {
		v := &values[i]
		localize(base, v.Tuple)
		if v.Kind != ReferenceParam || v.Form != PlainForm || !strings.HasPrefix(v.Code, base) {
			continue
		}
		if ref, ok := LocalReference(base, v.Code); ok {
			v.Version, ref.Version = ref.Version, ""
			v.Code, v.Target = ref.String(), ref.Type
		}
	}
}

// Part is a labelled part of a resource: its place and the mask of its labels.
type Part struct {
	Path string
	Mask uint64
}

// MarkParts sets the Mask of each value: the labels of every part of the resource that holds it. A
// part that is not found in the resource is taken to hold every value, and a value of another
// Resource, be it of the same bytes, to lie in every part: nothing of a part is ever matched by a
// search that its labels forbid.
func MarkParts(r *Resource, values []IndexValue, parts []Part) {
	if len(parts) == 0 {
		return
	}
	masks := make(map[*Value]uint64, len(parts))
	var everywhere, all uint64
	for _, p := range parts {
		all |= p.Mask
		if v := r.At(p.Path); v != nil {
			masks[v] |= p.Mask
		} else {
			everywhere |= p.Mask
		}
	}
	for i := range values {
		if v := &values[i]; v.at == nil || v.at.doc != r.root.doc {
			v.Mask = all
			continue
		}
		mark(&values[i], masks, everywhere)
	}
}

func mark(v *IndexValue, masks map[*Value]uint64, mask uint64) {
	for at := v.at; at != nil; at = at.parent {
		mask |= masks[at]
	}
	for i := range v.Tuple {
		mark(&v.Tuple[i], masks, 0)
		mask |= v.Tuple[i].Mask
	}
	v.Mask = mask
}

type extractor struct {
	out   []IndexValue
	take  *planTake
	plain bool               // of a part of a composite: only PlainForm
	read  map[*Value]*Amount // quantities that were read for another parameter
}

// visit takes the values of a place and goes on into objects and arrays.
func (x *extractor) visit(v *Value, n *planNode) {
	if v.kind == Array {
		for _, item := range v.items {
			x.visit(item, n)
		}
		return
	}
	for i := range n.takes {
		x.take = &n.takes[i]
		x.value(v)
	}
	for i := range n.guarded {
		if n.guarded[i].holds(v) {
			x.visit(v, n.guarded[i].to)
		}
	}
	if v.kind != Object || n.next == nil {
		return
	}
	for i := range v.members {
		if next := n.next[v.members[i].Name]; next != nil {
			x.visit(v.members[i].Value, next)
		}
	}
}

func (x *extractor) value(v *Value) {
	switch {
	case x.take.parts != nil:
		x.tuple(v)
	case x.take.truth:
		if v.kind != Bool || v.text == "true" {
			x.code(v, systemBoolean, "true")
		}
	case x.take.key == "id" || x.take.key == "meta.lastUpdated":
	default:
		x.simple(v)
	}
}

func (x *extractor) simple(v *Value) {
	switch x.take.kind {
	case Token:
		x.token(v)
	case ReferenceParam:
		x.reference(v)
	case StringParam:
		x.text(v)
	case Date:
		if low, high, ok := interval(v); ok {
			x.add(v, IndexValue{Low: low, High: high})
		}
	case Uri:
		if v.kind == String {
			x.add(v, IndexValue{Code: v.text, Above: x.urlsAbove(v.text)})
		}
	case NumberParam:
		if a, ok := numberAmount(v, x.take.leaf); ok {
			x.add(v, IndexValue{Amount: a})
		}
	case Quantity:
		if a := x.quantity(v); a != nil {
			x.add(v, IndexValue{Amount: a, System: a.System, Code: a.Code})
		}
	}
}

// quantity reads each element once: several parameters and composites look at the same. Nil is none.
func (x *extractor) quantity(v *Value) *Amount {
	a, known := x.read[v]
	if known {
		return a
	}
	a, _ = quantityAmount(v, x.take.leaf)
	if x.read == nil {
		x.read = make(map[*Value]*Amount)
	}
	x.read[v] = a
	return a
}

// add records a value found at v, for the parameters whose references it fits.
func (x *extractor) add(v *Value, value IndexValue) {
	value.Kind, value.at = x.take.kind, v
	for i := range x.take.users {
		u := &x.take.users[i]
		if u.target != "" && u.target != value.Target {
			continue
		}
		value.Bits |= 1 << u.param.Ordinal
	}
	if value.Bits != 0 {
		value.Key = x.take.key
		x.out = append(x.out, value)
	}
}

// maxTuples bounds the combinations that one element gives a composite.
const maxTuples = 64

// tuple combines the values that the parts of a composite have in one element.
func (x *extractor) tuple(v *Value) {
	take := x.take
	tuples := [][]IndexValue{nil}
	for _, part := range take.parts {
		inner := extractor{plain: true, read: x.read}
		inner.visit(v, part.node)
		x.read = inner.read
		var longer [][]IndexValue
		for _, head := range tuples {
			for _, one := range inner.out {
				longer = append(longer, append(head[:len(head):len(head)], one))
			}
		}
		if tuples = longer; len(tuples) > maxTuples {
			tuples = tuples[:maxTuples]
		}
	}
	for _, t := range tuples {
		x.add(v, IndexValue{Tuple: t})
	}
}

// systemBoolean is the code system of true and false (R4 search.html#token).
const systemBoolean = "http://terminology.hl7.org/CodeSystem/special-values"

func (x *extractor) token(v *Value) {
	switch x.take.leaf {
	case "CodeableConcept":
		for _, c := range v.Get("coding").Items() {
			x.code(v, c.Get("system").Text(), c.Get("code").Text())
			x.tokenText(v, c.Get("display"))
		}
		x.tokenText(v, v.Get("text"))
	case "Coding":
		x.code(v, v.Get("system").Text(), v.Get("code").Text())
		x.tokenText(v, v.Get("display"))
	case "Identifier":
		x.code(v, v.Get("system").Text(), v.Get("value").Text())
		x.tokenText(v, v.Get("type", "text"))
	case "ContactPoint":
		x.code(v, "", v.Get("value").Text())
	case "boolean":
		x.code(v, systemBoolean, v.Text())
	default:
		x.code(v, x.take.systemOf(v.Text()), v.Text())
	}
}

func (x *extractor) code(v *Value, system, code string) {
	if code == "" {
		return
	}
	value := IndexValue{System: system, Code: code}
	if !x.plain {
		value.Above = codesAbove(system, code)
	}
	x.add(v, value)
}

func (x *extractor) tokenText(v, text *Value) {
	if !x.plain && text.Kind() == String && text.text != "" {
		x.add(v, IndexValue{Form: TextForm, Text: text.text, Folded: Fold(text.text)})
	}
}

func (x *extractor) reference(v *Value) {
	if x.take.leaf != "Reference" { // canonical, uri
		url, version, _ := strings.Cut(v.Text(), "|")
		if x.plain {
			url, version = v.Text(), ""
		}
		if url != "" {
			x.add(v, IndexValue{Code: url, Version: version})
		}
		return
	}
	if !x.plain {
		x.identifier(v, v.Get("identifier"))
	}
	text := v.Get("reference").Text()
	if ref, ok := parseReference(text); ok {
		version := ref.Version
		ref.Version = ""
		x.add(v, IndexValue{Code: ref.String(), Version: version, Target: ref.Type})
		return
	}
	if absolute(text) {
		x.add(v, IndexValue{Code: text, Target: Type(urlType(text, tables()))})
	}
}

// identifier records a logical reference. What it points at is told by the literal reference beside
// it or by Reference.type.
func (x *extractor) identifier(v, id *Value) {
	value := id.Get("value").Text()
	if value == "" {
		return
	}
	target := Type(v.Get("type").Text())
	if ref, ok := parseReference(v.Get("reference").Text()); ok {
		target = ref.Type
	}
	x.add(v, IndexValue{Form: IdentifierForm, System: id.Get("system").Text(), Code: value, Target: target})
}

func (x *extractor) text(v *Value) {
	if x.take.leaf == "CodeableConcept" {
		x.string(v.Get("text"))
		for _, c := range v.Get("coding").Items() {
			x.string(c.Get("display"))
		}
		return
	}
	x.string(v)
}

func (x *extractor) string(v *Value) {
	if v.Kind() != String || v.text == "" {
		return
	}
	value := IndexValue{Text: v.text}
	if !x.plain {
		value.Folded = Fold(v.text)
	}
	x.add(v, value)
}

func (x *extractor) urlsAbove(url string) []string {
	if x.plain {
		return nil
	}
	return urlsAbove(url)
}

// interval gives the time that a date, dateTime, instant, Period or Timing covers.
func interval(v *Value) (low, high time.Time, ok bool) {
	if v.Kind() == String {
		return parseDate(v.text)
	}
	if v.Kind() != Object {
		return low, high, false
	}
	if v.member("event") == nil && v.member("repeat") == nil {
		return period(v)
	}
	low, high, ok = period(v.Get("repeat", "boundsPeriod"))
	for _, e := range v.Get("event").Items() {
		l, h, valid := parseDate(e.Text())
		if !valid {
			continue
		}
		if !ok || l.Before(low) {
			low = l
		}
		if !ok || h.After(high) {
			high = h
		}
		ok = true
	}
	return low, high, ok
}

// period gives what a Period covers: R4 datatypes.html#Period, the end with all its precision.
func period(v *Value) (low, high time.Time, ok bool) {
	start, end := v.Get("start").Text(), v.Get("end").Text()
	if start == "" && end == "" {
		return low, high, false
	}
	high = Endless
	if start != "" {
		if low, _, ok = parseDate(start); !ok {
			return time.Time{}, time.Time{}, false
		}
	}
	if end != "" {
		if _, high, ok = parseDate(end); !ok {
			return time.Time{}, time.Time{}, false
		}
	}
	return low, high, true
}
