# METADATA
# title: Prøver av rekkevidde
# description: Kjøres i go test, med opa tester, mot de samme data som porten (hpl. § 21).
package sluse.scope_test

import data.sluse.scope

index := {"from": 0, "until": 100, "permit": {"p:1": {"*": 1}}, "deny": {"*": {"TREAT": 3}}}

asker := {
	"kind": "person", "action": "read", "type": "", "attested": true, "named": true, "known": true,
	"herself": false, "now": 50, "permits": ["p:1"], "denies": ["p:1", "*"],
	"contexts": ["COC", "*"], "index": index,
}

test_reader if {
	d := scope.decision with input as asker
	d.rights == {"own", "fetched", "ledger-party"}
	d.permits == {1}
	d.actions == ["read", "message"]
	d.denies == set()
}

test_denied if {
	d := scope.decision with input as object.union(asker, {"contexts": ["TREAT", "*"]})
	d.denies == {3}
}

test_without_attest if {
	d := scope.decision with input as object.union(asker, {"attested": false})
	d.rights == {"own", "ledger-party"}
	d.actions == []
}

test_unknown_patient if {
	d := scope.decision with input as object.union(asker, {"known": false})
	not "fetched" in d.rights
}

test_no_patient if {
	d := scope.decision with input as object.union(asker, {"named": false})
	d.rights == {"own", "fetched", "join", "ledger-party"}
	d.actions == []
}

test_outside_period if {
	d := scope.decision with input as object.union(asker, {"now": 100})
	d.actions == []
}

test_receiver if {
	d := scope.decision with input as object.union(asker, {"kind": "machine", "action": "message"})
	d.rights == {"own"}
	d.actions == ["message"]
}

test_person_receives if {
	d := scope.decision with input as object.union(asker, {"action": "message", "attested": false})
	d.rights == {"own"}
	d.actions == ["message"]
}

test_machine_reads_nothing if {
	d := scope.decision with input as object.union(asker, {"kind": "machine"})
	d.rights == set()
	d.actions == []
}

test_patient if {
	d := scope.decision with input as object.union(asker, {"kind": "patient", "herself": true})
	d.rights == {"own", "self", "consents", "ledger-person"}
	d.actions == []
}

test_patient_about_another if {
	d := scope.decision with input as object.union(asker, {"kind": "patient"})
	d.rights == set()
}

test_compliance if {
	d := scope.decision with input as object.union(asker, {"kind": "compliance"})
	d.rights == {"ledger-compliance"}
	d.actions == []
}

test_operator_reads_nothing if {
	d := scope.decision with input as object.union(asker, {"kind": "operator"})
	d.rights == set()
}

test_writer if {
	d := scope.decision with input as object.union(asker, {"action": "write", "type": "CarePlan"})
	d.rights == {"own", "write"}
	d.actions == []
}

test_nothing if {
	d := scope.decision with input as {}
	d.rights == set()
	d.actions == []
}
