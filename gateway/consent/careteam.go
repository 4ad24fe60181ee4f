package consent

import (
	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// slice is a receiver within an interval, and the one custodian whose records it may concern when
// it comes from that custodian's own team ("" for any).
type slice struct {
	who
	span
	custodian gateway.HERID
}

// resolver turns references of one Consent into numbers.
type resolver struct {
	reader
	dir       gateway.Directory
	team      func(fhir.Reference) (listed, current *fhir.Resource)
	later     func(fhir.Reference) []gateway.Stated // nil: none
	registrar gateway.Party

	groupsThen map[string][]gateway.Member
	statements func() []gateway.Stated // nil: none
}

// recipients resolves the IRCP actors of one provision. In a permit who cannot be resolved is
// nobody; in a deny everybody, which all tells.
func (r *resolver) recipients(p *provision, wide bool, parties []gateway.HERID) (out []slice, all bool) {
	for _, a := range p.recipients {
		if a.kind != byReference {
			name := map[actorKind]func(actor, bool) ([]slice, bool){byRole: r.role, byGroup: r.group}[a.kind]
			s, every := name(a, wide)
			out, all = append(out, s...), all || every
			continue
		}
		ref, err := fhir.ParseReference(a.ref)
		if err != nil {
			r.nobody(a.path)
			all = true
			continue
		}
		if ref.Type == "CareTeam" {
			s, every := r.members(ref, a.path, wide, parties)
			out, all = append(out, s...), all || every
			continue
		}
		found := r.address(ref, wide, parties)
		if found == nil {
			r.nobody(a.path)
			all = true
		}
		for _, w := range found {
			out = append(out, slice{who: w})
		}
	}
	return out, all && wide
}

// address gives the receivers that a reference to the directory names; nil when it names nobody.
func (r *resolver) address(ref fhir.Reference, wide bool, parties []gateway.HERID) []who {
	switch ref.Type {
	case "Organization", "HealthcareService", "PractitionerRole", "Practitioner":
	default:
		return nil
	}
	ref.Version = ""
	a, _ := r.dir.Resolve(ref) // who is not there has no numbers
	if ref.Type == "Practitioner" {
		if a.Practitioner == "" {
			return nil
		}
		var out []who
		for _, p := range parties {
			out = append(out, who{party: p, hpr: a.Practitioner})
		}
		if len(out) == 0 && wide {
			out = append(out, who{party: anyParty, hpr: a.Practitioner})
		}
		return out
	}
	if a.Party == "" || (ref.Type == "HealthcareService" && a.Unit == "") ||
		(ref.Type == "PractitionerRole" && a.Practitioner == "" && a.Role == "") {
		return nil
	}
	w := who{party: a.Party, unit: a.Unit}
	if ref.Type == "PractitionerRole" {
		w = who{party: a.Party, hpr: a.Practitioner, code: a.Role}
	}
	out := []who{w}
	if wide && ref.Type != "HealthcareService" {
		for _, p := range a.Parts {
			w.party = p
			out = append(out, w)
		}
	}
	return out
}

// members gives the members of a CareTeam: in a permit who was listed when the Consent was stored, or in
// a version confirmed since, and is active now, inside the periods of team and membership, for the
// registering party's team, or for its custodian's own records; in a deny everybody who is or was a
// member. What a custodian has confirmed counts for its own records, what the person has for all.
func (r *resolver) members(ref fhir.Reference, path string, wide bool, parties []gateway.HERID) (out []slice, all bool) {
	listed, current := r.team(ref)
	if listed == nil && current == nil {
		r.nobody(path)
	}
	if wide {
		return r.everybody(listed, current)
	}
	if listed == nil || current == nil {
		return nil, false
	}
	owner, _ := r.dir.Resolve(current.Meta().Custodian)
	if owner.Party == "" {
		return nil, false
	}
	limit := owner.Party
	if limit == r.registrar.ID {
		limit = ""
	}
	versions := []gateway.Stated{{Patient: true, Resource: listed}}
	if r.later != nil {
		versions = append(versions, r.later(ref)...)
	}
	present := r.standing(current, parties)
	for _, v := range versions {
		own := limit
		if !v.Patient {
			if limit != "" && limit != v.By {
				continue
			}
			own = v.By
		}
		for _, then := range r.standing(v.Resource, parties) {
			for _, now := range present {
				if now.who != then.who {
					continue
				}
				if s := now.span.meet(then.span); !s.empty() {
					out = append(out, slice{who: now.who, span: s, custodian: own})
				}
			}
		}
	}
	return out, false
}

// everybody gives who is or was a member; a team that cannot be read in full is all.
func (r *resolver) everybody(listed, current *fhir.Resource) (out []slice, all bool) {
	if listed == nil || current == nil {
		return nil, true
	}
	members := 0
	for _, t := range []*fhir.Resource{listed, current} {
		participants := t.Root().Get("participant").Items()
		all = all || len(participants) == 0
		for _, p := range participants {
			found, skip := r.member(p, true, nil)
			if skip {
				continue
			}
			members++
			all = all || found == nil
			for _, w := range found {
				out = append(out, slice{who: w})
			}
		}
	}
	return out, all || members == 0
}

// standing lists the members of one version of a team that is active, with their intervals.
func (r *resolver) standing(t *fhir.Resource, parties []gateway.HERID) []slice {
	if t.Root().Get("status").Text() != "active" {
		return nil
	}
	team, ok := interval(t.Root().Get("period"))
	if !ok {
		return nil
	}
	var out []slice
	for _, p := range t.Root().Get("participant").Items() {
		own, ok := interval(p.Get("period"))
		if !ok {
			continue
		}
		found, _ := r.member(p, false, parties)
		for _, w := range found {
			out = append(out, slice{who: w, span: team.meet(own)})
		}
	}
	return out
}

// member resolves one participant. A patient or relative is no receiver here: skip tells so.
func (r *resolver) member(p *fhir.Value, wide bool, parties []gateway.HERID) (found []who, skip bool) {
	ref, err := fhir.ParseReference(p.Get("member", "reference").Text())
	if err != nil {
		return nil, false
	}
	switch ref.Type {
	case "Patient", "RelatedPerson":
		return nil, true
	case "Practitioner":
		if b := p.Get("onBehalfOf", "reference"); b != nil {
			org, _ := fhir.ParseReference(b.Text()) // of no type when it is none
			if org.Type != "Organization" {
				return nil, false
			}
			org.Version = ""
			a, _ := r.dir.Resolve(org)
			if a.Party == "" {
				return nil, false
			}
			parties = []gateway.HERID{a.Party}
			if wide {
				parties = append(parties, a.Parts...)
			}
		}
	}
	return r.address(ref, wide, parties), false
}

// interval reads a Period of a team; a date that cannot be read makes the whole unusable.
func interval(v *fhir.Value) (s span, ok bool) {
	var err error
	if b := v.Get("start"); b != nil {
		if s.low, _, err = fhir.ParseDate(b.Text()); err != nil {
			return span{}, false
		}
	}
	if b := v.Get("end"); b != nil {
		if _, s.high, err = fhir.ParseDate(b.Text()); err != nil {
			return span{}, false
		}
	}
	return s, true
}
