package suite

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// checkExports exports a Group that holds the suite's own patient (Bulk Data Access IG 2.0.0).
func checkExports(s *session) {
	promised := func(t *trial) {
		t.promisesOperation("Group", "export")
	}
	s.check("an export that cannot be waited for is refused", func(t *trial) {
		promised(t)
		t.refused(http.StatusBadRequest, t.ask(http.MethodGet, "/Patient/$export", nil), "without Prefer: respond-async")
		t.refused(http.StatusBadRequest, t.ask(http.MethodGet, "/Patient/$export?_type=Sluse", nil, "Prefer", "respond-async"), "a type that is none")
		t.refused(http.StatusNotFound, t.ask(http.MethodGet, "/export/"+absent, nil), "a job that is none")
	})
	s.check("an export holds each record once, is its owner's alone, and is gone when it is cancelled", func(t *trial) {
		promised(t)
		t.export()
	})
}

// export follows one from its kick-off to its end.
func (t *trial) export() {
	made, _ := t.several("export", 3)
	group := t.write("Group")
	a := t.ask(http.MethodGet, "/"+group+"/$export?_type=Patient,Task", nil, "Prefer", "respond-async")
	if a.status == http.StatusForbidden || a.status == http.StatusTooManyRequests {
		t.notApplicable("this token may not export now: %s", a)
	}
	t.want(http.StatusAccepted, a, "kick-off")
	job, ok := t.local(a.header.Get("Content-Location"))
	if !ok {
		t.fatalf("kick-off: Content-Location %q", a.header.Get("Content-Location"))
	}
	defer t.ask(http.MethodDelete, job, nil) // whatever comes of it
	var status answer
	if !t.until(func() bool {
		status = t.ask(http.MethodGet, job, nil)
		return status.status != http.StatusAccepted
	}) || status.status != http.StatusOK {
		t.fatalf("status: %s", status)
	}
	var manifest struct {
		TransactionTime, Request string
		RequiresAccessToken      *bool
		Output                   []struct{ Type, URL string }
		Error                    []any
	}
	if err := json.Unmarshal(status.body, &manifest); err != nil || manifest.TransactionTime == "" || manifest.Request == "" ||
		manifest.RequiresAccessToken == nil || manifest.Error == nil || status.header.Get("Expires") == "" {
		t.errorf("the manifest lacks something: %.300s", status.body)
	}
	held, file := map[string]int{}, ""
	for _, f := range manifest.Output {
		path, ok := t.local(f.URL)
		if !ok {
			t.fatalf("a file of another server: %s", f.URL)
		}
		file = path
		body := t.want(http.StatusOK, t.ask(http.MethodGet, path, nil, "Accept", "application/fhir+ndjson"), "file")
		if media := body.header.Get("Content-Type"); !strings.HasPrefix(media, "application/fhir+ndjson") {
			t.errorf("a file of %s", media)
		}
		for line := range strings.Lines(string(body.body)) {
			held[nameOf(json.RawMessage(line))]++
		}
	}
	for _, reference := range append(made, t.patient) {
		if held[reference] != 1 {
			t.errorf("%s stands %d times in the files", reference, held[reference])
		}
	}
	if t.Other != "" {
		t.refused(http.StatusNotFound, t.askAs(t.Other, http.MethodGet, job, nil), "the status for another party")
		t.refused(http.StatusNotFound, t.askAs(t.Other, http.MethodGet, file, nil), "a file for another party")
		t.refused(http.StatusNotFound, t.askAs(t.Other, http.MethodDelete, job, nil), "cancelling by another party")
	}
	t.want(http.StatusAccepted, t.ask(http.MethodDelete, job, nil), "cancel")
	for _, path := range []string{job, file} {
		t.refused(http.StatusNotFound, t.ask(http.MethodGet, path, nil), "after it was cancelled")
	}
}

// absolute tells whether an address can be called as it stands.
func absolute(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}
