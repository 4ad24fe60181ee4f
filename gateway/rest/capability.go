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
	"_count is 0 to 200. A history holds the versions that the requester may read now, by their own and by the current labels; a history of a type or of the system holds no AuditEvent and no Provenance.",
	"Conditional create, update, patch and delete match records of the requester's own party only, never what is shared with it; several matches are 412; a conditional delete without a match is 204, a conditional patch without one 404. Their conditions are read strictly, whatever Prefer says, and are about what is found (no _count, _sort or _page). Conditional creates that run at the same time have one effect.",
	"If-None-Match: * on an update is 412 for what is the requester's own, and for nothing else.",
	"JSON Patch (application/json-patch+json) and FHIRPath Patch (Parameters); no XML Patch. A patch that cannot be read is 400, one that does not fit the resource 422.",
	"batch and transaction: at most 10 MiB and 1,000 entries; the entries of a batch are performed in their order; without Prefer: return=representation the writes in them are answered without the resource. A transaction names in the outcome the entry that it failed for; a read in it that finds nothing fails it. Conditional references mean own records and the directory.",
	"Answers of 32 KiB and more are packed by gzip when they are one resource or this statement; pages and Bundles of records are not, since the length of what is packed would tell of what stands beside it. Requests may be packed by gzip, within the same limits unpacked.",
	"A searchset has a total only where _total, _summary=count or _count=0 asks for it: it counts what the requester may see; _total=estimate is exact up to 1,000, and 1,001 beyond. In a searchset of records (not of directory types) one constant informational OperationOutcome says that it may be incomplete, whether it is or not.",
	"A search about a patient is about one patient. National identity numbers are taken only in the body of POST _search: identifier for Patient, patient:identifier for other types; anywhere in a URL they are refused. The next page of such a search is asked for by posting the same form to the next link.",
	"A page link holds for the actor and the search it was made for, and is decided anew. The pages of a search show what was stored when its first page was asked for, in its order, as far as it may be seen now; a write that was under way in that instant may be missing on a later page, or come twice. A next search finds it.",
	"Released to others than the custodian, resources lose what is not shared, their narrative, and display and identifier of references; types with parts always carry the tag SUBSETTED.",
	"Consent.provision.type is required at the root: policyRule is the legal basis here, not opt-in or opt-out.",
	"meta.security and the custodian in meta.extension are set by the server.",
	"References to records are well-formed and typed, and not checked for existence.",
	"Dates without a time zone are Europe/Oslo. ap is ten percent of the time between now and the value.",
	"Binary is read and written as a FHIR resource only; without securityContext only its custodian reads it.",
	"The JSON of a resource comes back byte for byte as its custodian wrote it, but for id and meta; what is written as XML is kept as the JSON that it means. _pretty=true indents.",
	"A Consent of another custodian is seen in part (SUBSETTED), in the normal form in which it counts: by a recipient the permits that name it, by a custodian what binds its own records, by compliance what concerns its parties. Others find it by status, scope, category, date, patient and _id only; its narrative, performer, source and other recipients leave to nobody but the custodian and the patient.",
	"When a samtykke is withdrawn or narrowed, every party that has received something on it and loses by it gets one Task (code withdrawal), and a dialogmelding too when all that it has came by message; a deny is told to nobody whom it is about. The party that registered a samtykke and the patient get a Task (consent-ending) 30 and 7 days before it ends, cancelled when it is prolonged or withdrawn. Consent/[id]/$disclosures tells what has left on it.",
	"The patient reads every record about herself but for what a named person at its custodian has withheld ($withhold): that is 403 with who, why and how to complain, and in a searchset an informational OperationOutcome, whatever she searched for.",
	"Emergency access (purpose BTG) reads, and searches naming the one patient that its token is bound to: for a person with an HPR number and a reason, at a party that gives emergency care. It passes objections for the categories in policies/data/emergency.json, and is told by Task to the patient, the custodians and the asking party's reviewers.",
	"While adressesperre stands ($protect), address, telecom, place, GP and contacts are released to nobody and found by nobody but their custodian; under kode 6 nothing is released but to the patient and in an emergency.",
	"A Communication with status in-progress and a category of code list 8279 orders a message of that type; every type that the mapping tables write may be ordered (sluse translate --table all). A dialogmelding is payload.contentString and attachments (Binary, or DocumentReference with data); every other type is payload.contentReference to own records. What the type requires and the records lack, and what it has no place for, is 422 with the element in expression, when the Communication is written. Extension delvis (http://sluse.no/fhir/StructureDefinition/delvis, valueBoolean false): the message goes whole or not at all; henvisning always does. Extension meldingsversjon (valueCode): the version of the standard. Extension forsendelsesstatus (code list 7309: M, A, C) changes, supplements or cancels the own message that inResponseTo names. Henvisning v1.x names it by ServReq/Id: an identifier of the first Communication, else its MsgId; no national identifier is taken for one. Once ordered it cannot be changed by its writer.",
	"Operations are asked for by requests of their own, not by entries of a batch or transaction; not by emergency access (BTG). $everything holds no AuditEvent. $meta-delete takes no label away. $document is for a CarePlan and is never kept (persist=true is 400). $extract knows observation-based extraction; $populate uses the party's own records only.",
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
		Security:      &r4.CapabilityStatementRestSecurity{Cors: ptr(len(c.Origins) > 0), Description: ptr(securityText)},
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
	defined, err := definitionCapabilities()
	if err != nil {
		return nil, err
	}
	rest.Resource, rest.Operation = append(rest.Resource, defined...), systemOperations()
	for _, system := range []gateway.InteractionCode{gateway.Batch, gateway.Transaction, gateway.HistorySystem, gateway.FindSystem} {
		var one r4.CapabilityStatementRestInteraction
		if err := code(string(system), &one.Code); err != nil {
			return nil, err
		}
		rest.Interaction = append(rest.Interaction, one)
	}
	rest.Compartment = []string{"http://hl7.org/fhir/CompartmentDefinition/patient"}
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
		Format:         []string{fhirJSON, fhirXML, "json", "xml"},
		PatchFormat:    []string{jsonPatch, fhirJSON, fhirXML},
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
		ConditionalCreate: ptr(s.does(gateway.Create)),
		ConditionalRead:   ptr(r4.ConditionalReadStatusFullSupport),
		ConditionalUpdate: ptr(s.does(gateway.Update)),
		ConditionalDelete: ptr(r4.ConditionalDeleteStatusNotSupported),
		ReferencePolicy:   []r4.ReferenceHandlingPolicy{r4.ReferenceHandlingPolicyLiteral},
	}
	if s.does(gateway.Delete) {
		one.ConditionalDelete = ptr(r4.ConditionalDeleteStatusSingle)
	}
	if err := code(string(s.Type), &one.Type); err != nil {
		return one, err
	}
	if s.Type == "Subscription" {
		subscriptionCapability(&one)
	}
	one.Operation = append(one.Operation, operationsOf(s)...)
	for _, i := range s.Interactions {
		var interaction r4.CapabilityStatementRestResourceInteraction
		if err := code(string(i), &interaction.Code); err != nil {
			return one, err
		}
		one.Interaction = append(one.Interaction, interaction)
	}
	if !s.does(gateway.Find) {
		return one, nil
	}
	params := fhir.SearchParameters(s.Type)
	for i := range params {
		p := &params[i]
		shown := r4.CapabilityStatementRestResourceSearchParam{Name: p.Name, Definition: ptr(p.Canonical), Documentation: ptr(p.Documentation)}
		if err := code(p.Type.String(), &shown.Type); err != nil {
			return one, err
		}
		one.SearchParam = append(one.SearchParam, shown)
		if p.Include != "" {
			one.SearchInclude = append(one.SearchInclude, p.Include)
		}
	}
	one.SearchRevInclude = pointing(s.Type)
	return one, nil
}

// pointing lists the references by which resources that are served may point at the type.
func pointing(t fhir.Type) (out []string) {
	for _, from := range servedTypes() {
		params := fhir.SearchParameters(from)
		for i := range params {
			if slices.Contains(params[i].Chains, t) {
				out = append(out, params[i].Include)
			}
		}
	}
	return out
}

func (s service) does(code gateway.InteractionCode) bool {
	return slices.Contains(s.Interactions, code)
}

// code sets an enumeration by its FHIR code; a zero value would claim the first code of the list.
func code(s string, enumeration json.Unmarshaler) error {
	if err := enumeration.UnmarshalJSON([]byte(`"` + s + `"`)); err != nil {
		return fmt.Errorf("rest: code %q: %w", s, err)
	}
	return nil
}

func ptr[T any](v T) *T { return &v }
