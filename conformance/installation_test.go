package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/conformance/suite"
)

// conform runs `sluse conformance` against a server.
func conform(t *testing.T, base, token, other string, args ...string) (out string, code int) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{"conformance", "--base", base}, args...)...)
	cmd.Env = append(os.Environ(), "SLUSE_TOKEN="+token, "SLUSE_TOKEN_OTHER="+other)
	printed, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(printed), cmd.ProcessState.ExitCode()
}

// The demo does what it promises: `sluse conformance` finds no failure, writes a report that machines
// read, and leaves nothing behind.
func TestTheDemoConforms(t *testing.T) {
	t.Parallel()
	endpoint := newSubscriber(t).URL + "/inn"
	s := start(t, "--no-story", "--notify", endpoint)
	own, other := s.as("bydel-sagene"), s.as("ous-tsb")
	before := own.count(t)
	file := filepath.Join(t.TempDir(), "report.xml")
	out, code := conform(t, s.base+"/fhir", own.token, other.token, "--junit", file, "--endpoint", endpoint, "--lasting")
	if code != 0 {
		t.Errorf("exit %d\n%s", code, out)
	}
	if after := own.count(t); after != before {
		t.Errorf("records before %d, after %d", before, after)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Suites   []struct {
			Name  string     `xml:"name,attr"`
			Cases []struct{} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(raw, &report); err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, one := range report.Suites {
		cases += len(one.Cases)
	}
	if report.Tests < 250 || report.Tests != cases || report.Failures != 0 || len(report.Suites) != len(suite.Groups())+1 {
		t.Errorf("%d tests, %d cases, %d failures, %d suites", report.Tests, cases, report.Failures, len(report.Suites))
	}
	if strings.Contains(out+string(raw), own.token) {
		t.Error("the report holds the token")
	}
}

// What openapi.json describes is there, on the real server with everything that stands beside the FHIR
// API: nothing that it names is unknown, and without a token only what it calls open answers.
func TestTheDescriptionIsTheServer(t *testing.T) {
	t.Parallel()
	s := start(t, "--no-story")
	a, err := s.send(http.MethodGet, "/fhir/openapi.json", "", "", nil)
	if err != nil || a.status != http.StatusOK {
		t.Fatalf("%v, %d", err, a.status)
	}
	var doc struct {
		Paths map[string]map[string]struct{ Security *[]any }
	}
	if err := json.Unmarshal(a.body, &doc); err != nil {
		t.Fatal(err)
	}
	edi := 0
	for path, item := range doc.Paths {
		for method, o := range item {
			target := strings.NewReplacer("{id}", "7c0ff0a5-1a4f-4a57-9d0a-6f0c7c3f5c11", "{herId}", "80001001", "{", "", "}", "").Replace(path)
			a, err := s.send(strings.ToUpper(method), target, "", "", nil)
			if err != nil {
				t.Fatal(err)
			}
			open := o.Security != nil && len(*o.Security) == 0
			if open && (a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed) || !open && a.status != http.StatusUnauthorized {
				t.Errorf("%s %s: told open %v, answered %d %.200s", method, path, open, a.status, a.body)
			}
			if strings.HasPrefix(path, "/edi/") {
				edi++
			}
		}
	}
	if edi != 8 || doc.Paths["/demo/token"] == nil {
		t.Errorf("%d ways into the message API, /demo/token %v", edi, doc.Paths["/demo/token"] != nil)
	}
}

// A command line that cannot be performed says so: nobody takes it for a server that conforms.
func TestConformanceNeedsAServer(t *testing.T) {
	t.Parallel()
	silent := httptest.NewServer(http.NotFoundHandler())
	defer silent.Close()
	for _, base := range []string{silent.URL + "/fhir", "no-url"} {
		if out, code := conform(t, base, "token", ""); code != 1 {
			t.Errorf("%s: exit %d: %s", base, code, out)
		}
	}
	if out, code := conform(t, silent.URL, "token", "", "--only", "nonsense"); code != 1 || !strings.Contains(out, "nonsense") {
		t.Errorf("a group that is none: exit %d: %s", code, out)
	}
}

// wrongServer is a server that does one thing otherwise than it should: a change of what comes in, or of
// what goes out.
type wrongServer struct {
	name, group string
	in          func(r *http.Request)
	out         func(r *http.Response, body []byte) []byte
}

// patience is how long the suite waits for it: what does wrong is not waited for long.
func (w wrongServer) patience() time.Duration {
	if w.name == "" {
		return time.Minute
	}
	return 3 * time.Second
}

func replaced(pattern, replacement string) func(*http.Response, []byte) []byte {
	re := regexp.MustCompile(pattern)
	return func(_ *http.Response, body []byte) []byte { return re.ReplaceAll(body, []byte(replacement)) }
}

func statusFor(from, to int) func(*http.Response, []byte) []byte {
	return func(r *http.Response, body []byte) []byte {
		if r.StatusCode == from {
			r.StatusCode = to
		}
		return body
	}
}

func withoutHeader(header string) func(*http.Response, []byte) []byte {
	return func(r *http.Response, body []byte) []byte {
		r.Header.Del(header)
		return body
	}
}

// onPath limits a fault to the addresses with a part.
func onPath(part string, out func(*http.Response, []byte) []byte) func(*http.Response, []byte) []byte {
	return func(r *http.Response, body []byte) []byte {
		if strings.Contains(r.Request.URL.Path, part) {
			return out(r, body)
		}
		return body
	}
}

func rewrites(old, replacement string) func(*http.Request) {
	return func(r *http.Request) { rewriteBody(r, old, replacement) }
}

func dropsParameter(name string) func(*http.Request) {
	return func(r *http.Request) {
		query := r.URL.Query()
		query.Del(name)
		r.URL.RawQuery = query.Encode()
	}
}

// backgroundFaults are those of what a server does in the background, and of its operations. endpoint is
// one that the server allows.
func backgroundFaults(own, other, endpoint string) []wrongServer {
	return []wrongServer{
		{"forgets a tag", "form", func(r *http.Request) { r.URL.Path = strings.Replace(r.URL.Path, "$meta-add", "$meta", 1) }, nil},
		{"begins no answer", "form", nil, onPath("$populate", replaced(`"in-progress"`, `"completed"`))},
		{"extracts from what is not finished", "form", nil, onPath("$extract", statusFor(http.StatusUnprocessableEntity, http.StatusOK))},
		{"gives no document", "form", nil, onPath("$document", replaced(`"type":"document"`, `"type":"collection"`))},
		{"calls any address", "subscription", rewrites("https://sluse-fremmed.example/inn", endpoint), nil},
		{"takes any channel", "subscription", rewrites(`"email"`, `"rest-hook"`), nil},
		{"knows what there is not", "subscription", nil, onPath("$status", statusFor(http.StatusNotFound, http.StatusOK))},
		{"shakes no hand", "subscription", nil, onPath("/Subscription", replaced(`"status":"active"`, `"status":"requested"`))},
		{"tells of no event", "subscription", nil, onPath("$events", replaced(`"event-number"`, `"number"`))},
		{"tells the secret", "subscription", nil, onPath("/Subscription", replaced(`"type":"rest-hook"`, `"type":"rest-hook","header":["X-Sluse: x"]`))},
		{"rewrites who did what", "provenance", nil, onPath("/Provenance", statusFor(http.StatusMethodNotAllowed, http.StatusOK))},
		{"keeps another Provenance", "provenance", nil, onPath("/Provenance", replaced(`"Sluse sluse-`, `"Annen sluse-`))},
		{"lets one wait for an export", "export", func(r *http.Request) {
			if strings.Contains(r.URL.Path, "$export") {
				r.Header.Set("Prefer", "respond-async")
			}
		}, nil},
		{"leaves out lines", "export", nil, onPath("/export/", replaced(`(?m)^\{"resourceType":"Task".*\n`, ``))},
		{"repeats lines", "export", nil, onPath("/export/", replaced(`(?m)^(\{"resourceType":"Task".*\n)`, `$1$1`))},
		{"gives an export to another", "export", func(r *http.Request) {
			if r.Header.Get("Authorization") == "Bearer "+other && strings.Contains(r.URL.Path, "/export/") {
				r.Header.Set("Authorization", "Bearer "+own)
			}
		}, nil},
		{"keeps what was cancelled", "export", nil, onPath("/export/", statusFor(http.StatusNotFound, http.StatusOK))},
	}
}

// wrongServers are the faults, each of which the suite must find in its group. own is the token of the one
// party, other that of the other.
func wrongServers(own, other string) []wrongServer {
	return []wrongServer{
		{"tells of another version", "metadata", nil, replaced(`"fhirVersion":"4.0.1"`, `"fhirVersion":"4.3.0"`)},
		{"describes a type less", "description", nil, replaced(`"/fhir/Task":`, `"/fhir/Nothing":`)},
		{"lets in without a token", "credentials", func(r *http.Request) {
			if r.Header.Get("Authorization") == "" && !strings.HasSuffix(r.URL.Path, "/metadata") {
				r.Header.Set("Authorization", "Bearer "+own)
			}
		}, nil},
		{"does not say how to authenticate", "credentials", nil, withoutHeader("WWW-Authenticate")},
		{"gives no ETag", "interaction", nil, withoutHeader("ETag")},
		{"forgets what was deleted", "interaction", nil, statusFor(http.StatusGone, http.StatusNotFound)},
		{"reads a deleted resource", "interaction", nil, statusFor(http.StatusGone, http.StatusOK)},
		{"drops unknown parameters", "search", dropsParameter("sluse-ukjent"), nil},
		{"is lenient unasked", "search", func(r *http.Request) { r.Header.Set("Prefer", "handling=lenient") }, nil},
		{"drops a filter that it knows", "search", dropsParameter("status"), nil},
		{"drops the patient", "search", dropsParameter("patient"), nil},
		{"turns 1.50 into 1.5", "format", nil, replaced(`1\.50`, `1.5`)},
		{"calls XML JSON", "format", nil, func(r *http.Response, body []byte) []byte {
			r.Header.Set("Content-Type", strings.Replace(r.Header.Get("Content-Type"), "xml", "json", 1))
			return body
		}},
		{"has one language", "format", func(r *http.Request) { r.Header.Del("Accept-Language") }, nil},
		{"gives errors without expression", "fault", nil, replaced(`,"expression":\["[^"]*"\]`, ``)},
		{"gives errors without a code", "fault", nil, replaced(`"details":\{"coding":\[[^\]]*\],`, `"details":{`)},
		{"takes what is invalid", "fault", nil, statusFor(http.StatusUnprocessableEntity, http.StatusCreated)},
		{"has another limit", "limit", nil, statusFor(http.StatusRequestEntityTooLarge, http.StatusBadRequest)},
		{"forgets If-None-Exist", "condition", func(r *http.Request) { r.Header.Del("If-None-Exist") }, nil},
		{"forgets If-Match", "condition", func(r *http.Request) { r.Header.Del("If-Match") }, nil},
		{"forgets If-None-Match", "condition", func(r *http.Request) { r.Header.Del("If-None-Match") }, nil},
		{"knows JSON Patch without charset only", "patch", func(r *http.Request) {
			if strings.Contains(r.Header.Get("Content-Type"), "json-patch+json;") {
				r.Header.Set("Content-Type", "text/plain")
			}
		}, nil},
		{"does a transaction as a batch", "bundle", func(r *http.Request) { rewriteBody(r, `"type":"transaction"`, `"type":"batch"`) }, nil},
		{"forgets _since", "history", dropsParameter("_since"), nil},
		{"has no next page", "paging", nil, replaced(`"relation":"next"`, `"relation":"last"`)},
		{"repeats the first page", "paging", dropsParameter("_page"), nil},
		{"takes one party for another", "party", func(r *http.Request) {
			if r.Header.Get("Authorization") == "Bearer "+other && strings.Contains(r.URL.Path, "/Task") {
				r.Header.Set("Authorization", "Bearer "+own)
			}
		}, nil},
		{"tells hidden from absent", "party", nil, func(r *http.Response, body []byte) []byte {
			if r.StatusCode == http.StatusNotFound && !strings.Contains(r.Request.URL.Path, "finnes-ikke") {
				r.StatusCode = http.StatusForbidden
			}
			return body
		}},
		{"deletes nothing", "cleanup", nil, func(r *http.Response, body []byte) []byte {
			if r.Request.Method == http.MethodDelete {
				r.StatusCode = http.StatusInternalServerError
			}
			return body
		}},
	}
}

func rewriteBody(r *http.Request, old, replacement string) {
	if r.Body == nil {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	body = bytes.ReplaceAll(body, []byte(old), []byte(replacement))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
}

// proxy is the server with the fault.
func (w wrongServer) proxy(t *testing.T, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Header.Del("Accept-Encoding")
			if w.in != nil {
				w.in(r.Out)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if w.out == nil {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			body = w.out(r, body)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return nil
		},
	})
	t.Cleanup(p.Close)
	return p.URL + "/fhir"
}

// A server that does one thing wrong is found out, in the group that is about it; the same server
// behind a proxy that changes nothing is not.
func TestTheSuiteFindsWrongServers(t *testing.T) {
	t.Parallel()
	endpoint := newSubscriber(t).URL + "/inn"
	s := start(t, "--no-story", "--notify", endpoint)
	own, other := s.as("bydel-sagene").token, s.as("ous-tsb").token
	look := func(t *testing.T, w wrongServer, groups ...string) *suite.Report {
		t.Helper()
		report, err := suite.Run(t.Context(), suite.Config{
			Base: w.proxy(t, s.base), Token: own, Other: other, Only: groups, Types: []string{"Task", "CarePlan"}, Clock: time.Now,
			Endpoint: endpoint, Lasting: true, Patience: w.patience(),
		})
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	right := look(t, wrongServer{out: replaced(`^$`, ``)})
	for _, r := range right.Results {
		if r.Outcome == suite.Failed {
			t.Errorf("behind a proxy that changes nothing: %s %s: %s", r.Group, r.Name, r.Reason)
		}
	}
	broken := wrongServer{out: replaced(`1\.50`, `1.5`)}
	if out, code := conform(t, broken.proxy(t, s.base), own, other, "--only", "format"); code != 1 || !strings.Contains(out, "FAILED          format       decimals") {
		t.Errorf("the command against a server that turns 1.50 into 1.5: exit %d\n%s", code, out)
	}
	for _, w := range slices.Concat(wrongServers(own, other), backgroundFaults(own, other, endpoint)) {
		t.Run(w.name, func(t *testing.T) {
			group := w.group
			if group == "cleanup" {
				group = "format"
			}
			for _, r := range look(t, w, group).Results {
				if r.Outcome == suite.Failed && r.Group == w.group {
					return
				}
			}
			t.Errorf("a server that %s passes %s", w.name, w.group)
		})
	}
}
