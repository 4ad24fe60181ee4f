package helseid

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluse/sluse/gateway"
)

// Identifier systems (no-basis, Volven 9060, v3-PurposeOfUse).
const (
	systemHER     = "urn:oid:2.16.578.1.12.4.1.2"
	systemOrg     = "urn:oid:2.16.578.1.12.4.1.4.101"
	systemFnr     = "urn:oid:2.16.578.1.12.4.1.4.1"
	systemDnr     = "urn:oid:2.16.578.1.12.4.1.4.2"
	system9060    = "urn:oid:2.16.578.1.12.4.1.1.9060"
	systemPurpose = "urn:oid:2.16.840.1.113883.1.11.20448"
	systemRole    = "http://sluse.no/fhir/CodeSystem/rolle"
)

// maxReason bounds the free text of an emergency, in characters.
const maxReason = 500

// attest is the claim nhn:tillitsrammeverk:parameters, specification 1.1.
type attest struct {
	Practitioner struct {
		Authorization *coding     `json:"authorization,omitempty"`
		LegalEntity   *identifier `json:"legal_entity,omitempty"`
		PointOfCare   *identifier `json:"point_of_care,omitempty"`
		Department    *identifier `json:"department,omitempty"`
	} `json:"practitioner"`
	CareRelationship struct {
		Purpose     *coding      `json:"purpose_of_use,omitempty"`
		DecisionRef *decisionRef `json:"decision_ref,omitempty"`
	} `json:"care_relationship"`
	Patients []attestedPatient `json:"patients,omitempty"`
}

type attestedPatient struct {
	Identifier *identifier `json:"identifier,omitempty"`
}

type coding struct {
	Code   string `json:"code"`
	System string `json:"system"`
}

type identifier struct {
	ID     string `json:"id"`
	System string `json:"system"`
}

type decisionRef struct {
	ID           string `json:"id"`
	Description  string `json:"description,omitempty"`
	UserSelected bool   `json:"user_selected"`
}

// authorizations are the words for the codes of Volven 9060 that act here;
// others stand for themselves.
var authorizations = map[string]string{
	"LE": "lege", "SP": "sykepleier", "VP": "vernepleier", "PS": "psykolog", "HF": "helsefagarbeider",
	"HP": "hjelpepleier", "ET": "ergoterapeut", "FT": "fysioterapeut", "JO": "jordmor", "TL": "tannlege",
	"TP": "tannpleier", "HE": "helsesekretær", "OA": "omsorgsarbeider", "AA": "ambulansearbeider",
}

// actor reads who asks. What is not told stays empty, and reaches nothing.
func (v *Verifier) actor(c claims) (gateway.Actor, error) {
	kind, err := v.kind(c)
	if err != nil {
		return gateway.Actor{}, err
	}
	if c.ManyOrgs || !valid(c.Organization.Parent) || c.Organization.Child != "" && !valid(c.Organization.Child) {
		return gateway.Actor{}, BadOrg
	}
	a := gateway.Actor{Kind: kind, Name: c.Name, Client: c.Client, TokenID: c.TokenID}
	var known bool
	if a.Party, known = v.config.Party(c.Organization); !known || a.Party == "" {
		return gateway.Actor{}, UnknownParty
	}
	if kind == gateway.Machine {
		return a, nil
	}
	person, err := gateway.NewNIN(c.PID)
	if !c.HasPID || err != nil || c.Name == "" {
		return gateway.Actor{}, BadPerson
	}
	if c.Level != "4" { // ATT-9: "høyt"
		return gateway.Actor{}, WeakIdentity
	}
	if c.HasHPR {
		if !digits(c.HPR, 1, 9) {
			return gateway.Actor{}, BadPerson
		}
		a.Practitioner = gateway.HPRNumber(c.HPR)
	}
	switch {
	case kind == gateway.Patient:
		a.Self, a.Purpose = person, gateway.PatientRequest
	case kind != gateway.Person:
		a.Purpose = gateway.Administer
	case c.Attest != nil:
		err = v.attested(&a, c)
	}
	return a, err
}

// kind reads the scope, and refuses a token whose claims are another kind's.
func (v *Verifier) kind(c claims) (gateway.Kind, error) {
	kinds := map[string]gateway.Kind{
		scopeFHIR: gateway.Machine, scopePatient: gateway.Patient,
		scopeOperator: gateway.Operator, scopeCompliance: gateway.Compliance,
	}
	found := gateway.Nobody
	for _, scope := range c.Scope {
		name, ours := strings.CutPrefix(scope, v.config.Audience+"/")
		kind, known := kinds[name]
		if !ours || !known {
			continue
		}
		if found != gateway.Nobody {
			return gateway.Nobody, BadScope
		}
		found = kind
	}
	switch {
	case found == gateway.Nobody:
		return gateway.Nobody, BadScope
	case found == gateway.Machine && c.HasPID:
		return gateway.Person, nil
	case found == gateway.Machine && (c.HasHPR || c.Attest != nil):
		return gateway.Nobody, BadPerson // a health professional, but not who
	}
	return found, nil
}

// attested takes over what the attest says, where it fits the token.
func (v *Verifier) attested(a *gateway.Actor, c claims) error {
	p := c.Attest.Practitioner
	if p.LegalEntity == nil || p.LegalEntity.System != systemOrg || p.LegalEntity.ID != string(c.Organization.Parent) {
		return BadAttest
	}
	if p.Authorization != nil {
		switch p.Authorization.System {
		case system9060:
			a.Role = authorizations[p.Authorization.Code]
			if a.Role == "" {
				a.Role = p.Authorization.Code
			}
		case systemRole:
			a.Role = p.Authorization.Code
		default:
			return BadAttest
		}
	}
	if p.Department != nil && p.Department.System == systemHER {
		if !digits(p.Department.ID, 1, 10) {
			return BadAttest
		}
		a.Unit = gateway.HERID(p.Department.ID)
	}
	purpose := c.Attest.CareRelationship.Purpose
	if purpose == nil || purpose.System != systemPurpose ||
		!slices.Contains([]gateway.Purpose{gateway.Treat, gateway.EmergencyTreat, gateway.Coordinate, gateway.BreakTheGlass}, gateway.Purpose(purpose.Code)) {
		return BadPurpose
	}
	a.Purpose = gateway.Purpose(purpose.Code)
	if ref := c.Attest.CareRelationship.DecisionRef; ref != nil {
		if utf8.RuneCountInString(ref.Description) > maxReason {
			return BadAttest
		}
		a.Reason = strings.TrimSpace(ref.Description)
	}
	return v.patient(a, c.Attest.Patients)
}

// patient binds the attest to the one patient it names. Without a name it is
// about nobody, but for the demo issuer's, which is about each asked for.
func (v *Verifier) patient(a *gateway.Actor, patients []attestedPatient) error {
	switch len(patients) {
	case 0:
		a.Attest.Each = v.config.AttestEach
		return nil
	case 1:
	default:
		return BadPatients
	}
	id := patients[0].Identifier
	if id == nil {
		return nil // not bound: ATT-6, narrow data only
	}
	nin, err := gateway.NewNIN(id.ID)
	if err != nil || id.System != systemFnr && id.System != systemDnr {
		return BadPatients
	}
	a.Attest.NIN = nin
	return nil
}

// valid checks an organisation number: nine digits with weights 3 2 7 6 5 4 3 2, modulus 11.
func valid(n gateway.OrgNumber) bool {
	if !digits(string(n), 9, 9) {
		return false
	}
	sum := 0
	for i, weight := range []int{3, 2, 7, 6, 5, 4, 3, 2} {
		sum += weight * int(n[i]-'0')
	}
	return (11-sum%11)%11 == int(n[8]-'0')
}

// digits reports whether s is min to max decimal digits.
func digits(s string, least, most int) bool {
	return len(s) >= least && len(s) <= most && strings.Trim(s, "0123456789") == ""
}
