package rest

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"github.com/gin-gonic/gin"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// levels are where an operation can be asked for (R4 operations.html#defined).
type levels struct{ system, kind, instance bool }

// operation is what the server does by the name $name. Routes, the CapabilityStatement and what a
// client is told of an unknown operation are made from operations.
type operation struct {
	name       gateway.OperationName
	definition string      // id of its OperationDefinition
	types      []fhir.Type // nil: every type that offers needs
	needs      gateway.InteractionCode
	at         levels
	changes    bool   // POST only: it changes something, or needs what a URL cannot hold
	resource   string // name of the parameter that may stand for all: the body itself
	arguments  []argument
	plan       func(*api, *given, *gateway.Interaction) error
	says       string // in the CapabilityStatement
}

// argument is a parameter that an operation may be given.
type argument struct {
	name    string
	repeats bool
}

// operations in the order of the CapabilityStatement.
var operations = []operation{
	{
		name: gateway.Everything, definition: "Patient-everything", types: []fhir.Type{"Patient"}, at: levels{kind: true, instance: true},
		arguments: []argument{{"start", false}, {"end", false}, {"_since", false}, {"_type", true}, {"_count", false}, {"_page", false}},
		plan:      (*api).planEverything,
		says:      "All that the requester may see about one patient, newest first, and the directory resources that it names. Without an id only for the patient herself.",
	},
	{
		name: gateway.Validation, definition: "validate", needs: gateway.Create, at: levels{kind: true, instance: true}, changes: true,
		resource: "resource", arguments: []argument{{"mode", false}, {"profile", true}}, plan: (*api).planValidate,
		says: "Everything that there is to say about a resource before it is stored, with the labels that it would have. Always 200 when it can be read.",
	},
	{
		name: gateway.Meta, definition: "meta", needs: gateway.Read, at: levels{system: true, kind: true, instance: true}, plan: (*api).planMeta,
		says: "The meta of one resource, or the profiles, tags and labels of the 200 newest that the requester may read.",
	},
	{
		name: gateway.MetaAdd, definition: "meta-add", needs: gateway.Patch, at: levels{instance: true}, changes: true,
		arguments: []argument{{"meta", false}}, plan: (*api).planMetaChange,
		says: "Adds profiles, tags and labels to an own record, as a new version.",
	},
	{
		name: gateway.MetaDelete, definition: "meta-delete", needs: gateway.Patch, at: levels{instance: true}, changes: true,
		arguments: []argument{{"meta", false}}, plan: (*api).planMetaChange,
		says: "Takes profiles and tags from an own record, as a new version. Labels stay: 422.",
	},
	{
		name: gateway.Populate, definition: "Questionnaire-populate", types: []fhir.Type{"Questionnaire"}, at: levels{kind: true, instance: true},
		resource: "questionnaire", arguments: []argument{{"subject", false}, {"canonical", false}}, plan: (*api).planPopulate,
		says: "A QuestionnaireResponse with what the party's own Patient and its own latest answers say.",
	},
	{
		name: gateway.Extract, definition: "QuestionnaireResponse-extract", types: []fhir.Type{"QuestionnaireResponse"}, at: levels{kind: true, instance: true},
		resource: "questionnaire-response", plan: (*api).planExtract,
		says: "A transaction of Observations made of the answers, for the items that ask for it. Nothing is stored.",
	},
	{
		name: gateway.Document, definition: "CarePlan-document", types: []fhir.Type{"CarePlan"}, at: levels{instance: true},
		arguments: []argument{{"persist", false}}, plan: (*api).planDocument,
		says: "The plan and what it names as a document, each resource as it is released to the requester. persist=true is not supported.",
	},
	{
		name: gateway.Confirm, definition: "Consent-confirm", types: []fhir.Type{"Consent", "CareTeam"}, at: levels{instance: true}, changes: true,
		arguments: []argument{{"version", false}}, plan: (*api).planConfirm,
		says: "A custodian stands by one version of a consent for the records that it keeps, or of its own CareTeam; the patient for all. Kept as a row of its own and shown as Provenance, which is the answer. A new version needs a new confirmation.",
	},
	{
		name: gateway.Explain, definition: "Consent-explain", types: []fhir.Type{"Consent"}, at: levels{kind: true},
		arguments: explainArguments, plan: (*api).planExplain,
		says: "How a decision would fall, or by time or entry how it fell: what was won, what was lost to which provision, what does not apply and why, the paragraph, and who may change what. To a party about itself, or about its own records; to the patient about herself; to compliance about its parties. Texts by Accept-Language in nb, nn or en.",
	},
	{
		name: gateway.Simulate, definition: "Consent-simulate", types: []fhir.Type{"Consent"}, at: levels{kind: true}, changes: true,
		resource: "resource", plan: (*api).planSimulate,
		says: "What a draft of a Consent would release, to whom, of what is there about the patient now. Nothing is stored.",
	},
	{
		name: gateway.Disclosed, definition: "Consent-disclosures", types: []fhir.Type{"Consent"}, at: levels{instance: true},
		arguments: []argument{{"_count", false}, {"_page", false}}, plan: (*api).planDisclosures,
		says: "What has left on any version of one Consent, the latest first: when, to whom, what, by which way and on which provision. To the patient all of it, to a custodian what was its own, to compliance what was of or to its parties, counted; to everybody else it is not there. next names the page that follows.",
	},
	{
		name: gateway.Hjemmel, definition: "hjemmel", at: levels{system: true}, changes: true,
		arguments: []argument{{"id", false}, {"active", false}, {"reason", false}}, plan: (*api).planHjemmel,
		says: "Switches a legal basis other than samtykke on or off for what the party itself sends; for compliance of that party. Every one is off until then.",
	},
	{
		name: gateway.Withhold, definition: "withhold", types: withholdable, at: levels{instance: true}, changes: true,
		arguments: []argument{{"code", false}, {"reason", false}, {"end", false}}, plan: (*api).planDecision,
		says: "Keeps an own record from the person it is about (pbrl. § 5-1, fvl. § 19), by a named person, with a reason: nektet, tredjepart, or utsatt with an end; opphevet takes it back. She is told that it is withheld, by whom, why and how to complain. Nobody else's access changes.",
	},
	{
		name: gateway.Protect, definition: "Patient-protect", types: []fhir.Type{"Patient"}, at: levels{instance: true}, changes: true,
		arguments: []argument{{"code", false}, {"reason", false}}, plan: (*api).planDecision,
		says: "Sets or lifts adressesperre for the person of an own Patient: fortrolig (kode 7), strengt-fortrolig (kode 6), ugradert. While it stands, whoever set it, no address, telecom, bydel, place, GP or contact of hers crosses, whatever is consented, and nothing is found by them; under kode 6 nothing crosses by itself. Only who set it lifts it, or somebody in the role adressesperre-ansvarlig.",
	},
}

// on tells whether the type has the operation.
func (o operation) on(s service) bool {
	if o.types != nil {
		return slices.Contains(o.types, s.Type)
	}
	return s.does(o.needs)
}

// operateAt wires the doors of every operation. The type stands in the request and not in the handler, so
// that nothing that an operation puts together is packed as if it were the directory.
func (a *api) operateAt(e *gin.Engine) {
	for _, o := range operations {
		if o.at.system {
			a.openOperation(e, o, "", "")
		}
		for _, s := range services {
			if !o.on(s) {
				continue
			}
			if o.at.kind {
				a.openOperation(e, o, s.Type, "/"+string(s.Type))
			}
			if o.at.instance {
				a.openOperation(e, o, s.Type, "/"+string(s.Type)+"/:id")
			}
		}
	}
}

func (a *api) openOperation(e *gin.Engine, o operation, t fhir.Type, path string) {
	h := a.handle("", true, func(a *api, r *request) (answer, error) {
		r.target.Type = t
		return a.operate(r, o)
	})
	path = root + path + "/$" + string(o.name)
	a.open(e, http.MethodPost, path, h)
	if !o.changes {
		a.open(e, http.MethodGet, path, h)
	}
}

// operate performs one operation.
func (a *api) operate(r *request, o operation) (answer, error) {
	in := gateway.Interaction{Code: gateway.Operate, Target: r.target, Operation: gateway.Operation{Name: o.name, Language: tongue(r.http.Header)}}
	in.Search = gateway.Search{Base: a.Base, Count: maxCount}
	where := ""
	if r.target.Type != "" {
		where = string(r.target.Type) + "/"
	}
	if r.target.ID != "" {
		where += string(r.target.ID) + "/"
	}
	in.Search.Canonical = where + "$" + string(o.name)
	in.Search.Self = a.Base + "/" + in.Search.Canonical
	g, err := a.given(r, o)
	if err != nil {
		if issues := ofContent(err); o.name == gateway.Validation && issues != nil {
			return answer{status: http.StatusOK, issues: issues}, nil
		}
		return answer{}, err
	}
	if err := o.plan(a, g, &in); err != nil {
		return answer{}, err
	}
	out, err := a.interact(r, in)
	if err != nil {
		return answer{}, err
	}
	ans := answerOf(out)
	ans.issues = out.Issues
	if g.wrapped { // counted inside the resource, which stands inside another
		for i := range ans.issues {
			ans.issues[i].Line, ans.issues[i].Col = 0, 0
		}
	}
	return ans, nil
}

// ofContent gives the findings of a body in XML whose form is right and whose content is not; nil for
// every other error.
func ofContent(err error) []fhir.Issue {
	var known *gateway.Error
	if !errors.As(err, &known) || known.Code != gateway.Malformed || len(known.Issues) == 0 {
		return nil
	}
	for _, i := range known.Issues {
		if !strings.HasPrefix(i.Code, "validation.") {
			return nil
		}
	}
	return known.Issues
}

// unknownOperation refuses, and is nil for every other path, a path that ends in a name with "$": an operation that is not there is
// 404 and told which are; one that is there by another method is 405.
func unknownOperation(path string) error {
	steps := strings.Split(strings.TrimPrefix(path, root+"/"), "/")
	last := steps[len(steps)-1]
	if !strings.HasPrefix(path, root+"/") || !strings.HasPrefix(last, "$") || len(steps) > 3 {
		return nil
	}
	s := service{}
	if len(steps) > 1 {
		if s = served(fhir.Type(steps[0])); s.Type == "" {
			return nil
		}
	}
	var known []string
	for _, o := range operations {
		there := len(steps) == 1 && o.at.system || len(steps) > 1 && o.on(s) && (len(steps) == 2 && o.at.kind || len(steps) == 3 && o.at.instance)
		if !there {
			continue
		}
		known = append(known, "$"+string(o.name))
	}
	if s.Type == "Subscription" {
		known = append(known, "$status")
	}
	if len(steps) == 2 && s.Type == "Patient" || len(steps) == 3 && s.Type == "Group" {
		known = append(known, "$export")
	}
	if slices.Contains(known, last) {
		return refuse(http.StatusMethodNotAllowed, gateway.NotSupported, "http.method")
	}
	issue := problem(gateway.NotSupported, "operation-unknown")
	issue.Args = []string{strings.Join(known, ", ")}
	return &refusal{status: http.StatusNotFound, cause: gateway.Fault("rest.operation", gateway.NotSupported, issue)}
}

// operationsOf tells of the operations of a type.
func operationsOf(s service) (list []r4.CapabilityStatementRestResourceOperation) {
	for _, o := range operations {
		if o.on(s) && (o.at.kind || o.at.instance) {
			list = append(list, o.capability())
		}
	}
	return append(list, exportsOf(s.Type)...)
}

// systemOperations tells of the operations that belong to no type.
func systemOperations() (list []r4.CapabilityStatementRestResourceOperation) {
	for _, o := range operations {
		if o.at.system {
			list = append(list, o.capability())
		}
	}
	return list
}

func (o operation) capability() r4.CapabilityStatementRestResourceOperation {
	return r4.CapabilityStatementRestResourceOperation{
		Name: string(o.name), Definition: ownCanonical + "OperationDefinition/" + o.definition, Documentation: ptr(o.says),
	}
}
