package consent

import (
	"slices"
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Codes of what a Consent may say that does not do what it seems to do.
const (
	CodeNeverApplies = "consent.never-applies" // nothing meets it and what it stands in
	CodeOutside      = "consent.outside"       // part of it is outside what it stands in
	CodeToItself     = "consent.to-itself"     // the recipient holds the records itself
	CodeNeverCrosses = "consent.never-crosses" // records of these types never cross
	CodeConstruct    = "consent.construct"     // FHIR has it, and here it has no meaning
)

// undefined are elements of a Consent to which the semantics give no meaning. Each could limit or widen
// what the rest says.
var undefined = []string{"policy", "verification"}

// constructs refuses what has no meaning here.
func constructs(s *sheet, root *fhir.Value) {
	for _, name := range undefined {
		if v := root.Get(name); v != nil {
			s.fault("not-supported", CodeConstruct, "Consent."+name, name)
		}
	}
}

// advise remarks on every effective provision that never applies, or only in part. What could not be
// understood is refused and not remarked on.
func (b *builder) advise(root *provision) {
	quiet := *b
	quiet.sheet = &sheet{withdrawn: b.withdrawn}
	a := adviser{builder: &quiet, out: b.sheet}
	a.chain([]*provision{root})
	for _, c := range root.children {
		a.chain([]*provision{root, c})
		for _, d := range c.children {
			a.chain([]*provision{root, c, d})
		}
	}
}

// adviser looks at one chain of provisions after another; what it resolves anew is reported no second time.
type adviser struct {
	*builder
	out *sheet
}

func (a adviser) never(path, dimension string) {
	a.out.add("warning", "business-rule", CodeNeverApplies, path, dimension)
}

// chain looks at the last provision of a chain, within those that it stands in.
func (a adviser) chain(chain []*provision) {
	if doubtful(chain) {
		return
	}
	leaf := chain[len(chain)-1]
	if len(chain) > 1 {
		a.within(chain, leaf)
	}
	if leaf.effect == gateway.Allow {
		a.permits(chain, leaf)
	}
}

// within looks for dimensions in which a nested provision and what it stands in have nothing in common.
func (a adviser) within(chain []*provision, leaf *provision) {
	outer := chain[:len(chain)-1]
	a.period(outer, leaf)
	labels := gateway.AllLabels
	for _, p := range outer {
		if p.setLabels {
			labels &= p.labels
		}
	}
	switch {
	case !leaf.setLabels:
	case leaf.labels&(labels|gateway.Samarbeid) == 0:
		a.never(leaf.path+".securityLabel", "securityLabel")
	case leaf.labels&^(labels|gateway.Samarbeid) != 0:
		a.out.add("warning", "business-rule", CodeOutside, leaf.path+".securityLabel",
			strings.Join((leaf.labels&^(labels|gateway.Samarbeid)).Codes(), ", "))
	}
	if empty(struckTypes(chain)) {
		a.never(leaf.path+".class", "class")
	}
	if empty(struckItems(chain)) {
		a.never(leaf.path+".data", "data")
	}
	if empty(dimension(chain, func(p *provision) ([]gateway.Purpose, bool) { return p.purposes, p.setPurpose })) && leaf.effect == gateway.Allow ||
		empty(dimension(chain, a.descended)) {
		a.never(leaf.path+".purpose", "purpose")
	}
	if empty(dimension(chain, func(p *provision) ([]gateway.Action, bool) { return p.actions, p.setActions })) {
		a.never(leaf.path+".action", "action")
	}
	if _, ok := dataPeriod(chain); !ok {
		a.never(leaf.path+".dataPeriod", "dataPeriod")
	}
	wide := leaf.effect == gateway.Deny
	if to, set, all := a.to(chain, wide); leaf.setTo && set && !all && len(to) == 0 {
		a.never(leaf.path+".actor", "actor IRCP")
	}
	if from := a.from(chain, wide); leaf.setFrom && empty(from) {
		a.never(leaf.path+".actor", "actor CST")
	}
}

// period tells of a nested period that is outside what it stands in, or partly.
func (a adviser) period(outer []*provision, leaf *provision) {
	if leaf.period == (span{}) {
		return
	}
	around := span{}
	for _, p := range outer {
		around = around.meet(p.period)
	}
	both := around.meet(leaf.period)
	switch {
	case both.empty():
		a.never(leaf.path+".period", "period")
	case both.low != leaf.period.low && !leaf.period.low.IsZero(), both.high != leaf.period.high && !leaf.period.high.IsZero():
		a.out.add("warning", "business-rule", CodeOutside, leaf.path+".period", "period")
	}
}

// permits looks for permits by which nothing crosses.
func (a adviser) permits(chain []*provision, leaf *provision) {
	types := dimension(chain, func(p *provision) ([]fhir.Type, bool) { return p.types, p.setTypes })
	if !types.Any && len(types.Of) > 0 && !slices.ContainsFunc(types.Of, func(t fhir.Type) bool { return !slices.Contains(a.except, t) }) {
		a.out.add("warning", "business-rule", CodeNeverCrosses, leaf.path+".class")
	}
	items, set := items(chain)
	if set && !types.Any && len(items) > 0 && !slices.ContainsFunc(items, func(i fhir.Reference) bool { return types.Has(i.Type) }) {
		a.never(leaf.path+".data", "class")
	}
	to, set, _ := a.to(chain, false)
	from := a.from(chain, false)
	if !set || from.Any || len(to) == 0 {
		return
	}
	outside := slices.ContainsFunc(to, func(s slice) bool {
		return len(from.Of) != 1 || s.party != from.Of[0]
	})
	if !outside {
		a.out.add("warning", "business-rule", CodeToItself, leaf.path+".actor")
	}
}
