//go:build soak

package conformance_test

import (
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"
)

// The two worlds at full length.
func TestHiddenIsAbsentLong(t *testing.T) { twoWorlds(t, 50_000) }

// tells is the difference of two medians, as a share of the smaller, that may not be: with a rank test that is sure
// of it, time tells what is hidden from what is not there.
const tells = 0.03

// What is hidden and what does not exist take about as long, asked in turn in random order.
func TestHiddenTakesAsLong(t *testing.T) {
	w := newWorld(t, true)
	w.visible(t)
	w.hide(t)
	w.settle(t)
	random := seeded(t)
	const kari = "Patient/" + bydelHER + "-kari"
	for _, tt := range []struct{ name, method, hidden, absent, form string }{
		{"read", http.MethodGet, "/fhir/CarePlan/" + bydelHER + "-skjult-3", "/fhir/CarePlan/" + bydelHER + "-skjulx-3", ""},
		{"read of another person's", http.MethodGet, "/fhir/CarePlan/" + bydelHER + "-annen-1", "/fhir/CarePlan/" + bydelHER + "-annex-1", ""},
		{"history", http.MethodGet, "/fhir/CarePlan/" + bydelHER + "-skjult-3/_history", "/fhir/CarePlan/" + bydelHER + "-skjulx-3/_history", ""},
		{"search by a value", http.MethodGet, "/fhir/CarePlan?identifier=urn:sluse:test|skjult-3", "/fhir/CarePlan?identifier=urn:sluse:test|skjulx-3", ""},
		{"search by a value of a patient", http.MethodGet, "/fhir/CarePlan?patient=" + kari + "&identifier=urn:sluse:test|skjult-3", "/fhir/CarePlan?patient=" + kari + "&identifier=urn:sluse:test|skjulx-3", ""},
		{"search by a hidden part", http.MethodGet, "/fhir/CarePlan?activity-code=skjult", "/fhir/CarePlan?activity-code=skjulx", ""},
		{"search by a patient", http.MethodGet, "/fhir/CarePlan?patient=Patient/" + bydelHER + "-annen", "/fhir/CarePlan?patient=Patient/" + bydelHER + "-annex", ""},
		{"search by a number", http.MethodPost, otherNIN, unknownNIN, "identifier=urn:oid:2.16.578.1.12.4.1.4.1%7C"},
		{"delete", http.MethodDelete, "/fhir/CarePlan/" + bydelHER + "-skjult-4", "/fhir/CarePlan/" + bydelHER + "-skjulx-4", ""},
	} {
		ask := func(what string) float64 {
			path, media, body := what, "", ""
			if tt.form != "" {
				path, media, body = "/fhir/Patient/_search", "application/x-www-form-urlencoded", tt.form+url.QueryEscape(what)
			}
			began := time.Now()
			if _, err := w.asks["ous-tsb"].try(tt.method, path, media, []byte(body)); err != nil {
				t.Fatal(err)
			}
			return time.Since(began).Seconds() * 1e6
		}
		var hidden, absent []float64
		for n := range 1500 {
			var h, a float64
			if random.IntN(2) == 0 {
				h, a = ask(tt.hidden), ask(tt.absent)
			} else {
				a, h = ask(tt.absent), ask(tt.hidden)
			}
			if n >= 100 { // the beginning warms up
				hidden, absent = append(hidden, h), append(absent, a)
			}
		}
		longer, p := mannWhitney(hidden, absent)
		t.Logf("%s: hidden %.0f µs, absent %.0f µs (medians of %d), hidden longer in %.1f %%, p %.4f", tt.name, median(hidden), median(absent), len(hidden), 100*longer, p)
		if p < 0.001 && spread(hidden, absent) > tells {
			t.Errorf("LEAK: %s: time tells what is hidden from what is not there: medians %.1f %% apart, p %.2g", tt.name, 100*spread(hidden, absent), p)
		}
	}
}

// spread is the difference of the medians as a share of the smaller.
func spread(a, b []float64) float64 {
	m, n := median(a), median(b)
	return math.Abs(m-n) / min(m, n)
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// mannWhitney gives the chance that one of a is above one of b, and the probability, by the normal approximation,
// that two samples of one distribution differ in rank as much as these (Mann and Whitney 1947).
func mannWhitney(a, b []float64) (above, p float64) {
	type one struct {
		value float64
		first bool
	}
	var all []one
	for _, v := range a {
		all = append(all, one{v, true})
	}
	for _, v := range b {
		all = append(all, one{v, false})
	}
	slices.SortFunc(all, func(x, y one) int {
		switch {
		case x.value < y.value:
			return -1
		case x.value > y.value:
			return 1
		}
		return 0
	})
	ranks := 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].value == all[i].value {
			j++
		}
		for k := i; k < j; k++ {
			if all[k].first {
				ranks += float64(i+j+1) / 2
			}
		}
		i = j
	}
	n, m := float64(len(a)), float64(len(b))
	u := ranks - n*(n+1)/2
	z := (u - n*m/2) / math.Sqrt(n*m*(n+m+1)/12)
	return u / (n * m), math.Erfc(math.Abs(z) / math.Sqrt2)
}

// The rank test finds a shift of a tenth, and none where there is none.
func TestRankTest(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	sample := func(shift float64) (list []float64) {
		for range 1000 {
			list = append(list, 100+shift+random.NormFloat64()*20)
		}
		return list
	}
	if a, b := sample(0), sample(0); spread(a, b) > tells {
		t.Errorf("no shift: %g apart", spread(a, b))
	} else if _, p := mannWhitney(a, b); p < 0.001 {
		t.Errorf("no shift: p %g", p)
	}
	if a, b := sample(10), sample(0); spread(a, b) < tells {
		t.Errorf("a shift of a tenth: %g apart", spread(a, b))
	} else if above, p := mannWhitney(a, b); p > 0.001 || above < 0.5 {
		t.Errorf("a shift of a tenth: %g, p %g", above, p)
	}
}
