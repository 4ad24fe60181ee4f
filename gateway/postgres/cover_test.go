package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// TestFewTermsAreWrittenOut sees that a statement about one record makes no table of few terms, and one
// of many.
func TestFewTermsAreWrittenOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		terms int
		table bool
	}{{0, false}, {1, false}, {fewTerms, false}, {fewTerms + 1, true}} {
		scope := gateway.Scope{Own: "200", Person: 7}
		for n := range c.terms {
			scope.Terms = append(scope.Terms, gateway.Term{
				Effect: gateway.Allow, Custodians: gateway.Only(gateway.HERID(rune('1' + n))), Types: gateway.Every[fhir.Type](),
				Items: gateway.Every[fhir.Reference](), Mask: gateway.Plan,
			})
		}
		var args arguments
		if sql := newScoped(scope, "CarePlan", &args).coverOneSQL(); strings.Contains(sql, "unnest") != c.table {
			t.Errorf("%d terms: %s", c.terms, sql)
		}
		scope.Join = &gateway.Join{}
		if sql := newScoped(scope, "CarePlan", new(arguments)).coverOneSQL(); !strings.Contains(sql, "grant_") {
			t.Errorf("%d terms, and the grants of each person are not asked: %s", c.terms, sql)
		}
	}
}

// TestUndatedIsOutside sees a record without date outside a permit's period that only ends, and inside such a
// period of a deny, where the terms are written out and where they are a table.
func TestUndatedIsOutside(t *testing.T) {
	b := newBench(t)
	p := b.patient("100", "100-kari", kari)
	b.make(b.draft("100", ref("CarePlan", "100-plan"), "100-kari", gateway.Plan))
	term := func(effect gateway.Effect, high bool) gateway.Term {
		out := permitting(gateway.Plan).Terms[0]
		out.Effect = effect
		if high {
			out.High = start
		}
		return out
	}
	for name, c := range map[string]struct {
		terms []gateway.Term
		out   bool
	}{
		"any date":                    {[]gateway.Term{term(gateway.Allow, false)}, true},
		"until a date":                {[]gateway.Term{term(gateway.Allow, true)}, false},
		"any date, less until a date": {[]gateway.Term{term(gateway.Allow, false), term(gateway.Deny, true)}, false},
	} {
		for _, more := range []int{0, fewTerms} {
			scope := permitting(gateway.Plan)
			scope.Person, scope.Terms = p.Person, c.terms
			for n := range more { // so many that they become a table
				scope.Terms = append(scope.Terms, c.terms[0])
				scope.Terms[len(scope.Terms)-1].Custodians = gateway.Only(gateway.HERID(rune('1' + n)))
			}
			_, _, err := b.readStanding(b.ctx, scope, ref("CarePlan", "100-plan"), gateway.NIN{})
			if got := err == nil; got != c.out {
				t.Errorf("%s, %d terms: released %v: %v", name, len(scope.Terms), got, err)
			}
		}
	}
}

// A period and the date of a record that only meet have nothing in common, and bounds that are the same are within:
// where the terms are written out and where they are a table.
func TestPeriodsMeet(t *testing.T) {
	b := newBench(t)
	p := b.patient("100", "100-kari", kari)
	d := b.draft("100", ref("CarePlan", "100-plan"), "100-kari", gateway.Plan)
	low, high := start, start.AddDate(0, 1, 0)
	d.Low, d.High = low, high
	b.make(d)
	for name, c := range map[string]struct {
		effect    gateway.Effect
		low, high time.Time
		out       bool
	}{
		"permitted on that date":     {gateway.Allow, low, high, true},
		"permitted a moment later":   {gateway.Allow, low.Add(time.Second), high, false},
		"permitted from then on":     {gateway.Allow, low, time.Time{}, true},
		"permitted from later on":    {gateway.Allow, low.Add(time.Second), time.Time{}, false},
		"permitted a moment less":    {gateway.Allow, low, high.Add(-time.Second), false},
		"denied until it begins":     {gateway.Deny, low.AddDate(-1, 0, 0), low, true},
		"denied until it has begun":  {gateway.Deny, low.AddDate(-1, 0, 0), low.Add(time.Second), false},
		"denied from when it ends":   {gateway.Deny, high, time.Time{}, true},
		"denied from before its end": {gateway.Deny, high.Add(-time.Second), time.Time{}, false},
	} {
		for _, more := range []int{0, fewTerms} {
			scope := permitting(gateway.Plan)
			scope.Person = p.Person
			dated := scope.Terms[0]
			if dated.Effect, dated.Low, dated.High = c.effect, c.low, c.high; c.effect == gateway.Allow {
				scope.Terms = nil
			}
			scope.Terms = append(scope.Terms, dated)
			for n := range more { // so many that they become a table
				other := permitting(gateway.Plan).Terms[0]
				other.Custodians = gateway.Only(gateway.HERID(rune('1' + n)))
				scope.Terms = append(scope.Terms, other)
			}
			_, _, err := b.readStanding(b.ctx, scope, ref("CarePlan", "100-plan"), gateway.NIN{})
			if got := err == nil; got != c.out {
				t.Errorf("%s, %d terms: released %v: %v", name, len(scope.Terms), got, err)
			}
		}
	}
}
