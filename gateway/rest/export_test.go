package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/gateway/helseid"
)

const async = "Prefer: respond-async"

// work makes pages until the job is no longer under way. It begins when every transaction of the cluster
// from before it has ended, those of other tests included.
func (h *house) work(persona, place string) {
	h.t.Helper()
	for range 1000 {
		worked, err := h.core.ExportOnce(context.Background())
		must(h.t, err)
		if h.as(persona, "GET", place, "").Code != http.StatusAccepted {
			return
		}
		if !worked {
			time.Sleep(20 * time.Millisecond)
		}
	}
	h.t.Fatal("the export does not end")
}

// manifest is what a test looks at of a complete status.
type manifest struct {
	TransactionTime     string
	Request             string
	RequiresAccessToken bool
	Output, Error       []struct{ Type, URL string }
}

func (h *house) export(persona, target string, header ...string) (place string, m manifest) {
	h.t.Helper()
	if len(header) == 0 {
		header = []string{async}
	}
	w := h.want(http.StatusAccepted, h.as(persona, "GET", target, "", header...))
	place = w.Header().Get("Content-Location")
	if w = h.want(http.StatusAccepted, h.as(persona, "GET", place, "")); w.Header().Get("X-Progress") == "" || w.Header().Get("Retry-After") == "" {
		h.t.Errorf("a job under way says nothing: %v", w.Header())
	}
	h.work(persona, place)
	w = h.want(http.StatusOK, h.as(persona, "GET", place, "", "Accept: application/json"))
	if w.Header().Get("Expires") == "" || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		h.t.Errorf("header of the manifest: %v", w.Header())
	}
	must(h.t, json.Unmarshal(w.Body.Bytes(), &m))
	return place, m
}

// group stores a Group of the party.
func (h *house) group(party gateway.HERID) string {
	h.t.Helper()
	res, err := fhir.Parse([]byte(`{"resourceType":"Group","type":"person","actual":true}`))
	must(h.t, err)
	out, err := h.core.Do(context.Background(), gateway.Actor{Kind: gateway.Person, Party: party, Role: "lege", Purpose: gateway.Treat, Client: "test"},
		gateway.Interaction{Code: gateway.Create, Target: fhir.Reference{Type: "Group"}, Body: res})
	must(h.t, err)
	return "Group/" + string(out.Location.ID)
}

func TestExportIsAskedForStrictly(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	group := h.group("80001005")
	form := func(parameters string) string {
		return `{"resourceType":"Parameters","parameter":[` + parameters + `]}`
	}
	for _, tt := range []struct {
		name, persona, method, target, body string
		header                              []string
		status                              int
		code                                string
	}{
		{"in the foreground", "fastlege-sagene", "GET", "/Patient/$export", "", []string{"Prefer: handling=strict"}, 400, "export.async"},
		{"elements", "fastlege-sagene", "GET", "/Patient/$export?_elements=id", "", nil, 400, "search.parameter-unsupported"},
		{"elements, leniently", "fastlege-sagene", "GET", "/Patient/$export?_elements=id", "", []string{"Prefer: respond-async, handling=lenient"}, 400, "search.parameter-unsupported"},
		{"filter", "fastlege-sagene", "GET", "/Patient/$export?_typeFilter=Task%3Fstatus%3Ddraft", "", nil, 400, "search.parameter-unsupported"},
		{"unknown", "fastlege-sagene", "GET", "/Patient/$export?colour=red", "", nil, 400, "search.parameter-unknown"},
		{"unknown in the body", "fastlege-sagene", "POST", "/Patient/$export", form(`{"name":"patient","valueReference":{"reference":"Patient/1"}}`), nil, 400, "operation.parameter-unknown"},
		{"ledger", "fastlege-sagene", "GET", "/Patient/$export?_type=Task,AuditEvent", "", nil, 400, "export.type"},
		{"directory", "fastlege-sagene", "GET", "/Patient/$export?_type=Organization", "", nil, 400, "export.type"},
		{"only what is left out", "fastlege-sagene", "GET", "/Patient/$export?_type=Account", "", []string{"Prefer: respond-async, handling=lenient"}, 400, "export.type"},
		{"format", "fastlege-sagene", "GET", "/Patient/$export?_outputFormat=text/csv", "", nil, 400, "export.format"},
		{"date", "fastlege-sagene", "GET", "/Patient/$export?_since=i+fjor", "", nil, 400, "search.date"},
		{"number", "fastlege-sagene", "GET", "/Patient/$export?_since=12859200212", "", nil, 400, "nin.url"},
		{"xml", "fastlege-sagene", "GET", "/Patient/$export", "", []string{async, "Accept: application/fhir+xml"}, 406, "http.accept"},
		{"deleted by the wrong name", "fastlege-sagene", "DELETE", "/Patient/$export", "", nil, 405, "http.method"},
		{"no Group", "fastlege-sagene", "GET", "/Group/finnes-ikke/$export", "", nil, 404, "absent"},
		{"another's Group", "bydel-sagene", "GET", "/" + group + "/$export", "", nil, 404, "absent"},
		{"emergency", "legevakt", "GET", "/Patient/$export", "", nil, 403, "export.emergency"},
		{"patient", "pasient", "GET", "/Patient/$export", "", nil, 403, "export.actor"},
		{"compliance", "personvern", "GET", "/Patient/$export", "", nil, 403, "export.actor"},
		{"operator", "drift", "GET", "/Patient/$export", "", nil, 403, "export.actor"},
	} {
		header := tt.header
		if header == nil {
			header = []string{async}
		}
		w := h.as(tt.persona, tt.method, "/fhir"+tt.target, tt.body, header...)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), `"`+tt.code+`"`) {
			t.Errorf("%s: %d %s, want %d %s", tt.name, w.Code, w.Body, tt.status, tt.code)
		}
	}
	for _, ok := range []string{"?_outputFormat=ndjson", "?_outputFormat=application/fhir%2Bndjson", "?_outputFormat=application/ndjson&_type=Task&_type=Patient", "?_since=2026-01-01T00:00:00Z"} {
		h.want(http.StatusAccepted, h.as("fastlege-sagene", "GET", "/fhir/Patient/$export"+ok, "", async))
	}
	h.want(http.StatusAccepted, h.as("fastlege-sagene", "POST", "/fhir/"+group+"/$export", form(`{"name":"_since","valueInstant":"2026-01-01T00:00:00Z"},{"name":"_type","valueString":"Task"}`), async))
	for range 5 {
		h.want(http.StatusAccepted, h.as("fastlege-sagene", "GET", "/fhir/Patient/$export", "", async))
	}
	w := h.want(http.StatusTooManyRequests, h.as("fastlege-sagene", "GET", "/fhir/Patient/$export", "", async))
	if w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "export.too-many") {
		t.Errorf("the eleventh: %v %s", w.Header(), w.Body)
	}
}

// The whole way over HTTP: what is hidden is nowhere, nobody else finds the job, no national number is in
// an address or in the log, and what is removed is gone.
func TestExportOverHTTP(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	nin := helseid.DemoPatient().Reveal()
	mine := h.patient("fastlege-sagene", nin)
	theirs := h.patient("bydel-sagene", nin)
	kept := h.create("fastlege-sagene", fmt.Sprintf(carePlan, mine))
	h.create("bydel-sagene", strings.Replace(fmt.Sprintf(carePlan, theirs), `"Plan"`, `"kanari-skjult"`, 1))
	place, m := h.export("fastlege-sagene", "/fhir/Patient/$export?_type=CarePlan,Patient,Account&_typeFilter=x", "Prefer: handling=lenient, respond-async")
	if !m.RequiresAccessToken || m.TransactionTime == "" || m.Request != testBase+"/Patient/$export?_type=CarePlan,Patient,Account&_typeFilter=x" || len(m.Output) != 2 {
		t.Fatalf("manifest %+v", m)
	}
	var all strings.Builder
	for _, f := range m.Output {
		w := h.want(http.StatusOK, h.as("fastlege-sagene", "GET", f.URL, "", "Accept: application/fhir+ndjson", "Accept-Encoding: gzip"))
		if got := w.Header().Get("Content-Type"); got != fhirLines || w.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: %v", f.Type, w.Header())
		}
		lines := strings.Split(strings.TrimSuffix(w.Body.String(), "\n"), "\n")
		if len(lines) != 1 || !json.Valid([]byte(lines[0])) {
			t.Errorf("%s: %q", f.Type, lines)
		}
		all.WriteString(w.Body.String())
		if strings.Contains(f.URL, nin) {
			t.Errorf("a national number in %s", f.URL)
		}
	}
	_, id, _ := strings.Cut(kept, "/")
	if !strings.Contains(all.String(), `"id":"`+id+`"`) || !strings.Contains(all.String(), "1.500") || strings.Contains(all.String(), "kanari") {
		t.Errorf("the files hold %s", all.String())
	}
	if len(m.Error) != 1 {
		t.Fatalf("what was left out is not told: %+v", m.Error)
	}
	w := h.want(http.StatusOK, h.as("fastlege-sagene", "GET", m.Error[0].URL, ""))
	if strings.Count(w.Body.String(), `"code":"search.left-out"`) != 2 || strings.Count(w.Body.String(), "\n") != 1 {
		t.Errorf("left out: %s", w.Body)
	}
	h.want(http.StatusNotAcceptable, h.as("fastlege-sagene", "GET", m.Output[0].URL, "", "Accept: text/csv"))
	h.want(http.StatusBadRequest, h.as("fastlege-sagene", "GET", m.Output[0].URL+"?_pretty=true", ""))
	h.want(http.StatusUnauthorized, h.as("", "GET", m.Output[0].URL, ""))
	h.want(http.StatusUnauthorized, h.as("", "GET", place, ""))
	absent := h.want(http.StatusNotFound, h.as("bydel-sagene", "GET", "/fhir/export/11111111-2222-4333-8444-555555555555", "")).Body.String()
	for _, persona := range []string{"bydel-sagene", "ous-tsb", "pasient", "personvern"} {
		for method, url := range map[string]string{"GET": place, "DELETE": place, "HEAD": place} {
			if w := h.as(persona, method, url, ""); w.Code != http.StatusNotFound || method != "HEAD" && w.Body.String() != absent {
				t.Errorf("%s %s: %d %s", persona, method, w.Code, w.Body)
			}
		}
		for _, f := range slices.Concat(m.Output, m.Error) {
			if w := h.as(persona, "GET", f.URL, ""); w.Code != http.StatusNotFound || w.Body.String() != absent {
				t.Errorf("%s: a file of another: %d %s", persona, w.Code, w.Body)
			}
		}
	}
	h.want(http.StatusAccepted, h.as("fastlege-sagene", "DELETE", place, ""))
	for _, url := range []string{place, m.Output[0].URL} {
		if w := h.as("fastlege-sagene", "GET", url, ""); w.Code != http.StatusNotFound || w.Body.String() != absent {
			t.Errorf("removed: %d %s", w.Code, w.Body)
		}
	}
	if strings.Contains(h.log.String(), nin) {
		t.Error("a national number in the log")
	}
}

// A file that cannot be given to its end is cut off, not ended: over a real connection its reader sees
// an error. The connection outlives the time of one interaction, which a large file may.
func TestExportFileIsWholeOrBroken(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mine := h.patient("fastlege-sagene", helseid.DemoPatient().Reveal())
	for range 3 {
		h.create("fastlege-sagene", fmt.Sprintf(carePlan, mine))
	}
	_, m := h.export("fastlege-sagene", "/fhir/Patient/$export?_type=CarePlan")
	server := httptest.NewServer(h)
	defer server.Close()
	get := func() (string, error) {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL+strings.TrimPrefix(m.Output[0].URL, strings.TrimSuffix(testBase, root)), http.NoBody)
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+h.tokens["fastlege-sagene"])
		w, err := server.Client().Do(r)
		must(t, err)
		defer w.Body.Close()
		body, err := io.ReadAll(w.Body)
		return string(body), err
	}
	body, err := get()
	if err != nil || strings.Count(body, "\n") != 3 {
		t.Errorf("%d lines, %v", strings.Count(body, "\n"), err)
	}
}
