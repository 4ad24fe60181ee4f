package rest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluse/sluse/gateway"
)

const testBase = "https://sluse.example/fhir"

// byToken lets in whoever bears the token "ok".
type byToken struct{}

func (byToken) Authenticate(_ context.Context, r *http.Request) (gateway.Actor, error) {
	if r.Header.Get("Authorization") != "Bearer ok" {
		return gateway.Actor{}, errors.New("no token")
	}
	return gateway.Actor{Kind: gateway.Person, Party: "1001", Client: "test"}, nil
}

// wire is an API whose Gateway has no store: whatever gets as far as the Gateway panics and
// becomes a 500, so that a test of the wire sees when something slipped through.
type wire struct {
	http.Handler
	log     *bytes.Buffer
	metrics *prometheus.Registry
}

func newWire(t *testing.T) wire {
	t.Helper()
	w := wire{log: new(bytes.Buffer), metrics: prometheus.NewRegistry()}
	h, err := New(Config{
		Gateway: &gateway.Gateway{}, Authenticator: byToken{}, Base: testBase, Version: "test",
		Clock: time.Now, Random: rand.Reader, Metrics: w.metrics,
		Log: slog.New(slog.NewJSONHandler(w.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Handler = h
	return w
}

// ask performs one request; header lines are "Name: value".
func (w wire) ask(t *testing.T, method, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body == "" {
		r.Body = http.NoBody
	}
	r.Header.Set("Authorization", "Bearer ok")
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Authorization" && value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Add(name, value)
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return rec
}

func wantCode(t *testing.T, rec *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	if rec.Code != status || !strings.Contains(rec.Body.String(), `"code":"`+code+`"`) {
		t.Errorf("got %d %s, want %d %s", rec.Code, rec.Body, status, code)
	}
	if got := rec.Header().Get("Content-Type"); !strings.HasPrefix(got, "application/") || !strings.Contains(got, "json") {
		t.Errorf("Content-Type %q", got)
	}
}

func TestConfigTellsEverythingMissing(t *testing.T) {
	t.Parallel()
	_, err := New(Config{})
	if err == nil {
		t.Fatal("an empty Config was accepted")
	}
	for _, name := range []string{"Gateway", "Authenticator", "Base", "Clock", "Random", "Version"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %s", err, name)
		}
	}
}

func TestWireRefuses(t *testing.T) {
	t.Parallel()
	const nin = "13116900216"
	for _, tt := range []struct {
		name, method, target, body string
		header                     []string
		status                     int
		code                       string
	}{
		{"unknown type", "GET", "/fhir/Account/1", "", nil, 404, "http.route"},
		{"root", "GET", "/fhir", "", nil, 400, "search.type-required"},
		{"root without a body", "POST", "/fhir", "", []string{"Content-Type: application/fhir+json"}, 400, "http.body-empty"},
		{"no Bundle", "POST", "/fhir", `{"resourceType":"Task"}`, []string{"Content-Type: application/fhir+json"}, 400, "bundle.expected"},
		{"other Bundle", "POST", "/fhir/", `{"resourceType":"Bundle","type":"collection"}`, []string{"Content-Type: application/fhir+json"}, 400, "bundle.type"},
		{"Bundle with more", "POST", "/fhir", `{"resourceType":"Bundle","type":"batch","total":1}`, []string{"Content-Type: application/fhir+json"}, 400, "bundle.element"},
		{"Bundle too large", "POST", "/fhir", strings.Repeat(" ", maxBundle+1), []string{"Content-Type: application/fhir+json"}, 413, "http.bundle-too-large"},
		{"too many entries", "POST", "/fhir", `{"resourceType":"Bundle","type":"batch","entry":[{}` + strings.Repeat(",{}", maxEntries) + `]}`, []string{"Content-Type: application/fhir+json"}, 413, "bundle.too-many"},
		{"operation", "GET", "/fhir/Patient/$nope", "", nil, 404, "operation-unknown"},
		{"unknown operation of one", "POST", "/fhir/Patient/1/$alt", "", nil, 404, "operation-unknown"},
		{"unknown operation of one, by GET", "GET", "/fhir/Patient/1/$alt", "", nil, 404, "operation-unknown"},
		{"unknown operation of all", "GET", "/fhir/$alt", "", nil, 404, "operation-unknown"},
		{"operation of another type", "POST", "/fhir/Task/1/$document", "", nil, 404, "operation-unknown"},
		{"operation by another method", "GET", "/fhir/Task/$validate", "", nil, 405, "http.method"},
		{"operation by another method, of one", "GET", "/fhir/Task/1/$meta-add", "", nil, 405, "http.method"},
		{"operation of an unknown type", "GET", "/fhir/Account/1/$everything", "", nil, 404, "http.route"},
		{"parameter of an operation", "GET", "/fhir/Patient/1/$everything?_sort=date", "", nil, 400, "search.parameter-unknown"},
		{"number in an operation", "GET", "/fhir/Patient/" + nin + "/$everything", "", nil, 400, "nin.url"},
		{"type history of the ledger", "GET", "/fhir/AuditEvent/_history", "", nil, 404, "http.route"},
		{"patch without a type", "PATCH", "/fhir/Patient/1", "[]", nil, 415, "http.content-type"},
		{"patch that is none", "PATCH", "/fhir/Patient/1", "{}", []string{"Content-Type: application/json-patch+json; charset=utf-8"}, 400, "patch.format"},
		{"patch by a resource", "PATCH", "/fhir/Patient/1", `{"resourceType":"Patient"}`, []string{"Content-Type: application/fhir+json"}, 400, "patch.parameters"},
		{"patch of the ledger", "PATCH", "/fhir/AuditEvent/1", "[]", nil, 405, "http.method"},
		{"condition that is none", "PUT", "/fhir/Patient", "{}", nil, 400, "condition-empty"},
		{"condition by what is shown", "DELETE", "/fhir/Patient?_count=1", "", nil, 400, "search.parameter-unknown"},
		{"unknown condition, leniently", "DELETE", "/fhir/Patient?colour=red&identifier=1", "", []string{"Prefer: handling=lenient"}, 400, "search.parameter-unknown"},
		{"condition by number", "DELETE", "/fhir/Patient?identifier=" + nin, "", nil, 400, "nin.url"},
		{"condition by number in the header", "POST", "/fhir/Patient", "{}", []string{"If-None-Exist: identifier=" + nin}, 400, "nin.url"},
		{"condition by number in the header, escaped", "POST", "/fhir/Patient", "{}", []string{"If-None-Exist: identifier=%31%33116900216"}, 400, "nin.url"},
		{"two conditions", "POST", "/fhir/Patient", "{}", []string{"If-None-Exist: identifier=1", "If-None-Exist: identifier=2"}, 400, "http.if-none-exist"},
		{"empty condition", "POST", "/fhir/Patient", "{}", []string{"If-None-Exist: "}, 400, "condition-empty"},
		{"history by number", "GET", "/fhir/Patient/_history?_since=" + nin, "", nil, 400, "nin.url"},
		{"history by what is not", "GET", "/fhir/_history?_sort=_lastUpdated", "", nil, 400, "search.parameter-unknown"},
		{"history since nothing", "GET", "/fhir/_history?_since=i+fjor", "", nil, 400, "search.date"},
		{"history twice", "GET", "/fhir/Task/1/_history?_count=1&_count=2", "", nil, 400, "search.repeated"},
		{"write to the ledger", "PUT", "/fhir/AuditEvent/1", "{}", nil, 405, "http.method"},
		{"create in the ledger", "POST", "/fhir/AuditEvent", "{}", nil, 405, "http.method"},
		{"change provenance", "PUT", "/fhir/Provenance/1", "{}", nil, 405, "http.method"},
		{"escaped slash", "GET", "/fhir/Patient%2F1", "", nil, 404, "http.route"},
		{"dot segments", "GET", "/fhir/Patient/../metadata", "", nil, 404, "http.route"},
		{"trailing slash", "GET", "/fhir/Patient/1/", "", nil, 404, "http.route"},
		{"invented method", "BREW", "/fhir/Patient/1", "", nil, 405, "http.method"},
		{"id", "GET", "/fhir/Patient/a%20b", "", nil, 400, "http.id-malformed"},
		{"long id", "GET", "/fhir/Patient/" + strings.Repeat("a", 65), "", nil, 400, "http.id-malformed"},
		{"no token", "GET", "/fhir/Patient/1", "", []string{"Authorization: "}, 401, "unauthorized"},
		{"bad token", "GET", "/fhir/Patient/1", "", []string{"Authorization: ", "Authorization: Bearer no"}, 401, "unauthorized"},
		{"two tokens", "GET", "/fhir/Patient/1", "", []string{"Authorization: Bearer ok"}, 400, "http.credentials-repeated"},
		{"token in the URL", "GET", "/fhir/Patient/1?access_token=x", "", nil, 400, "search.parameter-unknown"},
		{"parameter on read", "GET", "/fhir/Patient/1?_summary=true", "", nil, 400, "search.parameter-unknown"},
		{"turtle", "GET", "/fhir/Patient/1", "", []string{"Accept: text/turtle"}, 406, "http.accept"},
		{"_format turtle", "GET", "/fhir/Patient/1?_format=ttl", "", nil, 406, "http.accept"},
		{"other FHIR version", "GET", "/fhir/Patient/1", "", []string{"Accept: application/fhir+json; fhirVersion=5.0"}, 406, "http.accept"},
		{"no content type", "POST", "/fhir/Task", "{}", nil, 415, "http.content-type"},
		{"xml patch", "PATCH", "/fhir/Task/1", "<diff/>", []string{"Content-Type: application/xml-patch+xml"}, 415, "http.content-type"},
		{"latin-1", "POST", "/fhir/Task", "{}", []string{"Content-Type: application/fhir+json; charset=iso-8859-1"}, 415, "http.charset"},
		{"brotli", "POST", "/fhir/Task", "{}", []string{"Content-Type: application/fhir+json", "Content-Encoding: br"}, 415, "http.content-encoding"},
		{"packed twice", "POST", "/fhir/Task", "{}", []string{"Content-Type: application/fhir+json", "Content-Encoding: gzip, gzip"}, 415, "http.content-encoding"},
		{"no gzip", "POST", "/fhir/Task", "{}", []string{"Content-Type: application/fhir+json", "Content-Encoding: gzip"}, 400, "http.gzip-broken"},
		{"no body", "POST", "/fhir/Task", "", []string{"Content-Type: application/fhir+json"}, 400, "http.body-empty"},
		{"not JSON", "POST", "/fhir/Task", "{", []string{"Content-Type: application/fhir+json"}, 400, "parse.end"},
		{"duplicate key", "POST", "/fhir/Task", `{"resourceType":"Task","status":"draft","status":"draft"}`, []string{"Content-Type: application/fhir+json"}, 400, "parse.duplicate-name"},
		{"other type", "POST", "/fhir/Task", `{"resourceType":"Goal"}`, []string{"Content-Type: application/fhir+json"}, 400, "http.type-differs"},
		{"other id", "PUT", "/fhir/Task/1", `{"resourceType":"Task","id":"2"}`, []string{"Content-Type: application/fhir+json"}, 400, "http.id-differs"},
		{"no id", "PUT", "/fhir/Task/1", `{"resourceType":"Task"}`, []string{"Content-Type: application/fhir+json"}, 400, "http.id-differs"},
		{"If-Match *", "PUT", "/fhir/Task/1", `{"resourceType":"Task","id":"1"}`, []string{"Content-Type: application/fhir+json", "If-Match: *"}, 400, "http.if-match"},
		{"If-Match list", "PUT", "/fhir/Task/1", `{"resourceType":"Task","id":"1"}`, []string{"Content-Type: application/fhir+json", `If-Match: W/"1", W/"2"`}, 400, "http.if-match"},
		{"If-None-Match on a write", "PUT", "/fhir/Task/1", `{"resourceType":"Task","id":"1"}`, []string{"Content-Type: application/fhir+json", `If-None-Match: W/"1"`}, 400, "http.if-none-match"},
		{"If-None-Match on a create", "POST", "/fhir/Task", `{"resourceType":"Task"}`, []string{"Content-Type: application/fhir+json", "If-None-Match: *"}, 400, "http.if-none-match"},
		{"too large", "POST", "/fhir/Task", strings.Repeat(" ", maxBody+1), []string{"Content-Type: application/fhir+json"}, 413, "http.body-too-large"},
		{"large head", "GET", "/fhir/Patient/1", "", []string{"X-Big: " + strings.Repeat("a", maxHeader)}, 431, "http.header-too-large"},
		{"long URL", "GET", "/fhir/Patient?_id=" + strings.Repeat("a", maxURL), "", nil, 414, "http.url-too-long"},
		{"number as id", "GET", "/fhir/Patient/" + nin, "", nil, 400, "nin.url"},
		{"number in a parameter", "GET", "/fhir/Patient?identifier=urn:oid:2.16.578.1.12.4.1.4.1%7C" + nin, "", nil, 400, "nin.url"},
		{"number in the URL of _search", "POST", "/fhir/Patient/_search?identifier=" + nin, "", []string{"Content-Type: application/x-www-form-urlencoded"}, 400, "nin.url"},
		{"number escaped twice", "GET", "/fhir/Patient?identifier=x%257C13%31%3169%2500216%32%35&y=1311%256%39" + "00216", "", nil, 400, "search.parameter-unknown"},
		{"number in an unknown path", "GET", "/pasient/" + nin + "/journal", "", nil, 400, "nin.url"},
		{"number behind a broken escape", "GET", "/fhir/Patient?a=%zz&identifier=" + nin, "", nil, 400, "nin.url"},
		{"number with a space", "GET", "/fhir/Patient?identifier=131169+00216", "", nil, 400, "nin.url"},
	} {
		if tt.name == "number escaped twice" {
			tt.target = "/fhir/Patient?identifier=x%257C" + "1311%2536%2539" + "00216"
			tt.code = "nin.url"
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t)
			rec := w.ask(t, tt.method, tt.target, tt.body, tt.header...)
			wantCode(t, rec, tt.status, tt.code)
			if strings.Contains(rec.Body.String()+w.log.String(), nin) {
				t.Error("the answer or the log repeats the number")
			}
			if rec.Code == http.StatusUnauthorized && !strings.HasPrefix(rec.Header().Get("WWW-Authenticate"), "Bearer") {
				t.Error("401 without a challenge")
			}
			if lines := strings.Count(w.log.String(), "\n"); lines != 1 {
				t.Errorf("%d lines in the log, want 1: %s", lines, w.log)
			}
		})
	}
}

// What reaches a Gateway without a store panics: the client learns nothing of it.
func TestPanicIsAnOutcome(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	rec := w.ask(t, "GET", "/fhir/Patient/1", "")
	wantCode(t, rec, http.StatusInternalServerError, "internal")
	for _, word := range []string{"goroutine", "nil pointer", ".go:", "runtime"} {
		if strings.Contains(rec.Body.String(), word) {
			t.Errorf("the answer tells of the panic: %s", rec.Body)
		}
	}
	if !strings.Contains(w.log.String(), "goroutine") {
		t.Error("the log has no stack")
	}
}

func TestHeadersOfAnswers(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	rec := w.ask(t, "GET", "/fhir/metadata", "", "Authorization: ", "X-Request-Id: abc-1")
	if rec.Code != http.StatusOK {
		t.Fatalf("metadata: %d %s", rec.Code, rec.Body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/fhir+json; charset=utf-8", "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff", "X-Request-Id": "abc-1",
	} {
		if got := rec.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := w.ask(t, "GET", "/fhir/metadata?_format=application/json", "").Header().Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Errorf("_format=application/json: %q", got)
	}
	hostile := w.ask(t, "GET", "/fhir/metadata", "", "X-Request-Id: 13116900216").Header().Get("X-Request-Id")
	if hostile == "" || hostile == "13116900216" {
		t.Errorf("request id %q", hostile)
	}
	if head := w.ask(t, "HEAD", "/fhir/metadata", ""); head.Code != http.StatusOK {
		t.Errorf("HEAD: %d", head.Code)
	}
}

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ accept, want string }{
		{"", fhirJSON}, {"*/*", fhirJSON}, {"application/*", fhirJSON},
		{"application/json", plainJSON}, {"application/json, application/fhir+json", fhirJSON},
		{"application/fhir+json;q=0.5, application/json", plainJSON},
		{"application/fhir+xml, application/fhir+json;q=0.9", fhirXML}, {"application/fhir+xml;q=0.8, */*", fhirJSON},
		{"application/fhir+xml", fhirXML}, {"application/xml", plainXML}, {"text/xml", textXML},
		{"text/html,application/xhtml+xml,*/*;q=0.8", fhirJSON},
		{"application/fhir+json; fhirVersion=4.0", fhirJSON},
		{"text/html", ""}, {"text/turtle", ""}, {"application/json;q=0", ""}, {";;", ""},
		{"application/fhir+json; fhirVersion=3.0", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		if tt.accept != "" {
			r.Header.Set("Accept", tt.accept)
		}
		if got, err := negotiate(r); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: %q %v, want %q", tt.accept, got, err, tt.want)
		}
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"": "nb", "en": "en", "en-GB,nb;q=0.5": "en", "nb-NO, en;q=0.9": "nb", "de": "nb", "de, en;q=0.1": "en",
		"nn": "nb", "en;q=x": "nb", "en;q=0": "nb", "sv;q=0.2, en;q=0.3": "en",
	} {
		if got := language(http.Header{"Accept-Language": {header}}); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}
