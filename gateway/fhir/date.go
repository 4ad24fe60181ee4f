package fhir

import (
	"time"
	_ "time/tzdata" // Europe/Oslo must be known on a machine without zone files
)

// oslo is the zone of dates and times that carry none.
var oslo = func() *time.Location {
	l, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		panic("fhir: zone Europe/Oslo is not known: " + err.Error())
	}
	return l
}()

// Oslo gives the zone in which dates without a zone are read.
func Oslo() *time.Location { return oslo }

// ParseDate reads an R4 date, dateTime or instant as the half-open interval [low, high) that
// its precision covers: 2026-11 is all of November, Europe/Oslo where no zone is written. A
// time without zone and without seconds is accepted as in searches. The error is *Error and never
// repeats the text.
func ParseDate(s string) (low, high time.Time, err error) {
	low, high, ok := parseDate(s)
	if !ok {
		return time.Time{}, time.Time{}, &Error{Issues: []Issue{newIssue(CodeDateFormat, IssueValue)}}
	}
	return low, high, nil
}

func parseDate(s string) (low, high time.Time, ok bool) {
	year, ok := digits(s, 0, 4)
	if !ok || year == 0 {
		return low, high, false
	}
	if len(s) == 4 {
		low = time.Date(year, 1, 1, 0, 0, 0, 0, oslo)
		return low, time.Date(year+1, 1, 1, 0, 0, 0, 0, oslo), true
	}
	month, ok := digits(s, 5, 2)
	if !ok || s[4] != '-' || month < 1 || month > 12 {
		return low, high, false
	}
	if len(s) == 7 {
		low = time.Date(year, time.Month(month), 1, 0, 0, 0, 0, oslo)
		return low, time.Date(year, time.Month(month)+1, 1, 0, 0, 0, 0, oslo), true
	}
	day, ok := digits(s, 8, 2)
	if !ok || s[7] != '-' || day < 1 || day > daysIn(year, month) {
		return low, high, false
	}
	if len(s) == 10 {
		low = time.Date(year, time.Month(month), day, 0, 0, 0, 0, oslo)
		return low, time.Date(year, time.Month(month), day+1, 0, 0, 0, 0, oslo), true
	}
	return parseTime(s, year, month, day)
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// parseTime reads what follows the day: Thh:mm[:ss[.fraction]][zone].
func parseTime(s string, year, month, day int) (low, high time.Time, ok bool) {
	hour, ok1 := digits(s, 11, 2)
	minute, ok2 := digits(s, 14, 2)
	if !ok1 || !ok2 || s[10] != 'T' || s[13] != ':' || hour > 23 || minute > 59 {
		return low, high, false
	}
	second, nanos, at := 0, 0, 16
	step := time.Minute
	if at < len(s) && s[at] == ':' {
		if second, ok = digits(s, at+1, 2); !ok || second > 60 {
			return low, high, false
		}
		at, step = at+3, time.Second
		if at < len(s) && s[at] == '.' {
			from := at + 1
			for at = from; at < len(s) && isDigit(s[at]); at++ {
				if step > 1 {
					step /= 10
					nanos += int(s[at]-'0') * int(step)
				}
			}
			if at == from {
				return low, high, false
			}
		}
	}
	zone, ok := parseZone(s[at:])
	if !ok {
		return low, high, false
	}
	low = time.Date(year, time.Month(month), day, hour, minute, second, nanos, zone)
	return low, low.Add(step), true
}

func parseZone(s string) (*time.Location, bool) {
	switch {
	case s == "":
		return oslo, true
	case s == "Z":
		return time.UTC, true
	case len(s) != 6 || s[3] != ':' || s[0] != '+' && s[0] != '-':
		return nil, false
	}
	hours, ok1 := digits(s, 1, 2)
	minutes, ok2 := digits(s, 4, 2)
	if !ok1 || !ok2 || minutes > 59 || hours > 14 || hours == 14 && minutes > 0 {
		return nil, false
	}
	offset := hours*3600 + minutes*60
	if s[0] == '-' {
		offset = -offset
	}
	if offset == 0 {
		return time.UTC, true
	}
	return time.FixedZone("", offset), true
}

// digits reads n decimal digits of s at an offset.
func digits(s string, at, n int) (int, bool) {
	if len(s) < at+n {
		return 0, false
	}
	v := 0
	for i := at; i < at+n; i++ {
		if !isDigit(s[i]) {
			return 0, false
		}
		v = v*10 + int(s[i]-'0')
	}
	return v, true
}
