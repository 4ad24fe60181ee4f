//go:build soak

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	fuzzing  = 3 * time.Minute
	askers   = 2
	longest  = 2 * time.Second // of a statement (R4 leaves it open; a longer one is too-costly)
	sampling = 20 * time.Millisecond
)

// offer is what the CapabilityStatement says of a type.
type offer struct {
	Type          string
	SearchParam   []parameter
	SearchInclude []string
	RevInclude    []string `json:"searchRevInclude"`
}

type parameter struct{ Name, Type string }

// asker writes random searches out of what is offered and what is stored.
type asker struct {
	*rand.Rand
	offers   []offer
	patients []string
	plans    []string
}

var pools = map[string][]string{
	"token":  {"active", "completed", "final", "http://loinc.org|29463-7", "29463-7", "http://loinc.org|", "|active", "plan", "finnes-ikke", "true", "false"},
	"string": {"Syntetisk", "syn", "Nr", "Nr 7", "a", "å", "vekt", "Mål nummer 2", `a\,b`, "%", "_", "Individuell", strings.Repeat("æ", 60)},
	"date":   {"2026", "2026-03", "2026-03-10", "2026-03-10T08:30:00+01:00", "1990-01-01", "2031", "2026-13"},
	"number": {"0", "50.5", "1e3", "-7"}, "quantity": {"72.5", "72.5||kg", "72500|http://unitsofmeasure.org|g", "60|http://unitsofmeasure.org|kg", "1||stk"},
	"uri":       {"http://sluse.no/x", "urn:uuid:5a1e0000-0000-4000-8000-000000000001", "http://sluse.no"},
	"composite": {"29463-7$gt60", "http://loinc.org|29463-7$72.5||kg", "a$b"}, "special": {"x"},
}

var prefixes = []string{"", "", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}

func one[T any](r *asker, list []T) (v T) {
	if len(list) > 0 {
		v = list[r.IntN(len(list))]
	}
	return v
}

func (r *asker) chance(percent int) bool { return r.IntN(100) < percent }

func (r *asker) value(kind string) string {
	switch kind {
	case "reference":
		return one(r, []string{one(r, r.patients), one(r, r.plans), strings.TrimPrefix(one(r, r.patients), "Patient/"), "Organization/x"})
	case "date", "number", "quantity":
		return one(r, prefixes) + one(r, pools[kind])
	}
	return one(r, pools[kind])
}

// modifiers of R4 search.html#modifiers, by type.
var modifiers = map[string][]string{
	"token": {"not", "text", "missing"}, "string": {"exact", "contains", "missing"}, "uri": {"below", "above", "missing"},
	"reference": {"identifier", "missing"}, "date": {"missing"}, "quantity": {"missing"}, "number": {"missing"},
}

// condition writes a parameter of a type with its value, now and then over a chain.
func (r *asker) condition(o *offer, depth int) (name, value string) {
	p := one(r, o.SearchParam)
	switch {
	case depth > 0 && r.chance(12):
		from := &r.offers[r.IntN(len(r.offers))]
		back := one(r, slices.DeleteFunc(slices.Clone(from.SearchParam), func(p parameter) bool { return p.Type != "reference" }))
		name, value = r.condition(from, depth-1)
		return "_has:" + from.Type + ":" + back.Name + ":" + name, value
	case depth > 0 && p.Type == "reference" && r.chance(40):
		aims := slices.DeleteFunc(slices.Clone(o.SearchInclude), func(s string) bool { return !strings.HasPrefix(s, o.Type+":"+p.Name+":") })
		aim := one(r, aims)
		i := slices.IndexFunc(r.offers, func(to offer) bool { return strings.HasSuffix(aim, ":"+to.Type) })
		if i < 0 {
			break
		}
		name, value = r.condition(&r.offers[i], depth-1)
		return p.Name + ":" + r.offers[i].Type + "." + name, value
	}
	name, value = p.Name, r.value(p.Type)
	if r.chance(25) {
		if m := one(r, modifiers[p.Type]); m != "" {
			name += ":" + m
			if m == "missing" {
				value = one(r, []string{"true", "false"})
			}
		}
	}
	if r.chance(15) {
		value += "," + r.value(p.Type)
	}
	return name, value
}

func (r *asker) search() string {
	o := &r.offers[r.IntN(len(r.offers))]
	if r.chance(60) { // the types of which there are many
		i := slices.IndexFunc(r.offers, func(o offer) bool { return o.Type == "CarePlan" })
		o = &r.offers[max(i, 0)]
		if r.chance(40) {
			i = slices.IndexFunc(r.offers, func(o offer) bool { return o.Type == "Observation" })
			o = &r.offers[max(i, 0)]
		}
	}
	q := url.Values{}
	for range 1 + r.IntN(3) {
		q.Add(r.condition(o, 2))
	}
	if r.chance(30) {
		q.Set("_sort", one(r, []string{"", "-"})+one(r, slices.DeleteFunc(slices.Clone(o.SearchParam), func(p parameter) bool { return p.Type != "date" && p.Type != "string" })).Name)
	}
	if r.chance(30) {
		q.Set("_count", one(r, []string{"0", "1", "20", "200"}))
	}
	if r.chance(15) {
		q.Set("_total", one(r, []string{"none", "estimate", "accurate"}))
	}
	if r.chance(10) {
		q.Set("_summary", one(r, []string{"count", "true", "data"}))
	}
	if r.chance(20) {
		q.Set("_include", one(r, o.SearchInclude))
	}
	if r.chance(15) {
		q.Set("_revinclude", one(r, o.RevInclude))
	}
	return "/fhir/" + o.Type + "?" + q.Encode()
}

// watched gives the longest statement that ran until the context ended.
func (g *grown) watched(ctx context.Context) (long time.Duration, statement string) {
	for ; ctx.Err() == nil; time.Sleep(sampling) {
		var ran time.Duration
		var sql string
		if err := g.conn.QueryRow(ctx, `select clock_timestamp() - query_start, query from pg_stat_activity
where state = 'active' and backend_type = 'client backend' and pid <> pg_backend_pid() and query not ilike 'commit%' order by 1 desc limit 1`).Scan(&ran, &sql); err == nil && ran > long {
			long, statement = ran, sql
		}
	}
	return long, statement
}

// counts of answers; slow has the searches that took longest.
type counts struct {
	sync.Mutex
	status map[int]int
	costly []string
	slow   time.Duration
	worst  string
}

func (c *counts) add(t *testing.T, path string, status int, body string, took time.Duration) {
	c.Lock()
	defer c.Unlock()
	c.status[status]++
	if strings.Contains(body, "search.too-costly") {
		c.costly = append(c.costly, path)
	}
	if took > c.slow {
		c.slow, c.worst = took, path
	}
	if status != http.StatusOK && status/100 != 4 {
		t.Errorf("%s: status %d: %.200s", path, status, body)
	}
}

// fuzzed asks random searches of a million resources: every answer is given or refused, and no
// statement takes more than two seconds.
func fuzzed(t *testing.T, g *grown) {
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // a seed
	t.Logf("seed %d", seed)
	offers, err := g.offers()
	if err != nil || len(offers) == 0 {
		t.Fatalf("capabilities: %v", err)
	}
	ctx, end := context.WithTimeout(t.Context(), fuzzing)
	defer end()
	found := counts{status: map[int]int{}}
	var wg sync.WaitGroup
	for i := range askers {
		wg.Go(func() {
			r := &asker{rand.New(rand.NewPCG(seed, uint64(i))), offers, g.patients, g.plans} //nolint:gosec // a load
			for ctx.Err() == nil {
				path := r.search()
				begun := time.Now()
				status, body, err := g.get(path, one(r, []string{g.writer, g.reader}))
				if err != nil {
					t.Errorf("%s: %v", path, err)
					return
				}
				found.add(t, path, status, body, time.Since(begun))
			}
		})
	}
	long, statement := g.watched(ctx)
	wg.Wait()
	asked := 0
	for _, n := range found.status {
		asked += n
	}
	t.Logf("%d searches, answers %v; too costly %d (%.1f %%); slowest answer %v: %s", asked, found.status, len(found.costly),
		100*float64(len(found.costly))/float64(asked), found.slow.Round(time.Millisecond), found.worst)
	for _, path := range found.costly[:min(10, len(found.costly))] {
		t.Logf("too costly: %s", path)
	}
	t.Logf("longest statement %v: %.2000s", long.Round(time.Millisecond), statement)
	if asked < 100 || found.status[http.StatusOK] < asked/5 {
		t.Errorf("%d searches, %d of them answered: the fuzz shows too little", asked, found.status[http.StatusOK])
	}
	if long > longest {
		t.Errorf("a statement took %v", long)
	}
}

func (g *grown) offers() ([]offer, error) {
	_, body, err := g.get("/fhir/metadata", "")
	var statement struct {
		Rest []struct{ Resource []offer }
	}
	if err == nil {
		err = json.Unmarshal([]byte(body), &statement)
	}
	if err != nil || len(statement.Rest) == 0 {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	return slices.DeleteFunc(statement.Rest[0].Resource, func(o offer) bool { return len(o.SearchParam) == 0 }), nil
}

func (g *grown) get(path, token string) (status int, body string, err error) {
	req, err := g.request(http.MethodGet, path, token, "")
	if err != nil {
		return 0, "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}
