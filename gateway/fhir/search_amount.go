package fhir

import (
	"math/big"
	"strconv"
	"strings"
)

// Amount is a number or quantity as an interval of exact decimals in plain notation. "" for Low
// or High is without bound. The bounds are those written: both the same for a single number, those
// of a Range for a Range. Slack is half a unit of the last place written, "0" for an integer and a
// Range: a single number stands implicitly for [Low-Slack, High+Slack) (R4 search.html#prefix).
type Amount struct {
	Low, High, Slack string
	// System, Code and Unit are those of a quantity.
	System, Code, Unit string
	// Base is the unit in UCUM base units, such as "g.m-3", and BaseLow, BaseHigh, BaseSlack the
	// amount in it. "" when the unit is not one of UCUM's that the server knows.
	Base, BaseLow, BaseHigh, BaseSlack string
}

// SystemUCUM is the code system of units.
const SystemUCUM = "http://unitsofmeasure.org"

// Limits of a number that is searched: digits and exponent.
const (
	maxNumberText     = 64
	maxNumberExponent = 32
)

// amountNumber is a decimal with the slack of its last place.
type amountNumber struct{ value, slack *big.Rat }

// parseNumber reads a JSON number exactly. Numbers beyond the limits are not read.
func parseNumber(s string) (amountNumber, bool) {
	if s == "" || len(s) > maxNumberText {
		return amountNumber{}, false
	}
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		n, err := strconv.Atoi(s[i+1:])
		if err != nil || n > maxNumberExponent || n < -maxNumberExponent {
			return amountNumber{}, false
		}
		mantissa, exponent = s[:i], n
	}
	digits := strings.TrimLeft(mantissa, "+-")
	whole, fraction, dot := strings.Cut(digits, ".")
	if len(mantissa)-len(digits) > 1 || !digitsOnly(whole) || dot && !digitsOnly(fraction) {
		return amountNumber{}, false
	}
	v, ok := new(big.Rat).SetString(mantissa)
	if !ok {
		return amountNumber{}, false
	}
	v.Mul(v, power(10, exponent))
	half := big.NewRat(1, 2)
	return amountNumber{v, half.Mul(half, power(10, exponent-len(fraction)))}, true
}

func digitsOnly(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// power gives base to the n, n of either sign.
func power(base int64, n int) *big.Rat {
	p := new(big.Int).Exp(big.NewInt(base), big.NewInt(int64(max(n, -n))), nil)
	if n < 0 {
		return new(big.Rat).SetFrac(big.NewInt(1), p)
	}
	return new(big.Rat).SetInt(p)
}

// decimals bounds the places of what has no finite decimal form, such as 1/60.
const decimals = 60

// plainDecimal writes a number in plain notation without needless zeros.
func plainDecimal(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	if places, exact := r.FloatPrec(); exact && places <= decimals {
		return r.FloatString(places)
	}
	s := strings.TrimRight(strings.TrimRight(r.FloatString(decimals), "0"), ".")
	if s == "-0" || s == "" {
		return "0"
	}
	return s
}

// amountSpan is an Amount on its way: nil is without bound.
type amountSpan struct{ low, high, slack *big.Rat }

func (s amountSpan) times(factor *big.Rat) amountSpan {
	mul := func(r *big.Rat) *big.Rat {
		if r == nil {
			return nil
		}
		return new(big.Rat).Mul(r, factor)
	}
	out := amountSpan{low: mul(s.low), slack: mul(s.slack)}
	if out.high = out.low; s.high != s.low {
		out.high = mul(s.high)
	}
	return out
}

func (s amountSpan) texts() (low, high, slack string) {
	text := func(r *big.Rat) string {
		if r == nil {
			return ""
		}
		return plainDecimal(r)
	}
	low = text(s.low)
	if high = low; s.high != s.low {
		high = text(s.high)
	}
	return low, high, text(s.slack)
}

// numberAmount gives the amount of a number. An integer is exact.
func numberAmount(v *Value, leaf string) (*Amount, bool) {
	if v.kind != Number {
		return nil, false
	}
	n, ok := parseNumber(v.text)
	if !ok {
		return nil, false
	}
	if leaf != "decimal" {
		n.slack = new(big.Rat)
	}
	a := &Amount{}
	a.Low, a.High, a.Slack = amountSpan{n.value, n.value, n.slack}.texts()
	return a, true
}

// quantityAmount gives the amount of a Quantity, a Range or SampledData.
func quantityAmount(v *Value, leaf string) (*Amount, bool) {
	unit := v
	var (
		s  amountSpan
		ok bool
	)
	switch leaf {
	case "Range":
		low, hasLow := quantityNumber(v.Get("low"))
		high, hasHigh := quantityNumber(v.Get("high"))
		ok = hasLow || hasHigh
		s = amountSpan{low.value, high.value, new(big.Rat)}
		if unit = v.Get("low"); !hasLow {
			unit = v.Get("high")
		}
	case "SampledData":
		unit = v.Get("origin")
		s, ok = sampled(v)
	default:
		var n amountNumber
		n, ok = quantityNumber(v)
		s = compared(n, v.Get("comparator").Text())
	}
	if !ok {
		return nil, false
	}
	return s.amount(unit.Get("system").Text(), unit.Get("code").Text(), unit.Get("unit").Text()), true
}

func quantityNumber(v *Value) (amountNumber, bool) {
	n := v.Get("value")
	if n.Kind() != Number {
		return amountNumber{}, false
	}
	return parseNumber(n.text)
}

// compared gives what a Quantity with a comparator covers (R4 datatypes.html#Quantity).
func compared(n amountNumber, comparator string) amountSpan {
	switch comparator {
	case "<", "<=":
		return amountSpan{nil, n.value, new(big.Rat)}
	case ">", ">=":
		return amountSpan{n.value, nil, new(big.Rat)}
	}
	return amountSpan{n.value, n.value, n.slack}
}

// sampled gives the limits of detection of SampledData as amounts: limit × factor + origin.
func sampled(v *Value) (amountSpan, bool) {
	origin, ok := quantityNumber(v.Get("origin"))
	if !ok {
		return amountSpan{}, false
	}
	factor := amountNumber{value: big.NewRat(1, 1)}
	if f := v.Get("factor"); f.Kind() == Number {
		if factor, ok = parseNumber(f.text); !ok {
			return amountSpan{}, false
		}
	}
	s := amountSpan{slack: new(big.Rat)}
	for name, bound := range map[string]**big.Rat{"lowerLimit": &s.low, "upperLimit": &s.high} {
		if limit, valid := parseNumber(v.Get(name).Text()); valid {
			*bound = limit.value.Add(limit.value.Mul(limit.value, factor.value), origin.value)
		}
	}
	if factor.value.Sign() < 0 {
		s.low, s.high = s.high, s.low
	}
	return s, s.low != nil || s.high != nil
}

// amount gives the span in its unit, and in UCUM's base units when its unit has them.
func (s amountSpan) amount(system, code, unit string) *Amount {
	a := &Amount{System: system, Code: code, Unit: unit}
	a.Low, a.High, a.Slack = s.texts()
	if system != SystemUCUM || code == "" {
		return a
	}
	if factor, base, ok := ucumBase(code); ok {
		a.Base = base
		a.BaseLow, a.BaseHigh, a.BaseSlack = s.times(factor).texts()
	}
	return a
}
