package gateway

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// ConsentScope says which Consents of others are seen, each as a view: what of it concerns who asks
// (DESIGN § 3, Consent, AuditEvent as records). The zero ConsentScope shows none.
type ConsentScope struct {
	Views      []ConsentView // of the one person asked about
	Registrars []HERID       // compliance: those that these parties have registered, as far as they still count
	Each       *ConsentJoin  // of a question that names nobody: the grants of each row's own person
}

// ConsentView is what is seen of one Consent: the provisions that name who asks, and those that bind its records.
type ConsentView struct {
	Consent fhir.ID
	Parts   []GrantView
}

// GrantView is one provision as it is seen.
type GrantView struct {
	Grant      *Grant
	Recipients []Recipient // of those that it names; none: it names nobody, or whom is not told
	Custodians []HERID     // of those that it names
}

// ConsentJoin tells the store which grants make a Consent seen.
type ConsentJoin struct {
	Recipients []Recipient // keys of who asks: a permit that names one of them
	Holders    []HERID     // parties whose records a provision binds, where they have a Patient of hers
	Parties    []HERID     // compliance: parties that a permit names
	Now        time.Time
}

// shows tells whether a Consent of another is seen.
func (c ConsentScope) shows(r Record) bool {
	if r.Reference.Type != "Consent" || r.Deleted {
		return false
	}
	return c.view(r) != nil || slices.Contains(c.Registrars, r.Custodian)
}

// IDs are the Consents of the views, for the store.
func (c ConsentScope) IDs() []fhir.ID {
	ids := make([]fhir.ID, 0, len(c.Views))
	for _, v := range c.Views {
		ids = append(ids, v.Consent)
	}
	return ids
}

func (c ConsentScope) view(r Record) *ConsentView {
	for i := range c.Views {
		if c.Views[i].Consent == r.Reference.ID {
			return &c.Views[i]
		}
	}
	return nil
}

// consentShown are the elements of a Consent that a view keeps as they are, but for words in them.
var consentShown = []string{"status", "scope", "category", "dateTime", "policyRule"}

// consentView writes a Consent as it is seen by another than its custodian and the person: what is common to
// all of it, and the provisions that concern who asks, in their normal form. What is not put there by name
// does not leave.
func (p Permit) consentView(r Record) ([]byte, error) {
	const op = "gateway.view"
	res, err := fhir.ParseLimits(r.Body, storedLimits)
	if err != nil {
		return nil, Failed(op, Internal, err)
	}
	root := res.Root()
	var b bytes.Buffer
	b.WriteString(`{"resourceType":"Consent","id":`)
	b.Write(appendJSON(nil, string(r.Reference.ID)))
	b.WriteString(`,"meta":` + string(viewMeta(root.Get("meta"))))
	for _, name := range consentShown {
		v := root.Get(name)
		if v == nil {
			continue
		}
		b.WriteString(`,"` + name + `":`)
		b.Write(codesOnly(v))
	}
	if patient := root.Get("patient", "reference"); patient.Kind() == fhir.String {
		b.WriteString(`,"patient":{"reference":`)
		b.Write(appendJSON(nil, patient.Text()))
		b.WriteByte('}')
	}
	if view := p.Scope().Consents.view(r); view != nil {
		provision, err := json.Marshal(provisionOf(view.Parts))
		if err != nil {
			return nil, Failed(op, Internal, err)
		}
		b.WriteString(`,"provision":`)
		b.Write(provision)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// viewMeta is the server's own part of a meta, with the tag that tells that this is not all.
func viewMeta(meta *fhir.Value) []byte {
	b := []byte(`{"versionId":`)
	b = appendJSON(b, meta.Get("versionId").Text())
	b = append(b, `,"lastUpdated":`...)
	b = appendJSON(b, meta.Get("lastUpdated").Text())
	for _, e := range meta.Get("extension").Items() {
		if e.Get("url").Text() == custodianURL {
			b = append(append(append(b, `,"extension":[`...), e.Raw()...), ']')
		}
	}
	return append(b, `,"tag":[`+subsettedTag+`]}`...)
}

// codesOnly gives a code, or the codes of a concept, less every word that somebody has written.
func codesOnly(v *fhir.Value) []byte {
	switch v.Kind() {
	case fhir.Array:
		b := []byte{'['}
		for i, item := range v.Items() {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, codesOnly(item)...)
		}
		return append(b, ']')
	case fhir.Object:
		b := []byte(`{"coding":[`)
		for i, c := range v.Get("coding").Items() {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, metaItem(c)...)
		}
		return append(b, "]}"...)
	}
	return v.Raw()
}

// viewedProvision is Consent.provision as a view writes it.
type viewedProvision struct {
	Type          string             `json:"type,omitempty"`
	Period        *viewedPeriod      `json:"period,omitempty"`
	Actor         []viewedActor      `json:"actor,omitempty"`
	Action        []viewedConcept    `json:"action,omitempty"`
	SecurityLabel []viewedCoding     `json:"securityLabel,omitempty"`
	Purpose       []viewedCoding     `json:"purpose,omitempty"`
	Class         []viewedCoding     `json:"class,omitempty"`
	DataPeriod    *viewedPeriod      `json:"dataPeriod,omitempty"`
	Data          []viewedData       `json:"data,omitempty"`
	Provision     []*viewedProvision `json:"provision,omitempty"`
}

type viewedPeriod struct {
	Start string `json:"start,omitempty"`
	End   string `json:"end,omitempty"`
}

type viewedActor struct {
	Role      viewedConcept   `json:"role"`
	Reference viewedReference `json:"reference"`
}

type viewedReference struct {
	Reference  string            `json:"reference,omitempty"`
	Type       string            `json:"type,omitempty"`
	Identifier *viewedIdentifier `json:"identifier,omitempty"`
}

type viewedIdentifier struct {
	System string `json:"system"`
	Value  string `json:"value"`
}

type viewedConcept struct {
	Coding []viewedCoding `json:"coding"`
}

type viewedCoding struct {
	System string `json:"system"`
	Code   string `json:"code"`
}

type viewedData struct {
	Meaning   string          `json:"meaning"`
	Reference viewedReference `json:"reference"`
}

// Code systems of a Consent's provision.
const (
	participation = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
	consentAction = "http://terminology.hl7.org/CodeSystem/consentaction"
	actReason     = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
	resourceTypes = "http://hl7.org/fhir/resource-types"
)

// provisionOf is the one provision that is seen, or several side by side.
func provisionOf(parts []GrantView) *viewedProvision {
	if len(parts) == 1 {
		return parts[0].provision()
	}
	all := &viewedProvision{}
	for _, part := range parts {
		all.Provision = append(all.Provision, part.provision())
	}
	return all
}

func (v GrantView) provision() *viewedProvision {
	g := v.Grant
	p := &viewedProvision{Type: "deny", Period: periodOf(g.Start, g.End), DataPeriod: periodOf(g.DataLow, g.DataHigh)}
	if g.Effect == Allow {
		p.Type = "permit"
	}
	for _, r := range v.Recipients {
		if who, ok := r.reference(); ok {
			p.Actor = append(p.Actor, viewedActor{Role: concept(participation, "IRCP"), Reference: who})
		}
	}
	for _, c := range v.Custodians {
		p.Actor = append(p.Actor, viewedActor{Role: concept(participation, "CST"), Reference: byNumber("Organization", fhir.SystemHER, string(c))})
	}
	for _, a := range g.Actions.Of {
		if code := concept(consentAction, actionCodes[a]); actionCodes[a] != "" && !slices.ContainsFunc(p.Action, func(c viewedConcept) bool { return c.Coding[0] == code.Coding[0] }) {
			p.Action = append(p.Action, code)
		}
	}
	for _, code := range (g.Labels &^ unnamedLabels(g)).Codes() {
		p.SecurityLabel = append(p.SecurityLabel, viewedCoding{LabelSystem, code})
	}
	for _, purpose := range g.Purposes.Of {
		p.Purpose = append(p.Purpose, viewedCoding{actReason, string(purpose)})
	}
	for _, t := range g.Types.Of {
		if !strings.Contains(string(t), " ") { // HeldType is ours
			p.Class = append(p.Class, viewedCoding{resourceTypes, string(t)})
		}
	}
	for _, item := range g.Items.Of {
		if !strings.Contains(string(item.Type), " ") {
			p.Data = append(p.Data, viewedData{"instance", viewedReference{Reference: item.String()}})
		}
	}
	return p
}

// unnamedLabels are those of a deny that is about every category: it names none.
func unnamedLabels(g *Grant) Labels {
	if g.Effect == Deny && g.Labels == AllLabels {
		return AllLabels
	}
	return 0
}

// actionCodes are the codes of R4 consentaction for actions.
var actionCodes = map[Action]string{ReadAction: "access", MessageAction: "disclose", NotifyAction: "disclose", ContributeAction: "collect"}

func concept(system, code string) viewedConcept {
	return viewedConcept{Coding: []viewedCoding{{system, code}}}
}

func byNumber(kind, system, value string) viewedReference {
	return viewedReference{Type: kind, Identifier: &viewedIdentifier{system, value}}
}

// periodOf writes a half-open interval as R4 does, whose end belongs to it.
func periodOf(from, to time.Time) *viewedPeriod {
	if from.IsZero() && to.IsZero() {
		return nil
	}
	var p viewedPeriod
	if !from.IsZero() {
		p.Start = from.UTC().Format(time.RFC3339)
	}
	if !to.IsZero() {
		p.End = to.Add(-time.Second).UTC().Format(time.RFC3339)
	}
	return &p
}

// Party is the party that the key is of; "" for a practitioner anywhere.
func (r Recipient) Party() HERID {
	steps := r.steps()
	if len(steps) < 2 || steps[1] == "?" {
		return ""
	}
	return HERID(steps[1])
}

// steps are the pieces of the key, behind the names of the groups that it is of.
func (r Recipient) steps() []string {
	key := string(r)
	if at := strings.LastIndexByte(key, '/'); at >= 0 {
		key = key[at+1:]
	}
	return strings.Split(key, ":")
}

// reference writes a key as a reference by number; false for one that only tells what a requester left out.
func (r Recipient) reference() (viewedReference, bool) {
	steps := r.steps()
	if len(steps) < 2 || slices.Contains(steps[1:], "?") {
		return viewedReference{}, false
	}
	switch {
	case steps[0] == "p":
		return byNumber("Organization", fhir.SystemHER, steps[1]), true
	case steps[0] == "u" && len(steps) == 3:
		return byNumber("HealthcareService", fhir.SystemHER, steps[2]), true
	case (steps[0] == "h" || steps[0] == "r") && len(steps) >= 3:
		return byNumber("Practitioner", fhir.SystemHPR, steps[2]), true
	}
	return byNumber("Organization", fhir.SystemHER, steps[1]), true
}

// consentIndexed are the places of a Consent that everybody who sees it may find it by; all else of it is
// found by its custodian only.
var consentIndexed = []string{"status", "scope", "category", "dateTime", "patient"}

// hideConsent keeps from everybody but the custodian what a view leaves out: nothing hidden is found by.
func hideConsent(v *fhir.IndexValue) {
	key := strings.TrimPrefix(v.Key, "Consent.")
	if slices.ContainsFunc(consentIndexed, func(name string) bool { return key == name || strings.HasPrefix(key, name+".") }) {
		return
	}
	v.Mask |= ownersOnly
}
