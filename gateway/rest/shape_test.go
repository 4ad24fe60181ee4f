package rest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

func packed(t *testing.T, body string) string {
	t.Helper()
	out, err := asGzip([]byte(body))
	must(t, err)
	return string(out)
}

func unpack(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	if w.Header().Get("Content-Encoding") != "gzip" {
		return w.Body.String()
	}
	r, err := gzip.NewReader(bytes.NewReader(w.Body.Bytes()))
	must(t, err)
	body, err := io.ReadAll(r)
	must(t, err)
	return string(body)
}

// One resource and the CapabilityStatement are packed for who takes it; a page or Bundle never is, since
// its length would tell of what stands side by side in it.
func TestGzipOfAnswers(t *testing.T) {
	t.Parallel()
	if (answer{}).packs() || !(answer{one: true}).packs() {
		t.Error("what may be packed is one resource")
	}
	h := newHouse(t)
	p := h.patient("bydel-sagene", synthetic)
	long := strings.Replace(fmt.Sprintf(carePlan, p), `"title":"Plan"`, `"title":"`+strings.Repeat("Plan ", 8000)+`x"`, 1)
	plan := h.create("bydel-sagene", long)
	for target, want := range map[string]bool{
		"/fhir/metadata": true, "/fhir/" + plan: true,
		"/fhir/CarePlan": false, "/fhir/" + plan + "/_history": false, "/fhir/CarePlan/_history": false, "/fhir/_history": false,
		"/fhir/" + p: false, "/fhir/Organization": false, // too short
	} {
		w := h.want(http.StatusOK, h.as("bydel-sagene", "GET", target, "", "Accept-Encoding: br, gzip;q=0.5"))
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("%s: packed %v, want %v", target, got, want)
		}
		plain := h.as("bydel-sagene", "GET", target, "", "Accept-Encoding: gzip;q=0")
		if plain.Header().Get("Content-Encoding") != "" || unpack(t, w) != plain.Body.String() && !strings.Contains(plain.Body.String(), "_page=") {
			t.Errorf("%s: not the same packed and not", target)
		}
	}
	batch := bundleOf("batch", entry("GET", plan, ""), entry("GET", "Organization", ""))
	if w := h.as("bydel-sagene", "POST", "/fhir", batch, "Accept-Encoding: gzip"); w.Header().Get("Content-Encoding") != "" {
		t.Error("a Bundle is packed")
	}
}

// A packed request is read within the limits of what it becomes.
func TestGzipOfRequests(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	body := fmt.Sprintf(carePlan, h.patient("bydel-sagene", synthetic))
	w := h.want(http.StatusCreated, h.as("bydel-sagene", "POST", "/fhir/CarePlan", packed(t, body), "Content-Encoding: gzip"))
	if !strings.Contains(w.Body.String(), `"valueDecimal":1.500`) {
		t.Errorf("%s", w.Body)
	}
	wantCode(t, h.as("bydel-sagene", "POST", "/fhir/CarePlan", packed(t, strings.Repeat(" ", maxBody+1)), "Content-Encoding: gzip"), http.StatusRequestEntityTooLarge, "http.body-too-large")
	wantCode(t, h.as("bydel-sagene", "POST", "/fhir/CarePlan", packed(t, strings.Repeat(" ", maxBody)), "Content-Encoding: gzip"), http.StatusBadRequest, "parse.end")
	wantCode(t, h.as("bydel-sagene", "POST", "/fhir/CarePlan", packed(t, body)[:60], "Content-Encoding: gzip"), http.StatusBadRequest, "http.gzip-broken")
	wantCode(t, h.as("bydel-sagene", "POST", "/fhir", packed(t, strings.Repeat(" ", maxBundle+1)), "Content-Encoding: gzip"), http.StatusRequestEntityTooLarge, "http.bundle-too-large")
}

// The content type is that of the body, whatever the body is.
func TestXML(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.patient("bydel-sagene", synthetic)
	body := fmt.Sprintf(carePlan, p)
	res, err := fhir.Parse([]byte(body))
	must(t, err)
	sent, err := fhir.AppendXML(nil, res)
	must(t, err)
	created := h.want(http.StatusCreated, h.as("bydel-sagene", "POST", "/fhir/CarePlan", string(sent), "Content-Type: application/fhir+xml; charset=utf-8", "Accept: application/fhir+xml"))
	plan := strings.TrimPrefix(created.Header().Get("Location"), testBase)
	isXMLAnswer := func(name string, w *httptest.ResponseRecorder, status int, kind, holds string) {
		t.Helper()
		if w.Code != status || w.Header().Get("Content-Type") != kind+"; charset=utf-8" || !strings.HasPrefix(strings.TrimSpace(strings.TrimPrefix(w.Body.String(), `<?xml version="1.0" encoding="UTF-8"?>`)), "<") || !strings.Contains(w.Body.String(), holds) {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
		if got := w.Header().Get("Content-Length"); got != fmt.Sprint(w.Body.Len()) {
			t.Errorf("%s: Content-Length %s of %d", name, got, w.Body.Len())
		}
	}
	isXMLAnswer("create", created, 201, fhirXML, `<valueDecimal value="1.500"/>`)
	isXMLAnswer("vread", h.as("bydel-sagene", "GET", "/fhir"+plan, "", "Accept: application/xml"), 200, plainXML, "<CarePlan")
	isXMLAnswer("_format", h.as("bydel-sagene", "GET", "/fhir/CarePlan?_format=xml", "", "Accept: application/json"), 200, fhirXML, "<Bundle")
	isXMLAnswer("text/xml", h.as("bydel-sagene", "GET", "/fhir/CarePlan?_format=text/xml&_pretty=true", ""), 200, textXML, "\n")
	isXMLAnswer("absent", h.as("bydel-sagene", "GET", "/fhir/CarePlan/x", "", "Accept: application/fhir+xml"), 404, fhirXML, "<OperationOutcome")
	isXMLAnswer("unknown path", h.as("bydel-sagene", "GET", "/fhir/Account/x", "", "Accept: application/fhir+xml"), 404, fhirXML, "<OperationOutcome")
	isXMLAnswer("no method", h.as("bydel-sagene", "PUT", "/fhir/AuditEvent/x", "", "Accept: application/fhir+xml"), 405, fhirXML, "<OperationOutcome")
	isXMLAnswer("no token", h.as("", "GET", "/fhir/CarePlan/x", "", "Accept: application/fhir+xml"), 401, fhirXML, "<OperationOutcome")
	isXMLAnswer("number", h.as("bydel-sagene", "GET", "/fhir/CarePlan/"+synthetic, "", "Accept: application/fhir+xml"), 400, fhirXML, "nin.url")
	isXMLAnswer("metadata", h.as("", "GET", "/fhir/metadata?_format=xml", ""), 200, fhirXML, "<CapabilityStatement")
	isXMLAnswer("broken", h.as("bydel-sagene", "POST", "/fhir/CarePlan", "<CarePlan", "Content-Type: application/fhir+xml", "Accept: application/fhir+xml"), 400, fhirXML, "<OperationOutcome")
	isXMLAnswer("batch", h.as("bydel-sagene", "POST", "/fhir", bundleOf("batch", entry("GET", "CarePlan", "")), "Accept: application/fhir+xml"), 200, fhirXML, "batch-response")
	if w := h.as("bydel-sagene", "GET", "/fhir"+plan, ""); w.Header().Get("Content-Type") != fhirJSON+"; charset=utf-8" || !strings.Contains(w.Body.String(), `"valueDecimal":1.500`) {
		t.Errorf("what came as XML is kept as JSON: %s", w.Body)
	}
	if w := newWire(t).ask(t, "GET", "/fhir/Patient/1", "", "Accept: application/fhir+xml"); w.Code != 500 || w.Header().Get("Content-Type") != fhirXML+"; charset=utf-8" || !strings.Contains(w.Body.String(), "<OperationOutcome") {
		t.Errorf("a panic: %d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestPretty(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	plan := h.create("bydel-sagene", fmt.Sprintf(carePlan, h.patient("bydel-sagene", synthetic)))
	plain := h.as("bydel-sagene", "GET", "/fhir/"+plan, "")
	pretty := h.want(http.StatusOK, h.as("bydel-sagene", "GET", "/fhir/"+plan+"?_pretty=true", ""))
	if !strings.Contains(pretty.Body.String(), "\n  \"status\": \"active\"") || !strings.Contains(pretty.Body.String(), "1.500") {
		t.Errorf("%s", pretty.Body)
	}
	if w := h.as("bydel-sagene", "GET", "/fhir/"+plan+"?_pretty=false", ""); w.Body.String() != plain.Body.String() {
		t.Errorf("%s", w.Body)
	}
	if w := h.as("bydel-sagene", "GET", "/fhir/CarePlan/x?_pretty=true", ""); w.Code != 404 || !strings.Contains(w.Body.String(), "\n") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestOptionsAndCORS(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	for target, want := range map[string]string{
		"/fhir/Patient/1": "DELETE, GET, HEAD, PATCH, PUT, OPTIONS", "/fhir/AuditEvent/1": "GET, HEAD, OPTIONS", "/fhir": "GET, HEAD, POST, OPTIONS",
	} {
		rec := w.ask(t, "OPTIONS", target, "", "Authorization: ", "Origin: https://epj.example", "Access-Control-Request-Method: GET")
		if rec.Code != http.StatusNoContent || rec.Header().Get("Allow") != want || rec.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v", target, rec.Code, rec.Header())
		}
	}
	if rec := w.ask(t, "PUT", "/fhir/AuditEvent/1", "{}"); rec.Code != 405 || rec.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("405: %d %v", rec.Code, rec.Header())
	}
	config := Config{Gateway: &gateway.Gateway{}, Authenticator: byToken{}, Base: testBase, Version: "test", Clock: time.Now, Random: rand.Reader}
	for _, bad := range []string{"epj.example", "https://epj.example/", "https://epj.example/app", "null", ""} {
		config.Origins = []string{bad}
		if _, err := New(config); err == nil {
			t.Errorf("%q is taken for an origin", bad)
		}
	}
	for _, tt := range []struct {
		origins      []string
		origin, want string
	}{
		{[]string{"https://epj.example"}, "https://epj.example", "https://epj.example"},
		{[]string{"https://epj.example"}, "https://epj.example.evil", ""},
		{[]string{"https://epj.example"}, "http://epj.example", ""},
		{[]string{"*"}, "https://any.example", "*"},
	} {
		config.Origins = tt.origins
		h, err := New(config)
		must(t, err)
		for _, r := range []*http.Request{
			httptest.NewRequest(http.MethodGet, "/fhir/metadata", http.NoBody), httptest.NewRequest(http.MethodGet, "/fhir/Patient/1", http.NoBody),
			httptest.NewRequest(http.MethodOptions, "/fhir/Patient/1", http.NoBody),
		} {
			r.Header.Set("Origin", tt.origin)
			r.Header.Set("Access-Control-Request-Method", "GET")
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			if got := rec.Header().Get("Access-Control-Allow-Origin"); got != tt.want || rec.Header().Get("Access-Control-Allow-Credentials") != "" || rec.Header().Get("Vary") != "Origin" {
				t.Errorf("%v %s %s: %v", tt, r.Method, r.URL, rec.Header())
			}
			if preflight := rec.Header().Get("Access-Control-Allow-Methods") != ""; preflight != (r.Method == http.MethodOptions && tt.want != "") {
				t.Errorf("%v %s %s: %v", tt, r.Method, r.URL, rec.Header())
			}
		}
	}
}
