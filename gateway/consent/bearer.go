package consent

import (
	"slices"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// roles are the roles that somebody has for one person.
type roles struct {
	NameSystem string                `json:"nameSystem"`
	CodeSystem string                `json:"codeSystem"`
	Person     map[string]personRole `json:"person"`
}

type personRole struct {
	NB      string   `json:"nb"`
	Codes   []string `json:"codes"`
	General bool     `json:"general"`
}

// role gives who has a role for the person now. A permit believes the custodian for its own records, and
// the person herself for all: nobody makes itself a receiver of what others keep. A deny reaches
// whoever anybody names, and everybody unless the registering party or the person herself tells who
// it is, or when any of those named cannot be told.
func (r *resolver) role(a actor, wide bool) (out []slice, all bool) {
	role, ok := r.persons.Person[a.name]
	if !ok {
		r.nobody(a.path)
		return nil, true
	}
	told := false
	for _, s := range r.bearers() {
		found, unknown := r.bearing(s.Resource, role, wide)
		all = all || unknown
		for _, one := range found {
			if !wide && !s.Patient {
				one.custodian = s.By
			}
			told = told || s.Patient || s.By == r.registrar.ID
			out = append(out, one)
		}
	}
	return out, wide && (all || !told)
}

func (r *resolver) bearers() []gateway.Stated {
	if r.statements == nil {
		return nil
	}
	return r.statements()
}

// bearing gives whom one Patient or CareTeam names for the role; unknown tells that it names somebody who
// cannot be told.
func (r *resolver) bearing(res *fhir.Resource, role personRole, wide bool) (out []slice, unknown bool) {
	root := res.Root()
	add := func(found []who, s span) {
		unknown = unknown || found == nil
		for _, w := range found {
			if w.hpr != "" {
				w.code = "" // it is this person's role that is named, not the one in which she is employed
			}
			out = append(out, slice{who: w, span: s})
		}
	}
	if res.Type() == "Patient" {
		if !role.General || !wide && root.Get("active").Text() == "false" {
			return nil, false
		}
		for _, g := range root.Get("generalPractitioner").Items() {
			ref, err := fhir.ParseReference(g.Get("reference").Text())
			if err != nil {
				unknown = true
				continue
			}
			add(r.address(ref, wide, nil), span{})
		}
		return out, unknown
	}
	if !wide && root.Get("status").Text() != "active" {
		return nil, false
	}
	team, ok := interval(root.Get("period"))
	for _, p := range root.Get("participant").Items() {
		if !r.has(p, role) {
			continue
		}
		own, fine := interval(p.Get("period"))
		found, skip := r.member(p, wide, nil)
		switch {
		case skip:
		case wide:
			add(found, span{})
		case ok && fine:
			if s := team.meet(own); !s.empty() {
				add(found, s)
			}
		}
	}
	return out, unknown
}

// has tells whether a participant has the role, by its code of Volven 9034.
func (r *resolver) has(participant *fhir.Value, role personRole) bool {
	return slices.ContainsFunc(participant.Get("role").Items(), func(c *fhir.Value) bool {
		return slices.ContainsFunc(c.Get("coding").Items(), func(coding *fhir.Value) bool {
			return coding.Get("system").Text() == r.persons.CodeSystem && slices.Contains(role.Codes, coding.Get("code").Text())
		})
	})
}
