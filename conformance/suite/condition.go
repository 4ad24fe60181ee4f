package suite

import (
	"net/http"
	"strings"
)

// task is a Task under a mark of its own.
func (t *trial) task(suffix string) (body, query string) {
	return strings.ReplaceAll(t.sampleOf("Task"), t.mark, t.mark+"-"+suffix), "identifier=" + markSystem + "|" + t.mark + "-" + suffix
}

// escaped is a query as it stands in a URL.
func escaped(query string) string {
	return strings.NewReplacer("|", "%7C", " ", "%20").Replace(query)
}

func checkConditions(s *session) {
	s.check("If-None-Exist creates once", func(t *trial) { t.conditionalCreate() })
	s.check("If-Match writes over the version that it names, and no other", func(t *trial) {
		body, _ := t.task("match")
		reference := t.create(body)
		current := t.read(reference)
		t.refused(http.StatusPreconditionFailed, t.ask(http.MethodPut, "/"+reference, current.body, "If-Match", `W/"finnes-ikke"`), "another version")
		a := t.want(http.StatusOK, t.ask(http.MethodPut, "/"+reference, with(current.body, `"language":"nb"`), "If-Match", current.header.Get("ETag")), "the current version")
		t.refused(http.StatusPreconditionFailed, t.ask(http.MethodDelete, "/"+reference, nil, "If-Match", current.header.Get("ETag")), "delete of the version before")
		t.want(http.StatusNoContent, t.ask(http.MethodDelete, "/"+reference, nil, "If-Match", a.header.Get("ETag")), "delete")
	})
	s.check("If-None-Match and If-Modified-Since spare what the client has", func(t *trial) {
		reference := t.subjectOf()
		a := t.read(reference)
		for _, h := range [][2]string{{"If-None-Match", a.header.Get("ETag")}, {"If-Modified-Since", a.header.Get("Last-Modified")}} {
			if got := t.want(http.StatusNotModified, t.ask(http.MethodGet, "/"+reference, nil, h[0], h[1]), h[0]); len(got.body) > 0 {
				t.errorf("%s: 304 with a body", h[0])
			}
		}
		t.want(http.StatusOK, t.ask(http.MethodGet, "/"+reference, nil, "If-None-Match", `W/"finnes-ikke"`), "another version")
	})
	s.check("conditional update finds, creates, and refuses several", func(t *trial) { t.conditionalUpdate() })
	s.check("conditional delete deletes the one that matches", func(t *trial) {
		if t.statement.promised("Task").ConditionalDelete == "not-supported" {
			t.notApplicable("conditionalDelete is not promised")
		}
		body, query := t.task("delete")
		t.want(http.StatusNoContent, t.ask(http.MethodDelete, "/Task?"+escaped(query), nil), "none")
		first, second := t.create(body), t.create(body)
		t.refused(http.StatusPreconditionFailed, t.ask(http.MethodDelete, "/Task?"+escaped(query), nil), "two")
		t.want(http.StatusNoContent, t.ask(http.MethodDelete, "/"+first, nil), "one of them")
		t.want(http.StatusNoContent, t.ask(http.MethodDelete, "/Task?"+escaped(query), nil), "the other")
		t.want(http.StatusGone, t.ask(http.MethodGet, "/"+second, nil), "afterwards")
	})
	s.check("a condition that is not understood is refused, never dropped", func(t *trial) {
		body, _ := t.task("strict")
		t.refused(http.StatusBadRequest, t.ask(http.MethodPost, "/Task", []byte(body), "If-None-Exist", "sluse-ukjent=1"), "If-None-Exist")
		t.refused(http.StatusBadRequest, t.ask(http.MethodDelete, "/Task?sluse-ukjent=1", nil), "delete")
		t.refused(http.StatusBadRequest, t.ask(http.MethodDelete, "/Task", nil), "delete without a condition")
	})
}

func (t *trial) conditionalCreate() {
	if !t.statement.promised("Task").ConditionalCreate {
		t.notApplicable("conditionalCreate is not promised")
	}
	body, query := t.task("exist")
	a := t.want(http.StatusCreated, t.ask(http.MethodPost, "/Task", []byte(body), "If-None-Exist", query), "none is there")
	reference, ok := versioned(a.header.Get("Location"))
	if !ok {
		t.fatalf("Location %q", a.header.Get("Location"))
	}
	again := t.want(http.StatusOK, t.ask(http.MethodPost, "/Task", []byte(body), "If-None-Exist", query), "one is there")
	if found, _ := versioned(again.header.Get("Location")); found != reference {
		t.errorf("the second answer is about %q", found)
	}
	t.create(body)
	t.refused(http.StatusPreconditionFailed, t.ask(http.MethodPost, "/Task", []byte(body), "If-None-Exist", query), "two are there")
}

func (t *trial) conditionalUpdate() {
	if !t.statement.promised("Task").ConditionalUpdate {
		t.notApplicable("conditionalUpdate is not promised")
	}
	body, query := t.task("update")
	path := "/Task?" + escaped(query)
	a := t.want(http.StatusCreated, t.ask(http.MethodPut, path, []byte(body)), "none is there")
	reference, ok := versioned(a.header.Get("Location"))
	if !ok {
		t.fatalf("Location %q", a.header.Get("Location"))
	}
	a = t.want(http.StatusOK, t.ask(http.MethodPut, path, with([]byte(body), `"language":"nb"`)), "one is there")
	if found, _ := versioned(a.header.Get("Location")); found != reference || language(t.read(reference)) != "nb" {
		t.errorf("the update is of %q", found)
	}
	t.create(body)
	t.refused(http.StatusPreconditionFailed, t.ask(http.MethodPut, path, []byte(body)), "two are there")
}

func checkPatches(s *session) {
	s.check("JSON Patch changes a part", func(t *trial) {
		const media = "application/json-patch+json"
		if !t.statement.does("Task", "patch") {
			t.notApplicable("patch is not promised")
		}
		body, query := t.task("patch")
		reference := t.create(body)
		before := t.read(reference)
		patch := func(p, header string) answer {
			return t.ask(http.MethodPatch, "/"+reference, []byte(p), "Content-Type", header)
		}
		a := t.want(http.StatusOK, patch(`[{"op":"test","path":"/status","value":"draft"},{"op":"replace","path":"/description","value":"Endret"}]`, media), "test and replace")
		if d, _ := a.object()["description"].(string); d != "Endret" || a.version() == before.version() {
			t.errorf("description %q, version %q", d, a.version())
		}
		t.want(http.StatusOK, patch(`[{"op":"add","path":"/language","value":"nb"}]`, media+"; charset=utf-8"), "with charset")
		t.refused(http.StatusUnprocessableEntity, patch(`[{"op":"test","path":"/status","value":"completed"}]`, media), "a test that fails")
		t.refused(http.StatusUnprocessableEntity, patch(`[{"op":"replace","path":"/status","value":"sluse"}]`, media), "to what is invalid")
		t.refused(http.StatusBadRequest, patch(`{"op":"replace"}`, media), "no patch")
		t.refused(http.StatusPreconditionFailed, t.ask(http.MethodPatch, "/"+reference, []byte(`[{"op":"remove","path":"/language"}]`), "Content-Type", media, "If-Match", before.header.Get("ETag")), "another version")
		a = t.want(http.StatusOK, t.ask(http.MethodPatch, "/Task?"+escaped(query), []byte(`[{"op":"remove","path":"/language"}]`), "Content-Type", media), "conditional")
		if language(a) != "" {
			t.errorf("language %q", language(a))
		}
	})
	s.check("FHIRPath Patch changes a part", func(t *trial) {
		if !t.statement.does("Task", "patch") {
			t.notApplicable("patch is not promised")
		}
		body, _ := t.task("path")
		reference := t.create(body)
		p := `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Task.description"},{"name":"value","valueString":"Endret"}]}]}`
		a := t.want(http.StatusOK, t.ask(http.MethodPatch, "/"+reference, []byte(p)), "replace")
		if d, _ := a.object()["description"].(string); d != "Endret" {
			t.errorf("description %q", d)
		}
	})
}
