# METADATA
# title: Prøver av tid
# description: Hver presisjon dekker det den sier, i norsk tid (R4 datatypes.html#Period).
package sluse.instant_test

import data.sluse.instant

at(text) := time.parse_rfc3339_ns(text)

# precision tells what each form of a date covers, from and to.
precision := {
	"2026": ["2026-01-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00"],
	"2026-06": ["2026-06-01T00:00:00+02:00", "2026-07-01T00:00:00+02:00"],
	"2026-12": ["2026-12-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00"],
	"2026-03-29": ["2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"],
	"2026-10-25": ["2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"],
	"2028-02-29": ["2028-02-29T00:00:00+01:00", "2028-03-01T00:00:00+01:00"],
	"2026-05-17T12:30:15Z": ["2026-05-17T12:30:15Z", "2026-05-17T12:30:16Z"],
	"2026-05-17T12:30:15+02:00": ["2026-05-17T10:30:15Z", "2026-05-17T10:30:16Z"],
	"2026-05-17T12:30:15.2Z": ["2026-05-17T12:30:15.2Z", "2026-05-17T12:30:15.3Z"],
	"2026-05-17T12:30:15.25-01:00": ["2026-05-17T13:30:15.25Z", "2026-05-17T13:30:15.26Z"],
	"2026-05-17T12:30:15.250Z": ["2026-05-17T12:30:15.25Z", "2026-05-17T12:30:15.251Z"],
	"2026-05-17T12:30:15.2500Z": ["2026-05-17T12:30:15.25Z", "2026-05-17T12:30:15.2501Z"],
	"2026-05-17T12:30:15.25000Z": ["2026-05-17T12:30:15.25Z", "2026-05-17T12:30:15.25001Z"],
	"2026-05-17T12:30:15.250000Z": ["2026-05-17T12:30:15.25Z", "2026-05-17T12:30:15.250001Z"],
	"2026-05-17T12:30:15.2500000Z": ["2026-05-17T12:30:15.25Z", "2026-05-17T12:30:15.2500001Z"],
	"2026-05-17T12:30:15.25000000Z": ["2026-05-17T12:30:15.25Z", "2026-05-17T12:30:15.25000001Z"],
	"2026-05-17T12:30:15.250000000Z": ["2026-05-17T12:30:15.25Z", "2026-05-17T12:30:15.250000001Z"],
}

test_precision if {
	every text, bounds in precision {
		instant.interval(text) == [at(bounds[0]), at(bounds[1])]
		instant.readable(text)
	}
}

test_unreadable if {
	every text in {
		"", "26", "20266", "2026-13", "2026-1", "2026-02-30", "2026-02-01 ", " 2026", "x2026-02-01", "2026-02-01T10:00Z", "2026-02-01T10:00:00",
		"2026-02-01T10:00:00+0100", "2026-02-01T10:00:00.Z", "2026-02-01T10:00:00.1234567890Z", "2026-02-01T10:00:00Zx", "2026-02-01T25:00:00Z",
		"2026-02-01T9:00:00Z", "2026-02-01T9:00:00.25Z", "2026-02-01T10:00:00,25Z",
	} {
		not instant.readable(text)
	}
	not instant.readable(2026)
	not instant.readable(null)
}

test_now if {
	instant.now == at("2026-11-22T10:00:00Z") with input as {"now": "2026-11-22T10:00:00Z"}
	not instant.now with input as {"now": 1795000000}
	not instant.now with input as {}
}

test_record if {
	whole := {"low": "2026-01-01T00:00:00Z", "high": "2026-02-01T00:00:00Z"}
	instant.record == {"low": at(whole.low), "high": at(whole.high)} with input as {"record": whole}
	not instant.record with input as {"record": {"low": whole.low}}
	not instant.record with input as {"record": {"high": whole.high}}
	not instant.record with input as {"record": {"low": 1, "high": whole.high}}
	not instant.record with input as {"record": {"low": whole.low, "high": 1}}
}

test_span if {
	instant.span({}) == {"low": -9223372036854775807, "high": 9223372036854775807}
	instant.span({"start": "2026"}) == {"low": at("2026-01-01T00:00:00+01:00"), "high": instant.open_end}
	instant.span({"end": "2026"}) == {"low": instant.open_start, "high": at("2027-01-01T00:00:00+01:00")}
	not instant.span({"start": "i dag"})
	not instant.span({"end": "i dag"})
}

test_meet if {
	instant.meet([]) == {"low": instant.open_start, "high": instant.open_end}
	instant.meet([{"low": 1, "high": 9}, {"low": 3, "high": 5}, {"low": 2, "high": 7}]) == {"low": 3, "high": 5}
}
