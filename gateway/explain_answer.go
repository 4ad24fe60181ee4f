package gateway

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// parameter is one parameter of a Parameters resource (R4 parameters.html).
type parameter struct {
	Name       string           `json:"name"`
	Boolean    *bool            `json:"valueBoolean,omitempty"`
	Code       string           `json:"valueCode,omitempty"`
	Coding     *valueCoding     `json:"valueCoding,omitempty"`
	Identifier *valueIdentifier `json:"valueIdentifier,omitempty"`
	Instant    string           `json:"valueInstant,omitempty"`
	Reference  *valueReference  `json:"valueReference,omitempty"`
	String     string           `json:"valueString,omitempty"`
	Unsigned   *int             `json:"valueUnsignedInt,omitempty"`
	URI        string           `json:"valueUri,omitempty"`
	Resource   json.RawMessage  `json:"resource,omitempty"`
	Part       []parameter      `json:"part,omitempty"`
}

type valueCoding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display,omitempty"`
}

type valueIdentifier struct {
	System string `json:"system"`
	Value  string `json:"value"`
}

type valueReference struct {
	Reference  string           `json:"reference,omitempty"`
	Identifier *valueIdentifier `json:"identifier,omitempty"`
	Display    string           `json:"display,omitempty"`
}

// parametersOf is the resource that an operation answers.
func parametersOf(list []parameter) ([]byte, error) {
	b, err := json.Marshal(struct {
		ResourceType string      `json:"resourceType"`
		Parameter    []parameter `json:"parameter"`
	}{"Parameters", list})
	if err != nil {
		return nil, Failed("gateway.parameters", Internal, err)
	}
	return b, nil
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

const (
	systemHER  = "urn:oid:2.16.578.1.12.4.1.2"
	systemLaws = "http://sluse.no/fhir/CodeSystem/rettsgrunnlag"
)

// partyParameter names a party by its HER-id and name.
func (e *explaining) partyParameter(name string, id HERID) parameter {
	return partyNamed(e.dir, name, id)
}

func partyNamed(dir Directory, name string, id HERID) parameter {
	r := &valueReference{Identifier: &valueIdentifier{systemHER, string(id)}}
	if party, ok := dir.Party(id); ok {
		r.Display, r.Reference = party.Name, party.Organization.String()
	}
	return parameter{Name: name, Reference: r}
}

func labelParameters(name string, l Labels, lang Language) (list []parameter) {
	for _, code := range l.Codes() {
		one, _ := LabelOf(code)
		list = append(list, parameter{Name: name, Coding: &valueCoding{LabelSystem, code, labelNames[one].in(lang)}})
	}
	return list
}

// answer gives the explanation as a Release, with its line of the ledger.
func (e *explaining) answer(in Interaction, x Explanation, records []Record) (looked, error) {
	lang := in.Operation.Language
	body, err := parametersOf(e.parameters(x, lang))
	if err != nil {
		return looked{}, err
	}
	entry, err := e.entry(e.who, Operate, Released, e.facts.Person)
	if err != nil {
		return looked{}, err
	}
	entry.Type, entry.Query = "Consent", in.Search.Canonical
	if in.Operation.Inquiry.Record.ID != "" {
		for _, r := range records {
			entry.Entities = append(entry.Entities, AuditEntity{Record: r.Reference, Custodian: r.Custodian, Citations: e.permit.citations(r)})
		}
	}
	return looked{out: Outcome{Release: Release{body: body}}, entries: []AuditEntry{entry}}, nil
}

// parameters puts the structure into FHIR, and into words.
func (e *explaining) parameters(x Explanation, lang Language) []parameter {
	list := []parameter{{Name: "text", String: e.summary(x, lang)}, e.partyParameter("receiver", x.Party.ID)}
	for _, one := range []struct{ name, value string }{
		{"unit", string(x.Receiver.Unit)}, {"practitioner", string(x.Receiver.Practitioner)}, {"role", x.Receiver.Role},
	} {
		if one.value != "" {
			list = append(list, parameter{Name: one.name, String: one.value})
		}
	}
	list = append(list, parameter{Name: "action", Code: string(x.Action)})
	if x.Receiver.Purpose != "" {
		list = append(list, parameter{Name: "purpose", Code: string(x.Receiver.Purpose)})
	}
	list = append(list, parameter{Name: "policy", String: x.Policy})
	if x.Past {
		list = append(list, parameter{Name: "time", Instant: instant(x.At)})
	}
	if x.Then != "" && x.Then != x.Policy {
		list = append(list, parameter{Name: "policyThen", String: x.Then}, parameter{Name: "remark", String: phrases["other-rules"].in(lang)})
	}
	for _, v := range x.Judgements {
		list = append(list, e.judgementParameter(v, lang))
	}
	one := e.in.Operation.Inquiry.Record.ID != ""
	for i := range x.Weighed {
		list = append(list, weighedParameter(&x.Weighed[i], lang, one))
	}
	for _, r := range x.Remedies {
		list = append(list, remedyParameter(r, x.Weighed, lang))
	}
	return list
}

// summary is the answer in one sentence.
func (e *explaining) summary(x Explanation, lang Language) string {
	name := x.Party.Name
	if name == "" {
		name = string(x.Party.ID)
	}
	if e.in.Operation.Inquiry.Record.ID == "" {
		if x.Own {
			return phrases["own-view"].in(lang)
		}
		all, some := 0, 0
		for _, v := range x.Judgements {
			all += v.Count
			if v.Released {
				some += v.Count
			}
		}
		return phrases["counts"].in(lang, strconv.Itoa(some), strconv.Itoa(all), name)
	}
	v := x.Judgements[0]
	key := "withheld"
	if v.Released {
		key = "released"
	}
	if x.Past {
		key = "was-" + key
	}
	text := phrases[key].in(lang, name) + " " + capital(v.ground(lang)) + "."
	if v.Parts > 0 {
		text += " " + phrases["parts"].in(lang, strconv.Itoa(v.Parts))
	}
	return text
}

// ground tells on what basis, in words.
func (v Judgement) ground(lang Language) string {
	return phrases["basis."+string(v.Ground)].in(lang, v.Missing.namesOf(lang))
}

func capital(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}

// judgementParameter tells how a record, or several that fare alike, are released or withheld.
func (e *explaining) judgementParameter(v Judgement, lang Language) parameter {
	p := parameter{Name: "record"}
	if v.Record.ID != "" {
		p.Part = append(p.Part, parameter{Name: "reference", Reference: &valueReference{Reference: v.Record.String()}})
	} else {
		p.Part = append(p.Part, parameter{Name: "count", Unsigned: &v.Count})
	}
	p.Part = append(p.Part, parameter{Name: "type", Code: string(v.Type)}, e.partyParameter("custodian", v.Custodian),
		parameter{Name: "released", Boolean: &v.Released}, parameter{Name: "basis", Code: string(v.Ground)},
		parameter{Name: "text", String: capital(v.ground(lang)) + "."})
	p.Part = append(p.Part, labelParameters("label", v.Labels, lang)...)
	p.Part = append(p.Part, labelParameters("missing", v.Missing, lang)...)
	if v.Parts > 0 {
		p.Part = append(p.Part, parameter{Name: "partsWithheld", Unsigned: &v.Parts})
	}
	return p
}

func citationParts(c Citation) []parameter {
	parts := []parameter{{Name: "consent", Reference: &valueReference{Reference: c.Consent.String()}}, {Name: "path", String: c.Path}}
	if c.Law != "" {
		parts = append(parts, parameter{Name: "law", Coding: &valueCoding{systemLaws, c.Law, c.Paragraph}})
	}
	return parts
}

// weighedParameter tells how one provision fared.
func weighedParameter(w *Weighed, lang Language, record bool) parameter {
	effect, outcome := "deny", "won"
	if w.Effect == Allow {
		effect = "permit"
	}
	switch {
	case !w.Weighs():
		outcome = "not-applicable"
	case w.Lost != 0:
		outcome = "lost"
	}
	p := parameter{Name: "provision", Part: citationParts(w.Citation)}
	p.Part = append(p.Part, parameter{Name: "effect", Code: effect}, parameter{Name: "outcome", Code: outcome},
		parameter{Name: "text", String: w.Text(lang, record)})
	for _, m := range w.Misses {
		p.Part = append(p.Part, parameter{Name: "miss", Code: string(m)})
	}
	p.Part = append(p.Part, labelParameters("label", w.Labels, lang)...)
	p.Part = append(p.Part, labelParameters("lost", w.Lost, lang)...)
	for _, c := range w.To {
		p.Part = append(p.Part, parameter{Name: "lostTo", Part: citationParts(c)})
	}
	return p
}

func remedyParameter(r Remedy, weighed []Weighed, lang Language) parameter {
	p := parameter{Name: "change"}
	var start time.Time
	if !r.Citation.Consent.IsZero() {
		p.Part = citationParts(r.Citation)
		if i := slices.IndexFunc(weighed, func(w Weighed) bool { return w.Citation == r.Citation }); i >= 0 {
			start = weighed[i].Start
		}
	}
	p.Part = append(p.Part, parameter{Name: "by", Code: string(r.Who)}, parameter{Name: "text", String: r.Text(lang, start)})
	p.Part = append(p.Part, labelParameters("label", r.Labels, lang)...)
	return p
}

// whoMay tells who may change what a permit misses.
var whoMay = map[Miss]Who{
	MissRole: ByReceiver, MissPurpose: ByReceiver, MissNotBegun: ByTime, MissUnconfirmed: ByCustodian,
}

// near tells how close a permit came: those that come closest are told what they lack.
func near(weighed []Weighed) int {
	least := 0
	for i := range weighed {
		if n := len(weighed[i].Misses); weighed[i].Effect == Allow && n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

// remedies finds what would have to change: the denies that take something away, and what the permits
// that come closest lack; a new samtykke where nothing is near. Of all records together a permit to
// somebody else is not near.
func remedies(weighed []Weighed, judgements []Judgement, one bool) (list []Remedy) {
	var missing, denied Labels
	for _, v := range judgements {
		if v.Ground == GroundUncovered {
			missing |= v.Missing
		}
	}
	for i := range weighed {
		w := &weighed[i]
		if w.Effect == Deny && w.Weighs() && w.Labels&missing != 0 {
			denied |= w.Labels & missing
			list = append(list, Remedy{Who: ByPatient, Citation: w.Citation, Denied: true, Labels: w.Labels & missing})
		}
	}
	rest := missing &^ denied
	if rest == 0 {
		return list
	}
	if !one {
		weighed = slices.DeleteFunc(slices.Clone(weighed), func(w Weighed) bool { return slices.Contains(w.Misses, MissRecipient) })
	}
	if !lacking(weighed, rest, &list) {
		list = append(list, Remedy{Who: ByPatient, Labels: rest})
	}
	return list
}

// lacking adds what the closest permits miss; more than two dimensions away none is close.
func lacking(weighed []Weighed, missing Labels, list *[]Remedy) bool {
	least := near(weighed)
	if least == 0 || least > 2 {
		return false
	}
	for i := range weighed {
		w := &weighed[i]
		if w.Effect != Allow || len(w.Misses) != least {
			continue
		}
		for _, m := range w.Misses {
			who, ok := whoMay[m]
			if !ok {
				who = ByPatient
			}
			*list = append(*list, Remedy{Miss: m, Who: who, Citation: w.Citation, Labels: missing})
		}
	}
	return true
}

// receiverRemedies are what the receiver is told: of the permits that name it, what they lack of the
// question. Nothing that is withheld is in it.
func receiverRemedies(weighed []Weighed) (list []Remedy) {
	for i := range weighed {
		lacking(weighed[i:i+1], 0, &list)
	}
	return list
}

// isRecordType tells whether there can be explanations of a type.
func isRecordType(t fhir.Type) bool {
	return !IsDirectory(t) && t != "AuditEvent" && t != "Subscription" && fhir.KnownType(t)
}
