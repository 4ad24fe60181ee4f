package rest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// deviations are told in the CapabilityStatement, one line each: where Sluse does otherwise than
// R4 says or than a client would expect.
var deviations = []string{
	"What is hidden is absent: a resource that is not shared with the requester gets the same 404 as one that does not exist; 410 and 403 are given only for what the requester could read.",
	"An update of an id that is not known is 404 and not 405; a client chooses an id only with its own HER-id and a hyphen as prefix.",
	"If-Match is not required on update and delete; without it the newest write wins. If it is given it must name one version.",
	"Search is strict: an unknown parameter, modifier or prefix is 400, also without Prefer: handling=strict. With handling=lenient it is left out, and an OperationOutcome in the Bundle says so.",
	"What is deleted stays deleted: PUT on a deleted id is 410, it does not bring the resource back.",
	"A record names its patient by a relative reference (Patient/id); an absolute URL in subject, patient or for is 422.",
	"Organization, and partOf anywhere, are written by operations only: 403 for others.",
	"A Consent may name a CareTeam of its own party only; a CareTeam of any other party is answered as unknown.",
	"_count is 1 to 100 (0 is refused); history takes no _since.",
	"A searchset has no total; in one of records (not of directory types) one constant informational OperationOutcome says that it may be incomplete, whether it is or not.",
	"A search about a patient is about one patient. National identity numbers are taken only in the body of POST _search: identifier for Patient, patient:identifier for other types; anywhere in a URL they are refused. The next page of such a search is asked for by posting the same form to the next link.",
	"A page link holds for the actor and the search it was made for, and is decided anew.",
	"Released to others than the custodian, resources lose what is not shared, their narrative, and display and identifier of references; types with parts always carry the tag SUBSETTED.",
	"Consent.provision.type is required at the root: policyRule is the legal basis here, not opt-in or opt-out.",
	"meta.security and the custodian in meta.extension are set by the server.",
	"References to records are well-formed and typed, and not checked for existence.",
	"Dates without a time zone are Europe/Oslo. The prefix ap is refused.",
	"Binary is read and written as FHIR JSON only; without securityContext only its custodian reads it.",
	"JSON only; the JSON of a resource comes back byte for byte as its custodian wrote it, but for id and meta.",
	"Not supported in this version: patch, conditional create, update and delete, batch and transaction, operations, history of types and of the system, _include, _revinclude, chaining, _has, _summary, _elements, _total, subscriptions.",
}

const securityText = "Access tokens (Bearer) of HelseID or the configured issuer prove party, person, role and purpose. " +
	"Before anything under taushetsplikt crosses from one party to another, the patient's samtykke decides; a party reads and writes its own records. " +
	"A read of another party's record demands an attest of a care relationship with that patient. Every access is recorded before it is answered. " +
	"National identity numbers are refused in every URL."

const demoText = " This server runs in demo mode: GET /demo/personas lists persons to be, POST /demo/token?persona=NAME gives a token. Its persons are synthetic."

// capability renders the CapabilityStatement from the tables that the server runs on: services for
// types and interactions, the registry of package fhir for search parameters.
func capability(c Config) ([]byte, error) {
	rest := r4.CapabilityStatementRest{
		Mode:          r4.RestfulCapabilityModeServer,
		Documentation: ptr("Deviations from R4:\n- " + strings.Join(deviations, "\n- ")),
		Security:      &r4.CapabilityStatementRestSecurity{Cors: ptr(false), Description: ptr(securityText)},
	}
	if c.Demo {
		rest.Security.Description = ptr(securityText + demoText)
	}
	for _, s := range services {
		one, err := s.capability()
		if err != nil {
			return nil, err
		}
		rest.Resource = append(rest.Resource, one)
	}
	statement := r4.CapabilityStatement{
		Id:     ptr("sluse"),
		Status: r4.PublicationStatusActive,
		Date:   c.Clock().UTC().Format("2006-01-02"),
		Kind:   r4.CapabilityStatementKindInstance,
		Name:   ptr("Sluse"), Title: ptr("Sluse"),
		Description:    ptr("A gateway between bydel, fastlege and helseforetak that lets health information pass as far as the patient has agreed."),
		Software:       &r4.CapabilityStatementSoftware{Name: "Sluse", Version: ptr(c.Version)},
		Implementation: &r4.CapabilityStatementImplementation{Description: "Sluse", Url: ptr(c.Base)},
		FhirVersion:    r4.FHIRVersion4_0_1,
		Format:         []string{fhirJSON, "json"},
		Rest:           []r4.CapabilityStatementRest{rest},
	}
	body, err := json.Marshal(statement)
	if err != nil {
		return nil, fmt.Errorf("rest: CapabilityStatement: %w", err)
	}
	return body, nil
}

func (s service) capability() (r4.CapabilityStatementRestResource, error) {
	one := r4.CapabilityStatementRestResource{
		Versioning:        ptr(r4.ResourceVersionPolicyVersioned),
		ReadHistory:       ptr(s.does(gateway.VRead)),
		UpdateCreate:      ptr(s.does(gateway.Update)),
		ConditionalCreate: ptr(false),
		ConditionalRead:   ptr(r4.ConditionalReadStatusNotMatch),
		ConditionalUpdate: ptr(false),
		ConditionalDelete: ptr(r4.ConditionalDeleteStatusNotSupported),
		ReferencePolicy:   []r4.ReferenceHandlingPolicy{r4.ReferenceHandlingPolicyLiteral},
	}
	if err := code(string(s.Type), &one.Type); err != nil {
		return one, err
	}
	for _, i := range s.Interactions {
		var interaction r4.CapabilityStatementRestResourceInteraction
		if err := code(string(i), &interaction.Code); err != nil {
			return one, err
		}
		one.Interaction = append(one.Interaction, interaction)
	}
	for _, p := range fhir.SearchParams(s.Type) {
		if _, ok := searchable(s.Type, p.Name); !ok {
			continue
		}
		shown := r4.CapabilityStatementRestResourceSearchParam{Name: p.Name, Type: paramTypes[p.Type]}
		if p.Canonical != "" {
			shown.Definition = ptr(p.Canonical)
		}
		one.SearchParam = append(one.SearchParam, shown)
	}
	return one, nil
}

func (s service) does(code gateway.InteractionCode) bool {
	return slices.Contains(s.Interactions, code)
}

var paramTypes = map[fhir.ParamType]r4.SearchParamType{
	fhir.Token: r4.SearchParamTypeToken, fhir.ReferenceParam: r4.SearchParamTypeReference,
	fhir.StringParam: r4.SearchParamTypeString, fhir.Date: r4.SearchParamTypeDate,
	fhir.Uri: r4.SearchParamTypeUri,
}

// code sets an enumeration by its FHIR code; a zero value would claim the first code of the list.
func code(s string, enumeration json.Unmarshaler) error {
	if err := enumeration.UnmarshalJSON([]byte(`"` + s + `"`)); err != nil {
		return fmt.Errorf("rest: code %q: %w", s, err)
	}
	return nil
}

func ptr[T any](v T) *T { return &v }
