package mapping

import (
	"slices"
	"strings"
)

// codedOut writes V, S, DN, OT. A code of a list that the element does not take, or of a system without an OID, is not
// written as a code.
func (x *emitter) codedOut(name string, f *field, v *node) *out {
	codings := v.get("coding").items()
	if f.kind == "CODE" {
		codings = []*node{v}
	}
	for _, c := range codings {
		oid := x.t.oid(c.get("system").string())
		list := strings.TrimPrefix(oid, volven)
		if oid == "" && c.get("system") != nil && c.get("code") != nil || len(f.lists) > 0 && oid != "" && !slices.Contains(f.lists, list) {
			continue
		}
		code, display := c.get("code"), c.get("display")
		if x.log && !x.sayable(list, code.string()) {
			x.findings = append(x.findings, Finding{Path: f.name, Outcome: Reveals, Target: "NotSent"})
			return nil
		}
		c.get("system").take()
		o := &out{name: name, attrs: []string{"V", code.take(), "S", oid, "DN", ""}}
		if official := x.t.codes[list][code.string()]; !x.log || sameText(official, display.string()) {
			o.attrs[5] = display.take()
		} else {
			o.attrs[5] = official
		}
		if f.kind == "CS" {
			o.attrs = []string{"V", o.attrs[1], "DN", o.attrs[5]}
		}
		if text := v.get("text"); (f.kind == "CV" || f.kind == "ANY") && text != nil && !text.handled && !x.log {
			o.attrs = append(o.attrs, "OT", text.take())
		}
		c.handled, v.handled = true, true
		return o
	}
	text := v.get("text")
	switch {
	case text == nil || text.handled || x.log:
	case f.kind == "CV":
		v.handled = true
		return &out{name: name, attrs: []string{"OT", text.take()}}
	case f.kind == "ANY":
		v.handled = true
		return &out{name: name, text: text.take()}
	}
	return nil
}

// sayable tells of a code that a LOG_ message may carry: a code, and none that says more of health.
func (x *emitter) sayable(list, code string) bool {
	return code == "" || logCode.MatchString(code) && !slices.Contains(x.t.reveals[list], code)
}

// mappedBack writes the code that a mapped FHIR code stands for, when the message's own code is not there.
func (x *emitter) mappedBack(name string, f *field, base *node) []*out {
	for _, g := range f.targets[1:] {
		for _, v := range base.find(g.path) {
			for _, pair := range x.t.maps[g.through] {
				if pair[1] == v.string() && len(f.lists) == 1 && !v.handled {
					v.take()
					attrs := []string{"V", pair[0], "S", volven + f.lists[0], "DN", x.t.codes[f.lists[0]][pair[0]]}
					if f.kind == "CS" {
						attrs = []string{"V", pair[0], "DN", attrs[5]}
					}
					return []*out{{name: name, attrs: attrs}}
				}
			}
		}
	}
	return nil
}

// settleTargets marks the further targets of a field as carried where they follow from what was written.
func (x *emitter) settleTargets(f *field, base *node, written []*out) {
	if len(written) == 0 {
		return
	}
	for _, g := range f.targets {
		for _, v := range base.find(g.path) {
			switch {
			case g.literal != nil && string(v.bytes()) == string(g.literal.bytes()):
				v.markAll()
			case g.through != "":
				for _, pair := range x.t.maps[g.through] {
					if pair[0] == written[0].attrs[1] && pair[1] == v.string() {
						v.take()
					}
				}
			}
		}
	}
}
