// Package bench measures a running Sluse against its floors: a thin server on the same PostgreSQL,
// with the same body and the same number of clients. It is black box: it starts the real binary
// and knows only HTTP and /proc. The long tier copies what Sluse has stored, in the database, until
// a million resources are there, and measures beside a store of ten thousand.
//
// # The country
//
// How many pleie- og omsorgsmeldinger the whole country sends is public in parts only: in 2021 GPs sent 3.4 million
// to the municipalities and these 2.2 million to the GPs; those between hospitals and municipalities are not among
// the figures that were found. The bound taken here is therefore every medical message of the country, PLO or not
// (laboratory, prescriptions and vaccination included): 284 million in 2021 (Direktoratet for e-helse, Nasjonal
// e-helsemonitor, "Elektronisk meldingsutveksling", ehelse.no).
//
//	284,000,000 / 365 days / 86,400 s                    =  9 a second, round the clock
//	284,000,000 / 230 working days / 8 hours / 3,600 s   = 43 a second, if all were sent in working hours
//	5,600,000 (GPs and municipalities) the same way      =  1 a second
//
// BenchmarkMessages hands in messages end to end: parse, map, decide, store, ledger, mailbox, AppRec; PostgreSQL and the
// clients that send on the same two cores. One machine of 2 cores takes MeasuredMessages a second, at the least, of stays
// whose messages fill every element that there is (92 resources of one utskrivningsrapport), which none does in practice. That
// is seventeen times every medical message of the country, spread over day and night, and more than three times all of them in
// working hours. Five runs in one night gave 156 to 191, by the speed of a machine that is shared: 4.8 to 6.0 ms of the server's
// CPU and 4.9 to 5.9 of PostgreSQL's for a message. The messages that only tell of something, BenchmarkMessages/short, come to
// 241 at the least.
package bench

// MeasuredMessages is the least that BenchmarkMessages/stay gave at 8 clients when it was last run by itself on a 2-core machine.
const MeasuredMessages = 156

// What the country sends: the figures above.
const (
	countryMessages = 284_000_000 // in a year, all medical messages
	yearSeconds     = 365 * 86_400
)
