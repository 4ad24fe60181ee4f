# METADATA
# title: Prøver av rekkevidde
# description: Kjøres i go test, med opa tester, mot de samme data som porten (hpl. § 21).
package sluse.scope_test

import data.sluse.scope

reader := {
	"kind": "person", "action": "read", "type": "", "attested": true, "named": true, "known": true,
	"herself": false,
}

rights(changes) := r if {
	r := scope.rights with input as object.union(reader, changes)
}

test_reader if rights({}) == {"own", "fetched", "ledger-party", "consented-read"}

test_without_attest if rights({"attested": false}) == {"own", "ledger-party"}

test_unknown_patient if not "fetched" in rights({"known": false})

test_no_patient if rights({"named": false}) == {"own", "fetched", "join", "ledger-party"}

test_receiver if rights({"kind": "machine", "action": "message"}) == {"own", "consented-message"}

test_person_receives if rights({"action": "message", "attested": false}) == {"own", "consented-message"}

test_machine_notified if rights({"kind": "machine", "action": "notify"}) == {"own", "consented-notify"}

test_notified_of_somebody if rights({"action": "notify", "attested": false, "named": false}) == {"own"}

test_patient_not_notified if rights({"kind": "patient", "action": "notify", "herself": true}) == set()

test_machine_reads_nothing if rights({"kind": "machine"}) == set()

test_patient if rights({"kind": "patient", "herself": true}) == {"own", "self", "consents", "ledger-person"}

test_patient_about_another if rights({"kind": "patient"}) == set()

test_compliance if rights({"kind": "compliance"}) == {"ledger-compliance"}

test_operator_reads_nothing if rights({"kind": "operator"}) == set()

test_writer if rights({"action": "write", "type": "CarePlan"}) == {"own", "write"}

test_no_question if {
	r := scope.rights with input as {}
	r == set()
}

asker := {
	"now": 50, "permits": {"COC p:1", "* p:1"}, "denies": {"COC p:1", "* p:1", "COC *", "* *"},
	"index": {"from": 0, "until": 100, "permit": {"* p:1", "* p:2"}, "deny": {"TREAT *"}},
}

across(changes) := a if {
	a := scope.across with input as object.union(asker, changes)
}

nothing := [set(), set()]

test_permitted if across({}) == [{"* p:1"}, set()]

test_denied if across({"denies": {"TREAT *", "* *"}}) == [{"* p:1"}, {"TREAT *"}]

test_outside_period if {
	across({"now": 0}) != nothing
	across({"now": 99}) != nothing
	across({"now": 100}) == nothing
	across({"now": -1}) == nothing
}

test_denies_are_whole if across({"denies": {"COC p:1", "* p:1", "COC *"}}) == nothing

test_no_asker if {
	a := scope.across with input as {}
	a == nothing
}
