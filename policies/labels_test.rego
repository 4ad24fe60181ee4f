# METADATA
# title: Prøver av informasjonskategorier
# description: Kodene er de som står i semantikken (hpl. § 21).
package sluse.labels_test

import data.sluse.labels

found(system, code) := x if {
	x := labels.found with input as {"kind": "code", "type": "", "system": system, "code": code}
}

volven(list, code) := found(concat("", ["urn:oid:2.16.578.1.12.4.1.1.", list]), code)

test_icd10 if {
	every c in ["F10", "F10.2", "F11.2", "F129", "F13", "F14", "F15", "F16", "F18", "F19.5"] {
		volven("7110", c) == {"labels": {"rus", "psykisk"}, "known": true}
	}
	every c in ["T40.1", "T51", "Z50.2", "Z50.3", "Z71.4", "Z71.5", "Z72.2"] {
		volven("7110", c) == {"labels": {"rus", "somatisk"}, "known": true}
	}
	every c in ["F17", "F17.2", "I10", "Z50.1", "Z72.1", "T39"] {
		volven("7110", c) == {"labels": {"somatisk"}, "known": true}
	}
	volven("7110", "F20") == {"labels": {"psykisk"}, "known": true}
	volven("7110", "hjerte") == {"labels": set(), "known": false}
	found("http://hl7.org/fhir/sid/icd-10-no", "f11.2").labels == {"rus", "psykisk"}
}

test_icpc2 if {
	every c in ["P15", "P16", "P18", "P19"] {
		volven("7170", c).labels == {"rus", "psykisk"}
	}
	volven("7170", "P17").labels == {"psykisk"}
	volven("7170", "P76").labels == {"psykisk"}
	volven("7170", "R05").labels == {"somatisk"}
	volven("7170", "-50") == {"labels": set(), "known": false}
}

test_atc if {
	every c in ["N07BB03", "N07BC02", "V03AB15"] {
		volven("7180", c).labels == {"rus", "legemidler"}
	}
	volven("7180", "N07BA01").labels == {"legemidler"}
	volven("7180", "?") == {"labels": set(), "known": false}
}

test_units if {
	every c in ["360", "365", "370"] {
		volven("8451", c).labels == {"rus"}
	}
	volven("8451", "320").labels == {"psykisk"}
	volven("8451", "010").labels == set()
	volven("8655", "R11").labels == {"rus"}
	volven("8655", "PV08").labels == {"psykisk"}
	volven("9321", "D01").labels == {"rus"}
	volven("9327", "D01SM").labels == {"rus"}
	volven("9321", "D09").labels == {"rus"}
	volven("9321", "D06").labels == set()
}

test_single_codes if {
	found("http://sluse.no/fhir/CodeSystem/brukerplan", "okonomi") == {"labels": {"okonomi"}, "known": true}
	found("http://sluse.no/fhir/CodeSystem/brukerplan", "x").known == false
	found("http://loinc.org", "8310-5").labels == {"somatisk"}
	found("http://loinc.org", "1-1").known == false
	found("http://sluse.no/fhir/CodeSystem/informasjonskategori", "bolig") == {"labels": {"bolig"}, "known": true}
	found("urn:ukjent", "F10") == {"labels": set(), "known": false}
	found("urn:ukjent", "bolig") == {"labels": set(), "known": false}
	found("http://sluse.no/fhir/CodeSystem/informasjonskategori", "ukjent") == {"labels": set(), "known": false}
}

test_types if {
	labels.found.labels == {"plan"} with input as {"kind": "type", "type": "CarePlan"}
	labels.found.labels == {"somatisk", "legemidler"} with input as {"kind": "type", "type": "AllergyIntolerance"}
	labels.found == {"labels": set(), "known": false} with input as {"kind": "type", "type": "Device"}
	labels.found.labels == {"henvisning"} with input as {"kind": "focus", "type": "ServiceRequest"}
	labels.found.labels == set() with input as {"kind": "focus", "type": "Condition"}
	labels.found.labels == {"kriseplan"} with input as {"kind": "category", "type": "CarePlan", "system": "urn:oid:2.16.578.1.12.4.1.1.9602", "code": "A01-2"}
	labels.found.labels == set() with input as {"kind": "category", "type": "Task", "system": "urn:oid:2.16.578.1.12.4.1.1.9602", "code": "A01-2"}
}

# A category never adds a doubt; it is a crisis plan by system and code, and any label that it names.
test_categories if {
	category("Goal", "urn:oid:2.16.578.1.12.4.1.1.9602", "A01-2") == {"labels": {"kriseplan"}, "known": true}
	category("CarePlan", "urn:oid:2.16.578.1.12.4.1.1.9602", "A01-3") == {"labels": set(), "known": true}
	category("CarePlan", "urn:ukjent", "A01-2") == {"labels": set(), "known": true}
	category("Flag", "http://sluse.no/fhir/CodeSystem/informasjonskategori", "bolig") == {"labels": {"bolig"}, "known": true}
	category("Flag", "urn:ukjent", "bolig") == {"labels": set(), "known": true}
	labels.found.known with input as {"kind": "focus", "type": "Condition"}
	labels.found.known with input as {"kind": "name", "code": "Sagene legekontor"}
}

category(type, system, code) := x if {
	x := labels.found with input as {"kind": "category", "type": type, "system": system, "code": code}
}

test_items if {
	labels.found == {"labels": {"rus"}, "known": true} with input as {"kind": "item", "system": "alna-kartlegging", "code": "5.4"}
	labels.found.known == false with input as {"kind": "item", "system": "alna-kartlegging", "code": "99"}
	labels.found.known == false with input as {"kind": "item", "system": "ukjent", "code": "5.4"}
	not labels.known with input as {"kind": "code", "system": "alna-kartlegging", "code": "5.4"}
}

test_names if {
	every n in ["OUS, TSB", "Psykisk helse og rus", "Rusteam Sagene", "LAR-poliklinikken", "Avrusning"] {
		labels.found.labels == {"rus"} with input as {"kind": "name", "code": n}
	}
	every n in ["Rustad legesenter", "Sagene legekontor", "Larvik sykehus", "Virus og bakterier"] {
		labels.found.labels == set() with input as {"kind": "name", "code": n}
	}
}

test_themes if {
	theme("7322", "7") == {"labels": {"logistikk"}, "known": true}
	theme("9155", "1") == {"labels": {"logistikk"}, "known": true}
	theme("9152", "1") == {"labels": {"somatisk", "psykisk", "rus"}, "known": true}
	theme("9152", "4") == {"labels": {"somatisk", "psykisk", "rus", "legemidler"}, "known": true}
	theme("9152", "5") == {"labels": set(), "known": false}
	theme("8279", "DIALOG_NOTAT") == {"labels": {"somatisk", "psykisk", "rus"}, "known": true}
	theme("8279", "LOG_INNLAGT") == {"labels": {"somatisk", "psykisk", "rus", "logistikk"}, "known": true}
	theme("8279", "LOG_UKJENT").known == false
}

theme(list, code) := x if {
	x := labels.found with input as {"kind": "theme", "type": "", "system": concat("", ["urn:oid:2.16.578.1.12.4.1.1.", list]), "code": code}
}

test_texts if {
	every t in ["Communication", "Task", "Flag", "EpisodeOfCare", "Encounter"] {
		labels.found == {"labels": {"uklassifisert"}, "known": true} with input as {"kind": "text", "type": t}
	}
	labels.found.labels == set() with input as {"kind": "text", "type": "CarePlan"}
}

test_lists_that_say_nothing if {
	every l in ["8279", "7322", "9132", "9151"] {
		volven(l, "1") == {"labels": set(), "known": true}
	}
	volven("7322", "").known == false
	volven("9999", "1").known == false
}

# What a code, a theme or an item tells, it tells of no other kind of fact.
test_tables_are_apart if {
	every fact in [
		{"system": "urn:oid:2.16.578.1.12.4.1.1.7110", "code": "F10"}, {"system": "urn:oid:2.16.578.1.12.4.1.1.7180", "code": "N02"},
		{"system": "http://sluse.no/fhir/CodeSystem/brukerplan", "code": "okonomi"}, {"system": "http://sluse.no/fhir/CodeSystem/informasjonskategori", "code": "bolig"},
		{"system": "urn:oid:2.16.578.1.12.4.1.1.8279", "code": "DIALOG_NOTAT"}, {"system": "urn:oid:2.16.578.1.12.4.1.1.9152", "code": "1"},
	] {
		every kind in ["item", "type", ""] {
			labels.found == {"labels": set(), "known": false} with input as object.union(fact, {"kind": kind, "type": "Device"})
		}
	}
	every kind in ["code", "theme", "type", ""] {
		labels.found == {"labels": set(), "known": false} with input as {"kind": kind, "type": "Device", "system": "alna-kartlegging", "code": "5.4"}
	}
}

# What is asked of one kind of fact is no answer to another.
test_kinds_are_apart if {
	every kind in ["code", "item", "theme", ""] {
		labels.found == {"labels": set(), "known": false} with input as {"kind": kind, "type": "CarePlan", "system": "urn:ukjent", "code": "x"}
	}
	every kind in ["code", "name", "item", "focus", "theme", "text"] {
		found := labels.found with input as {"kind": kind, "type": "CarePlan", "system": "urn:oid:2.16.578.1.12.4.1.1.9602", "code": "A01-2"}
		not "kriseplan" in found.labels
	}
	every kind in ["name", "item", "focus", "theme", "text", "type"] {
		found := labels.found with input as {"kind": kind, "type": "Flag", "system": "http://sluse.no/fhir/CodeSystem/informasjonskategori", "code": "bolig"}
		not "bolig" in found.labels
	}
	every kind in ["name", "item", "focus", "theme", "text", "type", "category"] {
		found := labels.found with input as {"kind": kind, "type": "Flag", "system": "urn:oid:2.16.578.1.12.4.1.1.7110", "code": "F10"}
		found.labels & {"psykisk", "somatisk"} == set()
		not "rus" in found.labels
	}
	every kind in ["name", "item", "focus", "theme", "text", "type", "category"] {
		found := labels.found with input as {"kind": kind, "type": "Flag", "system": "urn:oid:2.16.578.1.12.4.1.1.7180", "code": "N02"}
		not "legemidler" in found.labels
	}
	every kind in ["code", "name", "item", "focus", "theme", "type", "category"] {
		found := labels.found with input as {"kind": kind, "type": "Communication", "system": "", "code": "x"}
		not "uklassifisert" in found.labels
	}
	every kind in ["code", "item", "focus", "theme", "text", "type", "category"] {
		found := labels.found with input as {"kind": kind, "type": "Flag", "system": "", "code": "LAR-poliklinikken"}
		not "rus" in found.labels
	}
}
