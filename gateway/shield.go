package gateway

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Shield is the strictest adressesperre that stands for a person, whoever set it.
type Shield uint8

// The grades of Folkeregisteret (adressegradering).
const (
	NoShield             Shield = iota
	Confidential                // kode 7: where she is crosses to nobody
	StrictlyConfidential        // kode 6: moreover, nothing crosses unless somebody sees to it
)

// addressMask is carried, like a label, by what tells where a person is, and is covered unless her address
// is kept secret. It is no informasjonskategori: nobody consents to it or names it.
const addressMask Labels = 1 << 61

// open is what is covered besides labels: where the person is, when no adressesperre stands.
func (s Scope) open() Labels {
	if s.Address {
		return addressMask
	}
	return 0
}

// OpenMask is what the scope covers besides labels, for the store.
func (s Scope) OpenMask() Labels { return s.open() }

// Shields keeps who has asked for a person's address to be kept secret. Errors are *Error.
type Shields interface {
	// SetShield keeps what a party asks for; NoShield lifts its own. all lifts what every party has set.
	// The person's epoch rises.
	SetShield(ctx context.Context, person PersonID, party HERID, grade Shield, all bool, at time.Time) error
}

// Protection is what the data of the policies says of emergency access, adressesperre and withheld insight.
type Protection struct {
	Spell      time.Duration     // within which the same actor's emergency accesses to a person are told once
	Grades     map[string]Shield // by code of CodeSystem adressegradering
	GradeTexts map[string]string
	Lifters    []string          // roles that lift what others have set
	Insight    map[string]string // by kind of withholding: what she is told; {0} who, {1} why, {2} until when
	Complaint  string            // how to complain
}

// withPlace is what must be covered of a section of a message: one about who she is, or about her relatives,
// may tell where she is.
func withPlace(l Labels) Labels {
	if l&(Demografi|Parorende) != 0 {
		l |= addressMask
	}
	return l
}

// told is what is said to be missing: that an address is kept secret is said as if no samtykke held for it.
func (l Labels) told() Labels {
	if l&addressMask != 0 {
		l = l&^addressMask | Demografi
	}
	return l
}

// messageByHand is the Task by which a sender is told that a message does not go by itself (kode 6).
const (
	messageByHand = "message-by-hand"
	byHandText    = "En melding går ikke av seg selv: for denne pasienten må et menneske avtale med mottakeren hvordan opplysningene formidles."
)

// placeNames are elements that tell where a person is or how she is reached, whatever resource they stand in.
var placeNames = map[string]bool{
	"address": true, "telecom": true, "generalPractitioner": true, "location": true, "locationReference": true, "locationCode": true,
	"valueAddress": true, "valueContactPoint": true,
}

// placeSystems are the code systems of bydel and kommune (Volven 3403, 3402).
var placeSystems = map[string]bool{
	"urn:oid:2.16.578.1.12.4.1.1.3403": true, "http://hl7.no/fhir/NamingSystem/bydelsnummer": true,
	"http://data.ssb.no/api/klass/v1/versions/919": true,
	"urn:oid:2.16.578.1.12.4.1.1.3402":             true, "http://hl7.no/fhir/NamingSystem/kommunenummer": true,
}

// placeExtensions are the extensions of no-basis that hold the same.
var placeExtensions = []string{"no-basis-urban-district", "no-basis-municipalitycode", "no-basis-propertyinformation", "no-basis-address-official", "birthPlace", "/sted"}

// placeText is how the mapping names the place of an event, in an Observation.
const placeText = "Sted"

// placeTypes are contained resources that are places, or people who live with her.
var placeTypes = map[string]bool{"Location": true, "RelatedPerson": true, "Patient": true}

// patientHead is what crosses of a Patient whose address is kept secret.
var patientHead = map[string]bool{
	"resourceType": true, "id": true, "meta": true, "implicitRules": true, "language": true, "active": true, "text": true, "contained": true,
	"name": true, "birthDate": true, "identifier": true, "gender": true, "communication": true,
	"deceasedBoolean": true, "deceasedDateTime": true,
}

// markPlaces makes every piece that tells where the person is a part of its own.
func (w *written) markPlaces() {
	if IsDirectory(w.draft.Reference.Type) {
		return
	}
	p := places{res: w.resource}
	kind := string(w.resource.Type())
	for _, m := range w.resource.Root().Members() {
		path := kind + "." + m.Name
		if kind == "Patient" && !patientHead[strings.TrimPrefix(m.Name, "_")] {
			p.mark(m.Value, path)
			continue
		}
		if m.Name != "meta" && m.Name != "text" {
			p.walk(m.Name, m.Value, path, "")
		}
	}
	for _, path := range p.found {
		w.label(path, addressMask)
	}
}

// places finds what tells where somebody is.
type places struct {
	res   *fhir.Resource
	found []string // paths as fhir.Resource.At reads them
}

// mark takes a value, each element of a list by itself.
func (p *places) mark(v *fhir.Value, path string) {
	if v.Kind() != fhir.Array {
		p.found = append(p.found, path)
		return
	}
	for i := range v.Items() {
		p.found = append(p.found, path+"["+strconv.Itoa(i)+"]")
	}
}

// walk looks at the value v of member name. piece is the path of the list element that holds it, "" for none.
func (p *places) walk(name string, v *fhir.Value, path, piece string) {
	switch {
	case name == "role" && piece != "" && saysGP(v): // her GP is near where she lives
		p.found = append(p.found, piece)
		return
	case placeNames[name], v.Kind() == fhir.Object && p.isPlace(v):
		p.mark(v, path)
		return
	case v.Kind() == fhir.Object && p.pointsAtPlace(v):
		if piece != "" { // a reference that must be there takes with it what it stands in
			path = piece
		}
		p.found = append(p.found, path)
		return
	}
	if v.Kind() == fhir.Array {
		for i, item := range v.Items() {
			at := path + "[" + strconv.Itoa(i) + "]"
			p.walk("", item, at, "")
		}
		return
	}
	within := ""
	if strings.HasSuffix(path, "]") {
		within = path
	}
	for _, m := range v.Members() {
		p.walk(m.Name, m.Value, path+"."+m.Name, within)
	}
}

// isPlace tells whether an object is a place by what it says: a coding of a bydel, an extension, a contained place.
func (p *places) isPlace(v *fhir.Value) bool {
	if placeTypes[v.Get("resourceType").Text()] {
		return true
	}
	if placeSystems[v.Get("system").Text()] {
		return true
	}
	if v.Get("code", "text").Text() == placeText { // a component of an Observation
		return true
	}
	url := v.Get("url").Text()
	return url != "" && slices.ContainsFunc(placeExtensions, func(name string) bool { return strings.HasSuffix(url, name) })
}

// saysGP tells whether a role is that of a fastlege or a stand-in for one (Volven 9034, codes 6 and 15).
func saysGP(role *fhir.Value) bool {
	for _, r := range role.Items() {
		for _, c := range r.Get("coding").Items() {
			code := c.Get("code").Text()
			if c.Get("system").Text() == "urn:oid:2.16.578.1.12.4.1.1.9034" && (code == "6" || code == "15") {
				return true
			}
		}
	}
	return false
}

func (p *places) pointsAtPlace(v *fhir.Value) bool {
	named := v.Get("reference")
	if v.Get("type").Text() == "Location" && (named != nil || v.Get("identifier") != nil || v.Get("display") != nil) {
		return true
	}
	if named.Kind() != fhir.String {
		return false
	}
	if id, inside := strings.CutPrefix(named.Text(), "#"); inside {
		return slices.ContainsFunc(p.res.Root().Get("contained").Items(), func(c *fhir.Value) bool {
			return c.Get("id").Text() == id && placeTypes[c.Get("resourceType").Text()]
		})
	}
	ref, err := fhir.ParseReference(named.Text())
	return err == nil && ref.Type == "Location"
}

// setShield sets or lifts adressesperre for the person of an own Patient (R4 operations.html; policies/data/shield.json).
// Any party may set it; it ends when who set it has lifted it, or somebody in the role has lifted all.
func (g *Gateway) setShield(ctx context.Context, a Actor, in Interaction) (Outcome, error) {
	const op = "gateway.shield"
	who, dir, err := g.writer(ctx, a)
	if err != nil {
		return Outcome{}, err
	}
	s := step{in: in, who: who, dir: dir}
	if s.permit, err = g.mayWrite(ctx, who, in); err != nil {
		return Outcome{}, err
	}
	grade, known := g.Decider.Protection().Grades[in.Operation.Code]
	if !known {
		return Outcome{}, Fault(op, Invalid, fhir.Issue{Severity: "error", Type: "code-invalid", Code: "shield.grade", Expression: "Parameters.parameter"})
	}
	if in.Operation.Reason == "" {
		return Outcome{}, Fault(op, Invalid, fhir.Issue{Severity: "error", Type: "required", Code: "operation.reason", Expression: "Parameters.parameter"})
	}
	all := grade == NoShield && a.Kind == Person && slices.Contains(g.Decider.Protection().Lifters, a.Role)
	err = g.Store.Tx(ctx, func(tx Tx) error {
		current, err := g.writable(ctx, tx, s)
		if err != nil {
			return err
		}
		if err := g.attestedWrite(ctx, tx, who, current); err != nil {
			return err
		}
		if current.Person == 0 {
			return absent(op)
		}
		if err := tx.SetShield(ctx, current.Person, who.Party, grade, all, g.Clock()); err != nil {
			return err
		}
		return g.recordOrder(ctx, tx, who, in, current)
	})
	if err != nil {
		return Outcome{}, g.refusedWrite(ctx, who, in, err)
	}
	text := "Adressesperre: dere har satt " + g.Decider.Protection().GradeTexts[in.Operation.Code] + "."
	if grade == NoShield {
		text = "Adressesperre: dere har ikke lenger satt noen sperre. Den gjelder fortsatt så lenge andre har satt den."
	}
	return Outcome{Release: spokenRelease(text)}, nil
}

// recordOrder keeps in the ledger that somebody decided something about a record of the own party, and why.
func (g *Gateway) recordOrder(ctx context.Context, tx Tx, who asked, in Interaction, r Record) error {
	e, err := g.entry(who, Operate, Written, r.Person)
	if err != nil {
		return err
	}
	e.Type, e.Query, e.Actor.Reason = r.Reference.Type, in.Search.Canonical+"?code="+in.Operation.Code, in.Operation.Reason
	e.Entities = []AuditEntity{{Record: r.Reference, Custodian: r.Custodian}}
	return tx.Record(ctx, []AuditEntry{e})
}

// spoken is an informational issue in words for people.
func spoken(text string) []byte {
	told, err := json.Marshal(text)
	if err != nil { // a string always marshals
		told = []byte(`""`)
	}
	return append(append([]byte(`{"severity":"information","code":"informational","details":{"text":`), told...), "}}"...)
}

func spokenRelease(text string) Release {
	return Release{body: append(append([]byte(`{"resourceType":"OperationOutcome","issue":[`), spoken(text)...), "]}"...)}
}

// worded puts words into a text of the policies: {0} is the first.
func worded(text string, words ...string) string {
	for i, w := range words {
		text = strings.ReplaceAll(text, "{"+strconv.Itoa(i)+"}", w)
	}
	return text
}
