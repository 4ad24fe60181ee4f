package consent

import (
	"slices"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/policies"
)

// Normalizer turns Consents into grants (DESIGN § 3, "In FHIR R4"). It holds no state but the
// policy data, and the same Consent, directory and teams always give the same grants.
type Normalizer struct{ *tables }

var _ gateway.Normalizer = (*Normalizer)(nil)

// NewNormalizer reads the policy data that comes with the program.
func NewNormalizer() (*Normalizer, error) { return NewNormalizerUnder(policies.Set{}) }

// NewNormalizerUnder reads the policy data. An error means that the program is built wrongly, or that what
// the controller has put into the data does not say all that it must.
func NewNormalizerUnder(set policies.Set) (*Normalizer, error) {
	t, err := loadTables(set)
	if err != nil {
		return nil, err
	}
	return &Normalizer{t}, nil
}

// Grants gives the normal form of a Consent in its setting and all that it lacks. A Consent that is not
// active gives no grants; what names somebody unknown does not keep it from being withdrawn. Where a
// fault is found no permit of it grants anything, and a deny that cannot be understood concerns everything.
func (n *Normalizer) Grants(consent *fhir.Resource, ref fhir.Reference, in gateway.Setting) ([]gateway.Grant, []fhir.Issue) {
	root := consent.Root()
	status := root.Get("status").Text()
	s := &sheet{withdrawn: status == "inactive" || status == "rejected" || status == "entered-in-error"}
	b := &builder{
		resolver: resolver{
			reader: reader{n.tables, s}, dir: in.Directory, team: in.Team, later: in.Later, registrar: in.Registrar,
			groupsThen: in.Groups, statements: in.Bearers,
		},
		active: status == "active", patient: in.Patient, ref: ref,
	}
	for _, c := range in.Confirmed {
		b.patient = b.patient || c.Patient
		b.confirmed = append(b.confirmed, c.By)
	}
	modifiers(s, root)
	constructs(s, root)
	b.scope(root)
	b.legal(root)
	if root.Get("patient") == nil {
		s.fault("required", CodeLacksPerson, "Consent.patient")
	}
	for i, o := range root.Get("organization").Items() {
		b.organization = append(b.organization, actor{
			path: at("Consent.organization", i), ref: o.Get("reference").Text()})
	}
	b.setOrganization = len(b.organization) > 0
	if d, _, err := fhir.ParseDate(root.Get("dateTime").Text()); err == nil {
		b.dated = d
	}
	v := root.Get("provision")
	if v == nil {
		if b.active {
			s.fault("required", CodeLacksProvision, "Consent.provision")
		}
		return nil, s.issues
	}
	p := b.provision(v, "Consent.provision")
	b.root = p
	b.form(p)
	b.walk(p)
	switch {
	case b.active:
		b.advise(p)
		if !s.refused() {
			return b.grants, s.issues
		}
	case !in.Withdrawn || status != "inactive":
		return nil, s.issues
	}
	return slices.DeleteFunc(b.grants, func(g gateway.Grant) bool { return g.Effect == gateway.Allow }), s.issues
}

// modifiers refuses what could change the meaning of the rest in a way that is not understood.
func modifiers(s *sheet, v *fhir.Value) {
	for _, m := range v.Members() {
		if m.Name == "modifierExtension" || m.Name == "implicitRules" {
			s.fault("not-supported", CodeModifier, m.Value.Expression())
			continue
		}
		modifiers(s, m.Value)
	}
	for _, i := range v.Items() {
		modifiers(s, i)
	}
}

// scope refuses a Consent that is known to be about something else than sharing information.
func (b *builder) scope(root *fhir.Value) {
	for i, c := range root.Get("scope", "coding").Items() {
		if c.Get("system").Text() != "http://terminology.hl7.org/CodeSystem/consentscope" {
			continue
		}
		if c.Get("code").Text() != "patient-privacy" {
			b.fault("not-supported", CodeUnknownCode, at("Consent.scope.coding", i))
		}
	}
}

// legal reads policyRule: exactly one code of CodeSystem rettsgrunnlag, a samtykke or an objection.
func (b *builder) legal(root *fhir.Value) {
	if root.Get("policyRule") == nil {
		b.fault("required", CodeLacksRule, "Consent.policyRule")
		return
	}
	code := one(root.Get("policyRule"), b.lawSystem)
	l := b.laws[code] // of no kind when there is none
	if l.Kind != "samtykke" && l.Kind != "innsigelse" {
		b.fault("code-invalid", CodeUnknownCode, "Consent.policyRule")
		return
	}
	day := ""
	if d := root.Get("dateTime").Text(); len(d) >= len(time.DateOnly) {
		day = d[:len(time.DateOnly)]
	}
	b.law, b.paragraph, b.objection = code, l.text(day), l.Kind == "innsigelse"
}

// form checks the nesting: permit › deny, deny › permit › deny, and one level for an objection.
func (b *builder) form(root *provision) {
	if b.objection {
		if root.effect == gateway.Allow {
			b.fault("business-rule", CodeObjectionPermit, root.path+".type")
			root.doubt = true
		}
		for _, c := range root.children {
			b.fault("business-rule", CodeObjectionNested, c.path)
			root.doubt = true
		}
		return
	}
	b.nesting(root, 1)
}

func (b *builder) nesting(p *provision, depth int) {
	for _, c := range p.children {
		switch {
		case depth >= 3 || (depth == 2 && p.effect == gateway.Deny):
			b.fault("structure", CodeDepth, c.path)
			c.doubt = true
		case c.effect == p.effect:
			b.fault("structure", CodeNestedType, c.path+".type")
			c.doubt = true
		}
		b.nesting(c, depth+1)
	}
}
