package conformance_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// left are parameters that R4 defines for every type or for one, and that the server refuses: the
// CapabilityStatement has none of them.
var left = map[string]string{
	"_text": "no full text", "_content": "no full text", "_filter": "", "_query": "no named queries",
	"phonetic": "no algorithm for Norwegian names", "near": "no geography",
	"age": "no expression in R4", "birthOrderBoolean": "no expression in R4", "part-agree": "an example of R4 over another type",
}

// ledgerOffers are those of AuditEvent: the ledger has an index of its own.
var ledgerOffers = []string{"_id", "_lastUpdated", "agent", "date", "entity", "outcome", "patient", "policy"}

// unplanted are parameters for which the suite stores nothing, with the reason.
func unplanted(kind, code string) bool {
	return kind == "Subscription" || // needs an address that the administrator allows
		code == "_security" && slices.Contains(directoryKinds, kind) // labels are for records
}

// Every parameter of the CapabilityStatement finds what was planted for it, with R4's modifiers and
// prefixes and no others; what R4 defines and the CapabilityStatement lacks is refused by name.
func TestParametersAreAsAdvertised(t *testing.T) {
	t.Parallel()
	l := newLibrary(t)
	checked := 0
	for kind, offers := range l.offers {
		if r4Table().order[kind] == nil && kind != "Binary" { // the server's own definitions
			for _, o := range offers {
				l.works(t, kind, o.Name, "http://sluse.no/fhir/x")
			}
			continue
		}
		t.Run(kind, func(t *testing.T) {
			for _, o := range offers {
				p := r4Table().param(kind, o.Name)
				if p == nil || p.URL != o.Definition || p.Type != o.Type {
					t.Errorf("%s.%s is offered as %s %s, and R4 has %+v", kind, o.Name, o.Type, o.Definition, p)
					continue
				}
				checked++
				q := &asker{l, kind, *p}
				if kind == "AuditEvent" {
					continue
				}
				l.planted(t, q)
				l.modified(t, q)
				l.spoiled(t, q)
			}
			l.notOffered(t, kind)
		})
	}
	if checked < 300 {
		t.Errorf("only %d parameters are offered", checked)
	}
	t.Logf("%d parameters", checked)
}

// planted demands that the parameter finds a resource by a value that it has.
func (l *library) planted(t *testing.T, q *asker) {
	t.Helper()
	for _, r := range l.eval.kinds[q.kind] {
		values := q.valuesOf(r)
		if q.p.Type == "date" && len(values) > 0 { // no date holds all of a long period
			values = append(values, "ge"+values[0], "le"+values[0])
		}
		for _, value := range values {
			if one := (pair{q.p.Code, value}); len(l.eval.search(q.kind, one)) > 0 {
				l.ask(t, q.kind, one)
				return
			}
		}
	}
	if !unplanted(q.kind, q.p.Code) {
		t.Errorf("%s.%s: nothing is planted for it", q.kind, q.p.Code)
	}
}

// works demands an answer, found or not.
func (l *library) works(t *testing.T, kind, name, value string) {
	t.Helper()
	l.asked(t, link(kind, pair{name, value}))
}

// refusedBy demands a 400 that names the parameter and tells why by code.
func (l *library) refusedBy(t *testing.T, kind, name, value, expression string, codes ...string) {
	t.Helper()
	path := link(kind, pair{name, value})
	a, err := l.try(http.MethodGet, path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var o struct {
		Issue []struct {
			Expression []string
			Details    struct {
				Text   string
				Coding []struct{ Code string }
			}
		}
	}
	_ = json.Unmarshal(a.body, &o)
	if a.status != http.StatusBadRequest || len(o.Issue) != 1 || len(o.Issue[0].Details.Coding) != 1 || o.Issue[0].Details.Text == "" {
		t.Errorf("%s: %d %s", path, a.status, outcomeOf(a.body))
		return
	}
	if code := o.Issue[0].Details.Coding[0].Code; !slices.Equal(o.Issue[0].Expression, []string{expression}) || !slices.Contains(codes, code) {
		t.Errorf("%s: %s at %v, want %v at %s", path, code, o.Issue[0].Expression, codes, expression)
	}
}

// kinds gives the data types that a parameter looks at, by the definitions.
func (p *r4Param) kinds() (list []string) {
	for one := range strings.SplitSeq(p.Expression, " | ") {
		path, cast, _ := strings.Cut(strings.Trim(one, "("), " as ")
		if cast != "" {
			kind, after, _ := strings.Cut(cast, ")")
			if strings.HasSuffix(after, ".text") {
				kind = "string"
			}
			list = append(list, kind)
			continue
		}
		if at := strings.Index(path, ".as("); at > 0 {
			list = append(list, strings.TrimSuffix(path[at+4:], ")"))
			continue
		}
		names := dotted(path)
		at, kind := names[0], names[0]
		for _, name := range names[1:] {
			if strings.Contains(name, "(") {
				continue
			}
			at += "." + name
			switch e := r4Table().elements[at]; {
			case e != nil && len(e.Types) > 1:
				list = append(list, e.Types...)
				kind = ""
			case e != nil:
				kind = e.Types[0]
			case name == "meta":
				kind = "Meta"
			default:
				kind = partKinds[kind+"."+name]
			}
		}
		list = append(list, kind)
	}
	return list
}

// modified asks with every modifier there is: those that R4 search.html#modifiers gives the type of
// the parameter and its data types work, the others are refused.
func (l *library) modified(t *testing.T, q *asker) {
	t.Helper()
	kinds := q.p.kinds()
	looks := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(kinds, n) })
	}
	extended := strings.Contains(q.p.Expression, ".extension(")
	coded := looks("CodeableConcept", "Coding") || extended
	plainOnly := q.p.Code == "_id" || q.p.Code == "_lastUpdated"
	for _, m := range []struct {
		name, value string
		works       bool
	}{
		{"missing", "true", !plainOnly && q.p.Code != "deceased" && q.p.Type != "composite"},
		{"not", "a", q.p.Type == "token" && !plainOnly},
		{"text", "a", q.p.Type == "token" && (coded || looks("Identifier"))},
		{"in", "http://hl7.org/fhir/ValueSet/administrative-gender", q.p.Type == "token" && (coded || looks("code"))},
		{"below", map[string]string{"uri": "http://example.org/a"}[q.p.Type] + map[string]string{"token": "urn:oid:2.16.578.1.12.4.1.1.7110|F10"}[q.p.Type], q.p.Type == "token" && coded || q.p.Type == "uri"},
		{"above", map[string]string{"uri": "http://example.org/a"}[q.p.Type] + map[string]string{"token": "urn:oid:2.16.578.1.12.4.1.1.7110|F10"}[q.p.Type], q.p.Type == "token" && coded || q.p.Type == "uri"},
		{"exact", "a", q.p.Type == "string"}, {"contains", "a", q.p.Type == "string"},
		{"identifier", "urn:sluse:id|1", q.p.Type == "reference" && looks("Reference")},
		{"of-type", "a|b|c", false}, {"not-in", "http://hl7.org/fhir/ValueSet/administrative-gender", false}, {"iterate", "a", false},
		{"Missing", "true", false}, {"finnesikke", "a", false}, {"[type]", "a", false}, {"Basic", "a", false},
	} {
		if m.name == "Basic" && q.p.Type == "reference" {
			continue // a type that some references may have
		}
		name := q.p.Code + ":" + m.name
		if m.name == "not" && (looks("boolean") || q.p.Code == "deceased") {
			m.value = "true"
		}
		if m.value == "" {
			m.value = "a"
		}
		if m.works {
			l.works(t, q.kind, name, m.value)
			continue
		}
		expression := "http." + name
		if strings.Contains(name, "[") {
			expression = "http.parameter"
		}
		l.refusedBy(t, q.kind, name, m.value, expression, "search.modifier-unknown")
	}
}

// spoiled asks with values that are none of the type.
func (l *library) spoiled(t *testing.T, q *asker) {
	t.Helper()
	at := "http." + q.p.Code
	for _, s := range []struct{ kind, value, code string }{
		{"date", "i-dag", "search.prefix search.date"}, {"date", "2024-13", "search.date"}, {"date", "2024-02-30", "search.date"}, {"date", "xx2024", "search.prefix"},
		{"date", "gt", "search.date search.prefix"}, {"quantity", "abc", "search.prefix search.quantity"}, {"quantity", "5|g", "search.quantity"}, {"quantity", "xx5", "search.prefix"},
		{"quantity", "5||", "search.quantity"}, {"composite", "a", "search.composite"}, {"composite", "a$b$c", "search.composite"},
		{"reference", "a b", "search.reference"}, {"reference", "Patient/", "search.reference"}, {"token", "a|b|c", "search.token search.id"}, {"token", "|", "search.token search.id"},
		{"string", `a\b`, "search.escape"}, {"uri", "a b", "search.uri"},
	} {
		if s.kind == q.p.Type && q.p.Code != "deceased" {
			l.refusedBy(t, q.kind, q.p.Code, s.value, at, strings.Fields(s.code)...)
		}
	}
	l.refusedBy(t, q.kind, q.p.Code, "", at, "search.value-empty")
}

// notOffered asks for what R4 defines and the type does not offer, and for what other types have.
func (l *library) notOffered(t *testing.T, kind string) {
	t.Helper()
	for _, p := range r4Table().params[kind] {
		if !l.offering(kind, p.Code) {
			if _, known := left[p.Code]; !known && (kind != "AuditEvent" || slices.Contains(ledgerOffers, p.Code)) {
				t.Errorf("R4 defines %s.%s, and it is not offered", kind, p.Code)
			}
			l.refusedBy(t, kind, p.Code, "a", "http."+p.Code, "search.parameter-unknown")
		}
	}
	strange := []string{"_text", "_content", "_filter", "_query", "finnes-ikke", "Status", "_ID", "_has", "subject2"}
	for other, list := range r4Table().params {
		if p := list[0]; other != "Resource" && !l.offering(kind, p.Code) && p.Code != "phonetic" {
			strange = append(strange, p.Code)
		}
	}
	for _, name := range strange {
		expression := "http." + name
		if strings.ContainsAny(name, "0123456789") {
			expression = "http.parameter"
		}
		if !l.offering(kind, name) {
			l.refusedBy(t, kind, name, "a", expression, "search.parameter-unknown", "search.has")
		}
	}
}
