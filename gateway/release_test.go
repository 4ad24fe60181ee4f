package gateway

import (
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

const plan = `{"resourceType":"CarePlan","id":"a","meta":{"versionId":"1","tag":[{"code":"x"}]},
 "text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">kanari-narrativ</div>"},
 "subject":{"reference":"Patient/p","display":"kanari-navn","identifier":{"value":"kanari-id"}},
 "addresses":[{"display":"kanari-tekst F10.2"},{"type":"Condition","identifier":{"value":"kanari-logisk"}}],
 "supportingInfo":[{"reference":"Observation/o","display":"kanari-grunnlag"}],
 "contributor":[{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80001001"},"display":"Bydelen"},
  {"type":"Practitioner","display":"Rita Lin"}],
 "careTeam":[{"extension":[{"url":"http://example.org/x","valueReference":{"display":"kanari-utvidelse"}}],"reference":"CareTeam/c"}],
 "author":{"reference":"Organization/o","display":"Bydel Sagene"},
 "activity":[
  {"detail":{"status":"in-progress","description":"kanari-okonomi","location":{"reference":"Location/l","display":"Sted"}}},
  {"detail":{"status":"in-progress","description":"kanari-bolig"},"reference":{"reference":"Task/t","display":"kanari-oppgave"}}]}`

func TestReleaseRemovesWhatIsNotCovered(t *testing.T) {
	t.Parallel()
	r := record()
	r.Body = []byte(plan)
	r.Parts = []Part{{Path: "CarePlan.activity[0]", Labels: Okonomi}, {Path: "CarePlan.activity[1]", Labels: Bolig}}
	cases := []struct {
		name      string
		scope     Scope
		has, hasn []string
		withheld  Labels
	}{
		{"custodian: literal", Scope{Own: "100"}, []string{plan}, []string{"SUBSETTED"}, 0},
		{
			"one part", Scope{Own: "200", Person: 7, Terms: []Term{allow(Plan | Bolig)}},
			[]string{"kanari-bolig", "SUBSETTED", `"code":"x"`, "Bydel Sagene", "Bydelen", "Rita Lin", "Observation/o", "CareTeam/c"},
			[]string{"kanari-okonomi", "kanari-narrativ", "kanari-navn", "kanari-id", "kanari-oppgave", "kanari-tekst", "kanari-logisk", "kanari-grunnlag", "kanari-utvidelse"}, Okonomi,
		},
		{
			"all parts: marked all the same", Scope{Own: "200", Person: 7, Terms: []Term{allow(Plan | Bolig | Okonomi)}},
			[]string{"kanari-bolig", "kanari-okonomi", "SUBSETTED"}, []string{"kanari-narrativ", "kanari-navn"}, 0,
		},
		{
			"no part", Scope{Own: "200", Person: 7, Terms: []Term{allow(Plan)}},
			[]string{"SUBSETTED"}, []string{"kanari", "activity"}, Okonomi | Bolig,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := Permit{decision: Decision{Effect: Allow, Scope: c.scope}}
			body, withheld, err := p.release(r)
			if err != nil {
				t.Fatal(err)
			}
			if withheld != c.withheld {
				t.Errorf("withheld %v, want %v", withheld.Codes(), c.withheld.Codes())
			}
			if _, err := fhir.Parse(body); err != nil {
				t.Fatalf("released body does not parse: %v\n%s", err, body)
			}
			for _, s := range c.has {
				if !strings.Contains(string(body), s) {
					t.Errorf("missing %q in %s", s, body)
				}
			}
			for _, s := range c.hasn {
				if strings.Contains(string(body), s) {
					t.Errorf("released %q in %s", s, body)
				}
			}
		})
	}
}

// What a sender is told of its message is not told to its receiver.
func TestReleaseKeepsStatusReason(t *testing.T) {
	t.Parallel()
	r := record()
	r.Reference.Type, r.Labels = "Communication", Samarbeid
	r.Body = []byte(`{"resourceType":"Communication","id":"a","meta":{"versionId":"1"},"status":"in-progress","statusReason":{"text":"kanari-rus"}}`)
	p := Permit{decision: Decision{Effect: Allow, Scope: Scope{Own: "200", Person: 7, Terms: []Term{allow(Samarbeid)}}}}
	body, _, err := p.release(r)
	if err != nil || strings.Contains(string(body), "kanari") {
		t.Fatalf("release = %s, %v", body, err)
	}
}

// A part that cannot be found is a doubt, and a doubt withholds the record.
func TestReleaseRefusesLostPart(t *testing.T) {
	t.Parallel()
	r := record()
	r.Body = []byte(plan)
	r.Parts = []Part{{Path: "CarePlan.activity[7]", Labels: Okonomi}}
	p := Permit{decision: Decision{Effect: Allow, Scope: Scope{Own: "200", Person: 7, Terms: []Term{allow(Plan)}}}}
	if body, _, err := p.release(r); CodeOf(err) != Internal || body != nil {
		t.Fatalf("release = %q, %v; want an error and no byte", body, err)
	}
}

// TestPlaceSectionAsksForTheAddress: a section that tells where she is asks for that, also when no record of it says so.
func TestPlaceSectionAsksForTheAddress(t *testing.T) {
	t.Parallel()
	r := record()
	place := piece{section: Section{Labels: Logistikk, Where: "location"}, records: []Record{r}}
	for _, open := range []bool{true, false} {
		p := Permit{decision: Decision{Effect: Allow, Scope: Scope{Own: "200", Person: r.Person, Address: open, Terms: []Term{allow(r.Labels | Logistikk)}}}}
		if missing, whole := p.lacks(place); whole != open || missing != 0 && open || missing != Demografi && !open {
			t.Errorf("where she is may be told: %v; the section crosses: %v, for lack of %v", open, whole, missing.Codes())
		}
	}
}
