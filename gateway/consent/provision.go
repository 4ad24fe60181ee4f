package consent

import (
	"strconv"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

const (
	participationType = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
	consentAction     = "http://terminology.hl7.org/CodeSystem/consentaction"
	resourceTypes     = "http://hl7.org/fhir/resource-types"
	uriSystem         = "urn:ietf:rfc:3986"
	baseProfile       = "http://hl7.org/fhir/StructureDefinition/"
)

// provision is one Consent.provision as it is written, every code known and every date read.
// set… tells that the dimension is there; what could not be understood leaves it set and empty,
// so that a permit matches nothing by it, and raises doubt, which makes a deny match everything.
type provision struct {
	path       string
	effect     gateway.Effect
	labels     gateway.Labels
	setLabels  bool
	items      []fhir.Reference
	setItems   bool
	types      []fhir.Type
	setTypes   bool
	purposes   []gateway.Purpose
	setPurpose bool
	actions    []gateway.Action
	setActions bool
	recipients []actor
	custodians []actor
	setTo      bool
	setFrom    bool
	period     span
	data       span
	setData    bool
	children   []*provision
	doubt      bool // something in it could not be understood
}

// actor is one provision.actor: where it stands and what it names: a resource, or by name a role of the
// person or a receiver group.
type actor struct {
	path string
	ref  string
	kind actorKind
	name string
}

// actorKind tells by what an actor is named.
type actorKind uint8

const (
	byReference actorKind = iota
	byRole
	byGroup
)

// span is a half-open interval; a zero bound is open. lastLow is the start of what the end's
// precision covers, so that length is counted in days.
type span struct{ low, high time.Time }

func (s span) meet(o span) span {
	if s.low.Before(o.low) {
		s.low = o.low
	}
	if s.high.IsZero() || (!o.high.IsZero() && o.high.Before(s.high)) {
		s.high = o.high
	}
	return s
}

// empty tells that no instant is inside.
func (s span) empty() bool { return !s.high.IsZero() && !s.low.Before(s.high) }

// reader reads the provisions of one Consent and reports what it finds.
type reader struct {
	*tables
	*sheet
}

func (r reader) provision(v *fhir.Value, path string) *provision {
	p := &provision{path: path}
	switch t := v.Get("type").Text(); t {
	case "permit":
		p.effect = gateway.Allow
	case "deny":
	default:
		r.fault("required", CodeLacksType, path+".type")
		p.doubt = true
	}
	if c := v.Get("code"); c != nil {
		r.fault("not-supported", CodeProvisionCode, path+".code")
		p.doubt = true
	}
	r.labels(p, v)
	r.purposesOf(p, v)
	r.actionsOf(p, v)
	r.typesOf(p, v)
	r.itemsOf(p, v)
	r.actors(p, v)
	p.period = r.span(p, v.Get("period"), path+".period")
	if d := v.Get("dataPeriod"); d != nil {
		p.setData = true
		p.data = r.span(p, d, path+".dataPeriod")
		if p.data == (span{}) || p.data.empty() {
			r.fault("value", CodeBadPeriod, path+".dataPeriod")
			p.doubt = true
		}
	}
	for i, n := range v.Get("provision").Items() {
		p.children = append(p.children, r.provision(n, path+".provision["+strconv.Itoa(i)+"]"))
	}
	return p
}

func (r reader) labels(p *provision, v *fhir.Value) {
	for i, c := range v.Get("securityLabel").Items() {
		p.setLabels = true
		l, ok := gateway.LabelOf(c.Get("code").Text())
		if !ok || c.Get("system").Text() != gateway.LabelSystem {
			r.fault("code-invalid", CodeUnknownLabel, at(p.path+".securityLabel", i))
			p.doubt = true
			continue
		}
		p.labels |= l
	}
}

func (r reader) purposesOf(p *provision, v *fhir.Value) {
	for i, c := range v.Get("purpose").Items() {
		p.setPurpose = true
		code := c.Get("code").Text()
		if _, ok := r.purposes[code]; !ok || c.Get("system").Text() != r.purpSystem {
			r.fault("code-invalid", CodeUnknownCode, at(p.path+".purpose", i))
			p.doubt = true
			continue
		}
		p.purposes = append(p.purposes, gateway.Purpose(code))
	}
}

// actionsOf reads access = read, disclose = message and notify, collect and correct = contribute.
func (r reader) actionsOf(p *provision, v *fhir.Value) {
	for i, c := range v.Get("action").Items() {
		p.setActions = true
		code := one(c, consentAction)
		switch code {
		case "access":
			p.actions = append(p.actions, gateway.ReadAction)
		case "disclose":
			p.actions = append(p.actions, gateway.MessageAction, gateway.NotifyAction)
		case "collect", "correct":
			p.actions = append(p.actions, gateway.ContributeAction)
		default:
			r.fault("code-invalid", CodeUnknownCode, at(p.path+".action", i))
			p.doubt = true
		}
	}
}

// typesOf reads resource types and the base profiles of R4. A profile of somebody's own is
// narrower than its type and cannot be told from the type of a record: it is refused.
func (r reader) typesOf(p *provision, v *fhir.Value) {
	for i, c := range v.Get("class").Items() {
		p.setTypes = true
		code := c.Get("code").Text()
		system := c.Get("system").Text()
		if base, ok := strings.CutPrefix(code, baseProfile); ok && system == uriSystem {
			system, code = resourceTypes, base
		}
		t := fhir.Type(code)
		if system != resourceTypes || !fhir.KnownType(t) || r.directory[code] {
			r.fault("code-invalid", CodeUnknownCode, at(p.path+".class", i))
			p.doubt = true
			continue
		}
		p.types = append(p.types, t)
	}
}

func (r reader) itemsOf(p *provision, v *fhir.Value) {
	for i, d := range v.Get("data").Items() {
		p.setItems = true
		path := at(p.path+".data", i)
		if d.Get("meaning").Text() != "instance" {
			r.fault("not-supported", CodeUnknownCode, path+".meaning")
			p.doubt = true
			continue
		}
		ref, _ := fhir.ParseReference(d.Get("reference", "reference").Text()) // of no type when it is none
		if !fhir.KnownType(ref.Type) || r.directory[string(ref.Type)] {
			r.fault("value", CodeUnknownItem, path+".reference")
			p.doubt = true
			continue
		}
		p.items = append(p.items, fhir.Reference{Type: ref.Type, ID: ref.ID})
	}
}

func (r reader) actors(p *provision, v *fhir.Value) {
	for i, a := range v.Get("actor").Items() {
		path := at(p.path+".actor", i)
		who := r.named(a.Get("reference"), path+".reference")
		role := one(a.Get("role"), participationType)
		switch {
		case role == "IRCP":
			p.setTo = true
			p.recipients = append(p.recipients, who)
		case role == "CST" && who.kind == byReference:
			p.setFrom = true
			p.custodians = append(p.custodians, who)
		default:
			r.fault("code-invalid", CodeUnknownCode, path+".role")
			p.doubt = true
		}
	}
}

// named reads what an actor's reference names. One that names both a resource and a role or group names
// nobody.
func (r reader) named(v *fhir.Value, path string) actor {
	out := actor{path: path, ref: v.Get("reference").Text()}
	kinds := map[string]actorKind{r.persons.NameSystem: byRole, r.groups.System: byGroup}
	if kind, ours := kinds[v.Get("identifier", "system").Text()]; ours {
		out.kind, out.name = kind, v.Get("identifier", "value").Text()
		if v.Get("reference") != nil {
			out.name = ""
		}
	}
	return out
}

// span reads a Period. An end includes what matches its precision (R4 datatypes.html#Period).
func (r reader) span(p *provision, v *fhir.Value, path string) span {
	var s span
	for _, bound := range []string{"start", "end"} {
		b := v.Get(bound)
		if b == nil {
			continue
		}
		low, high, err := fhir.ParseDate(b.Text())
		if err != nil {
			r.fault("value", CodeBadPeriod, path+"."+bound)
			p.doubt = true
			continue
		}
		if bound == "start" {
			s.low = low
		} else {
			s.high = high
		}
	}
	return s
}

// one gives the code of a CodeableConcept that holds exactly one coding, of that system; none otherwise.
func one(v *fhir.Value, system string) string {
	codings := v.Get("coding").Items()
	if len(codings) != 1 || codings[0].Get("system").Text() != system {
		return ""
	}
	return codings[0].Get("code").Text()
}

func at(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
