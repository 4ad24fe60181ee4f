package conformance_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// rounds is how often the server says that it follows :iterate on a page.
const rounds = 3

// along gives what comes with what is found (R4 search.html#include): each _include and _revinclude goes
// from the matches, and those with :iterate from what came in the round before as well. more tells whether
// a further round would bring anything.
func (v *evaluator) along(matches []string, pairs []pair) (found []string, more bool) {
	found = []string{}
	from := matches
	for round := 0; ; round++ {
		var next []string
		for _, p := range pairs {
			name, modifier, _ := strings.Cut(p.name, ":")
			if round > 0 && modifier != "iterate" {
				continue
			}
			for _, k := range v.step(from, name, p.value) {
				if !slices.Contains(matches, k) && !slices.Contains(found, k) && !slices.Contains(next, k) {
					next = append(next, k)
				}
			}
		}
		if len(next) == 0 || round == rounds {
			slices.Sort(found)
			return found, len(next) > 0
		}
		found, from = append(found, next...), next
	}
}

// step follows one _include or _revinclude from some resources.
func (v *evaluator) step(from []string, name, value string) (found []string) {
	f := strings.Split(value, ":")
	for _, r := range v.kinds[f[0]] {
		for _, to := range v.targets(r, f[1]) {
			switch {
			case len(f) == 3 && !strings.HasPrefix(to, f[2]+"/"):
			case name == "_include" && slices.Contains(from, key(r)) && v.named[to] != nil:
				found = append(found, to)
			case name == "_revinclude" && slices.Contains(from, to):
				found = append(found, key(r))
			}
		}
	}
	return found
}

// TestEvaluatorIncludes: the evaluator follows references as R4 search.html#include says.
func TestEvaluatorIncludes(t *testing.T) {
	t.Parallel()
	v := newEvaluator("http://x/fhir")
	refer := func(to string) map[string]any { return map[string]any{"reference": to} }
	for _, r := range []map[string]any{
		{"resourceType": "Task", "id": "a", "partOf": []any{refer("Task/b")}, "owner": refer("Organization/o")},
		{"resourceType": "Task", "id": "b", "partOf": []any{refer("Task/c")}},
		{"resourceType": "Task", "id": "c", "partOf": []any{refer("Task/d"), refer("Task/a")}},
		{"resourceType": "Task", "id": "d", "partOf": []any{refer("Task/e")}},
		{"resourceType": "Task", "id": "e"},
		{"resourceType": "Organization", "id": "o", "partOf": refer("http://x/fhir/Organization/p")},
		{"resourceType": "Organization", "id": "p"},
		{"resourceType": "List", "id": "l", "entry": []any{map[string]any{"item": refer("Task/b")}}},
	} {
		v.add(r)
	}
	for _, c := range []struct {
		from  string
		pairs []pair
		want  string
		more  bool
	}{
		{"Task/a", []pair{{"_include", "Task:part-of"}}, "Task/b", false},
		{"Task/a", []pair{{"_include:iterate", "Task:part-of"}}, "Task/b Task/c Task/d", true},
		{"Task/b", []pair{{"_include:iterate", "Task:part-of"}}, "Task/a Task/c Task/d Task/e", false},
		{"Task/a", []pair{{"_include", "Task:owner"}, {"_include:iterate", "Organization:partof"}}, "Organization/o Organization/p", false},
		{"Task/a", []pair{{"_include", "Task:owner"}, {"_include", "Organization:partof"}}, "Organization/o", false},
		{"Organization/p", []pair{{"_revinclude", "Organization:partof"}, {"_revinclude:iterate", "Task:owner"}}, "Organization/o Task/a", false},
		{"Organization/o", []pair{{"_revinclude", "Task:owner:Practitioner"}}, "", false},
	} {
		found, more := v.along([]string{c.from}, c.pairs)
		if got := strings.Join(found, " "); got != c.want || more != c.more {
			t.Errorf("%s %v: %s, more %v; want %s", c.from, c.pairs, got, more, c.want)
		}
	}
	for value, want := range map[string]string{"l": "Task/b", "m": "", "m,l": "Task/b", "List/l": "Task/b"} {
		if got := strings.Join(v.search("Task", pair{"_list", value}), " "); got != want {
			t.Errorf("_list=%s: %s, want %s", value, got, want)
		}
	}
}

// iterated compares what several includes bring together, and whether the answer says that it is not all.
func (l *library) iterated(t testing.TB, kind string, pairs ...pair) bool {
	t.Helper()
	matches := l.eval.search(kind)
	want, more := l.eval.along(matches, pairs)
	path := link(kind, append(slices.Clone(pairs), pair{"_count", "200"})...)
	a := l.asked(t, path)
	if a.status != http.StatusOK {
		return false
	}
	page := read(t, a.body)
	if got := page.keys("include"); !slices.Equal(got, want) {
		t.Errorf("%s: included %v, want %v", path, got, want)
	}
	if told := strings.Contains(string(a.body), `"search.include-cut"`); told != more {
		t.Errorf("%s: it says that something is left out: %v, and it is %v", path, told, more)
	}
	return len(want) > len(l.eval.step(matches, pairs[0].name, pairs[0].value))
}

// steps are the reference parameters of a type with the types that they name.
func (l *library) steps(kind string) map[string][]string {
	out := make(map[string][]string)
	for _, q := range l.askers(kind) {
		if to := q.pointedAt(); q.p.Type == "reference" && len(to) > 0 {
			out[q.p.Code] = to
		}
	}
	return out
}

// iterate goes over two references and more, both ways: from what is found to what that names and what names
// it, and in circles.
func (l *library) iterate(t *testing.T) {
	all := make(map[string]map[string][]string)
	for _, kind := range l.types() {
		all[kind] = l.steps(kind)
	}
	type asked struct {
		kind  string
		pairs []pair
	}
	var list []asked
	for kind, params := range all {
		for code, targets := range params {
			for _, to := range targets {
				for next := range all[to] {
					there, onward := kind+":"+code, to+":"+next
					list = append(list,
						asked{kind, []pair{{"_include", there}, {"_include:iterate", onward}}},
						asked{kind, []pair{{"_include", there + ":" + to}, {"_revinclude:iterate", there}}},
						asked{to, []pair{{"_revinclude", there}, {"_include:iterate", onward}}},
					)
				}
				for other, more := range all {
					for back, names := range more {
						if slices.Contains(names, kind) {
							list = append(list, asked{to, []pair{{"_revinclude", kind + ":" + code}, {"_revinclude:iterate", other + ":" + back}}})
						}
					}
				}
			}
			if slices.Contains(targets, kind) {
				list = append(list, asked{kind, []pair{{"_include:iterate", kind + ":" + code}}}, asked{kind, []pair{{"_revinclude:iterate", kind + ":" + code}}})
			}
		}
	}
	slices.SortFunc(list, func(a, b asked) int { return strings.Compare(link(a.kind, a.pairs...), link(b.kind, b.pairs...)) })
	l.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	found := 0
	for _, one := range list[:min(120, len(list))] {
		if l.iterated(t, one.kind, one.pairs...) {
			found++
		}
	}
	if found < 20 {
		t.Errorf("only %d of %d brought more than the first step", found, len(list))
	}
}

// lists asks for the items of lists (R4 search.html#list).
func (l *library) lists(t *testing.T, ask func(*testing.T, string, ...pair)) {
	for _, r := range l.eval.kinds["List"] {
		id := text(r["id"])
		kinds := []string{"Patient"}
		for _, to := range l.eval.targets(r, "item") {
			kind, _, _ := strings.Cut(to, "/")
			if l.eval.kinds[kind] != nil && !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
		for _, kind := range kinds {
			ask(t, kind, pair{"_list", id})
			ask(t, kind, pair{"_list", "List/" + id + ",finnes-ikke"})
			ask(t, kind, pair{"_list", id}, pair{"_id", "finnes-ikke"})
		}
	}
	ask(t, "Observation", pair{"_list", "finnes-ikke"})
	ask(t, "Observation", pair{"_list", text(l.eval.kinds["List"][0]["id"])}, pair{"_list", text(l.eval.kinds["List"][1]["id"])})
}
