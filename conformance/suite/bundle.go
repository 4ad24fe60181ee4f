package suite

import (
	"net/http"
	"slices"
	"strings"
)

func checkBundles(s *session) {
	s.check("a batch answers each entry by itself", func(t *trial) {
		if !t.statement.system("batch") {
			t.notApplicable("batch is not promised")
		}
		body, _ := t.task("batch")
		a := t.ask(http.MethodPost, "", []byte(`{"resourceType":"Bundle","type":"batch","entry":[
			{"request":{"method":"POST","url":"Task"},"resource":`+body+`},
			{"request":{"method":"GET","url":"Task/`+absent+`"}},
			{"request":{"method":"POST","url":"Task"},"resource":{"resourceType":"Task","status":"sluse","intent":"plan"}},
			{"request":{"method":"GET","url":"`+t.subjectOf()+`"}}]}`))
		b := t.want(http.StatusOK, a, "batch").bundle()
		var got []string
		for _, e := range b.Entry {
			got = append(got, e.Response.Status[:min(3, len(e.Response.Status))])
		}
		if b.Type != "batch-response" || !slices.Equal(got, []string{"201", "404", "422", "200"}) {
			t.errorf("%s %v", b.Type, got)
		}
	})
	s.check("a transaction resolves its own references", func(t *trial) {
		t.promisesTransaction()
		plan, task := t.plan(), t.sampleOf("Task")
		a := t.ask(http.MethodPost, "", []byte(`{"resourceType":"Bundle","type":"transaction","entry":[
			{"fullUrl":"urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a","request":{"method":"POST","url":"CarePlan"},"resource":`+plan+`},
			{"fullUrl":"urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059","request":{"method":"POST","url":"Task"},"resource":`+
			string(with([]byte(task), `"focus":{"reference":"urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"}`))+`}]}`))
		b := t.want(http.StatusOK, a, "transaction").bundle()
		if b.Type != "transaction-response" || len(b.Entry) != 2 {
			t.fatalf("%s with %d entries", b.Type, len(b.Entry))
		}
		first, _ := versioned(b.Entry[0].Response.Location)
		second, _ := versioned(b.Entry[1].Response.Location)
		focus, _ := t.read(second).object()["focus"].(map[string]any)
		if focus["reference"] != first {
			t.errorf("focus is %v, want %s", focus["reference"], first)
		}
	})
	s.check("a transaction is done whole or not at all, and names the entry that failed", func(t *trial) {
		t.promisesTransaction()
		body, query := t.task("whole")
		a := t.ask(http.MethodPost, "", []byte(`{"resourceType":"Bundle","type":"transaction","entry":[
			{"request":{"method":"POST","url":"Task"},"resource":`+body+`},
			{"request":{"method":"POST","url":"Task"},"resource":{"resourceType":"Task","status":"sluse","intent":"plan"}}]}`))
		o := t.refused(http.StatusUnprocessableEntity, a, "transaction")
		if !strings.Contains(o.String(), "Bundle.entry[1]") {
			t.errorf("the outcome does not name the entry: %s", o)
		}
		if found := t.ask(http.MethodGet, "/Task?"+escaped(query), nil).bundle().matches(); len(found) > 0 {
			t.errorf("a part of it was done: %v", found)
		}
	})
}

func (t *trial) promisesTransaction() {
	if !t.statement.system("transaction") {
		t.notApplicable("transaction is not promised")
	}
}

func checkHistory(s *session) {
	s.check("_count and _since limit a history, and nothing stands in it twice", func(t *trial) {
		if !t.statement.does("Task", "history-instance") {
			t.notApplicable("history is not promised")
		}
		body, _ := t.task("history")
		reference := t.create(body)
		for _, value := range []string{"nb", "nn", "en"} {
			t.want(http.StatusOK, t.ask(http.MethodPut, "/"+reference, with(t.strip(reference), `"language":"`+value+`"`)), "update")
		}
		seen := t.pages("/" + reference + "/_history?_count=2")
		if len(seen) != 4 {
			t.errorf("%d versions by pages of 2, want 4", len(seen))
		}
		if got := t.want(http.StatusOK, t.ask(http.MethodGet, "/"+reference+"/_history?_since=2100-01-01T00:00:00Z", nil), "_since").bundle(); len(got.Entry) != 0 || got.Type != "history" {
			t.errorf("_since of the future: %d entries of %q", len(got.Entry), got.Type)
		}
		t.want(http.StatusNoContent, t.ask(http.MethodDelete, "/"+reference, nil), "delete")
		b := t.ask(http.MethodGet, "/"+reference+"/_history", nil).bundle()
		if len(b.Entry) != 5 || b.Entry[0].Request.Method != http.MethodDelete {
			t.errorf("after delete: %d entries", len(b.Entry))
		}
	})
	s.check("a history of the system has the newest first", func(t *trial) {
		if !t.statement.system("history-system") {
			t.notApplicable("history-system is not promised")
		}
		body, _ := t.task("system")
		reference := t.create(body)
		b := t.want(http.StatusOK, t.ask(http.MethodGet, "/_history?_count=5", nil), "GET /_history").bundle()
		if len(b.Entry) == 0 || nameOf(b.Entry[0].Resource) != reference {
			t.errorf("the first is not what was written last")
		}
	})
}

// strip is the current version without its language.
func (t *trial) strip(reference string) []byte {
	v := t.read(reference).object()
	delete(v, "language")
	return []byte(canonical(v))
}

// pages follows the next links from a path, and gives the entries in their order, each by its version.
func (t *trial) pages(path string) (seen []string) {
	for range 100 {
		a := t.ask(http.MethodGet, path, nil)
		b := a.bundle()
		if t.want(http.StatusOK, a, "page").status != http.StatusOK {
			return seen
		}
		for _, e := range b.Entry {
			if e.Search.Mode == "outcome" {
				continue
			}
			meta, _ := (answer{body: e.Resource}).object()["meta"].(map[string]any)
			version, _ := meta["versionId"].(string)
			name := nameOf(e.Resource) + "/_history/" + version
			if slices.Contains(seen, name) {
				t.errorf("%s stands on two pages", name)
			}
			seen = append(seen, name)
		}
		next := b.link("next")
		if next == "" {
			return seen
		}
		var ok bool
		if path, ok = t.local(next); !ok {
			t.fatalf("the next link leads to another server")
		}
	}
	t.errorf("the pages have no end")
	return seen
}

func checkPaging(s *session) {
	s.check("pages hold everything once, while something is written", func(t *trial) {
		body, query := t.task("page")
		const n = 7
		var made []string
		for range n {
			made = append(made, t.create(body))
		}
		path := "/Task?" + escaped(query) + "&_count=2"
		first := t.want(http.StatusOK, t.ask(http.MethodGet, path, nil), "first page").bundle()
		if got := len(first.matches()); got != 2 {
			t.errorf("%d on a page of 2", got)
		}
		if self, ok := t.local(first.link("self")); !ok || !strings.Contains(self, "identifier=") {
			t.errorf("the self link does not repeat the search")
		}
		seen := t.pages(path)
		if len(seen) != n {
			t.errorf("%d of %d", len(seen), n)
		}
		next, ok := t.local(first.link("next"))
		if !ok {
			t.fatalf("no next link")
		}
		t.create(body)
		t.want(http.StatusNoContent, t.ask(http.MethodDelete, "/"+made[0], nil), "delete")
		for _, one := range t.want(http.StatusOK, t.ask(http.MethodGet, next, nil), "second page").bundle().matches() {
			if slices.Contains(first.matches(), one) {
				t.errorf("%s stands on two pages", one)
			}
		}
		if strings.Contains(next, "_page=") {
			t.refused(http.StatusBadRequest, t.ask(http.MethodGet, "/Task?_page=sluse", nil), "a page that is none")
		}
	})
	s.check("_sort sorts", func(t *trial) {
		body, query := t.task("sort")
		var made []string
		for range 3 {
			made = append(made, t.create(body))
		}
		down := t.ask(http.MethodGet, "/Task?"+escaped(query)+"&_sort=-_lastUpdated", nil).bundle().matches()
		up := t.ask(http.MethodGet, "/Task?"+escaped(query)+"&_sort=_lastUpdated", nil).bundle().matches()
		if slices.Reverse(down); !slices.Equal(up, made) || !slices.Equal(down, made) {
			t.errorf("%v and %v, want %v", up, down, made)
		}
		t.refused(http.StatusBadRequest, t.ask(http.MethodGet, "/Task?_sort=sluse-ukjent", nil), "_sort by what is none")
	})
}
