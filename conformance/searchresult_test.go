package conformance_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// links gives chained searches and searches by _has over one reference parameter: from a resource
// that points at another, by a value of that other, and back.
func (q *asker) links(t testing.TB) (chained, has []pair, target string) {
	t.Helper()
	for _, r := range q.eval.kinds[q.kind] {
		for _, to := range q.eval.targets(r, q.p.Code) {
			other := q.eval.named[to]
			if other == nil {
				continue
			}
			target, _, _ = strings.Cut(to, "/")
			if p, value := q.some(other); p != "" {
				chained = append(chained, pair{q.p.Code + ":" + target + "." + p, value})
			}
			if p, value := q.some(r); p != "" {
				has = append(has, pair{"_has:" + q.kind + ":" + q.p.Code + ":" + p, value})
			}
			if len(chained) > 0 && len(has) > 0 {
				return chained, has, target
			}
		}
	}
	return nil, nil, ""
}

// some gives a random parameter with a value of a resource.
func (q *asker) some(r map[string]any) (code, value string) {
	kind := text(r["resourceType"])
	list := slices.DeleteFunc(slices.Clone(r4Table().of(kind)), func(p r4Param) bool {
		return p.Type == "reference" || p.Code == "_lastUpdated" || !q.offering(kind, p.Code)
	})
	q.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for _, p := range list {
		if values := (&asker{q.library, kind, p}).valuesOf(r); len(values) > 0 && values[0] != "" {
			return p.Code, values[0]
		}
	}
	return "", ""
}

// offering tells whether the server offers a parameter.
func (l *library) offering(kind, code string) bool {
	return slices.ContainsFunc(l.offers[kind], func(o offer) bool { return o.Name == code })
}

// included compares what _include or _revinclude brings with what the references say.
func (l *library) included(t testing.TB, kind, direction, value string, pairs ...pair) bool {
	t.Helper()
	matches := l.eval.search(kind, pairs...)
	f := strings.Split(value, ":")
	want := []string{}
	add := func(k string) {
		if l.eval.named[k] != nil && !slices.Contains(want, k) && !slices.Contains(matches, k) {
			want = append(want, k)
		}
	}
	for _, r := range l.eval.kinds[f[0]] {
		for _, to := range l.eval.targets(r, f[1]) {
			if len(f) == 3 && !strings.HasPrefix(to, f[2]+"/") {
				continue
			}
			if direction == "_include" && slices.Contains(matches, key(r)) {
				add(to)
			}
			if direction == "_revinclude" && slices.Contains(matches, to) {
				add(key(r))
			}
		}
	}
	slices.Sort(want)
	path := link(kind, append(slices.Clone(pairs), pair{direction, value}, pair{"_count", "200"})...)
	a := l.asked(t, path)
	if a.status != http.StatusOK {
		return false
	}
	page := read(t, a.body)
	if got := page.keys("match"); !slices.Equal(got, matches) {
		t.Errorf("%s: matches %v, want %v", path, got, matches)
	}
	if got := page.keys("include"); !slices.Equal(got, want) {
		t.Errorf("%s: included %v, want %v", path, got, want)
	}
	return len(want) > 0
}

// asked reports an answer other than 200 and goes on.
func (l *library) asked(t testing.TB, path string) answer {
	t.Helper()
	a, err := l.try(http.MethodGet, path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.status != http.StatusOK {
		t.Errorf("%s: %d %s", path, a.status, outcomeOf(a.body))
	}
	return a
}

// sorted checks the order of what _sort gives: the keys never go back, and what has none is last.
func (l *library) sorted(t testing.TB, kind string, p r4Param, down bool) {
	t.Helper()
	name := p.Code
	if down {
		name = "-" + name
	}
	found := l.pages(t, link(kind, pair{"_sort", name}, pair{"_count", "7"}))
	if len(found) != len(l.eval.kinds[kind]) {
		t.Errorf("%s by %s: %d, want %d", kind, name, len(found), len(l.eval.kinds[kind]))
	}
	missing, last := false, ""
	for _, r := range found {
		key := sortKey(p.evaluate(r), p.Type, down)
		switch {
		case key == noStart: // R4 says nothing of its place
		case key == "":
			missing = true
		case missing:
			t.Errorf("%s by %s: one with a value after one without", kind, name)
		case last != "" && (!down && key < last || down && key > last):
			t.Errorf("%s by %s: %q after %q", kind, name, key, last)
		}
		if key != "" && key != noStart {
			last = key
		}
	}
}

// noStart is the key of a period that has none.
var noStart = longAgo.Format("2006-01-02T15:04:05.000")

// sortKey is the least value, the greatest when descending (R4 search.html#sort); "" when there is
// none.
func sortKey(nodes []node, kind string, down bool) string {
	var list []string
	for _, n := range nodes {
		if kind == "date" {
			list = append(list, dateOf(n).low.UTC().Format("2006-01-02T15:04:05.000"))
			continue
		}
		for _, s := range stringsOf(n) {
			list = append(list, fold(s))
		}
	}
	if len(list) == 0 {
		return ""
	}
	if down {
		return slices.Max(list)
	}
	return slices.Min(list)
}

// paged walks through a search in pages of every size and demands each resource once.
func (l *library) paged(t testing.TB, kind string, pairs ...pair) {
	t.Helper()
	want := l.eval.search(kind, pairs...)
	for _, count := range []int{1, 2, 3, 5, len(want), len(want) + 1} {
		if count == 0 {
			continue
		}
		path := link(kind, append(slices.Clone(pairs), pair{"_count", strconv.Itoa(count)})...)
		var got []string
		for n := 0; path != "" && n <= len(want)+1; n++ {
			page := read(t, l.must(http.StatusOK, http.MethodGet, path, nil).body)
			keys := page.keys("match")
			if len(keys) > count {
				t.Errorf("%s: %d on a page", path, len(keys))
			}
			got = append(got, keys...)
			path = strings.TrimPrefix(page.next(), l.base)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s %v by %d: %v, want %v", kind, pairs, count, got, want)
		}
	}
}

// total compares what _total and _summary=count say.
func (l *library) total(t testing.TB, kind string, pairs ...pair) {
	t.Helper()
	want := len(l.eval.search(kind, pairs...))
	for _, p := range []pair{{"_total", "accurate"}, {"_total", "estimate"}, {"_summary", "count"}, {"_count", "0"}} {
		a := l.asked(t, link(kind, append(slices.Clone(pairs), p)...))
		if a.status != http.StatusOK {
			continue
		}
		page := read(t, a.body)
		if page.Total == nil || *page.Total != want {
			t.Errorf("%s %v %v: total %v, want %d", kind, pairs, p, page.Total, want)
		}
		if p.name != "_total" && len(page.keys("match")) != 0 {
			t.Errorf("%s %v: %d resources", kind, p, len(page.keys("match")))
		}
	}
	if a := l.asked(t, link(kind, append(slices.Clone(pairs), pair{"_total", "none"})...)); a.status == http.StatusOK && read(t, a.body).Total != nil {
		t.Errorf("%s: a total that was not asked for", kind)
	}
}

// posted asks the same with the parameters in the body, and with half of them in the URL.
func (l *library) posted(t testing.TB, kind string, a, b pair) {
	t.Helper()
	want := l.eval.search(kind, a, b)
	form := func(pairs ...pair) []byte {
		v := url.Values{"_count": {"200"}}
		for _, p := range pairs {
			v.Add(p.name, p.value)
		}
		return []byte(v.Encode())
	}
	for _, one := range []struct {
		path string
		body []byte
	}{
		{"/fhir/" + kind + "/_search", form(a, b)},
		{strings.Replace(link(kind, a), "/"+kind, "/"+kind+"/_search", 1), form(b)},
	} {
		answer, err := l.try(http.MethodPost, one.path, "application/x-www-form-urlencoded", one.body)
		if err != nil {
			t.Fatal(err)
		}
		if answer.status != http.StatusOK {
			t.Errorf("POST %s %s: %d %s", one.path, one.body, answer.status, outcomeOf(answer.body))
			continue
		}
		if got := read(t, answer.body).keys("match"); !slices.Equal(got, want) {
			t.Errorf("POST %s %s: %v, want %v", one.path, one.body, got, want)
		}
	}
}

// trimmed checks _summary and _elements: what is left out, what stays, and the tag SUBSETTED.
func (l *library) trimmed(t testing.TB) {
	t.Helper()
	for _, one := range []struct {
		kind, query   string
		stays, leaves []string
	}{
		{"Observation", "_elements=code", []string{"resourceType", "id", "meta", "status", "code"}, []string{"subject", "valueQuantity", "component", "effectivePeriod"}},
		{"Observation", "_elements=value,subject", []string{"code", "status", "subject"}, []string{"component"}},
		{"Patient", "_summary=text", []string{"id", "meta"}, []string{"name", "birthDate", "identifier"}},
		{"Patient", "_summary=true", []string{"id", "meta", "name", "birthDate"}, []string{"contact", "photo", "text", "communication"}},
		{"Patient", "_summary=data", []string{"id", "name"}, []string{"text"}},
		{"Questionnaire", "_summary=true", []string{"url", "status"}, []string{"item", "text"}},
	} {
		a := l.asked(t, "/fhir/"+one.kind+"?"+one.query+"&_count=200")
		if a.status != http.StatusOK {
			continue
		}
		page := read(t, a.body)
		if len(page.keys("match")) == 0 {
			t.Errorf("%s?%s finds nothing", one.kind, one.query)
		}
		for _, e := range page.Entry {
			if e.Search.Mode != "match" {
				continue
			}
			whole := l.eval.named[key(e.Resource)]
			for _, name := range one.leaves {
				if e.Resource[name] != nil {
					t.Errorf("%s?%s: %s is there", one.kind, one.query, name)
				}
			}
			for _, name := range one.stays {
				if whole[name] != nil && e.Resource[name] == nil {
					t.Errorf("%s?%s: %s is not there", one.kind, one.query, name)
				}
			}
			tags, _ := json.Marshal(e.Resource["meta"])
			if !strings.Contains(string(tags), `"SUBSETTED"`) {
				t.Errorf("%s?%s: not marked: %s", one.kind, one.query, tags)
			}
		}
	}
}
