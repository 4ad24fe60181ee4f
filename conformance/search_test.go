package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// library is a server that holds the author's resources, and the evaluator that knows the same.
type library struct {
	*client
	eval    *evaluator
	random  *rand.Rand
	refused map[string][]string // per type: what the server would not store, with its reason
	offers  map[string][]offer  // per type: the search parameters of the CapabilityStatement
}

// offer is a search parameter as the CapabilityStatement tells of it.
type offer struct{ Name, Definition, Type, Documentation string }

// offered reads the CapabilityStatement.
func (s *server) offered() map[string][]offer {
	a, err := s.send(http.MethodGet, "/fhir/metadata", "", "", nil)
	var statement struct {
		Rest []struct {
			Resource []struct {
				Type        string
				SearchParam []offer
			}
		}
	}
	if err != nil || a.status != http.StatusOK || json.Unmarshal(a.body, &statement) != nil || len(statement.Rest) != 1 {
		s.t.Fatalf("metadata: %v, status %d: %.200s", err, a.status, a.body)
	}
	list := map[string][]offer{}
	for _, r := range statement.Rest[0].Resource {
		list[r.Type] = r.SearchParam
	}
	return list
}

// seeded prints the seed of a random test. It is the same in every run, so that a change and not chance
// turns the suite red; SLUSE_SEED=n takes another, SLUSE_SEED=new one of this moment.
func seeded(t testing.TB) *rand.Rand {
	seed := uint64(2)
	if n, err := strconv.ParseUint(os.Getenv("SLUSE_SEED"), 10, 64); err == nil {
		seed = n
	} else if os.Getenv("SLUSE_SEED") == "new" {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d: SLUSE_SEED=%[1]d repeats the run", seed)
	return rand.New(rand.NewPCG(seed, 3))
}

// perKind is how many of each type the author writes.
const perKind = 12

// newLibrary fills a server by random, and reads back what it holds.
func newLibrary(t testing.TB) *library {
	s := start(t, "--no-story")
	l := &library{client: s.as("bydel-sagene"), random: seeded(t), refused: map[string][]string{}, offers: s.offered()}
	a := &author{random: l.random, next: map[string]int{}, prefix: l.herID + "-", ids: map[string][]string{"Organization": {l.organization, s.as("ous-tsb").organization}}}
	for _, kind := range recordKinds {
		if l.offers[kind] == nil {
			continue
		}
		for n := range perKind {
			a.ids[kind] = append(a.ids[kind], fmt.Sprintf("%s/%s%s-%d", kind, a.prefix, strings.ToLower(kind), n))
		}
	}
	a.ids["Patient"] = a.ids["Patient"][:4] // few persons with much about each
	l.store(a)
	l.fixed(a)
	l.organize(a, s.as("drift"))
	l.readAll(t)
	return l
}

// store puts the author's resources; what is refused is kept with the reason.
func (l *library) store(a *author) {
	for _, kind := range recordKinds {
		for n, ref := range a.ids[kind] {
			_, id, _ := strings.Cut(ref, "/")
			a.full = n == 0
			body, err := json.Marshal(a.resource(kind, id))
			if err != nil {
				l.t.Fatal(err)
			}
			answer, err := l.try(http.MethodPut, "/fhir/"+ref, "application/fhir+json", body)
			if err != nil {
				l.t.Fatal(err)
			}
			if answer.status != http.StatusCreated {
				l.refused[kind] = append(l.refused[kind], fmt.Sprintf("%d %s\n\t%s", answer.status, outcomeOf(answer.body), body))
			}
		}
	}
}

// outcomeOf gives the issues of an answer in short.
func outcomeOf(body []byte) string {
	var o struct {
		Issue []struct {
			Code, Diagnostics string
			Expression        []string
			Details           struct {
				Text   string
				Coding []struct{ Code string }
			}
		}
	}
	_ = json.Unmarshal(body, &o)
	var list []string
	for _, i := range o.Issue {
		code := ""
		if len(i.Details.Coding) > 0 {
			code = i.Details.Coding[0].Code
		}
		list = append(list, fmt.Sprintf("%s %s %v %s%s", i.Code, code, i.Expression, i.Details.Text, i.Diagnostics))
	}
	return strings.Join(list, "; ")
}

// readAll lists every type to its end, for the evaluator.
func (l *library) readAll(t testing.TB) {
	l.eval = newEvaluator(l.base + "/fhir")
	for kind := range r4Table().order {
		if kind == "AuditEvent" || l.offers[kind] == nil {
			continue
		}
		for _, r := range l.pages(t, "/fhir/"+kind+"?_count=100") {
			l.eval.add(r)
		}
	}
}

// pages follows the links from page to page and gives what was found, decoded with literal numbers.
func (l *library) pages(t testing.TB, path string) (found []map[string]any) {
	t.Helper()
	for path != "" {
		a := l.must(http.StatusOK, http.MethodGet, path, nil)
		page := read(t, a.body)
		for _, e := range page.Entry {
			if e.Search.Mode == "match" {
				found = append(found, e.Resource)
			}
		}
		path = strings.TrimPrefix(page.next(), l.base)
	}
	return found
}

// bundle is a searchset.
type bundle struct {
	ResourceType string
	Total        *int
	Link         []struct{ Relation, URL string }
	Entry        []struct {
		FullURL  string
		Resource map[string]any
		Search   struct{ Mode string }
	}
}

func read(t testing.TB, body []byte) bundle {
	t.Helper()
	var b bundle
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&b); err != nil || b.ResourceType != "Bundle" {
		t.Fatalf("no Bundle: %v: %.300s", err, body)
	}
	return b
}

func (b bundle) next() string {
	for _, l := range b.Link {
		if l.Relation == "next" {
			return l.URL
		}
	}
	return ""
}

// keys gives those of a search mode, sorted.
func (b bundle) keys(mode string) []string {
	list := []string{}
	for _, e := range b.Entry {
		if e.Search.Mode == mode {
			list = append(list, key(e.Resource))
		}
	}
	slices.Sort(list)
	return list
}

// link is the URL of a search.
func link(kind string, pairs ...pair) string {
	var b strings.Builder
	b.WriteString("/fhir/" + kind)
	for i, p := range pairs {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(url.QueryEscape(p.name) + "=" + url.QueryEscape(p.value))
	}
	return b.String()
}

// ask runs a search to its end and compares what it finds with the evaluator. It tells whether
// there was anything to find.
func (l *library) ask(t testing.TB, kind string, pairs ...pair) bool {
	t.Helper()
	want := l.eval.search(kind, pairs...)
	path := link(kind, append(slices.Clone(pairs), pair{"_count", "100"})...)
	var got []string
	for path != "" {
		a, err := l.try(http.MethodGet, path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if a.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.status, outcomeOf(a.body))
			return false
		}
		page := read(t, a.body)
		got = append(got, page.keys("match")...)
		path = strings.TrimPrefix(page.next(), l.base)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s %v:\nmissing %s\nextra   %s", kind, pairs, l.show(want, got, pairs), l.show(got, want, pairs))
	}
	return len(want) > 0
}

// show gives those of a that are not in b, the first with what the parameter looks at.
func (l *library) show(a, b []string, pairs []pair) string {
	var list []string
	for _, k := range a {
		if slices.Contains(b, k) {
			continue
		}
		if len(list) < 2 && l.eval.named[k] != nil && len(pairs) > 0 {
			name, _, _ := strings.Cut(pairs[0].name, ":")
			name, _, _ = strings.Cut(name, ".")
			if p := r4Table().param(text(l.eval.named[k]["resourceType"]), name); p != nil {
				var values []any
				for _, n := range p.evaluate(l.eval.named[k]) {
					values = append(values, n.value)
				}
				shown, _ := json.Marshal(values)
				k += " " + string(shown)
			}
		}
		list = append(list, k)
	}
	if len(list) > 5 {
		list = append(list[:5], fmt.Sprintf("and %d more", len(list)-5))
	}
	return strings.Join(list, ", ")
}
