package fhir

import (
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

// served lists the parameters offered per type, besides _id and _lastUpdated.
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

// registry holds the parameters of each type, sorted by name, and their compiled plans.
type registry struct {
	params map[Type][]SearchParam
	plans  map[Type][]plan
}

// searches compiles the parameters once.
var searches = sync.OnceValue(func() *registry {
	r := &registry{params: map[Type][]SearchParam{}, plans: map[Type][]plan{}}
	defined := map[string]*definitions.SearchParameter{}
	list := definitions.R4().SearchParameters
	for i := range list {
		defined[list[i].Base+" "+list[i].Code] = &list[i]
	}
	for t, names := range served {
		for _, name := range append(strings.Fields(names), "_id", "_lastUpdated") {
			d := defined[string(t)+" "+name]
			if d == nil {
				d = defined["Resource "+name]
			}
			if d == nil {
				panic("fhir: no SearchParameter " + string(t) + "." + name) // a constant table: a test asks for each
			}
			p := SearchParam{Name: name, Type: paramNames[d.Type], Expression: d.Expression, Canonical: d.URL}
			for _, target := range d.Targets {
				p.Targets = append(p.Targets, Type(target))
			}
			r.params[t] = append(r.params[t], p)
			if name[0] != '_' {
				r.plans[t] = append(r.plans[t], compilePlan(t, p))
			}
		}
		slices.SortFunc(r.params[t], func(a, b SearchParam) int { return strings.Compare(a.Name, b.Name) })
	}
	return r
})

// SearchParams lists what the server offers for a type, sorted by name, with _id and
// _lastUpdated; nil for a type that is not served. The result parameters (_count, _sort …) are
// no search parameters and the REST layer's affair.
func SearchParams(t Type) []SearchParam { return slices.Clone(searches().params[t]) }

// SearchParamOf gives one parameter of a type.
func SearchParamOf(t Type, name string) (SearchParam, bool) {
	for _, p := range searches().params[t] {
		if p.Name == name {
			return p, true
		}
	}
	return SearchParam{}, false
}
