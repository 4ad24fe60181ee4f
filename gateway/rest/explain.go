package rest

import (
	"cmp"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// explainArguments are what $explain is asked; identifier stands in a body only, since it is a value with
// elements.
var explainArguments = []argument{
	{"patient", false}, {"identifier", false}, {"resource", false}, {"receiver", false}, {"practitioner", false},
	{"role", false}, {"purpose", false}, {"action", false}, {"message", false}, {"time", false}, {"entry", false},
}

// consentActions are the actions by their own names, and by those of R4 (consentaction).
var consentActions = map[string]gateway.Action{
	"": "", "read": gateway.ReadAction, "access": gateway.ReadAction, "message": gateway.MessageAction, "disclose": gateway.MessageAction,
	"notify": gateway.NotifyAction, "contribute": gateway.ContributeAction, "collect": gateway.ContributeAction, "correct": gateway.ContributeAction,
}

// planExplain reads the question.
func (a *api) planExplain(g *given, in *gateway.Interaction) error {
	q := &in.Operation.Inquiry
	for name, to := range map[string]*fhir.Reference{
		"patient": &q.Subject.Patient, "resource": &q.Record, "receiver": &q.Receiver, "entry": &q.Entry,
	} {
		text := strings.TrimPrefix(g.one(name), a.Base+"/")
		if text == "" {
			continue
		}
		ref, err := fhir.ParseReference(text)
		if err != nil || ref.Version != "" || !fits(name, ref.Type) {
			return g.wrong(name, "explain.reference")
		}
		*to = ref
	}
	if v := g.elements["identifier"]; v != nil {
		nin, err := gateway.NewNIN(v.Get("value").Text())
		if err != nil || !national[v.Get("system").Text()] {
			return g.wrong("identifier", "nin.invalid")
		}
		q.Subject.NIN = nin
	} else if g.one("identifier") != "" {
		return g.wrong("identifier", "nin.misplaced")
	}
	if text := g.one("time"); text != "" {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			low, _, dated := fhir.ParseDate(text)
			if dated != nil {
				return g.wrong("time", "search.date")
			}
			at = low
		}
		q.At = at
	}
	action, known := consentActions[g.one("action")]
	if !known {
		return g.wrong("action", "operation.parameter-value")
	}
	q.Action, q.Role, q.Purpose = action, g.one("role"), gateway.Purpose(g.one("purpose"))
	q.Practitioner, q.Message = gateway.HPRNumber(g.one("practitioner")), g.one("message")
	in.Operation.Types = held()
	in.Search.Canonical += canonical(g)
	return nil
}

// national are the systems of national identity numbers.
var national = map[string]bool{fhir.SystemFNR: true, fhir.SystemDNR: true}

// fits tells whether a parameter may name a resource of the type.
func fits(name string, t fhir.Type) bool {
	switch name {
	case "patient":
		return t == "Patient"
	case "receiver":
		return t == "Organization" || t == "HealthcareService" || t == "PractitionerRole"
	case "entry":
		return t == "AuditEvent"
	}
	return serves(t) && !gateway.IsDirectory(t) && t != "AuditEvent" && t != "Subscription"
}

// held are the types of records that are about a person.
func held() (types []fhir.Type) {
	for _, s := range services {
		if fits("resource", s.Type) {
			types = append(types, s.Type)
		}
	}
	return types
}

// canonical is what the ledger shows of the question: every parameter but a national identifier.
func canonical(g *given) string {
	var list []string
	for _, arg := range explainArguments {
		if text := g.one(arg.name); text != "" && !fhir.ContainsNIN(text) {
			list = append(list, arg.name+"="+text)
		}
	}
	return cmp.Or(strings.Join(append([]string{""}, list...), "&"), "")
}

// planSimulate wants a draft of a Consent.
func (a *api) planSimulate(g *given, in *gateway.Interaction) error {
	in.Body = g.resource
	switch {
	case g.resource == nil:
		return fault(gateway.Malformed, "operation.resource-missing", "Parameters.parameter")
	case g.resource.Type() != "Consent":
		return fault(gateway.Malformed, "http.type-differs", string(g.resource.Type()))
	}
	in.Operation.Types = held()
	lang := "nb"
	if in.Operation.Language == gateway.English {
		lang = "en"
	}
	in.Operation.Outcome = func(issues []fhir.Issue) []byte { return outcome(issues, lang) }
	return nil
}
