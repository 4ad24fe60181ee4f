package fhir

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/sluse/sluse/conformance/definitions"
)

// ParamType is the type of a search parameter (R4 search.html#ptypes).
type ParamType uint8

// The parameter types. A server that does not know one refuses the parameter.
const (
	Token ParamType = iota + 1
	ReferenceParam
	StringParam
	Date
	NumberParam
	Quantity
	Uri
	Composite
	Special
)

var paramNames = map[string]ParamType{
	"token": Token, "reference": ReferenceParam, "string": StringParam, "date": Date, "number": NumberParam,
	"quantity": Quantity, "uri": Uri, "composite": Composite, "special": Special,
}

// String gives the code of http://hl7.org/fhir/search-param-type.
func (t ParamType) String() string {
	for name, p := range paramNames {
		if p == t {
			return name
		}
	}
	return ""
}

// SearchParam is a standard search parameter as the server offers it for one type.
type SearchParam struct {
	Name       string
	Type       ParamType
	Expression string // FHIRPath, the part for this resource type
	Targets    []Type // of a reference; nil: any
	Canonical  string // URL of the SearchParameter
}

// served lists the parameters that SearchParams and Extract know per type, besides _id and
// _lastUpdated: the selection of a store that indexes tokens, references, texts and dates only.
var served = map[Type]string{
	"AllergyIntolerance":    "clinical-status date identifier patient",
	"AuditEvent":            "agent date entity outcome patient policy",
	"Binary":                "",
	"CarePlan":              "date identifier patient status subject",
	"CareTeam":              "date identifier patient status subject",
	"Communication":         "identifier patient received sent status subject",
	"Condition":             "clinical-status identifier onset-date patient recorded-date subject",
	"Consent":               "date identifier patient status",
	"DocumentReference":     "date identifier patient status subject",
	"Endpoint":              "identifier name organization status",
	"Goal":                  "identifier lifecycle-status patient start-date subject",
	"HealthcareService":     "active identifier name organization",
	"MedicationStatement":   "effective identifier patient status subject",
	"Observation":           "date identifier patient status subject",
	"Organization":          "active identifier name partof type",
	"Patient":               "active identifier",
	"Practitioner":          "active family given identifier name",
	"PractitionerRole":      "active date identifier organization practitioner role",
	"Provenance":            "patient recorded target",
	"Questionnaire":         "date identifier name status title url",
	"QuestionnaireResponse": "authored identifier patient status subject",
	"ServiceRequest":        "authored identifier patient status subject",
	"Task":                  "authored-on identifier owner patient period status subject",
}

// further lists the types that are searchable besides those of served.
var further = []Type{
	"Appointment", "Composition", "Encounter", "EpisodeOfCare", "Flag", "Group", "List", "Location", "RelatedPerson", "Subscription",
}

// registry holds the parameters of each type, sorted by name, and their compiled plans.
type registry struct {
	types  []Type
	params map[Type][]SearchParam // of served
	chosen map[Type]*planNode     // the plans of served
	full   map[Type][]SearchParameter
	plans  map[Type]*planNode
	left   []Unadvertised
}

// searches compiles the parameters once. The definitions are embedded: one that does not compile
// is a fault of this package, and a test asks for each.
var searches = sync.OnceValue(func() *registry {
	r := &registry{
		params: map[Type][]SearchParam{}, chosen: map[Type]*planNode{},
		full: map[Type][]SearchParameter{}, plans: map[Type]*planNode{},
	}
	r.types = append(slices.Collect(maps.Keys(served)), further...)
	slices.Sort(r.types)
	defined := map[string][]*definitions.SearchParameter{}
	list := definitions.R4().SearchParameters
	for i := range list {
		defined[list[i].Base] = append(defined[list[i].Base], &list[i])
	}
	for _, t := range r.types {
		// those of Resource sort first: "_" comes before every lower-case letter
		r.compile(t, append(slices.Clone(defined["Resource"]), defined[string(t)]...))
	}
	for t, names := range served {
		r.choose(t, append(strings.Fields(names), "_id", "_lastUpdated"))
	}
	return r
})

// compile adds every parameter of a type. The place in R4's list is the parameter's ordinal: that
// list does not change, and what is added later comes after it.
func (r *registry) compile(t Type, list []*definitions.SearchParameter) {
	root := &planNode{}
	r.plans[t] = root
	out := make([]SearchParameter, 0, len(list)) // never grows: the plans point into it
	for i, d := range list {
		if reason := unadvertised(t, d); reason != "" {
			r.left = append(r.left, Unadvertised{Type: t, Name: d.Code, Reason: reason})
			continue
		}
		out = append(out, SearchParameter{Base: t, Name: d.Code, Type: paramNames[d.Type], Canonical: d.URL, Expression: d.Expression, Ordinal: i})
		p := &out[len(out)-1]
		if err := p.define(root, d, r.types); err != nil {
			panic(fmt.Sprintf("fhir: search parameter %s.%s: %v", t, p.Name, err))
		}
	}
	r.full[t] = out
}

// choose compiles the selection of served for a type.
func (r *registry) choose(t Type, names []string) {
	root := &planNode{}
	r.chosen[t] = root
	structures := tables().structures
	for i := range r.full[t] {
		p := &r.full[t][i]
		if !slices.Contains(names, p.Name) {
			continue
		}
		one := SearchParam{Name: p.Name, Type: p.Type, Expression: p.Expression, Targets: p.named, Canonical: p.Canonical}
		r.params[t] = append(r.params[t], one)
		if p.Name[0] == '_' {
			continue
		}
		plan := planner{structures: structures, take: planTake{users: []planUser{{param: p}}, kind: p.Type}}
		if err := plan.compile(root, structures[string(t)], p.Expression, false); err != nil {
			panic(fmt.Sprintf("fhir: search parameter %s.%s: %v", t, p.Name, err))
		}
	}
}

// SearchParams lists what a store that knows tokens, references, texts and dates offers for a
// type, sorted by name, with _id and _lastUpdated; nil for a type that is not served. The result
// parameters (_count, _sort …) are no search parameters and the REST layer's affair.
func SearchParams(t Type) []SearchParam { return slices.Clone(searches().params[t]) }

// SearchParamOf gives one parameter of SearchParams.
func SearchParamOf(t Type, name string) (SearchParam, bool) {
	for _, p := range searches().params[t] {
		if p.Name == name {
			return p, true
		}
	}
	return SearchParam{}, false
}
