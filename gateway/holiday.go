package gateway

import (
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// easter is Easter Sunday of a year of the Gregorian calendar (the algorithm of Meeus, Jones and Butcher).
func easter(year int) (time.Month, int) {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	g := (8*b + 13) / 25
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return time.Month(n / 31), n%31 + 1
}

// movable are the days of rest that follow Easter, in days from it: skjærtorsdag, langfredag, both days of Easter,
// Kristi himmelfartsdag, both days of Pentecost (lov om helligdager og helligdagsfred § 2).
var movable = []int{-3, -2, 0, 1, 39, 49, 50}

// fixed are the others, and the two days of the lov om 1 og 17 mai.
var fixed = []struct {
	month time.Month
	day   int
}{{time.January, 1}, {time.May, 1}, {time.May, 17}, {time.December, 25}, {time.December, 26}}

// Workday tells whether the day of a time in Norway is one on which offices are open: no Saturday, no Sunday and no
// holiday. Christmas Eve and New Year's Eve are working days in law.
func Workday(t time.Time) bool {
	t = t.In(fhir.Oslo())
	if t.Weekday() == time.Saturday || t.Weekday() == time.Sunday {
		return false
	}
	year, month, day := t.Date()
	for _, f := range fixed {
		if month == f.month && day == f.day {
			return false
		}
	}
	em, ed := easter(year)
	for _, n := range movable {
		if _, m, d := time.Date(year, em, ed+n, 12, 0, 0, 0, time.UTC).Date(); m == month && d == day {
			return false
		}
	}
	return true
}

// onWorkday is the time itself, or the same time of day on the next working day. What a change to or from summer time
// leaves out is read as the hour after.
func onWorkday(t time.Time) time.Time {
	t = t.In(fhir.Oslo())
	year, month, day := t.Date()
	for on := t; ; on = time.Date(year, month, day, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), fhir.Oslo()) {
		if Workday(on) {
			return on
		}
		day++
	}
}

// endOfDay is the midnight that ends the day of a time in Norway.
func endOfDay(t time.Time) time.Time {
	year, month, day := t.In(fhir.Oslo()).Date()
	return time.Date(year, month, day+1, 0, 0, 0, 0, fhir.Oslo())
}

// startOfDay is the midnight that begins it.
func startOfDay(t time.Time) time.Time {
	year, month, day := t.In(fhir.Oslo()).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, fhir.Oslo())
}
