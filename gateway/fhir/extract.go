package fhir

import "time"

// IndexValue is one searchable value of a resource.
type IndexValue struct {
	Param string
	Kind  ParamType
	// System and Code are those of a token. A code element carries the system of its required
	// value set. For a reference Code is "Type/id" without version, or the URL when it is absolute;
	// for a uri it is the uri.
	System, Code string
	// Text is a string as it is written.
	Text string
	// Low and High are the half-open interval of a date by its precision, Europe/Oslo where it
	// has no zone. A period without start has a zero Low, one without end has High = Endless.
	Low, High time.Time
	// Path is the place, "CarePlan.activity[2].detail.code", so that values inside labelled
	// parts can be told apart.
	Path string
}

// Endless is the High of a period that has no end.
var Endless = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// Extract gives the searchable values of a resource by the plans of its type: nothing for
// _id and _lastUpdated, which the store promotes itself, nor for types that are not served. The
// resource is taken as it is: what is not of the form that its type asks for gives no value.
func Extract(r *Resource) []IndexValue {
	plans := searches().plans[r.kind]
	if len(plans) == 0 {
		return nil
	}
	x := extractor{out: make([]IndexValue, 0, 16)}
	for i := range plans {
		x.param = &plans[i].param
		for j := range plans[i].paths {
			x.path = &plans[i].paths[j]
			x.walk(r.root, x.path.steps)
		}
	}
	return x.out
}

type extractor struct {
	out   []IndexValue
	param *SearchParam
	path  *path
}

// walk follows the steps into objects and arrays.
func (x *extractor) walk(v *Value, steps []string) {
	if v == nil {
		return
	}
	if v.kind == Array {
		for _, item := range v.items {
			x.walk(item, steps)
		}
		return
	}
	if len(steps) > 0 {
		if v.kind == Object {
			x.walk(v.member(steps[0]), steps[1:])
		}
		return
	}
	if w := x.path.where; w != "" && v.Get("system").Text() != w {
		return
	}
	switch x.param.Type {
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
			x.add(v, IndexValue{Code: v.text})
		}
	}
}

// add records a value found at v.
func (x *extractor) add(v *Value, value IndexValue) {
	value.Param, value.Kind, value.Path = x.param.Name, x.param.Type, v.Expression()
	x.out = append(x.out, value)
}

func (x *extractor) token(v *Value) {
	switch x.path.leaf {
	case "CodeableConcept":
		for _, c := range v.Get("coding").Items() {
			x.code(v, c.Get("system").Text(), c.Get("code").Text())
		}
	case "Coding":
		x.code(v, v.Get("system").Text(), v.Get("code").Text())
	case "Identifier":
		x.code(v, v.Get("system").Text(), v.Get("value").Text())
	case "ContactPoint":
		x.code(v, "", v.Get("value").Text())
	case "boolean":
		x.code(v, "http://terminology.hl7.org/CodeSystem/special-values", v.Text())
	default:
		x.code(v, x.path.system, v.Text())
	}
}

func (x *extractor) code(v *Value, system, code string) {
	if code != "" {
		x.add(v, IndexValue{System: system, Code: code})
	}
}

func (x *extractor) reference(v *Value) {
	if x.path.leaf != "Reference" { // canonical, uri
		x.code(v, "", v.Text())
		return
	}
	text := v.Get("reference").Text()
	if ref, ok := parseReference(text); ok {
		if x.path.target == "" || x.path.target == ref.Type {
			ref.Version = ""
			x.add(v, IndexValue{Code: ref.String()})
		}
		return
	}
	if !absolute(text) {
		return
	}
	if t := x.path.target; t == "" || t == Type(urlType(text, tables())) {
		x.add(v, IndexValue{Code: text})
	}
}

// nameParts are the members of HumanName and Address that a string parameter looks at.
var nameParts = map[string][]string{
	"HumanName": {"text", "family", "given", "prefix", "suffix"},
	"Address":   {"text", "line", "city", "district", "state", "postalCode", "country"},
}

func (x *extractor) text(v *Value) {
	parts := nameParts[x.path.leaf]
	if parts == nil {
		x.string(v)
		return
	}
	for _, name := range parts {
		part := v.Get(name)
		if part.Kind() == Array {
			for _, item := range part.items {
				x.string(item)
			}
			continue
		}
		x.string(part)
	}
}

func (x *extractor) string(v *Value) {
	if v.Kind() == String && v.text != "" {
		x.add(v, IndexValue{Text: v.text})
	}
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
