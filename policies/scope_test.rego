# METADATA
# title: Prøver av rekkevidde
# description: Kjøres i go test, med opa tester, mot de samme data som porten (hpl. § 21).
package sluse.scope_test

import data.sluse.scope

reader := {
	"kind": "person", "action": "read", "type": "", "attested": true, "named": true, "known": true,
	"herself": false, "shield": 0, "emergency": null,
}

rights(changes) := r if {
	r := scope.rights with input as object.union(reader, changes)
}

test_reader if rights({}) == {"own", "fetched", "ledger-party", "consented-read", "address", "permits", "custody"}

test_without_attest if rights({"attested": false}) == {"own", "ledger-party", "address"}

test_unknown_patient if not "fetched" in rights({"known": false})

test_no_patient if rights({"named": false}) == {"own", "fetched", "join", "ledger-party", "address", "permits", "custody"}

test_receiver if rights({"kind": "machine", "action": "message"}) == {"own", "consented-message", "address"}

test_person_receives if rights({"action": "message", "attested": false}) == {"own", "consented-message", "address"}

test_machine_notified if rights({"kind": "machine", "action": "notify"}) == {"own", "consented-notify", "address"}

test_notified_of_somebody if rights({"action": "notify", "attested": false, "named": false}) == {"own", "address"}

test_contributes if rights({"action": "contribute"}) == {"own", "consented-contribute"}

test_contributes_to_somebody if {
	rights({"action": "contribute", "named": false}) == {"own"}
	rights({"action": "contribute", "attested": false}) == {"own"}
	rights({"action": "contribute", "kind": "machine"}) == set()
	rights({"action": "contribute", "kind": "patient", "herself": true}) == set()
}

test_patient_not_notified if rights({"kind": "patient", "action": "notify", "herself": true}) == set()

test_machine_reads_nothing if rights({"kind": "machine"}) == {"address"}

test_patient if rights({"kind": "patient", "herself": true}) == {"own", "self", "insight", "ledger-person", "address"}

# Who herself is asked about, is told of nobody but the patient.
test_herself_is_the_patient if {
	every kind in ["person", "machine", "compliance", "operator", ""] {
		rights({"kind": kind, "herself": true}) == rights({"kind": kind})
	}
}

test_messages_are_between_parties if {
	every kind in ["patient", "compliance", "operator", "", null] {
		every action in ["message", "notify"] {
			rights({"kind": kind, "action": action, "herself": true}) == set()
		}
	}
}

test_patient_about_another if rights({"kind": "patient"}) == {"address"}

test_compliance if rights({"kind": "compliance"}) == {"ledger-compliance", "consents-compliance"}

test_operator_reads_nothing if rights({"kind": "operator"}) == set()

test_writer if rights({"action": "write", "type": "CarePlan"}) == {"own", "write"}

# Who may write a type gains nothing by it in a question of another kind.
test_writing_is_asked_as_such if {
	every kind, type in {"person": "CarePlan", "patient": "Consent", "machine": "Subscription", "operator": "Organization"} {
		"write" in rights({"kind": kind, "action": "write", "type": type})
		every action in ["read", "message", "notify", "contribute", ""] {
			rights({"kind": kind, "action": action, "type": type}) == rights({"kind": kind, "action": action})
		}
	}
}

glass := {"purpose": "BTG", "hpr": true, "reason": true, "bound": true, "sector": "hf"}

test_emergency if {
	"emergency" in rights({"emergency": glass})
	"emergency" in rights({"emergency": glass, "shield": 2})
	not "emergency" in rights({"emergency": object.union(glass, {"sector": "bydel-sosial"})})
}

test_shield if {
	rights({"shield": 1}) == {"own", "fetched", "ledger-party", "consented-read", "permits", "custody"}
	rights({"shield": 2}) == {"own", "fetched", "ledger-party", "custody"}
	rights({"shield": 2, "kind": "machine", "action": "message"}) == {"own", "manual"}
	rights({"shield": 2, "kind": "machine", "action": "notify"}) == {"own"}
	rights({"shield": 2, "action": "contribute"}) == {"own"}
	rights({"shield": 1, "action": "contribute"}) == {"own", "consented-contribute"}
	every grade in [1, 2, null] {
		rights({"shield": grade, "kind": "patient", "herself": true}) == {"own", "self", "insight", "ledger-person"}
		not "address" in rights({"shield": grade, "kind": "machine", "action": "message"})
	}
}

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

test_unreadable_period if {
	every bound in [null, "", "100", true, {}] {
		across({"index": object.union(asker.index, {"from": bound})}) == nothing
		across({"index": object.union(asker.index, {"until": bound})}) == nothing
		across({"now": bound}) == nothing
	}
}

test_denies_are_whole if across({"denies": {"COC p:1", "* p:1", "COC *"}}) == nothing

test_no_asker if {
	a := scope.across with input as {}
	a == nothing
}
