package consent

import (
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// A Consent is cited by the version of the law that was in force on the day of its dateTime.
func TestParagraphOfItsDay(t *testing.T) {
	t.Parallel()
	n, err := NewNormalizer()
	if err != nil {
		t.Fatal(err)
	}
	was := n.laws["HPL22"]
	was.Texts = nil
	for _, v := range []struct{ from, nb string }{{"2001-01-01", "den første"}, {"2026-03-01", "den andre"}} {
		was.Texts = append(was.Texts, struct {
			From string `json:"from"`
			NB   string `json:"nb"`
		}{v.from, v.nb})
	}
	n.laws["HPL22"] = was
	for day, want := range map[string]string{
		"2026-02-28": "den første", "2026-03-01": "den andre", "2026-03-01T10:00:00+01:00": "den andre", "2026": "den første", "2000-01-01": "den første",
	} {
		r, err := fhir.Parse([]byte(`{"resourceType":"Consent","status":"active","patient":{"reference":"Patient/k"},"dateTime":"` + day + `",
			"policyRule":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/rettsgrunnlag","code":"HPL22"}]},"provision":{"type":"deny"}}`))
		if err != nil {
			t.Fatal(err)
		}
		grants, issues := n.Grants(r, fhir.Reference{Type: "Consent", ID: "c", Version: "1"}, gateway.Setting{Directory: listedNumbers})
		if len(grants) != 1 || grants[0].Paragraph != want {
			t.Errorf("%s: %+v %v, want %q", day, grants, issues, want)
		}
	}
}
