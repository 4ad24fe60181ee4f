package fhir

import (
	"slices"
	"strings"

	"github.com/sluse/sluse/conformance/definitions"
)

// Modifier is what may follow the name of a search parameter after a colon (R4
// search.html#modifiers). That of a reference may also be the name of a type.
type Modifier string

// The modifiers that the server knows.
const (
	ModifierNone       Modifier = ""
	ModifierExact      Modifier = "exact"
	ModifierContains   Modifier = "contains"
	ModifierMissing    Modifier = "missing"
	ModifierNot        Modifier = "not"
	ModifierText       Modifier = "text"
	ModifierIn         Modifier = "in"
	ModifierIdentifier Modifier = "identifier"
	ModifierAbove      Modifier = "above"
	ModifierBelow      Modifier = "below"
	ModifierType       Modifier = "[type]" // stands for the name of each type that the reference may point at
)

// SearchParameter is a search parameter of one type as the CapabilityStatement names it and the
// query reader understands it: both are made from this.
type SearchParameter struct {
	Base          Type
	Name          string
	Type          ParamType
	Canonical     string // URL of the definition
	Documentation string // English, for CapabilityStatement.rest.resource.searchParam.documentation
	Expression    string // FHIRPath, the part for Base
	// Targets are the types that a reference may point at: those that its elements allow, less what
	// the expression excludes. Nil: any.
	Targets []Type
	// Chains are the searchable types among the targets: what may follow the name and a colon or a
	// dot. A parameter with any may be used with _has, _include and _revinclude as Include.
	Chains []Type
	// Include is the name for _include and _revinclude, "CarePlan:subject"; "" for no reference.
	Include     string
	Modifiers   []Modifier
	Comparators []Prefix
	Components  []ParamType // of a composite, in order
	// Keys name the places that the parameter takes values from: an IndexValue is one of the
	// parameter's when its Key is among them and its Bits has the Ordinal. Parameters share keys:
	// what stands in one place is indexed once, however many parameters look there.
	Keys []string
	// Narrowed tells that only references to the one type of Targets count, while the place may hold
	// others: where(resolve() is X).
	Narrowed bool
	// Ordinal is the parameter's bit in a set of parameters of the type: stable, from 0 to 62.
	Ordinal int
	// Truth tells that the value is that of a condition which every resource answers with true or
	// false (Patient.deceased): only true is a value of the index, and false is its negation.
	Truth bool
	// Sortable tells that _sort may name it: the values have an order, are not kept as hashes and lie
	// outside the parts that have labels of their own.
	Sortable bool
	// Parted tells that values with an order lie in such parts: an order by them would tell what is
	// hidden, or have no effect.
	Parted bool

	named []Type // targets as R4's definition lists them
}

// Unadvertised is a standard parameter that the server does not offer, with the reason.
type Unadvertised struct {
	Type         Type
	Name, Reason string
}

// unadvertised gives the reason why a standard parameter is not offered, "" when it is.
func unadvertised(t Type, d *definitions.SearchParameter) string {
	switch {
	case d.Type == "special":
		return "geographic distance is not indexed"
	case d.Code == "phonetic":
		return "no phonetic algorithm fits Norwegian names; name ignores case and accents"
	case t == "AuditEvent" && !ledgerParams[d.Code]:
		return "the ledger is indexed by who, whom, what, when and outcome only"
	}
	return ""
}

// ledgerParams are those of AuditEvent: the ledger has an index of its own.
var ledgerParams = map[string]bool{
	"agent": true, "date": true, "entity": true, "outcome": true, "patient": true, "policy": true, "_id": true, "_lastUpdated": true,
}

// SearchTypes lists the types that can be searched, sorted by name.
func SearchTypes() []Type { return slices.Clone(searchable) }

// SearchParameters lists the parameters of a type, sorted by name; nil for a type that is not
// searchable. The result is shared and must not be changed.
func SearchParameters(t Type) []SearchParameter { return searches().full[t] }

// SearchParameterOf gives one parameter of a type, nil when the type has none of that name.
func SearchParameterOf(t Type, name string) *SearchParameter {
	list := searches().full[t]
	i, ok := slices.BinarySearchFunc(list, name, func(p SearchParameter, name string) int { return strings.Compare(p.Name, name) })
	if !ok {
		return nil
	}
	return &list[i]
}

// UnadvertisedParameters lists what R4 defines for a searchable type and the server does not offer.
func UnadvertisedParameters() []Unadvertised { return slices.Clone(searches().left) }

// define compiles the parameter into the tree of its type and fills in what follows from it.
func (p *SearchParameter) define(root *planNode, d *definitions.SearchParameter, types []Type) error {
	structures := tables().structures
	base := structures[string(p.Base)]
	plan := planner{structures: structures, take: planTake{users: []planUser{{param: p}}, kind: p.Type}}
	for i := range d.Components {
		part, err := p.component(base, d, &d.Components[i])
		if err != nil {
			return err
		}
		plan.take.parts = append(plan.take.parts, part)
		p.Components = append(p.Components, part.kind)
	}
	if err := plan.compile(root, base, p.Expression, false); err != nil {
		return err
	}
	for _, t := range d.Targets {
		p.named = append(p.named, Type(t))
	}
	leaves := map[string]bool{}
	for _, t := range plan.taken {
		leaves[t.leaf] = true
		p.Truth = p.Truth || t.truth
		p.Narrowed = p.Narrowed || t.users[0].target != ""
		if !slices.Contains(p.Keys, t.key) {
			p.Keys = append(p.Keys, t.key)
		}
	}
	slices.Sort(p.Keys)
	if p.Type == ReferenceParam {
		p.aim(plan.taken, types)
	}
	p.Modifiers = p.modifiers(leaves)
	for _, c := range d.Comparators {
		p.Comparators = append(p.Comparators, Prefix(c))
	}
	if p.Comparators == nil && (p.Type == Date || p.Type == NumberParam || p.Type == Quantity) {
		p.Comparators = slices.Clone(comparators)
	}
	switch p.Type {
	case Date, StringParam, NumberParam, Quantity:
		p.Parted = slices.ContainsFunc(p.Keys, func(key string) bool { return inPart(p.Base, key) })
		p.Sortable = !p.Parted
	}
	p.Sortable = p.Sortable || p.Name == "_id"
	p.Documentation = describe(p, d.Description)
	return nil
}

// parted are the elements whose entries have labels of their own, or tell where a person is, per type. Of a
// Patient everything does but the head.
var parted = map[Type][]string{
	"CarePlan": {"activity"}, "Composition": {"section"}, "Observation": {"component"}, "QuestionnaireResponse": {"item"},
	"Encounter": {"location"}, "RelatedPerson": {"address", "telecom"},
}

// patientHead is what every message carries of a Patient, and what the server writes.
var patientHead = []string{"id", "meta", "active", "name", "birthDate", "identifier"}

// inPart tells whether the place may lie in a part with labels of its own.
func inPart(t Type, key string) bool {
	end := strings.IndexAny(key, ".[$=")
	if end < 0 {
		end = len(key)
	}
	if t == "Patient" {
		return !slices.Contains(patientHead, key[:end])
	}
	return slices.Contains(parted[t], key[:end])
}

// component compiles a part of a composite from each base that the composite's expression gives:
// those are of one type, or have the same elements. R4's DocumentReference.relationship has the
// types of its two parts exchanged; what the element is decides.
func (p *SearchParameter) component(base *structure, d *definitions.SearchParameter, c *definitions.Component) (compose, error) {
	structures := tables().structures
	first, _, _ := strings.Cut(d.Expression, " ")
	at := structures[first]
	if at == nil {
		names := strings.Split(first, ".")[1:]
		at = base
		for _, name := range names {
			at = at.slots[name].typ
		}
	}
	kinds := []ParamType{paramNames[c.Type], Token, ReferenceParam, Quantity, Date, StringParam}
	var err error
	for _, kind := range kinds {
		node := &planNode{}
		plan := planner{structures: structures, take: planTake{users: []planUser{{param: p}}, kind: kind}}
		if err = plan.compile(node, at, c.Expression, true); err == nil {
			return compose{kind: kind, expression: c.Expression, node: node}, nil
		}
	}
	return compose{}, err
}

// aim settles what a reference may point at.
func (p *SearchParameter) aim(taken []planTake, types []Type) {
	if p.Base == "AuditEvent" { // the ledger is searched by itself
		p.Targets = p.named
		return
	}
	any_ := false
	for _, t := range taken {
		switch {
		case t.users[0].target != "":
			p.Targets = append(p.Targets, t.users[0].target)
		case t.leaf != "Reference":
			p.Targets = append(p.Targets, p.named...)
		case t.users[0].targets == nil || slices.Contains(t.users[0].targets, "Resource"):
			any_ = true
		default:
			for _, target := range t.users[0].targets {
				p.Targets = append(p.Targets, Type(target))
			}
		}
	}
	slices.Sort(p.Targets)
	p.Targets = slices.Compact(p.Targets)
	if any_ {
		p.Targets = nil
	}
	for _, t := range types {
		if t == "AuditEvent" {
			continue
		}
		if p.Targets == nil || slices.Contains(p.Targets, t) {
			p.Chains = append(p.Chains, t)
		}
	}
	if len(p.Chains) > 0 {
		p.Include = string(p.Base) + ":" + p.Name
	}
}

// modifiers gives those that R4 search.html#modifiers defines for the type and that have a meaning
// for the data types at hand: a code has no text, and a ContactPoint no code system.
func (p *SearchParameter) modifiers(leaves map[string]bool) []Modifier {
	if p.Name == "_id" || p.Name == "_lastUpdated" {
		return nil
	}
	if p.Base == "AuditEvent" { // the ledger's own index
		return nil
	}
	if p.Truth {
		return []Modifier{ModifierNot}
	}
	if p.Type == Composite { // R4 search.html#composite: modifiers are not used with them
		return nil
	}
	list := []Modifier{ModifierMissing}
	coded := leaves["CodeableConcept"] || leaves["Coding"]
	switch p.Type {
	case StringParam:
		list = append(list, ModifierContains, ModifierExact)
	case Token:
		list = append(list, ModifierNot)
		if coded || leaves["Identifier"] {
			list = append(list, ModifierText)
		}
		if coded || leaves["code"] {
			list = append(list, ModifierIn)
		}
		if coded {
			list = append(list, ModifierAbove, ModifierBelow)
		}
	case ReferenceParam:
		if leaves["Reference"] {
			list = append(list, ModifierIdentifier)
		}
		if len(p.Targets) != 1 {
			list = append(list, ModifierType)
		}
	case Uri:
		list = append(list, ModifierAbove, ModifierBelow)
	}
	slices.Sort(list)
	return list
}

// Allows tells whether the modifier may follow the name. The name of a type is allowed for a
// reference that may point at it, alone or among others.
func (p *SearchParameter) Allows(m Modifier) bool {
	if m == ModifierNone || m != ModifierType && slices.Contains(p.Modifiers, m) {
		return true
	}
	return p.Type == ReferenceParam && p.Base != "AuditEvent" && p.MayTarget(Type(m))
}

// MayTarget tells whether the reference may point at the type.
func (p *SearchParameter) MayTarget(t Type) bool {
	if p.Targets == nil {
		return KnownType(t)
	}
	return slices.Contains(p.Targets, t)
}

// documentation says per type of parameter what this server does where R4 leaves a choice.
var documentation = map[ParamType]string{
	Token:          "code, system|code, |code or system|, compared as written, case included. A code element has the system of its required value set.",
	ReferenceParam: "id, Type/id or an absolute URL. A version in the resource's reference does not count.",
	StringParam:    "Begins with; case, accents and runs of white space do not count, while æ, ø and å are letters of their own. :exact compares as written.",
	Date:           "A value without a time zone is Europe/Oslo; a partial date is all of its day, month or year.",
	NumberParam:    "eq, ne and ap heed the precision as written; the other prefixes compare exactly.",
	Quantity:       "number, number|system|code or number||code. UCUM units are compared in their base units. eq, ne and ap heed the precision as written.",
	Uri:            "The whole URI. :below and :above compare the segments of the path.",
	Composite:      "Both parts hold of the same element: value$value, each as its own type has it. No modifiers.",
}

func describe(p *SearchParameter, description string) string {
	if p.Truth {
		return description + ". true or false: every resource has one of them. A date of it is true."
	}
	switch p.Name {
	case "_id":
		return description + ". One id, or several separated by commas."
	case "_profile":
		return description + ". The URL as meta.profile has it."
	}
	text := strings.TrimSuffix(description, ".") + ". " + documentation[p.Type]
	if p.Parted {
		text += " Not for _sort: the values lie in parts with labels of their own, and an order by them would tell what is hidden."
	}
	return text
}
