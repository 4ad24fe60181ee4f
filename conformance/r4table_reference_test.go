//go:build reference

package conformance_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// r4Types are those that the server searches.
var r4Types = strings.Fields(`AllergyIntolerance Appointment AuditEvent Binary CarePlan CareTeam Communication Composition
	Condition Consent DocumentReference Encounter Endpoint EpisodeOfCare Flag Goal Group HealthcareService List Location
	MedicationStatement Observation Organization Patient Practitioner PractitionerRole Provenance Questionnaire
	QuestionnaireResponse RelatedPerson ServiceRequest Subscription Task`)

// definitionLines gives the resources of one file of the official definitions.
func definitionLines[T any](t *testing.T, name string) (list []T) {
	t.Helper()
	f, err := os.Open(filepath.Join(reference(t), "fhir-r4", "definitions", name+".ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var one T
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		list = append(list, one)
	}
	return list
}

// reference is the folder of the reference data.
func reference(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SLUSE_REFERENCE")
	if dir == "" {
		t.Fatal("SLUSE_REFERENCE is not set: run make test-reference")
	}
	return dir
}

type definedParam struct {
	URL, Code, Type, Expression string
	Base                        []string
	Component                   []struct{ Definition, Expression string }
}

type definedElement struct {
	Path, Max        string
	Min              int
	ContentReference string
	Type             []struct {
		Code          string
		TargetProfile []string
	}
	Binding *struct{ Strength, ValueSet string }
}

type definedStructure struct {
	ID, Type, Derivation string
	Snapshot             struct{ Element []definedElement }
}

type definedCodes struct {
	URL     string
	Concept []definedConcept
	Compose struct {
		Include []struct {
			System  string
			Concept []definedConcept
		}
	}
}

type definedConcept struct {
	Code    string
	Concept []definedConcept
}

// The extract that the search suite runs on is what R4 defines. SLUSE_UPDATE=1 writes it anew.
func TestSearchTableIsR4(t *testing.T) {
	x := r4Extract{t: t, sets: map[string]definedCodes{}, systems: map[string]definedCodes{}}
	for _, s := range definitionLines[definedCodes](t, "ValueSet") {
		x.sets[s.URL] = s
	}
	for _, s := range definitionLines[definedCodes](t, "CodeSystem") {
		x.systems[s.URL] = s
	}
	var b bytes.Buffer
	x.out = json.NewEncoder(&b)
	x.out.SetEscapeHTML(false)
	x.all = definitionLines[definedParam](t, "SearchParameter")
	for _, kind := range append([]string{"Resource"}, r4Types...) {
		x.params(kind)
	}
	for _, s := range definitionLines[definedStructure](t, "StructureDefinition") {
		if s.Derivation == "specialization" && slices.Contains(r4Types, s.ID) {
			x.elements(s)
		}
	}
	const name = "testdata/search/r4.ndjson"
	if os.Getenv("SLUSE_UPDATE") == "1" {
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(name); err != nil || !bytes.Equal(want, b.Bytes()) {
		t.Errorf("%s is not what R4 defines (%v): run this test with SLUSE_UPDATE=1", name, err)
	}
}

type r4Extract struct {
	t       *testing.T
	all     []definedParam
	sets    map[string]definedCodes
	systems map[string]definedCodes
	out     *json.Encoder
	looked  []string // paths that expressions name
}

func (x *r4Extract) write(v any) {
	if err := x.out.Encode(v); err != nil {
		x.t.Fatal(err)
	}
}

func (x *r4Extract) params(kind string) {
	for _, d := range x.all {
		if !slices.Contains(d.Base, kind) || d.Code == "" || d.Type == "" {
			continue
		}
		p := r4Param{Base: kind, Code: d.Code, Type: d.Type, URL: d.URL, Expression: alternatives(d.Expression, kind)}
		if kind == "Resource" && strings.HasSuffix(d.URL, "/example") {
			continue
		}
		for _, c := range d.Component {
			at := slices.IndexFunc(x.all, func(o definedParam) bool { return o.URL == c.Definition })
			p.Components = append(p.Components, r4Component{c.Expression, x.all[at].Type})
		}
		x.write(p)
		x.look(p.Expression)
		for _, c := range p.Components {
			for base := range strings.SplitSeq(p.Expression, " | ") {
				x.look(base + "." + c.Expression)
			}
		}
	}
}

// alternatives keeps those of a union that begin at the type.
func alternatives(expression, kind string) string {
	var kept []string
	for one := range strings.SplitSeq(expression, " | ") {
		rest, found := strings.CutPrefix(strings.TrimLeft(one, "("), kind)
		if found && (rest == "" || rest[0] == '.') {
			kept = append(kept, one)
		}
	}
	return strings.Join(kept, " | ")
}

// look remembers the paths of an expression: names up to the first function.
func (x *r4Extract) look(expression string) {
	for one := range strings.SplitSeq(expression, " | ") {
		one = strings.TrimLeft(one, "(")
		one, _, _ = strings.Cut(one, " ")
		var names []string
		for name := range strings.SplitSeq(strings.TrimRight(one, ")"), ".") {
			if strings.ContainsAny(name, "()'") {
				break
			}
			names = append(names, name)
		}
		x.looked = append(x.looked, strings.Join(names, "."))
	}
}

func (x *r4Extract) elements(s definedStructure) {
	kept := map[string]bool{}
	for _, e := range s.Snapshot.Element[1:] {
		path := strings.TrimSuffix(e.Path, "[x]")
		parent := path[:strings.LastIndexByte(path, '.')]
		seen := slices.ContainsFunc(x.looked, func(l string) bool {
			return l == path || strings.HasPrefix(l, path+".") || strings.HasPrefix(path, l+".") && l != s.ID
		})
		demanded := e.Min > 0 && (parent == s.ID || kept[parent])
		if !seen && !demanded || e.Max == "0" || e.ContentReference != "" || strings.HasPrefix(path, s.ID+".meta") || path == s.ID+".id" {
			continue
		}
		if last := path[len(parent)+1:]; last == "extension" || last == "modifierExtension" || last == "id" && strings.Count(path, ".") > 1 {
			continue
		}
		kept[path] = true
		one := r4Element{Path: path, Required: e.Min > 0, List: e.Max == "*"}
		for _, typ := range e.Type {
			one.Types = append(one.Types, typ.Code)
			for _, target := range typ.TargetProfile {
				one.Targets = append(one.Targets, target[strings.LastIndexByte(target, '/')+1:])
			}
		}
		if e.Binding != nil && e.Binding.Strength == "required" {
			one.Codes = x.codes(e.Binding.ValueSet)
		}
		x.write(one)
	}
}

// codes lists at most twelve of a value set, with their systems.
func (x *r4Extract) codes(url string) (list []string) {
	url, _, _ = strings.Cut(url, "|")
	for _, i := range x.sets[url].Compose.Include {
		concepts := i.Concept
		if len(concepts) == 0 {
			concepts = x.systems[i.System].Concept
		}
		for len(concepts) > 0 && len(list) < 12 {
			list = append(list, i.System+"|"+concepts[0].Code)
			concepts = append(slices.Clone(concepts[0].Concept), concepts[1:]...)
		}
	}
	return list
}
