package fhir_test

import (
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// The numbers are synthetic: month + 80, never given to a living person.
func TestNINKind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind    fhir.IdentifierKind
		numbers []string
	}{
		{fhir.FNR, []string{"14837912092", "03918537774", "21869245515", "09896823369", "30929949826", "01810461191", "17850170010", "25908830264", "12826015185", "06879541822", "11847428157", "28880256019"}},
		{fhir.DNR, []string{"54837913031", "42919037762", "59869945557", "47890363381"}},
		{fhir.FNR, []string{"05813210039", "19823324041", "23924036095", "08863551146", "30843670004"}}, // by the rule from 2032
		{fhir.NotNIN, []string{"14837912093", "14837912042", "1483791209", "148379120920", "99837912092", "148379 12092", "00000000000", "", "1483791209x", "١٤٨٣٧٩١٢٠٩٢"}},
	} {
		for _, n := range c.numbers {
			if got := fhir.NINKind(n); got != c.kind {
				t.Errorf("%s is %q, want %q", n, got, c.kind)
			}
			if fhir.ValidNIN(n) != (c.kind != fhir.NotNIN) {
				t.Errorf("ValidNIN(%s)", n)
			}
		}
	}
}

func TestContainsNIN(t *testing.T) {
	t.Parallel()
	const nin = "14837912092"
	for text, want := range map[string]bool{
		nin: true, "a " + nin + ".": true, "Patient?identifier=" + nin: true, "urn:oid:2.16.578.1.12.4.1.4.1|" + nin: true, "%7C/" + nin + "/x": true, "_" + nin + "_": true,
		"148379 12092": true, "148379-12092": true, "fnr 148379.12092 her": true, "54837913031": true,
		"x" + nin: false, nin + "x": false, "1" + nin: false, nin + "1": false, "14837912093": false, "": false, "1483791209": false,
		"0b2d7c7e-5f0b-4c7c-9b7d-14837912092a": false, "ø" + nin: false, nin + "ø": false, "148379  12092": false, "x148379 12092": false, "148379 120921": false,
		"1 " + nin + " 2": true, "a%7C" + nin: true, "%20" + nin + "%20": true, "%2520" + nin: true, "a%%2": false, "%31%34837912092": true, "00000000000 " + nin: true,
	} {
		if got := fhir.ContainsNIN(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestValidOrgnr(t *testing.T) {
	t.Parallel()
	for n, want := range map[string]bool{
		"974778726": true, "970534644": true, "993467049": true, "994598759": true, "997506413": true,
		"974778727": false, "99346704": false, "123456789": false, "9934670490": false, "": false, "99346704x": false,
	} {
		if got := fhir.ValidOrgnr(n); got != want {
			t.Errorf("%s: %v", n, got)
		}
	}
}

func TestParseReference(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]fhir.Reference{
		"Patient/a":                 {Type: "Patient", ID: "a"},
		"CarePlan/A-1.2/_history/3": {Type: "CarePlan", ID: "A-1.2", Version: "3"},
	} {
		got, err := fhir.ParseReference(s)
		if err != nil || got != want || got.String() != s || got.IsZero() {
			t.Errorf("%s: %+v %v", s, got, err)
		}
	}
	for _, s := range []string{"", "Patient", "Patient/", "/a", "patient/a", "Patient/a/", "Patient/a/b", "Patient/a/_history", "Patient/a/_history/", "Patient/a/_history/1/2", "#a",
		"urn:uuid:0b2d7c7e-5f0b-4c7c-9b7d-7d2f3a1c9e10", "http://x/Patient/a", "Patient?identifier=a", "Patient/a?b", "Patient/a b", "Patient/a#b", "Patient/../Task/1", "Pat1ent/a", "Patient/ø"} {
		if got, err := fhir.ParseReference(s); err == nil {
			t.Errorf("%q: %+v", s, got)
		}
	}
	if (fhir.Reference{}).String() != "" || !(fhir.Reference{}).IsZero() {
		t.Error("the zero Reference is something")
	}
}
