package cases

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const (
	labelSystem  = "http://sluse.no/fhir/CodeSystem/informasjonskategori"
	lawSystem    = "http://sluse.no/fhir/CodeSystem/rettsgrunnlag"
	roleSystem   = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
	reasonSystem = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
	actionSystem = "http://terminology.hl7.org/CodeSystem/consentaction"
	typeSystem   = "http://hl7.org/fhir/resource-types"
	scopeSystem  = "http://terminology.hl7.org/CodeSystem/consentscope"
	custodianURL = "http://sluse.no/fhir/StructureDefinition/custodian"
	functionCode = "urn:oid:2.16.578.1.12.4.1.1.9034"
	nameSystem   = "http://sluse.no/fhir/NamingSystem/"
)

// consentNote is the short form of a Consent in the YAML files. `body` gives it as it is.
type consentNote struct {
	By           string         `yaml:"by"` // party name; "pasient" when the person wrote it herself
	Status       string         `yaml:"status"`
	DateTime     string         `yaml:"dateTime"`
	Law          []string       `yaml:"law"`
	Organization []string       `yaml:"organization"`
	Provision    *provisionNote `yaml:"provision"`
	Confirmed    []string       `yaml:"confirmed"` // names of parties, "pasient" for the person herself
	Withdrawn    bool           `yaml:"withdrawn"`
	Groups       map[string][]struct {
		Party string `yaml:"party"`
		Unit  string `yaml:"unit"`
	} `yaml:"groups"` // as they were when it was stored; as they are now when not told
	Extra map[string]any `yaml:"extra"` // elements laid over the Consent; null removes
}

type provisionNote struct {
	Type       string          `yaml:"type"`
	To         []string        `yaml:"to"`   // IRCP, references, names of parties, "@rolle/NAME", "@gruppe/NAME"
	From       []string        `yaml:"from"` // CST
	Labels     []string        `yaml:"labels"`
	Purpose    []string        `yaml:"purpose"`
	Action     []string        `yaml:"action"`
	Class      []string        `yaml:"class"`
	Data       []string        `yaml:"data"`
	DataPeriod []string        `yaml:"dataPeriod"` // start and end, "" for an open one
	Period     []string        `yaml:"period"`
	Provision  []provisionNote `yaml:"provision"`
	Extra      map[string]any  `yaml:"extra"`
}

func (n consentNote) build(i int) (Consent, error) {
	c := Consent{ID: fmt.Sprintf("c%d", i+1), Version: "1", Registrar: n.By, Patient: n.By == "pasient"}
	if c.Registrar == "" {
		c.Registrar = "bydel"
	}
	c.Confirmed, c.Withdrawn = n.Confirmed, n.Withdrawn
	if n.Groups != nil {
		c.Groups = map[string][]Member{}
	}
	for name, list := range n.Groups {
		c.Groups[name] = []Member{}
		for _, m := range list {
			c.Groups[name] = append(c.Groups[name], Member{m.Party, m.Unit})
		}
	}
	body := map[string]any{
		"resourceType": "Consent", "id": c.ID,
		"status":   or(n.Status, "active"),
		"scope":    codeable(scopeSystem, "patient-privacy"),
		"category": []any{codeable("http://loinc.org", "59284-0")},
		"patient":  map[string]any{"reference": "Patient/kari"},
		"dateTime": or(n.DateTime, "2026-11-20"),
	}
	if n.Law == nil {
		n.Law = []string{"HPL22"}
	}
	if len(n.Law) > 0 {
		body["policyRule"] = codeable(lawSystem, n.Law...)
	}
	if n.Organization != nil {
		body["organization"] = references(n.Organization)
	}
	if n.Provision != nil {
		body["provision"] = n.Provision.build()
	}
	overlay(body, n.Extra)
	raw, err := json.Marshal(body)
	c.Body = raw
	return c, err
}

func (n provisionNote) build() map[string]any {
	p := map[string]any{}
	if n.Type != "" {
		p["type"] = n.Type
	}
	var actors []any
	for _, r := range references(n.From) {
		actors = append(actors, map[string]any{"role": codeable(roleSystem, "CST"), "reference": r})
	}
	for _, r := range references(n.To) {
		actors = append(actors, map[string]any{"role": codeable(roleSystem, "IRCP"), "reference": r})
	}
	set(p, "actor", actors)
	set(p, "securityLabel", codings(labelSystem, n.Labels))
	set(p, "purpose", codings(reasonSystem, n.Purpose))
	set(p, "class", codings(typeSystem, n.Class))
	var actions, data, nested []any
	for _, a := range n.Action {
		actions = append(actions, codeable(actionSystem, a))
	}
	set(p, "action", actions)
	for _, d := range n.Data {
		data = append(data, map[string]any{"meaning": "instance", "reference": map[string]any{"reference": d}})
	}
	set(p, "data", data)
	if n.DataPeriod != nil {
		p["dataPeriod"] = period(n.DataPeriod)
	}
	if n.Period != nil {
		p["period"] = period(n.Period)
	}
	for _, c := range n.Provision {
		nested = append(nested, c.build())
	}
	set(p, "provision", nested)
	overlay(p, n.Extra)
	return p
}

// teamNote is the short form of a CareTeam: the members listed then, and now.
type teamNote struct {
	ID        string      `yaml:"id"`
	Custodian string      `yaml:"custodian"`
	Listed    *memberList `yaml:"listed"`
	Current   *memberList `yaml:"current"`
	Confirmed []struct {
		By         string `yaml:"by"`
		memberList `yaml:",inline"`
	} `yaml:"confirmed"`
}

type memberList struct {
	Status  string   `yaml:"status"`
	Period  []string `yaml:"period"`
	Members []struct {
		Member   string   `yaml:"member"`
		OnBehalf string   `yaml:"onBehalfOf"`
		Period   []string `yaml:"period"`
		Role     []string `yaml:"role"` // codes of Volven 9034
	} `yaml:"members"`
}

// statedNote is the short form of a Patient or CareTeam that tells who has a role for the person.
type statedNote struct {
	By       string      `yaml:"by"`       // party name; "pasient": the person herself
	Fastlege []string    `yaml:"fastlege"` // Patient.generalPractitioner
	Inactive bool        `yaml:"inactive"`
	Team     *memberList `yaml:"team"`
}

func (n statedNote) build() (Stated, error) {
	s := Stated{By: n.By, Patient: n.By == "pasient"}
	body := map[string]any{"resourceType": "Patient", "id": "kari"}
	if n.Inactive {
		body["active"] = false
	}
	set(body, "generalPractitioner", references(n.Fastlege))
	if n.Team != nil {
		body = n.Team.build(teamNote{ID: "roller", Custodian: n.By}, "1")
	}
	var err error
	s.Body, err = json.Marshal(body)
	return s, err
}

func (n teamNote) build() (Team, error) {
	t := Team{ID: n.ID}
	for _, v := range []struct {
		list *memberList
		into *json.RawMessage
		ver  string
	}{{n.Listed, &t.Listed, "1"}, {n.Current, &t.Current, "2"}} {
		if v.list == nil {
			continue
		}
		raw, err := json.Marshal(v.list.build(n, v.ver))
		if err != nil {
			return t, err
		}
		*v.into = raw
	}
	for _, v := range n.Confirmed {
		raw, err := json.Marshal(v.memberList.build(n, "1"))
		if err != nil {
			return t, err
		}
		t.Confirmed = append(t.Confirmed, Stated{By: v.By, Patient: v.By == "pasient", Body: raw})
	}
	return t, nil
}

func (l memberList) build(n teamNote, version string) map[string]any {
	body := map[string]any{
		"resourceType": "CareTeam", "id": n.ID, "status": or(l.Status, "active"),
		"meta": map[string]any{"versionId": version, "extension": []any{map[string]any{
			"url": custodianURL, "valueReference": reference(or(n.Custodian, "bydel"))}}},
		"subject": map[string]any{"reference": "Patient/kari"},
	}
	if l.Period != nil {
		body["period"] = period(l.Period)
	}
	var members []any
	for _, m := range l.Members {
		p := map[string]any{"member": reference(m.Member)}
		if m.OnBehalf != "" {
			p["onBehalfOf"] = reference(m.OnBehalf)
		}
		if m.Period != nil {
			p["period"] = period(m.Period)
		}
		if m.Role != nil {
			p["role"] = []any{codeable(functionCode, m.Role...)}
		}
		members = append(members, p)
	}
	set(body, "participant", members)
	return body
}

func set(m map[string]any, name string, list []any) {
	if len(list) > 0 {
		m[name] = list
	}
}

func overlay(m, over map[string]any) {
	for k, v := range over {
		if v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// reference turns the name of a party into its Organization; anything with a slash is as it is.
func reference(name string) map[string]any {
	for prefix, system := range map[string]string{"@rolle/": "mottakerrolle", "@gruppe/": "mottakergruppe"} {
		if value, ok := strings.CutPrefix(name, prefix); ok {
			return map[string]any{"identifier": map[string]any{"system": nameSystem + system, "value": value}}
		}
	}
	if !strings.Contains(name, "/") {
		name = "Organization/" + name
	}
	return map[string]any{"reference": name}
}

func references(names []string) []any {
	var out []any
	for _, n := range names {
		out = append(out, reference(n))
	}
	return out
}

func codings(system string, codes []string) []any {
	var out []any
	for _, c := range codes {
		s := system
		if sys, code, ok := strings.Cut(c, "|"); ok {
			s, c = sys, code
		}
		out = append(out, map[string]any{"system": s, "code": c})
	}
	return out
}

func codeable(system string, codes ...string) map[string]any {
	return map[string]any{"coding": codings(system, codes)}
}

func period(p []string) map[string]any {
	out := map[string]any{}
	if len(p) > 0 && p[0] != "" {
		out["start"] = p[0]
	}
	if len(p) > 1 && p[1] != "" {
		out["end"] = p[1]
	}
	return out
}

// days reads "2026-10-01" as that day in Oslo, and two of them as first and last day.
func days(v any) (low, high time.Time, err error) {
	var first, last string
	switch t := v.(type) {
	case string:
		first, last = t, t
	case []any:
		if len(t) != 2 {
			return low, high, fmt.Errorf("date: want two days")
		}
		first, last = fmt.Sprint(t[0]), fmt.Sprint(t[1])
	default:
		return low, high, fmt.Errorf("date: %T", v)
	}
	if low, err = time.ParseInLocation(time.DateOnly, first, Oslo); err != nil {
		return low, high, err
	}
	if high, err = time.ParseInLocation(time.DateOnly, last, Oslo); err != nil {
		return low, high, err
	}
	return low, high.AddDate(0, 0, 1), nil
}
