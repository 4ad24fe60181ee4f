package fhir

import (
	"fmt"
	"slices"
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

// searchable lists the types that can be searched, sorted by name.
var searchable = []Type{
	"AllergyIntolerance", "Appointment", "AuditEvent", "Binary", "CarePlan", "CareTeam", "Communication", "Composition", "Condition",
	"Consent", "DocumentReference", "Encounter", "Endpoint", "EpisodeOfCare", "Flag", "Goal", "Group", "HealthcareService", "List",
	"Location", "MedicationStatement", "Observation", "Organization", "Patient", "Practitioner", "PractitionerRole", "Provenance",
	"Questionnaire", "QuestionnaireResponse", "RelatedPerson", "ServiceRequest", "Subscription", "Task",
}

// registry holds the parameters of each type, sorted by name, and their compiled plans.
type registry struct {
	full  map[Type][]SearchParameter
	plans map[Type]*planNode
	left  []Unadvertised
}

// searches compiles the parameters once. The definitions are embedded: one that does not compile
// is a fault of this package, and a test asks for each.
var searches = sync.OnceValue(func() *registry {
	r := &registry{full: map[Type][]SearchParameter{}, plans: map[Type]*planNode{}}
	defined := map[string][]*definitions.SearchParameter{}
	list := definitions.R4().SearchParameters
	for i := range list {
		defined[list[i].Base] = append(defined[list[i].Base], &list[i])
	}
	for _, t := range searchable {
		// those of Resource sort first: "_" comes before every lower-case letter
		r.compile(t, append(slices.Clone(defined["Resource"]), defined[string(t)]...))
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
		if err := p.define(root, d, searchable); err != nil {
			panic(fmt.Sprintf("fhir: search parameter %s.%s: %v", t, p.Name, err))
		}
	}
	r.full[t] = out
}
