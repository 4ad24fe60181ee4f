package fhir

import (
	"sync"
	"time"
)

// subjects names, per type, the element that says whom a record is about: subject, patient or
// for, where that element may name a Patient; securityContext of a Binary.
var subjects = sync.OnceValue(func() map[Type]string {
	m := map[Type]string{"Binary": "securityContext", "Task": "for"}
	for _, t := range tables().types {
		s := tables().structures[string(t)]
		for _, name := range [...]string{"subject", "patient"} {
			slot := s.slots[name]
			if slot == nil || !slot.reference || slot.element.list() || m[t] != "" {
				continue
			}
			if slot.targets == nil {
				m[t] = name
			}
			for _, target := range slot.targets {
				if target == "Patient" {
					m[t] = name
				}
			}
		}
	}
	return m
})

// Subject gives the Patient that the record is about, by the one element of its type: only a
// literal Patient reference counts, without version. False for a Patient itself, for directory
// types, and where the element names no Patient in that way.
func (r *Resource) Subject() (Reference, bool) {
	if r.kind == "Appointment" {
		return r.attendee()
	}
	name := subjects()[r.kind]
	if name == "" {
		return Reference{}, false
	}
	ref, ok := parseReference(r.root.Get(name, "reference").Text())
	if !ok || ref.Type != "Patient" {
		return Reference{}, false
	}
	ref.Version = ""
	return ref, true
}

// attendee gives the Patient that an Appointment is about: the one among its participants. An
// Appointment of several is about nobody, so that none of them is told of to the others.
func (r *Resource) attendee() (found Reference, ok bool) {
	for _, p := range r.root.Get("participant").Items() {
		ref, valid := parseReference(p.Get("actor", "reference").Text())
		if !valid || ref.Type != "Patient" {
			continue
		}
		ref.Version = ""
		if ok && ref != found {
			return Reference{}, false
		}
		found, ok = ref, true
	}
	return found, ok
}

// dates is the one element that is the date of a record, per type; it is the table of
// policies/data/dates.json in the form that JSON has it, a choice with its possible types.
var dates = map[Type][]string{
	"AllergyIntolerance":    {"recordedDate"},
	"Appointment":           {"start"},
	"AuditEvent":            {"recorded"},
	"CarePlan":              {"period"},
	"CareTeam":              {"period"},
	"Communication":         {"sent"},
	"Composition":           {"date"},
	"Condition":             {"recordedDate"},
	"Consent":               {"dateTime"},
	"DocumentReference":     {"date"},
	"Encounter":             {"period"},
	"EpisodeOfCare":         {"period"},
	"Flag":                  {"period"},
	"Goal":                  {"startDate"},
	"List":                  {"date"},
	"MedicationStatement":   {"effectiveDateTime", "effectivePeriod"},
	"Observation":           {"effectiveDateTime", "effectivePeriod", "effectiveInstant", "effectiveTiming"},
	"Provenance":            {"recorded"},
	"QuestionnaireResponse": {"authored"},
	"ServiceRequest":        {"authoredOn"},
	"Task":                  {"authoredOn"},
}

// Date gives the date of the record as a half-open interval: one element per type, a period
// counts whole, one without end ends at Endless. False when the record is undated.
func (r *Resource) Date() (low, high time.Time, ok bool) {
	for _, name := range dates[r.kind] {
		if v := r.root.member(name); v != nil {
			return interval(v)
		}
	}
	return low, high, false
}
