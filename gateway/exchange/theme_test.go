package exchange_test

import (
	"context"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/mapping"
)

// TestEveryThemeHasALabel: words under any theme, content type or message type that the tables know are labelled by what
// the code says; none of them is left unclassified, and none is told to be the mere fact that the patient is known.
func TestEveryThemeHasALabel(t *testing.T) {
	rules, err := policies()
	must(t, err)
	lists := map[string]int{}
	for _, theme := range mapping.Themes() {
		lists[theme.System]++
		for _, place := range []string{`"topic":{"coding":[%]}`, `"category":[{"coding":[%]}]`} {
			coding := `{"system":"` + theme.System + `","code":"` + theme.Code + `"}`
			body := `{"resourceType":"Communication","status":"completed","payload":[{"contentString":"ord"}],` + replaceOne(place, coding) + `}`
			res, err := fhir.Parse([]byte(body))
			must(t, err)
			found, err := rules.labeller.Label(context.Background(), res)
			must(t, err)
			if found.Labels&gateway.Uklassifisert != 0 || found.Labels&^gateway.Samarbeid == 0 {
				t.Errorf("%s %s: %v", theme.System, theme.Code, found.Labels.Codes())
			}
		}
	}
	const volven = "urn:oid:2.16.578.1.12.4.1.1."
	for _, list := range []string{"7315", "7321", "7322", "8117", "8279", "8329", "8455", "9069", "9137", "9138", "9139", "9140", "9146", "9148", "9152", "9153", "9154", "9155", "9502"} {
		if lists[volven+list] == 0 {
			t.Errorf("no code of %s was looked at", list)
		}
	}
}

func replaceOne(template, with string) string {
	for i := range template {
		if template[i] == '%' {
			return template[:i] + with + template[i+1:]
		}
	}
	return template
}
