package fhir_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// vectors are the numbers of testdata/identifiers.json. They are synthetic: month + 80, never given to
// a living person.
type vectors struct {
	FNR, DNR, From2032  []string
	Orgnr, OrgnrInvalid []string
	Invalid             []struct{ Value, Reason string }
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	raw, err := os.ReadFile("testdata/identifiers.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.FNR) < 12 || len(v.DNR) < 4 || len(v.From2032) < 5 || len(v.Invalid) < 7 || len(v.Orgnr) < 5 || len(v.OrgnrInvalid) < 4 {
		t.Fatalf("%+v", v)
	}
	return v
}

func TestNINKind(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	for kind, numbers := range map[fhir.IdentifierKind][]string{
		fhir.FNR: append(v.FNR, v.From2032...), fhir.DNR: v.DNR, fhir.NotNIN: {"", "1483791209x", "١٤٨٣٧٩١٢٠٩٢", "14437912345"},
	} {
		for _, n := range numbers {
			if got := fhir.NINKind(n); got != kind {
				t.Errorf("%s is %q, want %q", n, got, kind)
			}
			if fhir.ValidNIN(n) != (kind != fhir.NotNIN) || fhir.Synthetic(n) != (kind != fhir.NotNIN) {
				t.Errorf("ValidNIN or Synthetic of %s", n)
			}
		}
	}
	for _, n := range v.Invalid {
		if fhir.ValidNIN(n.Value) || fhir.Synthetic(n.Value) {
			t.Errorf("%s counts: %s", n.Value, n.Reason)
		}
	}
}

// TestFirstCheckDigit goes through all ten first check digits of the same nine digits: the classic
// rule takes one of them or none, the rule from 2032 four of eleven remainders, the classic among them.
func TestFirstCheckDigit(t *testing.T) {
	t.Parallel()
	weights := [2][]int{{3, 7, 6, 1, 8, 9, 4, 5, 2}, {5, 4, 3, 2, 7, 6, 5, 4, 3, 2}}
	sum := func(n string, w []int) (s int) {
		for i := range w {
			s += w[i] * int(n[i]-'0')
		}
		return s
	}
	for _, nine := range []string{"148379120", "058132100", "308436700", "038918800", "548379130"} {
		accepted := 0
		for k1 := range 10 {
			ten := nine + string(rune('0'+k1))
			k2 := (11 - sum(ten, weights[1])%11) % 11
			if k2 == 10 {
				continue // no number begins like this
			}
			n := ten + string(rune('0'+k2))
			remainder := (sum(nine, weights[0]) + k1) % 11
			if got := fhir.ValidNIN(n); got != (remainder <= 3) {
				t.Errorf("%s: %v with the remainder %d", n, got, remainder)
			}
			for off := 1; off < 10; off++ { // the second check digit is exact, as it was
				if wrong := ten + string(rune('0'+(k2+off)%10)); fhir.ValidNIN(wrong) {
					t.Errorf("%s counts", wrong)
				}
			}
			if remainder <= 3 {
				accepted++
			}
		}
		if accepted == 0 || accepted > 4 {
			t.Errorf("%s: %d first check digits", nine, accepted)
		}
	}
}

func TestNumberForms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		valid     func(string) bool
		good, bad []string
	}{
		"FHN": {fhir.ValidFHN, []string{"80000000001", "98765432109"}, []string{"", "70000000001", "8000000000", "8000000000x"}},
		"HNR": {fhir.ValidHNR, []string{"14437912345", "54437912345", "31520012345"}, []string{"", "14037912345", "14537912345", "00437912345", "32437912345", "1443791234", "1443791234x"}},
		"HPR": {fhir.ValidHPR, []string{"1", "9144900", "123456789"}, []string{"", "0123", "1234567890", "HPR1", "91 44"}},
		"HER": {fhir.ValidHER, []string{"1", "80001001", "1234567890"}, []string{"", "0", "12345678901", "a"}},
	} {
		for _, n := range c.good {
			if !c.valid(n) {
				t.Errorf("%s %s is refused", name, n)
			}
		}
		for _, n := range c.bad {
			if c.valid(n) {
				t.Errorf("%s %s is accepted", name, n)
			}
		}
	}
}

// TestIdentifierWarnings: $validate says what is wrong with a number: an error where a write would refuse it,
// a warning elsewhere, and never the number itself.
func TestIdentifierWarnings(t *testing.T) {
	t.Parallel()
	const oid = "urn:oid:2.16.578.1.12.4.1."
	for _, c := range []struct{ resource, system, value, want string }{
		{"Patient", oid + "4.1", "14837912092", ""},
		{"Patient", oid + "4.1", "05813210039", ""}, // by the rule from 2032
		{"Patient", oid + "4.1", "14837912093", "error identifier.national Patient.identifier[0].value"},
		{"Patient", oid + "4.2", "14837912092", "error identifier.kind Patient.identifier[0].value"},
		{"Practitioner", oid + "4.1", "14837912093", "warning identifier.national Practitioner.identifier[0].value"},
		{"Practitioner", oid + "4.4", "9144900", ""},
		{"Practitioner", oid + "4.4", "9144 900", "warning identifier.spaces Practitioner.identifier[0].value"},
		{"Organization", oid + "4.101", "993467049", ""},
		{"Organization", oid + "4.101", "993 467 049", "warning identifier.spaces Organization.identifier[0].value"},
		{"Organization", oid + "4.101", "993467048", "warning identifier.organization Organization.identifier[0].value"},
		{"Organization", oid + "2", "80001001", ""},
		{"Organization", oid + "2", "8x", "warning identifier.form Organization.identifier[0].value"},
		{"Organization", oid + "4.102", "705592", ""},
		{"Organization", oid + "2.101", "993467049", "warning identifier.system Organization.identifier[0].system"},
		{"Organization", "2.16.578.1.12.4.1.2", "80001001", "warning identifier.system Organization.identifier[0].system"},
		{"Patient", oid + "4.5", "201512345678", ""},
		{"Patient", oid + "4.5", "2015", "error identifier.form Patient.identifier[0].value"},
		{"Patient", "http://epj.example/id", "14837912092", "error identifier.elsewhere Patient.identifier[0].value"},
		{"Patient", "http://epj.example/id", "12345678901", ""},
		{"Patient", "HNR", "14437912345", "error identifier.assigner Patient.identifier[0].assigner"},
	} {
		r := parse(t, `{"resourceType":"`+c.resource+`","identifier":[{"system":"`+c.system+`","value":"`+c.value+`"}]}`)
		got := lines(fhir.Check(r, fhir.Options{}))
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %s|%s: %q, want %q", c.resource, c.system, c.value, got, c.want)
		}
		if out := string(fhir.OperationOutcome(fhir.Check(r, fhir.Options{}), "nb")); strings.Contains(out, c.value) {
			t.Errorf("the outcome repeats the number: %s", out)
		}
		if written := fhir.Validate(r); written != nil {
			t.Errorf("%s %s: a write without a profile finds %v", c.resource, c.system, written)
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
	v := readVectors(t)
	for _, n := range v.Orgnr {
		if !fhir.ValidOrgnr(n) {
			t.Errorf("%s is refused", n)
		}
	}
	for _, n := range append(v.OrgnrInvalid, "", "99346704x", "774778726") {
		if fhir.ValidOrgnr(n) {
			t.Errorf("%s is accepted", n)
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
