# METADATA
# title: Prøver av formlene
# description: De håndskrevne eksemplene i cases/ er lagt inn som data.cases av go test, som spør dem alle (hpl. §§ 21, 22).
package sluse.releasable_test

import data.sluse.instant
import data.sluse.reading
import data.sluse.releasable

test_enough_cases if count(data.cases) > 200

test_machine_receives_its_own if {
	a := releasable.answer with input as {"question": {"kind": "machine", "action": "message", "party": "1"}, "record": {"custodian": "1"}}
	a.releasable
}

test_dates if {
	instant.interval("2026-03-29") == [time.parse_rfc3339_ns("2026-03-29T00:00:00+01:00"), time.parse_rfc3339_ns("2026-03-30T00:00:00+02:00")]
	instant.interval("2026-10") == [time.parse_rfc3339_ns("2026-10-01T00:00:00+02:00"), time.parse_rfc3339_ns("2026-11-01T00:00:00+01:00")]
	instant.interval("2026")[1] == time.parse_rfc3339_ns("2027-01-01T00:00:00+01:00")
	instant.interval("2026-03-29T10:00:00.25Z")[1] - instant.interval("2026-03-29T10:00:00.25Z")[0] == 10000000
	instant.readable("2026-03-29T10:00:00Z")
	not instant.readable("29.03.2026")
}

test_unreadable_consent_denies_all if {
	not reading.sound({"registrar": "1", "patient": false, "resource": {"status": "active"}})
	reading.status({}) == "unreadable"
	reading.status({"resource": {"status": "draft"}}) == "closed"
	some c in data.cases
	c.crosses
	c.input.question.party != c.input.record.custodian
	count(c.input.record.fetched) == 0
	broken := json.patch(c.input, [{"op": "add", "path": "/consents/-", "value": {"resource": {"status": "active"}}}])
	a := releasable.answer with input as broken
	a == {"releasable": false, "covered": set()}
}
