# METADATA
# title: Prøver av innsyn og utdrag
# description: Hvem som ser hva (pbrl. § 5-1, pjl. § 22).
package sluse.view_test

import data.sluse.view

person := {"kind": "person", "action": "read", "attested": true, "shield": 0}

her := {"kind": "patient", "action": "read", "herself": true, "now": "2026-11-22T10:00:00Z"}

test_permits if {
	view.permits with input as person
	not view.permits with input as object.union(person, {"attested": false})
	not view.permits with input as object.union(person, {"kind": "machine"})
	not view.permits with input as object.union(person, {"action": "message"})
	not view.permits with input as object.union(person, {"shield": 2})
}

test_custody if {
	view.custody with input as person
	view.custody with input as object.union(person, {"shield": 2})
	not view.custody with input as object.union(person, {"attested": false})
	not view.custody with input as object.union(person, {"kind": "patient"})
}

test_compliance if {
	view.compliance with input as {"kind": "compliance", "action": "read"}
	not view.compliance with input as {"kind": "compliance", "action": "write"}
	not view.compliance with input as person
}

insight(changes) := i if i := view.insight with input as object.union(her, changes)

test_insight if {
	insight({})
	not insight({"herself": false})
	not insight({"kind": "person"})
	not insight({"action": "notify"})
}

test_withheld if {
	not insight({"withheld": {"kind": "nektet"}})
	not insight({"withheld": {"kind": "tredjepart", "until": "2020-01-01T00:00:00Z"}})
	not insight({"withheld": {"kind": "utsatt"}})
	not insight({"withheld": {"kind": "utsatt", "until": "i morgen"}})
	not insight({"withheld": {"kind": "utsatt", "until": "2026-11-22T10:00:01Z"}})
	insight({"withheld": {"kind": "utsatt", "until": "2026-11-22T10:00:00Z"}})
}

test_answers_no if {
	view.permits == false with input as {}
	view.custody == false with input as {}
	view.compliance == false with input as {}
	view.insight == false with input as {}
	view.withheld == false with input as {}
	view.ended == false with input as {}
}

test_custody_of_reading if {
	not view.custody with input as object.union(person, {"action": "message"})
	not view.compliance with input as {"kind": "compliance"}
}

test_what_has_ended if {
	view.ended with input as object.union(her, {"withheld": {"kind": "utsatt", "until": "2026-11-22T10:00:00Z"}})
	not view.ended with input as object.union(her, {"withheld": {"kind": "nektet", "until": "2026-11-22T10:00:00Z"}})
	not view.ended with input as object.union(her, {"withheld": {"kind": "utsatt", "until": "2026-11-22T10:00:00.000000001Z"}})
	view.withheld with input as object.union(her, {"withheld": {"kind": "nektet"}})
	not view.withheld with input as her
}
