package fhir

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// ucumUnit is a UCUM unit: a factor times powers of base units.
type ucumUnit struct {
	factor *big.Rat
	powers map[string]int
}

// unitAtoms are the units of UCUM that health records are written in, each by a factor and a
// unit made of others; "" is a base unit here. Amount of substance, temperature scales, angle and
// arbitrary units are bases of their own: they convert to nothing else.
var unitAtoms = map[string]struct {
	factor, of string
	metric     bool
}{
	"m": {"", "", true}, "s": {"", "", true}, "g": {"", "", true}, "K": {"", "", true}, "C": {"", "", true}, "cd": {"", "", true}, "mol": {"", "", true},
	"Cel": {"", "", true}, "[degF]": {"", "", false}, "deg": {"", "", false}, "rad": {"", "", true},
	"[iU]": {"", "", true}, "[arb'U]": {"", "", false}, "[pH]": {"", "", false}, "[CFU]": {"", "", true},
	"[IU]": {"1", "[iU]", true}, "10*": {"10", "1", false}, "10^": {"10", "1", false}, "%": {"0.01", "1", false},
	"[ppth]": {"0.001", "1", false}, "[ppm]": {"0.000001", "1", false}, "[HPF]": {"1", "1", false}, "[LPF]": {"100", "1", false},
	"L": {"0.001", "m3", true}, "l": {"0.001", "m3", true}, "ar": {"100", "m2", true}, "t": {"1000000", "g", true}, "u": {"1.66053906660e-24", "g", true},
	"min": {"60", "s", false}, "h": {"3600", "s", false}, "d": {"86400", "s", false}, "wk": {"604800", "s", false},
	"mo": {"2629800", "s", false}, "mo_j": {"2629800", "s", false}, "a": {"31557600", "s", false}, "a_j": {"31557600", "s", false},
	"Hz": {"1", "s-1", true}, "N": {"1000", "g.m.s-2", true}, "Pa": {"1000", "g.m-1.s-2", true}, "J": {"1000", "g.m2.s-2", true}, "W": {"1000", "g.m2.s-3", true},
	"A": {"1", "C.s-1", true}, "V": {"1000", "g.m2.s-2.C-1", true}, "Ohm": {"1000", "g.m2.s-1.C-2", true}, "S": {"0.001", "g-1.m-2.s.C2", true},
	"Bq": {"1", "s-1", true}, "Gy": {"1", "m2.s-2", true}, "Sv": {"1", "m2.s-2", true}, "lm": {"1", "cd", true}, "lx": {"1", "cd.m-2", true},
	"bar": {"100000000", "g.m-1.s-2", true}, "m[Hg]": {"133322000", "g.m-1.s-2", true}, "m[H2O]": {"9806650", "g.m-1.s-2", true},
	"cal": {"4184", "g.m2.s-2", true}, "[Cal]": {"4184000", "g.m2.s-2", false}, "eq": {"1", "mol", true}, "osm": {"1", "mol", true}, "kat": {"1", "mol.s-1", true},
	"U": {"0.000001", "mol.min-1", true}, "[drp]": {"0.00005", "L", false},
	"[in_i]": {"0.0254", "m", false}, "[ft_i]": {"0.3048", "m", false}, "[lb_av]": {"453.59237", "g", false}, "[oz_av]": {"28.349523125", "g", false},
}

var unitPrefixes = map[string]int{
	"Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
	"d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}

// maxUnitText bounds a unit that is read.
const maxUnitText = 40

// unitBase is a unit as it was read. Its factor is shared and never changed.
type unitBase struct {
	factor *big.Rat
	base   string
}

// maxUnitsRead bounds the units that are kept: records are written in few, and a client that makes up
// others has each of them read anew.
const maxUnitsRead = 512

var unitsRead = struct {
	sync.RWMutex
	of map[string]unitBase
}{of: map[string]unitBase{}}

// ucumBase gives the factor of a UCUM code, in case-sensitive form, to its base units, and those in a
// form that is the same for equal ones; "1" has none. False for a unit that it does not know.
func ucumBase(code string) (factor *big.Rat, base string, ok bool) {
	if len(code) > maxUnitText {
		return nil, "", false
	}
	unitsRead.RLock()
	u, known := unitsRead.of[code]
	unitsRead.RUnlock()
	if known {
		return u.factor, u.base, true
	}
	if u.factor, u.base, ok = readUnit(code); !ok {
		return nil, "", false
	}
	unitsRead.Lock()
	defer unitsRead.Unlock()
	if len(unitsRead.of) < maxUnitsRead {
		unitsRead.of[strings.Clone(code)] = u
	}
	return u.factor, u.base, true
}

func readUnit(code string) (factor *big.Rat, base string, ok bool) {
	r := unitReader{rest: code}
	u, ok := r.term()
	if !ok || r.rest != "" {
		return nil, "", false
	}
	var parts []string
	for name, n := range u.powers {
		switch n {
		case 0:
		case 1:
			parts = append(parts, name)
		default:
			parts = append(parts, name+strconv.Itoa(n))
		}
	}
	if len(parts) == 0 {
		return u.factor, "1", true
	}
	slices.Sort(parts)
	return u.factor, strings.Join(parts, "."), true
}

// unitReader reads a term: components joined by "." and "/" from left to right.
type unitReader struct {
	rest  string
	depth int
}

func (r *unitReader) term() (ucumUnit, bool) {
	out := ucumUnit{factor: big.NewRat(1, 1), powers: map[string]int{}}
	sign := 1
	if strings.HasPrefix(r.rest, "/") {
		sign, r.rest = -1, r.rest[1:]
	}
	for {
		c, ok := r.component()
		if !ok {
			return ucumUnit{}, false
		}
		out.times(c, sign)
		switch {
		case strings.HasPrefix(r.rest, "."):
			sign = 1
		case strings.HasPrefix(r.rest, "/"):
			sign = -1
		default:
			return out, true
		}
		r.rest = r.rest[1:]
	}
}

// times multiplies by the n-th power of another unit, |n| at most 9.
func (u *ucumUnit) times(o ucumUnit, n int) {
	f := new(big.Rat).Set(o.factor)
	if n < 0 {
		f.Inv(f)
	}
	for range max(n, -n) {
		u.factor.Mul(u.factor, f)
	}
	for name, p := range o.powers {
		u.powers[name] += p * n
	}
}

func (r *unitReader) component() (ucumUnit, bool) {
	if rest, ok := strings.CutPrefix(r.rest, "("); ok {
		if r.depth++; r.depth > 4 {
			return ucumUnit{}, false
		}
		r.rest = rest
		u, ok := r.term()
		if !ok || !strings.HasPrefix(r.rest, ")") {
			return ucumUnit{}, false
		}
		r.rest = r.rest[1:]
		return u, r.annotation()
	}
	symbol, exponent, ok := r.symbol()
	if !ok || !r.annotation() {
		return ucumUnit{}, false
	}
	u, ok := atom(symbol)
	if !ok {
		return ucumUnit{}, false
	}
	out := ucumUnit{factor: big.NewRat(1, 1), powers: map[string]int{}}
	out.times(u, exponent)
	return out, true
}

// annotation passes over {…}, which has no meaning.
func (r *unitReader) annotation() bool {
	if !strings.HasPrefix(r.rest, "{") {
		return true
	}
	_, rest, ok := strings.Cut(r.rest, "}")
	r.rest = rest
	return ok
}

// symbol reads a symbol and its exponent; an annotation alone is the unit 1, and so is a number.
func (r *unitReader) symbol() (name string, exponent int, ok bool) {
	if strings.HasPrefix(r.rest, "{") {
		return "1", 1, true
	}
	end, bracket := 0, false
	for ; end < len(r.rest); end++ {
		c := r.rest[end]
		if c == '[' || c == ']' {
			bracket = c == '['
		} else if !bracket && strings.IndexByte("./(){}", c) >= 0 {
			break
		}
	}
	name, r.rest = r.rest[:end], r.rest[end:]
	if digitsOnly(name) {
		return name, 1, true
	}
	at := len(name)
	for at > 0 && isDigit(name[at-1]) {
		at--
	}
	if at == len(name) {
		return name, 1, name != ""
	}
	if at > 0 && (name[at-1] == '-' || name[at-1] == '+') {
		at--
	}
	if name[:at] == "10" { // 10*3 is cut at its star, 10^3 at its caret; a bare 10-3 is no unit
		return "", 0, false
	}
	exponent, err := strconv.Atoi(name[at:])
	limit := 9
	if strings.HasPrefix(name, "10") {
		limit = 24
	}
	return name[:at], exponent, err == nil && exponent >= -limit && exponent <= limit
}

// atom gives a unit by its symbol, with or without a prefix.
func atom(symbol string) (ucumUnit, bool) {
	if digitsOnly(symbol) && len(symbol) <= 6 && symbol != "0" {
		f, ok := new(big.Rat).SetString(symbol)
		return ucumUnit{factor: f}, ok && f.Sign() > 0
	}
	if a, ok := unitAtoms[symbol]; ok {
		if a.of == "" {
			return ucumUnit{factor: big.NewRat(1, 1), powers: map[string]int{symbol: 1}}, true
		}
		r := unitReader{rest: a.of}
		u, ok := r.term()
		f, valid := new(big.Rat).SetString(a.factor)
		if !ok || !valid {
			return ucumUnit{}, false
		}
		u.factor.Mul(u.factor, f)
		return u, true
	}
	for _, n := range []int{1, 2} {
		if len(symbol) <= n {
			break
		}
		tens, known := unitPrefixes[symbol[:n]]
		if a, ok := unitAtoms[symbol[n:]]; known && ok && a.metric {
			u, ok := atom(symbol[n:])
			if ok {
				u.factor = new(big.Rat).Mul(u.factor, power(10, tens))
			}
			return u, ok
		}
	}
	return ucumUnit{}, false
}
