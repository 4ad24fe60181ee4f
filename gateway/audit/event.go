package audit

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Code systems and extensions of an AuditEvent.
const (
	systemDCM         = "http://dicom.nema.org/resources/ontology/DCM"
	systemEventType   = "http://terminology.hl7.org/CodeSystem/audit-event-type"
	systemRestful     = "http://hl7.org/fhir/restful-interaction"
	systemExchange    = "http://sluse.no/fhir/CodeSystem/meldingsutveksling"
	systemBulk        = "http://sluse.no/fhir/CodeSystem/eksport"
	systemEntityType  = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
	systemEntityRole  = "http://terminology.hl7.org/CodeSystem/object-role"
	systemSourceType  = "http://terminology.hl7.org/CodeSystem/security-source-type"
	systemActReason   = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
	systemPart        = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
	systemRole        = "http://sluse.no/fhir/CodeSystem/rolle"
	systemBasis       = "http://sluse.no/fhir/CodeSystem/rettsgrunnlag"
	systemPerson      = "http://sluse.no/fhir/NamingSystem/person"
	systemMessage     = "http://sluse.no/fhir/NamingSystem/msgid"
	systemHER         = "urn:oid:2.16.578.1.12.4.1.2"
	systemHPR         = "urn:oid:2.16.578.1.12.4.1.4.4"
	balp              = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
	extensionPatient  = "http://hl7.no/fhir/StructureDefinition/auditevent-patient-extension"
	extensionRelation = "http://hl7.no/fhir/StructureDefinition/auditevent-carerelation-metadata-extension"
	extensionKeeper   = "http://sluse.no/fhir/StructureDefinition/custodian"
	extensionBasis    = "http://sluse.no/fhir/StructureDefinition/rettsgrunnlag"
	extensionHidden   = "http://sluse.no/fhir/StructureDefinition/tilbakeholdt"
	extensionPolicy   = "http://sluse.no/fhir/StructureDefinition/policy"
)

// Source is the system that keeps the ledger (AuditEvent.source).
type Source struct {
	Site     string         // name of the installation; required
	Observer fhir.Reference // the operator's entry in the directory; may be zero
}

// interaction is how one kind of access is told: DICOM's or FHIR's type, the
// CRUDE action, and the profile of BALP that it fits when it is about a patient.
type interaction struct {
	kind    coding
	system  string
	action  string
	profile string
	toUs    bool // the client is the source of the data
}

var (
	rest         = coding{System: systemEventType, Code: "rest", Display: "Restful Operation"}
	interactions = map[gateway.InteractionCode]interaction{
		gateway.Read:          {rest, systemRestful, "R", "Read", false},
		gateway.VRead:         {rest, systemRestful, "R", "Read", false},
		gateway.History:       {rest, systemRestful, "R", "", false},
		gateway.HistoryType:   {rest, systemRestful, "R", "", false},
		gateway.HistorySystem: {rest, systemRestful, "R", "", false},
		gateway.Find:          {rest, systemRestful, "E", "Query", true},
		gateway.Create:        {rest, systemRestful, "C", "Create", true},
		gateway.Update:        {rest, systemRestful, "U", "Update", true},
		gateway.Patch:         {rest, systemRestful, "U", "", true},
		gateway.Delete:        {rest, systemRestful, "D", "Delete", true},

		gateway.Export:         {bulk, systemBulk, "E", "", false},
		gateway.ExportPoll:     {bulk, systemBulk, "R", "", false},
		gateway.ExportDownload: {bulk, systemBulk, "R", "", false},
		gateway.ExportCancel:   {bulk, systemBulk, "D", "", false},
	}
	bulk     = coding{System: systemDCM, Code: "110106", Display: "Export"}
	imported = interaction{coding{System: systemDCM, Code: "110107", Display: "Import"}, systemExchange, "C", "", true}
	exported = interaction{bulk, systemExchange, "R", "", false}
)

// refusals are what the person reads of a refusal (bokmål).
var refusals = map[gateway.Code]string{
	gateway.NotFound:     "Ikke utlevert: finnes ikke, eller er ikke delt",
	gateway.Forbidden:    "Avvist: aktøren har ikke adgang til dette",
	gateway.Unauthorized: "Avvist: ingen gyldig tilgangsbillett",
	gateway.Unavailable:  "Avvist: feil i Sluse, ingenting er utlevert",
	gateway.Internal:     "Avvist: feil i Sluse, ingenting er utlevert",
}

// Render gives the bytes of the AuditEvent for an entry: the same bytes for the
// same entry, always. Names, units and numbers of registers stand in it, never
// a national identity number. What was withheld stands only in refusals, which
// the asker does not see.
func (s Source) Render(e gateway.AuditEntry) ([]byte, error) {
	if err := s.complete(e); err != nil {
		return nil, err
	}
	how, known := interactions[e.Interaction]
	switch {
	case known:
	case e.Interaction == gateway.Relay || e.Interaction == gateway.Collect || e.Interaction == gateway.Notify:
		how = exported
	case strings.HasPrefix(string(e.Interaction), "message-"):
		how = imported
	default:
		how = interaction{kind: rest, system: systemRestful, action: "E"}
	}
	recorded := e.Recorded.UTC().Format("2006-01-02T15:04:05.000000Z")
	v := auditEvent{
		ResourceType: "AuditEvent", ID: e.ID, Meta: meta{LastUpdated: recorded, Profile: profile(how, e)},
		Contained: []practitionerRole{roleOf(e)},
		Type:      how.kind,
		Subtype:   []coding{{System: how.system, Code: string(e.Interaction)}},
		Action:    how.action, Recorded: recorded, Outcome: "0",
		Agent:  s.agents(how, e),
		Source: source{Site: s.Site, Observer: s.observer(), Type: []coding{{System: systemSourceType, Code: "4", Display: "Application Server"}}},
		Entity: entities(e),
	}
	if e.Outcome == gateway.Refused {
		v.Outcome, v.OutcomeDesc = "4", refusals[e.Code]
		if e.Code == gateway.Unavailable || e.Code == gateway.Internal {
			v.Outcome = "8"
		}
		if v.OutcomeDesc == "" {
			v.OutcomeDesc = "Avvist: " + string(e.Code)
		}
	}
	if e.Actor.Purpose != "" {
		v.PurposeOfEvent = []concept{{Coding: []coding{{System: systemActReason, Code: string(e.Actor.Purpose)}}}}
	}
	if e.Person != 0 {
		v.Extension = append(v.Extension, extension{URL: extensionPatient, Reference: &reference{Identifier: person(e)}})
	}
	if e.Actor.Reason != "" {
		v.Extension = append(v.Extension, extension{URL: extensionRelation, Extension: []extension{
			{URL: "decision-ref-description", String: e.Actor.Reason},
			{URL: "toa", UnsignedInt: e.Recorded.Unix()}, // the attest was judged at this access
		}})
	}
	if e.Policy != "" {
		v.Extension = append(v.Extension, extension{URL: extensionPolicy, String: e.Policy})
	}
	return json.Marshal(v)
}

// complete refuses an entry that lacks what every AuditEvent tells.
func (s Source) complete(e gateway.AuditEntry) error {
	if s.Site == "" {
		return fmt.Errorf("audit: the source has no site")
	}
	if e.Person != 0 && e.Alias == "" {
		return fmt.Errorf("audit: an entry about a person without an alias")
	}
	if e.ID == "" || e.Recorded.IsZero() || e.Interaction == "" {
		return fmt.Errorf("audit: an entry without id, time or interaction")
	}
	return nil
}

// profile claims BALP's profile where the entry has all that it asks for.
func profile(how interaction, e gateway.AuditEntry) []string {
	switch {
	case how.profile == "" || e.Outcome == gateway.Refused:
		return nil
	case how.profile != "Query" && len(e.Entities) != 1:
		return nil
	case e.Person == 0:
		return []string{balp + how.profile}
	}
	return []string{balp + "Patient" + how.profile}
}

// roleOf is who asked, as the trust framework wants it: person, unit and party.
func roleOf(e gateway.AuditEntry) practitionerRole {
	r := practitionerRole{ResourceType: "PractitionerRole", ID: "agent"}
	if e.Actor.Practitioner != "" {
		r.Practitioner = &reference{Identifier: &identifier{systemHPR, string(e.Actor.Practitioner)}, Display: e.Actor.Name}
	}
	r.Organization = &reference{Reference: e.Party.Organization.String(), Display: e.Party.Name}
	if e.Party.ID != "" {
		r.Organization.Identifier = &identifier{systemHER, string(e.Party.ID)}
	}
	if e.Actor.Role != "" {
		r.Code = []concept{{Coding: []coding{{System: systemRole, Code: e.Actor.Role}}}}
	}
	if e.Actor.Unit != "" {
		r.HealthcareService = []reference{{Identifier: &identifier{systemHER, string(e.Actor.Unit)}}}
	}
	return r
}

// agents are who asked, the system that asked, and this one.
func (s Source) agents(how interaction, e gateway.AuditEntry) []agent {
	dataFrom, dataTo := coding{System: systemDCM, Code: "110153", Display: "Source Role ID"}, coding{System: systemDCM, Code: "110152", Display: "Destination Role ID"}
	client, server := dataTo, dataFrom
	if how.toUs {
		client, server = dataFrom, dataTo
	}
	user := agent{
		Type: concept{Coding: []coding{{System: systemPart, Code: "IRCP", Display: "information recipient"}}},
		Who:  reference{Reference: "#agent"}, Name: e.Actor.Name, Requestor: true,
	}
	if user.Name == "" {
		user.Name = e.Party.Name
	}
	if e.Actor.TokenID != "" {
		user.Policy = []string{e.Actor.TokenID}
	}
	agents := []agent{user}
	if e.Actor.Client != "" {
		agents = append(agents, agent{Type: concept{Coding: []coding{client}}, Who: reference{Identifier: &identifier{"", e.Actor.Client}}})
	}
	return append(agents, agent{Type: concept{Coding: []coding{server}}, Who: s.observer()})
}

func (s Source) observer() reference {
	return reference{Reference: s.Observer.String(), Display: s.Site}
}

// entities are the person, the records, the question and the message.
func entities(e gateway.AuditEntry) []entity {
	var list []entity
	if e.Person != 0 {
		list = append(list, entity{
			What: &reference{Identifier: person(e)},
			Type: &coding{System: systemEntityType, Code: "1", Display: "Person"}, Role: &coding{System: systemEntityRole, Code: "1", Display: "Patient"},
		})
	}
	for _, touched := range e.Entities {
		item := entity{
			What: &reference{Reference: touched.Record.String()},
			Type: &coding{System: systemEntityType, Code: "2", Display: "System Object"}, Role: &coding{System: systemEntityRole, Code: "4", Display: "Domain Resource"},
		}
		if touched.Custodian != "" {
			item.Extension = append(item.Extension, extension{URL: extensionKeeper, Reference: &reference{Identifier: &identifier{systemHER, string(touched.Custodian)}}})
		}
		for _, c := range touched.Citations {
			if !c.Consent.IsZero() || c.Law != "" {
				item.Extension = append(item.Extension, basis(c))
			}
		}
		if touched.Withheld != 0 && e.Outcome == gateway.Refused {
			for _, code := range touched.Withheld.Codes() {
				item.Extension = append(item.Extension, extension{URL: extensionHidden, Coding: &coding{System: gateway.LabelSystem, Code: code}})
			}
		}
		list = append(list, item)
	}
	if query := e.Query; query != "" || e.Interaction == gateway.Find {
		if query == "" {
			query = string(e.Type)
		}
		list = append(list, entity{
			Type: &coding{System: systemEntityType, Code: "2", Display: "System Object"}, Role: &coding{System: systemEntityRole, Code: "24", Display: "Query"},
			Query: base64.StdEncoding.EncodeToString([]byte(query)),
		})
	}
	if e.Message != "" {
		list = append(list, entity{
			What: &reference{Identifier: &identifier{systemMessage, e.Message}},
			Type: &coding{System: systemEntityType, Code: "4", Display: "Other"}, Role: &coding{System: systemEntityRole, Code: "20", Display: "Job"},
		})
	}
	return list
}

// basis cites what a release stands on: the Consent's version, the path of the
// provision in it, and the paragraph as people read it.
func basis(c gateway.Citation) extension {
	x := extension{URL: extensionBasis}
	if !c.Consent.IsZero() {
		x.Extension = append(x.Extension, extension{URL: "consent", Reference: &reference{Reference: c.Consent.String()}})
	}
	if c.Path != "" {
		x.Extension = append(x.Extension, extension{URL: "path", String: c.Path})
	}
	if c.Law != "" {
		x.Extension = append(x.Extension, extension{URL: "law", Coding: &coding{System: systemBasis, Code: c.Law, Display: c.Paragraph}})
	}
	return x
}

func person(e gateway.AuditEntry) *identifier {
	return &identifier{systemPerson, e.Alias}
}
