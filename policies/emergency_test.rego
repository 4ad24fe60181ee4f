# METADATA
# title: Prøver av nødrett
# description: Hver betingelse for seg (hpl. § 7, § 23 nr. 4).
package sluse.emergency_test

import data.sluse.emergency

full := {"purpose": "BTG", "hpr": true, "reason": true, "bound": true, "sector": "legevakt"}

asker(changes) := {"kind": "person", "action": "read", "emergency": object.union(full, changes)}

allowed(question) := a if a := emergency.allowed with input as question

test_allowed if {
	every sector in ["fastlege", "hf", "legevakt", "bydel-helse", "fengselshelse", "privat-tsb"] {
		allowed(asker({"sector": sector}))
	}
}

test_other_sectors if {
	every sector in ["bydel-sosial", "nav-stat", "velferdsetaten", "barnevern", "politi", "pasient", "ideell", ""] {
		not allowed(asker({"sector": sector}))
	}
}

test_each_condition if {
	every name in ["hpr", "reason", "bound"] {
		not allowed(asker({name: false}))
		not allowed(asker({name: null}))
	}
	not allowed(asker({"purpose": "ETREAT"}))
	not allowed(asker({"purpose": "TREAT"}))
}

test_reads_only if {
	every action in ["message", "notify", "write", "contribute", ""] {
		not allowed(object.union(asker({}), {"action": action}))
	}
	every kind in ["machine", "patient", "compliance", "operator", "nobody"] {
		not allowed(object.union(asker({}), {"kind": kind}))
	}
}

test_nothing_told if {
	not allowed({"kind": "person", "action": "read", "emergency": null})
	not allowed({"kind": "person", "action": "read"})
	not allowed({})
}

test_labels if {
	l := emergency.labels with input as asker({})
	l == {"demografi", "samarbeid", "legemidler", "rus", "somatisk", "psykisk", "kriseplan", "smitte", "tvang"}
	none := emergency.labels with input as asker({"hpr": false})
	none == set()
}

test_answers_no if {
	emergency.allowed == false with input as {}
	emergency.labels == set() with input as {}
}
