package rest

import (
	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// withholdable are the types whose records can be kept from the person they are about.
var withholdable = func() (types []fhir.Type) {
	for _, s := range services {
		if !gateway.IsDirectory(s.Type) && s.does(gateway.Update) && s.Type != "Subscription" {
			types = append(types, s.Type)
		}
	}
	return types
}()

// planDecision reads the code and the reason of a decision about an own record.
func (a *api) planDecision(g *given, in *gateway.Interaction) error {
	in.Operation.Code, in.Operation.Reason = g.one("code"), g.one("reason")
	if fhir.ContainsNIN(in.Operation.Reason) || fhir.ContainsNIN(in.Operation.Code) {
		return g.wrong("reason", "nin.misplaced")
	}
	end := g.one("end")
	if end == "" {
		return nil
	}
	_, high, err := fhir.ParseDate(end)
	if err != nil {
		return g.wrong("end", "insight.end")
	}
	in.Operation.High = high
	return nil
}
