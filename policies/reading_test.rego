# METADATA
# title: Prøver av lesningen
# description: Det som avviker fra det avtalte i ett eneste felt, er uleselig; det avtalte er lesbart (hpl. § 21).
package sluse.reading_test

import data.sluse.reading

law(code) := {"coding": [{"system": "http://sluse.no/fhir/CodeSystem/rettsgrunnlag", "code": code}]}

party(role, id) := {
	"role": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": role}]},
	"reference": {"reference": concat("/", ["Organization", id])},
}

label(code) := {"system": "http://sluse.no/fhir/CodeSystem/informasjonskategori", "code": code}

# whole has every field that a provision may have.
whole := {
	"type": "permit",
	"period": {"start": "2026-01-01", "end": "2026-12-31"},
	"dataPeriod": {"start": "2025"},
	"actor": [party("CST", "a"), party("IRCP", "b")],
	"securityLabel": [label("rus"), label("plan")],
	"purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}],
	"class": [{"system": "http://hl7.org/fhir/resource-types", "code": "CarePlan"}],
	"action": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": "access"}]}],
	"data": [{"meaning": "instance", "reference": {"reference": "CarePlan/1"}}],
	"provision": [{"type": "deny", "securityLabel": [label("rus")]}],
}

consent := {"registrar": "1", "patient": false, "resource": {
	"status": "active", "policyRule": law("HPL22"),
	"organization": [{"reference": "Organization/a"}], "provision": whole,
}}

changed(patches) := json.patch(consent, patches)

put(path, value) := [{"op": "add", "path": path, "value": value}]

without(path) := [{"op": "remove", "path": path}]

test_whole_is_sound if reading.sound(consent)

# sound names what may be left out, and what else may stand.
sound := [
	without("/resource/organization"),
	without("/resource/provision/period"),
	without("/resource/provision/period/start"),
	without("/resource/provision/period/end"),
	without("/resource/provision/dataPeriod"),
	without("/resource/provision/actor"),
	without("/resource/provision/securityLabel"),
	without("/resource/provision/purpose"),
	without("/resource/provision/class"),
	without("/resource/provision/action"),
	without("/resource/provision/data"),
	without("/resource/provision/provision"),
	put("/patient", true),
	put("/resource/provision", {"type": "deny", "provision": [{"type": "permit", "provision": [{"type": "deny"}]}, {"type": "permit"}]}),
	put("/resource/provision", {"type": "deny"}),
	put("/resource/provision/class/0", {"system": "urn:ietf:rfc:3986", "code": "http://hl7.org/fhir/StructureDefinition/CarePlan"}),
	put("/resource/provision/actor/1/reference", {"identifier": {"system": "http://sluse.no/fhir/NamingSystem/mottakerrolle", "value": "fastlege"}}),
	put("/resource/provision/actor/1/reference", {"identifier": {"system": "http://sluse.no/fhir/NamingSystem/mottakergruppe", "value": "akuttkjeden-oslo"}}),
]

test_sound if {
	every patches in sound {
		reading.sound(changed(patches))
	}
}

# unsound holds one fault each.
unsound := [
	put("/registrar", ""), put("/registrar", 1), without("/registrar"),
	put("/patient", "no"), without("/patient"),
	without("/resource/policyRule"),
	put("/resource/policyRule/coding/0/code", "UKJENT"),
	put("/resource/policyRule/coding/0/system", "http://example.org/rettsgrunnlag"),
	put("/resource/policyRule/coding/-", law("HPL22").coding[0]),
	put("/resource/policyRule/coding", []),
	put("/resource/organization", []), put("/resource/organization", {}), put("/resource/organization/0/reference", 1), without("/resource/organization/0/reference"),
	without("/resource/provision"), put("/resource/provision", []), put("/resource/provision", "permit"),
	without("/resource/provision/type"), put("/resource/provision/type", "maybe"),
	put("/resource/provision/code", [{"text": "rus"}]), put("/resource/provision/modifierExtension", [{"url": "http://example.org/x"}]),
	put("/resource/provision/actor", []), put("/resource/provision/actor", {}),
	put("/resource/provision/actor/0/role/coding/0/code", "PROV"),
	put("/resource/provision/actor/0/role/coding/0/system", "http://example.org/role"),
	put("/resource/provision/actor/0/role/coding/-", party("IRCP", "x").role.coding[0]),
	without("/resource/provision/actor/0/role"),
	put("/resource/provision/actor/0/reference/reference", "@rolle/fastlege"),
	put("/resource/provision/actor/0/reference/reference", 1), without("/resource/provision/actor/0/reference/reference"),
	put("/resource/provision/actor/0/reference", {"identifier": {"system": "http://sluse.no/fhir/NamingSystem/mottakerrolle", "value": "fastlege"}}),
	put("/resource/provision/actor/0/reference", {"identifier": {"system": "http://sluse.no/fhir/NamingSystem/mottakergruppe", "value": "akuttkjeden-oslo"}}),
	put("/resource/provision/actor/1/reference/identifier", {"system": "http://sluse.no/fhir/NamingSystem/mottakerrolle", "value": "fastlege"}),
	put("/resource/provision/actor/1/reference", {"identifier": {"system": "http://sluse.no/fhir/NamingSystem/mottakerrolle", "value": "naboen"}}),
	put("/resource/provision/actor/1/reference", {"identifier": {"system": "http://sluse.no/fhir/NamingSystem/mottakergruppe", "value": 7}}),
	put("/resource/provision/actor/1/reference", {"identifier": {"system": "http://example.org/x", "value": "fastlege"}}),
	put("/resource/provision/securityLabel", []), put("/resource/provision/securityLabel/0/code", "ukjent"),
	put("/resource/provision/securityLabel/0/system", "http://example.org/label"), without("/resource/provision/securityLabel/1/system"),
	put("/resource/provision/purpose", []), put("/resource/provision/purpose/0/code", "UKJENT"), put("/resource/provision/purpose/0/system", "http://example.org/purpose"),
	put("/resource/provision/class", []), put("/resource/provision/class/0/system", "http://example.org/class"),
	put("/resource/provision/class/0", {"system": "urn:ietf:rfc:3986", "code": "http://example.org/CarePlan"}),
	put("/resource/provision/class/0", {"system": "http://example.org/class", "code": "http://hl7.org/fhir/StructureDefinition/CarePlan"}),
	put("/resource/provision/class/0", {"code": "http://hl7.org/fhir/StructureDefinition/CarePlan"}),
	put("/resource/provision/action", []), put("/resource/provision/action/0/coding/0/code", "use"),
	put("/resource/provision/action/0/coding/0/system", "http://example.org/action"), put("/resource/provision/action/0/coding", []),
	put("/resource/provision/actor", {"0": party("IRCP", "b")}), put("/resource/provision/securityLabel", {"0": label("rus")}),
	put("/resource/provision/purpose", {"0": whole.purpose[0]}), put("/resource/provision/class", {"0": whole.class[0]}),
	put("/resource/provision/action", {"0": whole.action[0]}), put("/resource/provision/data", {"0": whole.data[0]}),
	put("/resource/organization", {"0": {"reference": "Organization/a"}}),
	put("/resource/provision/action/0/coding/1", {"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": "access"}),
	put("/resource/provision/actor/1/role/coding/1", party("IRCP", "b").role.coding[0]),
	put("/resource/policyRule/coding/1", law("HPL22").coding[0]),
	put("/resource/provision/actor/1/reference", {"reference": "Organization/a", "identifier": {"system": "http://sluse.no/fhir/NamingSystem/mottakergruppe", "value": "g"}}),
	put("/resource/provision/actor/1/reference", {"reference": 1, "identifier": {"system": "http://sluse.no/fhir/NamingSystem/mottakergruppe", "value": "g"}}),
	put("/resource/provision/actor/1/reference", {"reference": 1, "identifier": {"system": "http://sluse.no/fhir/NamingSystem/mottakerrolle", "value": "fastlege"}}),
	put("/resource/provision/actor/0/reference", {"identifier": {"system": "http://sluse.no/fhir/NamingSystem/mottakergruppe", "value": "g"}}),
	put("/resource/provision/actor/0/reference", {"identifier": {"system": "http://sluse.no/fhir/NamingSystem/mottakerrolle", "value": "fastlege"}}),
	put("/resource/provision/data", []), put("/resource/provision/data/0/meaning", "related"), put("/resource/provision/data/0/reference/reference", 1),
	without("/resource/provision/data/0/meaning"),
	put("/resource/provision/period", "2026"), put("/resource/provision/period/start", "i dag"), put("/resource/provision/period/end", 2026),
	put("/resource/provision/dataPeriod", []), put("/resource/provision/dataPeriod/start", "2026-13"), put("/resource/provision/dataPeriod/end", "2026-02-30"),
	put("/resource/provision/provision", []), put("/resource/provision/provision", {}),
	put("/resource/provision/provision/0/type", "permit"), put("/resource/provision/provision/0/securityLabel/0/code", "ukjent"),
	put("/resource/provision/provision/0/provision", [{"type": "deny"}]),
	put("/resource/provision", {"type": "deny", "provision": [{"type": "deny"}]}),
	put("/resource/provision", {"type": "deny", "provision": [{"type": "permit", "provision": [{"type": "permit"}]}]}),
	put("/resource/provision", {"type": "deny", "provision": [{"type": "permit", "provision": [{"type": "deny", "provision": [{"type": "permit"}]}]}]}),
	put("/resource/provision", {"type": "deny", "provision": [{"type": "permit", "provision": [{"type": "deny", "purpose": [{"code": "TREAT"}]}]}]}),
]

test_unsound if {
	every patches in unsound {
		is_object(changed(patches)) # a patch that fails shows nothing
		not reading.sound(changed(patches))
	}
}

objection(provision) := changed([
	{"op": "replace", "path": "/resource/policyRule", "value": law("PBRL53")},
	{"op": "replace", "path": "/resource/provision", "value": provision},
])

test_objection if {
	reading.sound(objection({"type": "deny"}))
	reading.sound(objection({"type": "deny", "securityLabel": [label("rus")]}))
	not reading.sound(objection({"type": "permit"}))
	not reading.sound(objection({"type": "deny", "provision": [{"type": "permit"}]}))
	not reading.sound(objection({"type": "deny", "provision": [{"type": "deny"}]}))
	count(reading.permits(objection({"type": "permit"}))) == 0
	count(reading.permits(objection({"type": "deny", "provision": [{"type": "permit"}]}))) == 0
	reading.denies(objection({"type": "deny"})) == {[{"type": "deny"}]}
}

test_status if {
	reading.status(consent) == "active"
	every status in ["draft", "proposed", "rejected", "inactive", "entered-in-error"] {
		reading.status(changed(put("/resource/status", status))) == "closed"
		reading.status(changed(array.concat(put("/resource/status", status), put("/withdrawn", false)))) == "closed"
	}
	reading.status(changed(array.concat(put("/resource/status", "inactive"), put("/withdrawn", true)))) == "withdrawn"
	reading.status(changed(array.concat(put("/resource/status", "rejected"), put("/withdrawn", true)))) == "closed"
	every status in ["", "Active", "ukjent", 1] {
		reading.status(changed(put("/resource/status", status))) == "unreadable"
	}
	reading.status(changed(without("/resource/status"))) == "unreadable"
}

test_permits_and_denies if {
	reading.permits(consent) == {[whole]}
	reading.denies(consent) == {[whole, whole.provision[0]]}
	exception := {"type": "deny", "securityLabel": [label("rus")]}
	inner := {"type": "permit", "provision": [exception]}
	root := {"type": "deny", "provision": [inner]}
	reading.permits(changed(put("/resource/provision", root))) == {[root, inner]}
	reading.denies(changed(put("/resource/provision", root))) == {[root, inner, exception]}
	reading.permits(changed(put("/resource/provision", {"type": "deny"}))) == set()
	reading.permits(changed(put("/resource/provision", {"type": "permit", "provision": [{"type": "permit"}]}))) == {[{"type": "permit", "provision": [{"type": "permit"}]}]}
	reading.permits(changed(put("/resource/provision", {"type": "x", "provision": [{"type": "permit"}]}))) == set()
	reading.permits(changed(put("/resource/provision", {"type": "deny", "provision": [{"type": "deny"}, {"type": "x"}]}))) == set()
	reading.denies(changed(put("/resource/provision", {"type": "x", "provision": [{"type": "deny", "provision": [{"type": "deny"}]}]}))) == set()
	reading.denies(changed(put("/resource/provision", {"type": "deny"}))) == {[{"type": "deny"}]}
}

test_words if {
	reading.actions({"action": [
		{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": "disclose"}]},
		{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": "correct"}]},
	]}) == {"message", "notify", "contribute"}
	reading.actions({"action": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": "access"}]}]}) == {"read"}
	reading.actions({"action": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": "collect"}]}]}) == {"contribute"}
	reading.labels(whole) == {"rus", "plan"}
	reading.type_listed({}, "Goal")
	reading.type_listed(whole, "CarePlan")
	not reading.type_listed(whole, "Goal")
	reading.item_listed({}, "Goal", "1")
	reading.item_listed(whole, "CarePlan", "1")
	not reading.item_listed(whole, "CarePlan", "11")
	not reading.item_listed(whole, "Goal", "1")
	reading.item_listed({"data": [{"reference": {"reference": "CarePlan/1/_history/3"}}]}, "CarePlan", "1")
	reading.called({"reference": "Organization/a"}) == "Organization/a"
	reading.called({"identifier": {"system": "http://sluse.no/fhir/NamingSystem/mottakerrolle", "value": "fastlege"}}) == "@rolle/fastlege"
	reading.called({"identifier": {"system": "http://sluse.no/fhir/NamingSystem/mottakergruppe", "value": "g"}}) == "@gruppe/g"
	not reading.called({"reference": 1, "identifier": {"system": "http://sluse.no/fhir/NamingSystem/mottakergruppe", "value": "g"}})
}
