package definitions_test

import (
	"encoding/json"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/conformance/definitions"
)

// labels is the list of DESIGN § 2; the position is the bit.
const labels = `demografi samarbeid rus psykisk somatisk legemidler plan kriseplan henvisning kartlegging bolig okonomi arbeid familie barn nettverk
voldsutsatt voldsrisiko livskvalitet tvang seksuell-helse migrasjon kriminalitet parorende logistikk funksjon tjenester rusprover tolk tannhelse smitte uklassifisert`

func TestLabelsKeepTheirPosition(t *testing.T) {
	t.Parallel()
	if got, want := definitions.Codes(definitions.SystemLabel), strings.Fields(labels); !slices.Equal(got[:len(want)], want) {
		t.Errorf("got %v", got)
	}
}

func TestLegalBases(t *testing.T) {
	t.Parallel()
	codes := definitions.Codes(definitions.SystemLegalBasis)
	for _, code := range []string{"HPL22", "SOSTJL44", "NAV7", "FVL13", "PBRL53"} {
		if !slices.Contains(codes, code) {
			t.Errorf("%s is missing", code)
		}
	}
}

func TestOwnFiles(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(definitions.Own(), "*.json")
	if err != nil || len(names) < 4 {
		t.Fatalf("%v: %v", names, err)
	}
	for _, name := range names {
		body, err := fs.ReadFile(definitions.Own(), name)
		if err != nil {
			t.Fatal(err)
		}
		var r struct {
			ResourceType, ID, URL string
			Count                 int
			Concept               []definitions.Concept
		}
		if err := json.Unmarshal(body, &r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name != r.ResourceType+"-"+r.ID+".json" || r.URL != "http://sluse.no/fhir/"+r.ResourceType+"/"+r.ID {
			t.Errorf("%s is %s %s at %s", name, r.ResourceType, r.ID, r.URL)
		}
		seen := map[string]bool{}
		for _, c := range r.Concept {
			if seen[c.Code] || c.Code == "" || c.Display == "" {
				t.Errorf("%s: concept %q", name, c.Code)
			}
			seen[c.Code] = true
		}
		if r.Count != len(r.Concept) {
			t.Errorf("%s: count %d of %d", name, r.Count, len(r.Concept))
		}
	}
	if definitions.CodeSystem("http://sluse.no/fhir/CodeSystem/none") != nil {
		t.Error("an unknown code system has concepts")
	}
}

// TestSearchParameters asks for the whole set of the types that matter most, by number, and that
// every part of a composite is a parameter of the same type.
func TestSearchParameters(t *testing.T) {
	t.Parallel()
	number := map[string]int{}
	kind := map[string]string{}
	for _, p := range definitions.R4().SearchParameters {
		number[p.Base]++
		kind[p.Base+" "+p.Code] = p.Type
	}
	for base, want := range map[string]int{
		"AllergyIntolerance": 16, "Appointment": 17, "AuditEvent": 18, "CarePlan": 20, "CareTeam": 8, "Communication": 15, "Composition": 18,
		"Condition": 21, "Consent": 15, "DocumentReference": 25, "Encounter": 23, "Endpoint": 6, "EpisodeOfCare": 9, "Flag": 6, "Goal": 8,
		"Group": 10, "HealthcareService": 12, "List": 12, "Location": 15, "MedicationStatement": 11, "Observation": 43, "Organization": 13,
		"Patient": 24, "Practitioner": 17, "PractitionerRole": 13, "Provenance": 10, "Questionnaire": 19, "QuestionnaireResponse": 12,
		"RelatedPerson": 17, "ServiceRequest": 21, "Subscription": 6, "Task": 19, "Resource": 6, "Binary": 0,
	} {
		if number[base] != want {
			t.Errorf("%s has %d parameters", base, number[base])
		}
	}
	for _, p := range definitions.R4().SearchParameters {
		if (p.Type == "composite") != (len(p.Components) > 1) {
			t.Errorf("%s %s is a %s of %d parts", p.Base, p.Code, p.Type, len(p.Components))
		}
		for _, c := range p.Components {
			if kind[p.Base+" "+c.Code] != c.Type || c.Expression == "" {
				t.Errorf("%s %s: the part %s is a %s", p.Base, p.Code, c.Code, c.Type)
			}
		}
		if p.Type == "date" && len(p.Comparators) != 9 || p.Type == "token" && p.Comparators != nil {
			t.Errorf("%s %s has the comparators %v", p.Base, p.Code, p.Comparators)
		}
		if p.Description == "" || strings.Contains(p.Description, "](") {
			t.Errorf("%s %s is described as %q", p.Base, p.Code, p.Description)
		}
	}
}

// TestTablesAreSmall holds the budget of 30 MB with a wide margin, for what is kept after reading.
func TestTablesAreSmall(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	tables, err := definitions.Parse()
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	runtime.GC()
	runtime.ReadMemStats(&after)
	size := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d structures, %d search parameters: %v, %d KB", len(tables.Structures), len(tables.SearchParameters), took, size>>10)
	if size > 10<<20 {
		t.Errorf("the tables keep %d bytes", size)
	}
}

// TestR4 asks for the size of the tables, that every type named in them is there, and that
// reading them keeps the start within DESIGN's second by far.
func TestR4(t *testing.T) {
	t.Parallel()
	start := time.Now()
	tables := definitions.R4()
	if d := time.Since(start); d > time.Second {
		t.Errorf("read in %v", d)
	}
	kinds := map[string]int{}
	known := map[string]bool{}
	for _, s := range tables.Structures {
		kinds[s.Kind]++
		known[s.Name] = true
	}
	if kinds["resource"] != 146 || kinds["primitive"] != 20 || kinds["complex"] != 40 || kinds["backbone"] < 400 || kinds["abstract"] != 4 {
		t.Errorf("kinds %v", kinds)
	}
	sets := map[string]bool{}
	for _, v := range tables.ValueSets {
		sets[v.URL] = true
		if !v.Open && len(v.Systems) == 0 {
			t.Errorf("%s is empty", v.URL)
		}
	}
	for _, s := range tables.Structures {
		if s.Kind != "primitive" && len(s.Elements) == 0 {
			t.Errorf("%s has no elements", s.Name)
		}
		for _, e := range s.Elements {
			if e.ValueSet != "" && !sets[e.ValueSet] {
				t.Errorf("%s.%s is bound to %s, which is not there", s.Name, e.Name, e.ValueSet)
			}
			for _, r := range e.Types {
				name := r.Name
				if r.Profile != "" {
					name = r.Profile
				}
				if !known[name] {
					t.Errorf("%s.%s has the type %s, which is not there", s.Name, e.Name, name)
				}
				if (e.Name == "id" && s.Kind != "resource" && s.Name != "Resource" && s.Name != "DomainResource" || e.Name == "url" && s.Name == "Extension") != e.Attribute {
					t.Errorf("%s.%s: an attribute in XML is %v", s.Name, e.Name, e.Attribute)
				}
				for _, target := range r.Targets {
					if !known[target] {
						t.Errorf("%s.%s refers to %s, which is not there", s.Name, e.Name, target)
					}
				}
			}
		}
	}
}
