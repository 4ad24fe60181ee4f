package suite

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
)

// absent is an id that nobody has.
const absent = "finnes-ikke-0c6e"

// checkInteractions asks each type for each interaction of R4: what is promised is done, and what is
// not promised is refused.
func checkInteractions(s *session) {
	for _, p := range s.looked() {
		if slices.ContainsFunc(requests, func(r request) bool { return !p.does(r.code) }) {
			s.check(p.Type+": what is not promised is refused", func(t *trial) { t.unpromised(p) })
		}
		if p.does("read") {
			s.check(p.Type+": an unknown id is 404", func(t *trial) {
				t.refused(http.StatusNotFound, t.ask(http.MethodGet, "/"+p.Type+"/"+absent, nil), "GET "+absent)
			})
		}
		if !p.does("create") {
			continue
		}
		s.check(p.Type+": create, read, update, versions, delete", func(t *trial) { t.life(p) })
	}
}

// request is one of an interaction.
type request struct{ code, method, path, body string }

// requests of the interactions with a type.
var requests = []request{
	{"read", http.MethodGet, "/" + absent, ""},
	{"vread", http.MethodGet, "/" + absent + "/_history/1", ""},
	{"update", http.MethodPut, "/" + absent, "{}"},
	{"patch", http.MethodPatch, "/" + absent, "[]"},
	{"delete", http.MethodDelete, "/" + absent, ""},
	{"history-instance", http.MethodGet, "/" + absent + "/_history", ""},
	{"history-type", http.MethodGet, "/_history", ""},
	{"create", http.MethodPost, "", "{}"},
	{"search-type", http.MethodGet, "?_count=1", ""},
}

func (t *trial) unpromised(p promised) {
	for _, r := range requests {
		if p.does(r.code) {
			continue
		}
		var body []byte
		if r.body != "" {
			body = []byte(r.body)
		}
		if a := t.ask(r.method, "/"+p.Type+r.path, body); a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed {
			t.errorf("%s is not promised, and answered: %s", r.code, a)
		}
	}
}

// life follows one resource from its creation to its end.
func (t *trial) life(p promised) {
	if _, ok := samples[p.Type]; !ok {
		reason := unwritten[p.Type]
		if reason == "" {
			reason = "the suite has no example of this type"
		}
		t.notApplicable("%s", reason)
	}
	sent := t.sampleOf(p.Type)
	a := t.ask(http.MethodPost, "/"+p.Type, []byte(sent))
	if a.status == http.StatusForbidden {
		t.notApplicable("this token may not write the type: %s", a)
	}
	reference, ok := versioned(a.header.Get("Location"))
	if t.want(http.StatusCreated, a, "create").status != http.StatusCreated || !ok {
		t.fatalf("create: Location %q", a.header.Get("Location"))
	}
	first := a.version()
	if first == "" || a.header.Get("Last-Modified") == "" {
		t.errorf("create: ETag %q, Last-Modified %q", a.header.Get("ETag"), a.header.Get("Last-Modified"))
	}
	if p.does("read") {
		got := t.read(reference)
		if got.version() != first || !bytes.Equal(got.body, a.body) {
			t.errorf("read: not what create answered")
		}
		t.literal(sent, got)
	}
	if p.does("update") {
		t.changes(p, reference, first)
	}
	if p.does("delete") {
		t.want(http.StatusNoContent, t.ask(http.MethodDelete, "/"+reference, nil), "delete")
		t.refused(http.StatusGone, t.ask(http.MethodGet, "/"+reference, nil), "read after delete")
	}
}

// literal: every member that was written comes back with the digits and the order of its own.
func (t *trial) literal(sent string, got answer) {
	was, is := (answer{body: []byte(sent)}).object(), got.object()
	for name, value := range was {
		if canonical(is[name]) != canonical(value) {
			t.errorf("read: %s is not what was written", name)
		}
	}
}

func (t *trial) changes(p promised, reference, first string) {
	current := t.read(reference)
	a := t.want(http.StatusOK, t.ask(http.MethodPut, "/"+reference, with(current.body, `"language":"nb"`)), "update")
	second := a.version()
	if second == first || language(a) != "nb" {
		t.errorf("update: version %q after %q, language %q", second, first, language(a))
	}
	versions := []string{second, first}
	if p.does("patch") {
		a := t.want(http.StatusOK, t.ask(http.MethodPatch, "/"+reference, []byte(`[{"op":"replace","path":"/language","value":"nn"}]`), "Content-Type", "application/json-patch+json"), "patch")
		if language(a) != "nn" {
			t.errorf("patch: language %q", language(a))
		}
		versions = slices.Insert(versions, 0, a.version())
	}
	if p.does("vread") {
		if a := t.want(http.StatusOK, t.ask(http.MethodGet, "/"+reference+"/_history/"+first, nil), "vread"); language(a) != "" || a.version() != first {
			t.errorf("vread: not the first version")
		}
	}
	if p.does("history-instance") {
		var listed []string
		for _, e := range t.want(http.StatusOK, t.ask(http.MethodGet, "/"+reference+"/_history", nil), "history").bundle().Entry {
			meta, _ := (answer{body: e.Resource}).object()["meta"].(map[string]any)
			version, _ := meta["versionId"].(string)
			listed = append(listed, version)
		}
		if !slices.Equal(listed, versions) {
			t.errorf("history: %s, want %s", strings.Join(listed, " "), strings.Join(versions, " "))
		}
	}
	if p.does("history-type") {
		found := false
		for _, e := range t.want(http.StatusOK, t.ask(http.MethodGet, "/"+p.Type+"/_history?_count=10", nil), "history of the type").bundle().Entry {
			found = found || nameOf(e.Resource) == reference
		}
		if !found {
			t.errorf("history of the type: the newest version is not among the first")
		}
	}
}
