package fhir

import (
	"strconv"
	"strings"
)

// compareDecimal compares two JSON numbers exactly: -1, 0, +1. The work is linear in the
// text, whatever the exponent says.
func compareDecimal(a, b string) int {
	da, db := newDecimal(a), newDecimal(b)
	if da.sign != db.sign {
		if da.sign < db.sign {
			return -1
		}
		return 1
	}
	return da.sign * da.magnitude(db)
}

// decimal is sign × 0.digits × 10^exponent, digits without leading or trailing zeros.
type decimal struct {
	sign     int
	digits   string
	exponent int64
}

func newDecimal(s string) decimal {
	d := decimal{sign: 1}
	if s, ok := strings.CutPrefix(s, "-"); ok {
		d = newDecimal(s)
		d.sign = -d.sign
		return d
	}
	mantissa, exp := s, ""
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa, exp = s[:i], s[i+1:]
	}
	if exp != "" {
		n, err := strconv.ParseInt(strings.TrimPrefix(exp, "+"), 10, 32)
		if err != nil { // beyond 32 bits: as far as it goes, in its direction
			n = 1 << 31
			if exp[0] == '-' {
				n = -n
			}
		}
		d.exponent = n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	d.exponent += int64(len(whole))
	trimmed := strings.TrimLeft(digits, "0")
	d.exponent -= int64(len(digits) - len(trimmed))
	d.digits = strings.TrimRight(trimmed, "0")
	if d.digits == "" {
		return decimal{}
	}
	return d
}

func (d decimal) magnitude(o decimal) int {
	switch {
	case d.exponent < o.exponent:
		return -1
	case d.exponent > o.exponent:
		return 1
	}
	return strings.Compare(d.digits, o.digits)
}
