package gateway

import (
	"slices"

	"github.com/sluse/sluse/gateway/fhir"
)

// showing gives what a search shows of each resource (R4 search.html#summary, #elements); nil: all of
// it. It is applied to what has been released, and takes away only.
func showing(s Search) func([]byte) ([]byte, error) {
	if s.Summary == fhir.SummaryNone && len(s.Elements) == 0 {
		return nil
	}
	return func(body []byte) ([]byte, error) {
		res, err := fhir.ParseLimits(body, storedLimits)
		if err != nil {
			return nil, Failed("gateway.show", Internal, err)
		}
		always := fhir.MandatoryElements(res.Type())
		kept := s.Elements
		switch s.Summary {
		case fhir.SummaryTrue:
			kept = fhir.SummaryElements(res.Type())
		case fhir.SummaryText:
			kept = []string{"text"}
		}
		out, err := res.Shown(func(name string) bool {
			if s.Summary == fhir.SummaryData {
				return name != "text"
			}
			return slices.Contains(always, name) || slices.Contains(kept, name)
		})
		if err != nil {
			return nil, Failed("gateway.show", Internal, err)
		}
		return out, nil
	}
}
