# METADATA
# title: Tid
# description: >-
#   FHIR-datoer som halvåpne tidsrom. En slutt omfatter det presisjonen dekker - en dato er hele dagen i
#   norsk tid (R4 datatypes.html#Period). Samtykket gjelder bare i sin periode (Oslostandarden, tiltak 1).
package sluse.instant

# METADATA
# title: Åpen start
# description: Før alle tidspunkter (R4 datatypes.html#Period).
open_start := -9223372036854775807

# METADATA
# title: Åpen slutt
# description: Etter alle tidspunkter (R4 datatypes.html#Period).
open_end := 9223372036854775807

# METADATA
# title: Tidspunktet
# description: Tidspunktet det spørres på; uten det krysser ingenting (hpl. § 21).
now := time.parse_rfc3339_ns(input.now) if is_string(input.now)

# METADATA
# title: Opplysningens dato
# description: Ett element per type; uten hel dato er opplysningen udatert (hpl. § 22, formålet med avgrensningen).
record := {"low": low, "high": high} if {
	is_string(input.record.low)
	is_string(input.record.high)
	low := time.parse_rfc3339_ns(input.record.low)
	high := time.parse_rfc3339_ns(input.record.high)
}

# METADATA
# title: Periode
# description: Åpen i den enden som ikke er oppgitt (R4 datatypes.html#Period).
span(period) := {"low": start(period), "high": end(period)}

# METADATA
# title: Start
# description: Begynnelsen på det presisjonen dekker (R4 datatypes.html#Period).
start(period) := open_start if not period.start

start(period) := interval(period.start)[0] if period.start

# METADATA
# title: Slutt
# description: Slutten på det presisjonen dekker (R4 datatypes.html#Period).
end(period) := open_end if not period.end

end(period) := interval(period.end)[1] if period.end

# METADATA
# title: Snitt
# description: En indre periode gjelder bare innenfor den ytre (hpl. § 22).
meet(spans) := {
	"low": max({open_start} | {s.low | some s in spans}),
	"high": min({open_end} | {s.high | some s in spans}),
}

# METADATA
# title: Lesbar dato
# description: En dato som ikke kan leses gjør samtykket uleselig (hpl. § 21).
readable(text) if {
	is_string(text)
	interval(text)
}

# METADATA
# title: Halvåpent tidsrom
# description: År, måned, dag, sekund eller brøkdel (R4 datatypes.html#dateTime).
interval(text) := [midnight(from), midnight(time.add_date(from, 1, 0, 0))] if {
	regex.match(`^\d{4}$`, text)
	from := time.parse_ns("2006-01-02", concat("", [text, "-01-01"]))
}

interval(text) := [midnight(from), midnight(time.add_date(from, 0, 1, 0))] if {
	regex.match(`^\d{4}-\d{2}$`, text)
	from := time.parse_ns("2006-01-02", concat("", [text, "-01"]))
}

interval(text) := [midnight(from), midnight(time.add_date(from, 0, 0, 1))] if {
	regex.match(`^\d{4}-\d{2}-\d{2}$`, text)
	from := time.parse_ns("2006-01-02", text)
}

interval(text) := [from, from + 1000000000] if {
	regex.match(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})$`, text)
	from := time.parse_rfc3339_ns(text)
}

interval(text) := [from, from + step] if {
	regex.match(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{1,9}(Z|[+-]\d{2}:\d{2})$`, text)
	fraction := regex.find_n(`\.\d+`, text, 1)[0]
	from := time.parse_rfc3339_ns(text)
	step := steps[count(fraction) - 1]
}

# METADATA
# title: Brøkdeler
# description: Lengden i nanosekunder av siste siffer (R4 datatypes.html#instant).
steps := [1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1]

# METADATA
# title: Midnatt i Norge
# description: Dagen begynner klokken 00 norsk tid, sommer som vinter (R4 datatypes.html#Period; normaltiden).
midnight(utc) := at if {
	some offset in [3600000000000, 7200000000000]
	at := utc - offset
	time.clock([at, "Europe/Oslo"]) == [0, 0, 0]
}
