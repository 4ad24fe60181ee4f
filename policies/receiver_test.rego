# METADATA
# title: Prøver av mottakeren
# description: Hver henvisning og hver betingelse for seg; tillatelser leses snevert, forbud vidt (hpl. § 22, pbrl. § 5-3).
package sluse.receiver_test

import data.sluse.receiver

entry(fields) := object.union({"party": "", "unit": "", "practitioner": "", "role": "", "parts": []}, fields)

directory := {
	"Organization/a": entry({"party": "1", "parts": ["2"]}),
	"Organization/part": entry({"party": "2"}),
	"Organization/b": entry({"party": "3"}),
	"Organization/nobody": entry({}),
	"Organization/unit": entry({"party": "1", "unit": "9"}),
	"HealthcareService/u": entry({"party": "1", "unit": "7", "parts": ["2"]}),
	"HealthcareService/none": entry({"party": "1"}),
	"HealthcareService/loose": entry({"unit": "7"}),
	"Practitioner/p": entry({"practitioner": "5"}),
	"Practitioner/none": entry({}),
	"PractitionerRole/pr": entry({"party": "1", "practitioner": "5", "role": "lege", "parts": ["2"]}),
	"PractitionerRole/role": entry({"party": "1", "role": "lege"}),
	"PractitionerRole/person": entry({"party": "1", "practitioner": "5"}),
	"PractitionerRole/none": entry({"party": "1"}),
	"PractitionerRole/loose": entry({"practitioner": "5", "role": "lege"}),
	"Location/l": entry({"party": "1"}),
	"Organization/old": {"party": "1", "unit": "", "practitioner": "", "role": ""},
	"Organization/numbers": {"party": 1, "unit": "", "practitioner": "", "role": "", "parts": []},
	"Organization/listed": {"party": "1", "unit": "", "practitioner": "", "role": "", "parts": "2"},
}

asker := {"party": "1", "unit": "7", "practitioner": "5", "role": "lege"}

world(changes) := {
	"now": "2026-06-01T10:00:00Z", "directory": directory, "question": object.union(asker, changes),
	"record": {"custodian": "1"}, "teams": {}, "statements": [],
}

to(refs) := {"actor": [{
	"role": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]},
	"reference": r,
} |
	some r in refs
]}

refs(list) := to([{"reference": r} | some r in list])

test_what_a_reference_names if {
	receiver.trim_version("Organization/a/_history/2") == "Organization/a"
	receiver.trim_version("Organization/a") == "Organization/a"
	receiver.kind("Organization/a") == "Organization"
	receiver.last("@rolle/fastlege") == "fastlege"
	receiver.party("Organization/a") == "1" with input as world({})
	receiver.party("Organization/a/_history/2") == "1" with input as world({})
	receiver.parties("Organization/a") == {"1", "2"} with input as world({})
	every ref in ["Organization/nobody", "Organization/unit", "HealthcareService/u", "HealthcareService/none", "Location/l", "Organization/x", "Organization/old", "Organization/numbers", "Organization/listed"] {
		not receiver.party(ref) with input as world({})
		receiver.unresolved(ref) with input as world({})
	}
	not receiver.unresolved("Organization/a") with input as world({})
}

test_who_is_in_the_directory if {
	every ref in ["Organization/a", "HealthcareService/u", "Practitioner/p", "PractitionerRole/pr", "PractitionerRole/role", "PractitionerRole/person"] {
		receiver.resolved(ref) with input as world({})
	}
	every ref in [
		"Organization/nobody", "Organization/x", "Organization/old", "Organization/numbers", "HealthcareService/none", "HealthcareService/loose",
		"Practitioner/none", "Practitioner/x", "PractitionerRole/none", "PractitionerRole/loose", "Location/l",
	] {
		not receiver.resolved(ref) with input as world({})
	}
	receiver.who("Organization/a", []) == {["1", "", "", ""]} with input as world({})
	receiver.who("HealthcareService/u", []) == {["1", "7", "", ""]} with input as world({})
	receiver.who("PractitionerRole/pr", []) == {["1", "", "5", "lege"]} with input as world({})
	receiver.who("Practitioner/p", {"1", "3"}) == {["1", "", "5", ""], ["3", "", "5", ""]} with input as world({})
	receiver.who("Practitioner/p", set()) == set() with input as world({})
	every ref in ["HealthcareService/none", "PractitionerRole/none", "Practitioner/none", "Location/l", "Organization/x"] {
		not receiver.who(ref, {"1"}) with input as world({})
	}
}

test_what_the_asker_tells if {
	receiver.unit == "7" with input as world({})
	receiver.practitioner == "5" with input as world({})
	receiver.role == "lege" with input as world({})
	every told in ["", "x", "7x", "x7", "12345678901234567", null, 7] {
		receiver.unit == "" with input as world({"unit": told})
		receiver.practitioner == "" with input as world({"practitioner": told})
	}
	receiver.unit == "1234567890123456" with input as world({"unit": "1234567890123456"})
	receiver.practitioner == "1234567890123456" with input as world({"practitioner": "1234567890123456"})
	every told in ["", "  ", null, 7] {
		receiver.role == "" with input as world({"role": told})
	}
}

exact(list, changes) if receiver.exact({"registrar": "1"}, [refs(list)], refs(list)) with input as world(changes)

test_exact if {
	exact([], {})
	exact(["Organization/a"], {})
	exact(["Organization/x", "Organization/a"], {})
	exact(["HealthcareService/u"], {})
	exact(["PractitionerRole/pr"], {})
	exact(["PractitionerRole/role"], {"practitioner": "6"})
	exact(["PractitionerRole/person"], {"role": "psykolog"})
	exact(["Practitioner/p", "Organization/a"], {"unit": ""})
	not exact(["Organization/a"], {"party": "2"})
	not exact(["Organization/b"], {})
	not exact(["Organization/x"], {})
	not exact(["HealthcareService/u"], {"unit": "8"})
	not exact(["HealthcareService/u"], {"unit": ""})
	not exact(["HealthcareService/u"], {"party": "2"})
	not exact(["PractitionerRole/pr"], {"practitioner": "6"})
	not exact(["PractitionerRole/pr"], {"practitioner": ""})
	not exact(["PractitionerRole/pr"], {"role": "psykolog"})
	not exact(["PractitionerRole/pr"], {"role": ""})
	not exact(["PractitionerRole/pr"], {"party": "2"})
	not exact(["Practitioner/p"], {})
	not exact(["Practitioner/p", "Organization/b"], {})
	not exact(["Location/l"], {})
}

wide(list, changes) if receiver.wide({"registrar": "1", "resource": {"provision": refs(list)}}, refs(list)) with input as world(changes)

test_wide if {
	wide([], {})
	wide(["Organization/x"], {"party": "4"})
	wide(["Organization/nobody"], {"party": "4"})
	wide(["Location/l"], {"party": "4"})
	wide(["PractitionerRole/none"], {"party": "4"})
	wide(["Organization/a"], {})
	wide(["Organization/a"], {"party": "2"})
	wide(["HealthcareService/u"], {})
	wide(["HealthcareService/u"], {"unit": ""})
	wide(["PractitionerRole/pr"], {"party": "2"})
	wide(["PractitionerRole/pr"], {"practitioner": ""})
	wide(["PractitionerRole/pr"], {"role": ""})
	wide(["PractitionerRole/role"], {"practitioner": "6"})
	wide(["PractitionerRole/person"], {"role": "psykolog"})
	wide(["Practitioner/p"], {"party": "4"})
	wide(["Practitioner/p"], {"party": "4", "practitioner": ""})
	wide(["Practitioner/p", "Organization/a"], {})
	wide(["Practitioner/p", "Organization/a"], {"party": "2"})
	wide(["Practitioner/p", "HealthcareService/u"], {"unit": "8"})
	wide(["Practitioner/p", "PractitionerRole/pr", "Organization/b"], {"role": "psykolog"})
	wide(["Practitioner/p", "HealthcareService/u", "Organization/b"], {"unit": "8"})
	not wide(["Practitioner/p", "PractitionerRole/pr", "Organization/b"], {"party": "4", "role": "psykolog"})
	wide(["Organization/unit"], {"unit": "9"})
	wide(["Organization/unit"], {"unit": ""})
	not wide(["Organization/unit"], {})
	not wide(["Organization/b"], {})
	not wide(["HealthcareService/u"], {"unit": "8"})
	not wide(["HealthcareService/u"], {"party": "2"})
	not wide(["PractitionerRole/pr"], {"party": "3"})
	not wide(["PractitionerRole/pr"], {"practitioner": "6"})
	not wide(["PractitionerRole/pr"], {"role": "psykolog"})
	not wide(["Practitioner/p"], {"practitioner": "6"})
	not wide(["Practitioner/p", "Organization/b"], {})
	not wide(["Practitioner/p", "HealthcareService/u"], {"party": "2"})
	not wide(["Practitioner/p", "Organization/a"], {"practitioner": "6", "party": "3"})
}

# The parties within which a Practitioner is known: for a permit those that are named on the way to it, for a deny all that
# the Consent names, with their parts. Who cannot be told is none of them, and where there is none a deny is about every party.
test_parties_of_a_practitioner if {
	receiver.chain_parties([refs(["Location/l", "Practitioner/at", "Organization/nobody", "CareTeam/t"])]) == set() with input as with_practitioner_at("3")
	receiver.chain_parties([refs(["Organization/a"]), refs(["Organization/b"])]) == {"1", "3"} with input as world({})
	every ref in ["Organization/a", "HealthcareService/u", "PractitionerRole/pr"] {
		receiver.chain_parties([refs([ref])]) == {"1"} with input as world({})
	}
	some_parties(["Organization/a", "Practitioner/p"]) == {"1", "2"}
	some_parties(["PractitionerRole/pr"]) == {"1", "2"}
	some_parties(["HealthcareService/u"]) == {"1"}
	some_parties(["Organization/nobody", "Organization/x", "HealthcareService/none", "HealthcareService/loose", "PractitionerRole/none", "PractitionerRole/loose", "Location/l", "Practitioner/at"]) == set()
	unknown := object.union(refs(["HealthcareService/none"]), {"provision": [refs(["Practitioner/p"])]})
	receiver.wide({"resource": {"provision": unknown}}, unknown.provision[0]) with input as world({"party": "3"})
}

some_parties(list) := p if {
	p := receiver.consent_parties({"resource": {"provision": refs(list)}}) with input as with_practitioner_at("3")
}

with_practitioner_at(id) := object.union(world({}), {"directory": {"Practitioner/at": entry({"party": id, "practitioner": "6"})}})

member(ref) := {"member": {"reference": ref}}

team(changes) := object.union({
	"resourceType": "CareTeam", "status": "active", "participant": [member("Organization/a")],
	"meta": {"extension": [{"url": "http://sluse.no/fhir/StructureDefinition/custodian", "valueReference": {"reference": "Organization/b"}}]},
}, changes)

with_team(listed, current, more) := object.union(world({}), {"teams": {"CareTeam/t": object.union({"listed": listed, "current": current}, more)}, "record": {"custodian": "3"}})

by_team(registrar, listed, current, more) if {
	p := refs(["CareTeam/t/_history/1"])
	receiver.exact({"registrar": registrar}, [p], p) with input as with_team(listed, current, more)
}

# The team of the registering party or of the custodian; its members then, and now, inside both periods.
test_members if {
	by_team("3", team({}), team({}), {})
	by_team("1", team({}), team({}), {})
}

test_members_then_and_now if {
	other := {"participant": [member("Organization/b")]}
	every pair in [
		[other, {}], [{}, other], [{"status": "inactive"}, {}], [{}, {"status": "inactive"}], [{"status": "proposed"}, {}],
		[{"period": {"end": "2026-05-31"}}, {}], [{}, {"period": {"end": "2026-05-31"}}], [{}, {"period": {"start": "2026-06-02"}}],
		[{"participant": [object.union(member("Organization/a"), {"period": {"end": "2026-05-31"}})]}, {}],
		[{}, {"participant": [object.union(member("Organization/a"), {"period": {"start": "2026-06-02"}})]}],
		[{}, {"participant": []}],
	] {
		not by_team("3", team(pair[0]), team(pair[1]), {})
	}
	by_team("3", team({"period": {"start": "2026-06-01", "end": "2026-06-01"}}), team({}), {})
	by_team("3", team({"period": {"start": "2026-06-01T10:00:00Z"}}), team({}), {})
	not by_team("3", team({"period": {"start": "2026-06-01T10:00:01Z"}}), team({}), {})
	by_team("3", team({"period": {"end": "2026-06-01T10:00:00Z"}}), team({}), {})
	not by_team("3", team({"period": {"end": "2026-06-01T09:59:59Z"}}), team({}), {})
	not by_team("3", null, team({}), {})
	not by_team("3", team({}), null, {})
}

test_members_confirmed_since if {
	nobody := team({"participant": []})
	by_team("3", nobody, team({}), {"confirmed": [{"by": "3", "patient": false, "resource": team({})}]})
	by_team("3", nobody, team({}), {"confirmed": [{"by": "4", "patient": true, "resource": team({})}]})
	not by_team("3", nobody, team({}), {"confirmed": [{"by": "4", "patient": false, "resource": team({})}]})
	not by_team("3", nobody, team({}), {"confirmed": [{"patient": false, "resource": team({})}]})
	not by_team("3", nobody, team({}), {"confirmed": []})
	not by_team("3", nobody, nobody, {"confirmed": [{"by": "3", "patient": false, "resource": team({})}]})
	by_team("3", team({}), team({}), {"confirmed": [{"by": "4", "patient": false, "resource": nobody}]})
}

owner(registrar, custodian, current) if {
	receiver.owned({"registrar": registrar}, current) with input as object.union(world({}), {"record": {"custodian": custodian}})
}

test_whose_team if {
	owner("3", "9", team({}))
	owner("9", "3", team({}))
	not owner("9", "8", team({}))
	not owner("", "", team({"meta": {"extension": [{"url": "http://sluse.no/fhir/StructureDefinition/custodian", "valueReference": {"reference": "Organization/nobody"}}]}}))
	not owner("3", "3", team({"meta": {"extension": [{"url": "http://example.org/custodian", "valueReference": {"reference": "Organization/b"}}]}}))
	not owner("3", "3", team({"meta": {"extension": []}}))
	not receiver.vouches({"by": null, "patient": false}) with input as {"record": {"custodian": null}}
	not receiver.vouches({"patient": false}) with input as {"record": {}}
}

anne(behalf) := team({"participant": [object.union(member("Practitioner/p"), behalf)]})

test_members_on_behalf if {
	by_team("3", anne({"onBehalfOf": {"reference": "Organization/a"}}), anne({"onBehalfOf": {"reference": "Organization/a"}}), {})
	not by_team("3", anne({"onBehalfOf": {"reference": "Organization/b"}}), anne({"onBehalfOf": {"reference": "Organization/b"}}), {})
	not by_team("3", anne({}), anne({}), {})
	p := refs(["CareTeam/t", "Organization/a"])
	receiver.exact({"registrar": "3"}, [refs(["CareTeam/t"]), refs(["Organization/a"])], refs(["CareTeam/t"])) with input as with_team(anne({}), anne({}), {})
	receiver.chain_parties([p]) == {"1"} with input as world({})
	receiver.chain_parties([refs(["Practitioner/p", "CareTeam/t", "Organization/nobody", "Location/l", "HealthcareService/u", "PractitionerRole/pr", "Organization/b"])]) == {"1", "3"} with input as world({})
}

struck(listed, current, changes) if {
	receiver.wide({"registrar": "1", "resource": {"provision": refs(["CareTeam/t"])}}, refs(["CareTeam/t"])) with input as object.union(
		with_team(listed, current, {}),
		{"question": object.union(asker, changes)},
	)
}

# A deny reaches everybody who is or was a member, whatever the periods, and everybody when the team cannot be read in full.
test_team_struck if {
	b := team({"participant": [member("Organization/b")]})
	struck(team({}), b, {})
	struck(b, team({}), {})
	struck(team({"status": "inactive", "period": {"end": "2020"}}), b, {"party": "2"})
	not struck(b, b, {})
	struck(null, b, {})
	struck(b, null, {})
	struck(b, team({"participant": []}), {})
	struck(team({"participant": []}), b, {})
	struck(b, team({"participant": {"0": member("Organization/b")}}), {})
	struck(team({"participant": [member("Patient/k")]}), team({"participant": [member("RelatedPerson/m")]}), {})
	not struck(b, team({"participant": [member("Patient/k"), member("Organization/b")]}), {})
	not struck(b, team({"participant": [member("RelatedPerson/m"), member("Organization/b")]}), {})
	struck(b, team({"participant": [member("Organization/x"), member("Organization/b")]}), {})
	struck(b, team({"participant": [{"member": {}}, member("Organization/b")]}), {})
	struck(b, team({"participant": [{"member": {"reference": 1}}, member("Organization/b")]}), {})
}

test_practitioner_struck if {
	b := team({"participant": [member("Organization/b")]})
	struck(b, anne({"onBehalfOf": {"reference": "Organization/a"}}), {})
	struck(b, anne({"onBehalfOf": {"reference": "Organization/a"}}), {"party": "2"})
	not struck(b, anne({"onBehalfOf": {"reference": "Organization/b"}}), {})
	not struck(b, anne({"onBehalfOf": {"reference": "Organization/a"}}), {"practitioner": "6"})
	struck(b, anne({"onBehalfOf": {"reference": "Organization/x"}}), {"party": "4", "practitioner": "6"})
	struck(b, anne({"onBehalfOf": {"reference": 1}}), {"party": "4", "practitioner": "6"})
	struck(b, anne({"onBehalfOf": {}}), {"party": "4", "practitioner": "6"})
	struck(b, anne({}), {"party": "4"})
	not struck(b, anne({}), {"practitioner": "6"})
	not struck(b, team({"participant": [object.union(member("Organization/b"), {"onBehalfOf": {"reference": "Organization/x"}})]}), {})
}

named(system, value) := {"identifier": {"system": concat("", ["http://sluse.no/fhir/NamingSystem/", system]), "value": value}}

doctor(changes) := object.union({"by": "3", "patient": false, "resource": {"resourceType": "Patient", "generalPractitioner": [{"reference": "Organization/a"}]}}, changes)

stated(list) := object.union(world({}), {"record": {"custodian": "3"}, "statements": list})

by_role(list) if {
	p := to([named("mottakerrolle", "fastlege")])
	receiver.exact({"registrar": "3"}, [p], p) with input as stated(list)
}

team_of(role, changes) := {"resource": team(object.union({"participant": [object.union(
	member("Organization/a"),
	{"role": [{"coding": [{"system": "urn:oid:2.16.578.1.12.4.1.1.9034", "code": role}]}]},
)]}, changes))}

test_role if {
	by_role([doctor({})])
	by_role([doctor({"by": "4", "patient": true})])
	by_role([doctor({"by": "4"}), doctor({})])
	by_role([doctor(team_of("6", {}))])
	by_role([doctor({"resource": {"active": true}})])
	by_role([doctor({"resource": {"generalPractitioner": [{"reference": "PractitionerRole/pr"}]}})])
	not by_role([])
	not by_role([doctor({"by": "4"})])
	not by_role([doctor({"by": null})])
	not by_role([doctor({"resource": {"active": false}})])
	not by_role([doctor({"resource": {"generalPractitioner": [{"reference": "Organization/b"}]}})])
	not by_role([doctor({"resource": {"generalPractitioner": [{"reference": "Practitioner/p"}]}})])
	not by_role([doctor({"resource": {"resourceType": "Group"}})])
	not by_role([doctor(team_of("8", {}))])
	not by_role([doctor(team_of("6", {"status": "inactive"}))])
	not by_role([doctor(team_of("6", {"period": {"end": "2026-05-31"}}))])
}

# A Patient has no members, and what is neither a Patient nor a team tells nothing.
test_who_tells_a_role if {
	receiver.serving({"resourceType": "Patient"})
	receiver.serving(team({}))
	not receiver.serving({"resourceType": "Group", "status": "active"})
	not receiver.serving({"resourceType": "Group"})
	not receiver.serving({"resourceType": "CareTeam"})
	by_coordinator([doctor(team_of("8", {}))])
	not by_coordinator([doctor({})])
	not by_coordinator([doctor({"resource": object.union(team_of("8", {}).resource, {"resourceType": "Patient"})})])
	not by_coordinator([doctor({"resource": object.union(team_of("8", {}).resource, {"resourceType": "Group"})})])
	general := {"general": true, "codes": ["6"]}
	receiver.bearing(doctor({}).resource, general) == [{"member": {"reference": "Organization/a"}}]
	receiver.bearing(doctor({}).resource, {"general": false, "codes": ["6"]}) == []
	count(receiver.bearing(team_of("6", {}).resource, general)) == 1
	receiver.bearing(team_of("8", {}).resource, general) == []
	receiver.bearing(object.union(team_of("6", {}).resource, {"resourceType": "Group"}), general) == []
	coded := [{"coding": [{"system": "urn:oid:2.16.578.1.12.4.1.1.9034", "code": "6"}]}]
	every ref in ["Patient/k", "RelatedPerson/m"] {
		receiver.bearing(team({"participant": [object.union(member(ref), {"role": coded})]}), general) == []
	}
	receiver.bearing(team({"participant": [object.union(member("Organization/a"), {"role": [{"coding": [{"system": "urn:x", "code": "6"}]}]})]}), general) == []
}

by_coordinator(list) if {
	p := to([named("mottakerrolle", "koordinator")])
	receiver.exact({"registrar": "3"}, [p], p) with input as stated(list)
}

test_role_is_the_persons if {
	receiver.uncoded(["1", "", "5", "lege"]) == ["1", "", "5", ""]
	receiver.uncoded(["1", "", "", "lege"]) == ["1", "", "", "lege"]
}

role_struck(list, changes) if {
	p := to([named("mottakerrolle", "fastlege")])
	receiver.wide({"registrar": "4", "resource": {"provision": p}}, p) with input as object.union(stated(list), {"question": object.union(asker, changes)})
}

# Everybody, unless the registering party or the person herself tells who it is; then whoever anybody names.
test_role_struck if {
	other := {"resource": {"generalPractitioner": [{"reference": "Organization/b"}]}}
	role_struck([], {"party": "9"})
	role_struck([doctor({})], {"party": "9"})
	role_struck([doctor(object.union(other, {"by": "4", "resource": {"generalPractitioner": []}}))], {"party": "9"})
	role_struck([doctor({"by": "4"})], {})
	role_struck([doctor({"by": "4"})], {"party": "2"})
	role_struck([doctor({"patient": true})], {})
	role_struck([doctor(object.union(other, {"by": "4"})), doctor({})], {})
	role_struck([doctor({"by": "4", "resource": {"active": false}})], {})
	role_struck([doctor(object.union(team_of("6", {"status": "inactive"}), {"by": "4"}))], {})
	role_struck([doctor({"by": "4", "resource": {"generalPractitioner": [{"reference": "Organization/x"}]}})], {"party": "9"})
	role_struck([doctor({"by": "4", "resource": {"generalPractitioner": [{"reference": "PractitionerRole/pr"}]}})], {"role": "psykolog"})
	role_struck([doctor({"by": "4", "resource": {"generalPractitioner": [{"reference": "PractitionerRole/pr"}]}})], {"party": "2"})
	role_struck([doctor({"by": "4", "resource": {"generalPractitioner": [{"reference": "PractitionerRole/role"}]}})], {"practitioner": "6"})
	role_struck([in_team({"reference": "Practitioner/p"}, "Organization/a")], {})
	role_struck([in_team({"reference": "Practitioner/p"}, "Organization/x")], {"party": "9", "practitioner": "6"})
	role_struck([in_team({}, "Organization/a")], {"party": "9", "practitioner": "6"})
	not role_struck([in_team({"reference": "Practitioner/p"}, "Organization/a")], {"practitioner": "6"})
	not role_struck([in_team({"reference": "Practitioner/p"}, "Organization/b")], {})
	not role_struck([doctor({"by": "4"})], {"party": "9"})
	not role_struck([doctor({"patient": true})], {"party": "9"})
	not role_struck([doctor({"by": "4", "resource": {"generalPractitioner": [{"reference": "PractitionerRole/pr"}]}})], {"practitioner": "6"})
	not role_struck([doctor({"by": "4", "resource": {"generalPractitioner": [{"reference": "PractitionerRole/pr"}]}})], {"party": "9"})
	not role_struck([doctor({"by": "4", "resource": {"generalPractitioner": [{"reference": "PractitionerRole/role"}]}})], {"role": "psykolog"})
}

# A person's party is that on whose behalf she has the role, whatever the directory says of her.
test_bearer_on_behalf if {
	m := {"member": {"reference": "Practitioner/at"}, "onBehalfOf": {"reference": "Organization/b"}}
	not receiver.bearer_struck(m) with input as object.union(with_practitioner_at("1"), {"question": {"practitioner": "6"}})
	receiver.bearer_struck(m) with input as object.union(with_practitioner_at("1"), {"question": {"practitioner": "6", "party": "3"}})
}

in_team(ref, behalf) := {"by": "4", "patient": false, "resource": team({"participant": [{
	"member": ref, "onBehalfOf": {"reference": behalf},
	"role": [{"coding": [{"system": "urn:oid:2.16.578.1.12.4.1.1.9034", "code": "6"}]}],
}]})}

in_group(then, now, changes) if {
	p := to([named("mottakergruppe", "g")])
	receiver.exact({"groups": {"g": then}}, [p], p) with input as world(changes) with data.policy.groups.groups as {"g": {"members": now}}
}

group_struck(groups, now, changes) if {
	p := to([named("mottakergruppe", "g")])
	receiver.wide({"groups": groups}, p) with input as world(changes) with data.policy.groups.groups as {"g": {"members": now}}
}

test_group if {
	party := [{"party": "1"}]
	unit := [{"party": "1", "unit": "7"}]
	other := [{"party": "3", "unit": ""}]
	in_group(party, party, {})
	in_group(party, unit, {})
	in_group(unit, array.concat(other, party), {})
	not in_group(other, party, {})
	not in_group(party, other, {})
	not in_group(party, unit, {"unit": "8"})
	not in_group(unit, party, {"unit": ""})
	not in_group(party, party, {"party": "2"})
	not in_group([], party, {})
	b := refs(["Organization/b"])
	not receiver.exact({"groups": {"b": party}}, [b], b) with input as world({}) with data.policy.groups.groups as {"b": {"members": party}}
	not receiver.wide({"groups": {"b": party}, "resource": {"provision": b}}, b) with input as world({}) with data.policy.groups.groups as {"b": {"members": party}}
	not receiver.wide({"resource": {"provision": b}}, b) with input as world({}) with data.policy.roles.person as {"b": {"codes": []}}
	not receiver.exact({"resource": {"provision": b}}, [b], b) with input as stated([doctor({})]) with data.policy.roles.person as {"b": {"codes": [], "general": true}}
	t := refs(["Organization/t"])
	not receiver.exact({"registrar": "3"}, [t], t) with input as object.union(with_team(team({}), team({}), {}), {"teams": {"Organization/t": {"listed": team({}), "current": team({})}}})
	not receiver.wide({"resource": {"provision": b}}, b) with input as object.union(world({}), {"teams": {}})
}

test_parts_of_a_party if {
	receiver.party_or_part("1") with input as world({})
	receiver.party_or_part("1") with input as world({"party": "2"})
	not receiver.party_or_part("3") with input as world({"party": "2"})
	not receiver.party_or_part("1") with input as object.union(world({"party": "2"}), {"directory": null})
	small := json.remove(world({"party": "2"}), ["/directory/Organization~1a"])
	not receiver.party_or_part("1") with input as small
	receiver.member_wide({"party": "1"}) with input as world({})
	receiver.member_wide({"party": "1", "unit": ""}) with input as world({})
	receiver.member_wide({"party": "1", "unit": "7"}) with input as world({})
	receiver.member_wide({"party": "1", "unit": "8"}) with input as world({"unit": ""})
	not receiver.member_wide({"party": "1", "unit": "8"}) with input as world({})
	not receiver.member_wide({"party": "3"}) with input as world({})
	not receiver.member_wide({"party": "3", "unit": "7"}) with input as world({})
}

test_group_struck if {
	party := [{"party": "1"}]
	unit := [{"party": "1", "unit": "7"}]
	other := [{"party": "3", "unit": ""}]
	group_struck({"g": party}, other, {})
	group_struck({"g": other}, party, {})
	group_struck({"g": other}, party, {"party": "2"})
	group_struck({"g": unit}, other, {"unit": ""})
	group_struck({"g": unit}, other, {"party": "2"})
	group_struck({}, other, {})
	group_struck({"g": "x"}, other, {})
	group_struck({"g": {"0": other[0]}}, other, {})
	group_struck({"g": [{"unit": "7"}]}, other, {})
	group_struck({"g": [{"party": 3}]}, other, {})
	group_struck({"g": [{"party": "3", "unit": 7}]}, other, {})
	not group_struck({"g": other}, other, {})
	not group_struck({"g": []}, [], {})
	not group_struck({"g": unit}, other, {"unit": "8"})
	not group_struck({"g": party}, other, {"party": "9"})
}
