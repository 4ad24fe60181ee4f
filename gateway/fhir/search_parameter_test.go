package fhir_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/conformance/definitions"
	"github.com/sluse/sluse/gateway/fhir"
)

var update = flag.Bool("update", false, "write testdata/search/parameters.txt anew")

// TestEverySearchParameter compares the registry with a list that people have read: every parameter
// of every searchable type, what it may be asked with, and what is not offered and why.
func TestEverySearchParameter(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, typ := range fhir.SearchTypes() {
		fmt.Fprintf(&b, "%s\n", typ)
		list := fhir.SearchParameters(typ)
		for i := range list {
			p := &list[i]
			fmt.Fprintf(&b, "\t%s %s %d", p.Name, p.Type, p.Ordinal)
			fmt.Fprintf(&b, " keys=%s", words(p.Keys))
			if parts := words(p.Components); parts != "" {
				fmt.Fprintf(&b, " components=%s", parts)
			}
			if p.Type == fhir.ReferenceParam {
				fmt.Fprintf(&b, " targets=%s", words(p.Targets))
			}
			if len(p.Modifiers) > 0 {
				fmt.Fprintf(&b, " modifiers=%s", words(p.Modifiers))
			}
			if p.Sortable {
				b.WriteString(" sort")
			}
			b.WriteString("\n")
		}
	}
	for _, u := range fhir.UnadvertisedParameters() {
		fmt.Fprintf(&b, "-%s.%s: %s\n", u.Type, u.Name, u.Reason)
	}
	const golden = "testdata/search/parameters.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the registry has changed:\n%s", difference(string(want), b.String()))
	}
}

func words[T any](list []T) string {
	var s []string
	for _, v := range list {
		s = append(s, fmt.Sprint(v))
	}
	return strings.Join(s, ",")
}

func difference(want, got string) string {
	var b strings.Builder
	a, c := strings.Split(want, "\n"), strings.Split(got, "\n")
	for _, l := range a {
		if !slices.Contains(c, l) {
			b.WriteString("- " + l + "\n")
		}
	}
	for _, l := range c {
		if !slices.Contains(a, l) {
			b.WriteString("+ " + l + "\n")
		}
	}
	return b.String()
}

// TestSearchParametersAreR4s asks for each parameter that R4 defines for a searchable type: it is
// offered with R4's URL and comparators, or listed with a reason.
func TestSearchParametersAreR4s(t *testing.T) {
	t.Parallel()
	left := map[string]bool{}
	for _, u := range fhir.UnadvertisedParameters() {
		left[string(u.Type)+"."+u.Name] = true
		if len(u.Reason) < 10 || fhir.SearchParameterOf(u.Type, u.Name) != nil {
			t.Errorf("%+v", u)
		}
	}
	types := fhir.SearchTypes()
	if len(types) != 33 {
		t.Errorf("%d types", len(types))
	}
	found := 0
	for _, d := range definitions.R4().SearchParameters {
		bases := []fhir.Type{fhir.Type(d.Base)}
		if d.Base == "Resource" {
			bases = types
		}
		for _, base := range bases {
			if !slices.Contains(types, base) || left[string(base)+"."+d.Code] {
				continue
			}
			found++
			p := fhir.SearchParameterOf(base, d.Code)
			if p == nil || p.Canonical != d.URL || p.Type.String() != d.Type || len(p.Documentation) < 20 || p.Base != base {
				t.Errorf("%s.%s: %+v", base, d.Code, p)
				continue
			}
			ordered := p.Type == fhir.Date || p.Type == fhir.Quantity || p.Type == fhir.NumberParam
			if ordered != (len(p.Comparators) == 9) || len(d.Components) != len(p.Components) {
				t.Errorf("%s.%s: comparators %v, components %v", base, d.Code, p.Comparators, p.Components)
			}
		}
	}
	offered := 0
	for _, typ := range types {
		ordinals := map[int]bool{}
		list := fhir.SearchParameters(typ)
		offered += len(list)
		for i := range list {
			p := &list[i]
			if p.Ordinal < 0 || p.Ordinal > 62 || ordinals[p.Ordinal] {
				t.Errorf("%s.%s: ordinal %d", typ, p.Name, p.Ordinal)
			}
			ordinals[p.Ordinal] = true
			if (p.Include != "") != (len(p.Chains) > 0) || p.Include != "" && p.Include != string(typ)+":"+p.Name {
				t.Errorf("%s.%s: include %q, chains %v", typ, p.Name, p.Include, p.Chains)
			}
			for _, c := range p.Chains {
				if !slices.Contains(types, c) || !p.MayTarget(c) || c == "AuditEvent" {
					t.Errorf("%s.%s may be chained to %s", typ, p.Name, c)
				}
			}
		}
	}
	if offered != found {
		t.Errorf("%d parameters offered, %d found in the definitions", offered, found)
	}
	if fhir.SearchParameters("Account") != nil || fhir.SearchParameterOf("Account", "_id") != nil {
		t.Error("a type is searchable that is not listed")
	}
}

// TestAllowedModifiers holds the rule of R4 search.html#modifiers for what is asked here.
func TestAllowedModifiers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ      fhir.Type
		name     string
		modifier fhir.Modifier
		want     bool
	}{
		{"Patient", "name", "exact", true}, {"Patient", "name", "contains", true}, {"Patient", "name", "not", false}, {"Patient", "name", "text", false},
		{"Patient", "gender", "not", true}, {"Patient", "gender", "text", false}, {"Patient", "gender", "in", true}, {"Patient", "gender", "below", false},
		{"Patient", "identifier", "text", true}, {"Patient", "identifier", "in", false}, {"Patient", "phone", "in", false},
		{"Condition", "code", "below", true}, {"Condition", "code", "above", true}, {"Condition", "code", "not-in", false}, {"Condition", "code", "of-type", false},
		{"CarePlan", "subject", "Patient", true}, {"CarePlan", "subject", "Group", true}, {"CarePlan", "subject", "Practitioner", false}, {"CarePlan", "subject", "identifier", true}, {"CarePlan", "subject", "[type]", false},
		{"CarePlan", "date", "missing", true}, {"CarePlan", "date", "not", false}, {"CarePlan", "instantiates-uri", "below", true}, {"CarePlan", "instantiates-canonical", "identifier", false},
		{"CarePlan", "_id", "missing", false}, {"CarePlan", "_tag", "not", true}, {"AuditEvent", "patient", "missing", false}, {"AuditEvent", "patient", "Patient", false}, {"Patient", "deceased", "missing", false},
	} {
		p := fhir.SearchParameterOf(c.typ, c.name)
		if p == nil || p.Allows(c.modifier) != c.want {
			t.Errorf("%s.%s:%s is allowed: %v", c.typ, c.name, c.modifier, !c.want)
		}
	}
}

// TestNothingPartedIsSortable: what lies in parts with labels of their own is told to be no key of _sort,
// and what is told to be one is not in parts.
func TestNothingPartedIsSortable(t *testing.T) {
	t.Parallel()
	parted := 0
	for _, typ := range fhir.SearchTypes() {
		list := fhir.SearchParameters(typ)
		for i := range list {
			p := &list[i]
			if p.Parted {
				parted++
			}
			if p.Parted && (p.Sortable || !strings.Contains(p.Documentation, "Not for _sort")) || !p.Parted && strings.Contains(p.Documentation, "Not for _sort") {
				t.Errorf("%s.%s: parted %v, sortable %v: %s", typ, p.Name, p.Parted, p.Sortable, p.Documentation)
			}
			for _, key := range p.Keys {
				for _, part := range []string{"activity.", "component.", "item.", "section.", "address.", "deceased", "telecom"} {
					if p.Sortable && strings.HasPrefix(key, part) && slices.Contains([]fhir.Type{"CarePlan", "Observation", "QuestionnaireResponse", "Composition", "Patient"}, typ) {
						t.Errorf("%s.%s is sortable by %s", typ, p.Name, key)
					}
				}
			}
		}
	}
	if parted < 10 {
		t.Errorf("only %d parameters lie in parts", parted)
	}
}
