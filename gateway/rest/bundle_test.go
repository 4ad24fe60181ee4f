package rest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// answers is what a test looks at of a batch-response or transaction-response.
type answers struct {
	Type  string
	Entry []struct {
		Resource json.RawMessage
		Response struct {
			Status, Location, ETag, LastModified string
			Outcome                              json.RawMessage
		}
	}
}

func (h *house) answers(w *httptest.ResponseRecorder) (b answers) {
	h.t.Helper()
	h.want(http.StatusOK, w)
	if err := json.Unmarshal(w.Body.Bytes(), &b); err != nil {
		h.t.Fatalf("%v: %s", err, w.Body)
	}
	return b
}

func entry(method, url, rest string) string {
	return `{` + rest + `"request":{"method":"` + method + `","url":"` + url + `"}}`
}

func with(resource string) string { return `"resource":` + resource + `,` }

func bundleOf(kind string, entries ...string) string {
	return `{"resourceType":"Bundle","type":"` + kind + `","entry":[` + strings.Join(entries, ",") + `]}`
}

const fullP, fullC = "urn:uuid:0b0f2a5e-3f1c-4d57-8a0e-000000000001", "urn:uuid:0b0f2a5e-3f1c-4d57-8a0e-000000000002"

// A batch performs each entry by itself; a record that is hidden and one that is not there get the same
// bytes, as in requests of their own.
func TestBatch(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.patient("bydel-sagene", synthetic)
	hidden := h.create("bydel-sagene", fmt.Sprintf(carePlan, p))
	const absent = "CarePlan/0b8f9f1e-0000-4000-8000-000000000000"
	mine := h.patient("sosial-sagene", synthetic)
	try := func(other string, header ...string) answers {
		return h.answers(h.as("sosial-sagene", "POST", "/fhir", bundleOf("batch",
			entry("GET", other, ""), entry("GET", other+"/_history", ""), entry("DELETE", other, ""),
			entry("GET", "CarePlan?_id="+strings.TrimPrefix(other, "CarePlan/"), ""),
			entry("POST", "CarePlan", with(fmt.Sprintf(carePlan, mine))), entry("POST", "CarePlan", with(`{"resourceType":"CarePlan"}`)),
			entry("GET", "CarePlan?colour=red", ""), entry("GET", "Patient?identifier="+synthetic, ""), entry("GET", "Account/1", ""),
			entry("PUT", "AuditEvent/1", with(`{"resourceType":"AuditEvent","id":"1"}`)), entry("GET", mine, ""), entry("HEAD", "Organization?name=bydel", ""),
			entry("POST", "CarePlan", ""), entry("GET", "/CarePlan", ""), entry("GET", "https://other.example/fhir/CarePlan", ""),
		), header...))
	}
	a, b := try(hidden), try(absent)
	want := []string{"404", "404", "404", "200", "201", "422", "400", "400", "404", "405", "200", "200", "400", "400", "400"}
	if a.Type != "batch-response" || len(a.Entry) != len(want) {
		t.Fatalf("%+v", a)
	}
	for i, status := range want {
		if !strings.HasPrefix(a.Entry[i].Response.Status, status) || status >= "400" && len(a.Entry[i].Response.Outcome) == 0 {
			t.Errorf("entry %d: %+v, want %s", i, a.Entry[i].Response, status)
		}
		if place := fmt.Sprintf("Bundle.entry[%d]", i); status >= "400" && !strings.Contains(string(a.Entry[i].Response.Outcome), place) {
			t.Errorf("entry %d: the outcome does not name its place: %s", i, a.Entry[i].Response.Outcome)
		}
	}
	for i := range 3 {
		if fmt.Sprintf("%s", a.Entry[i]) != fmt.Sprintf("%s", b.Entry[i]) {
			t.Errorf("entry %d tells hidden from absent:\n%s\n%s", i, a.Entry[i], b.Entry[i])
		}
	}
	if strings.Contains(string(a.Entry[7].Response.Outcome), synthetic) || !strings.Contains(string(a.Entry[7].Response.Outcome), "nin.url") {
		t.Errorf("a number in an URL: %s", a.Entry[7].Response.Outcome)
	}
	if e := a.Entry[4]; e.Response.Location == "" || e.Response.ETag == "" || e.Response.LastModified == "" || len(e.Resource) > 0 {
		t.Errorf("created: %+v", e)
	}
	if e := try(hidden, "Prefer: return=representation").Entry[4]; !strings.Contains(string(e.Resource), `"valueDecimal":1.500`) {
		t.Errorf("representation: %s", e.Resource)
	}
	if e := try(hidden, "Prefer: return=OperationOutcome").Entry[4]; !strings.Contains(string(e.Response.Outcome), `"saved"`) {
		t.Errorf("outcome: %s", e.Response.Outcome)
	}
}

func TestTransactionOverHTTP(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	patient := `{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"` + synthetic + `"}],"name":[{"family":"Prøve"}]}`
	conditional := `{"fullUrl":"` + fullP + `",` + with(patient) + `"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=urn:oid:2.16.578.1.12.4.1.4.1|` + synthetic + `"}}`
	referring := entry("POST", "CarePlan", with(fmt.Sprintf(carePlan, "Patient?identifier=urn:oid:2.16.578.1.12.4.1.4.1|"+synthetic)))
	named := entry("POST", "CarePlan", `"fullUrl":"`+fullC+`",`+with(fmt.Sprintf(carePlan, fullP)))
	send := func(entries ...string) *httptest.ResponseRecorder {
		return h.as("bydel-sagene", "POST", "/fhir", bundleOf("transaction", entries...))
	}
	first := h.answers(send(entry("GET", "CarePlan", ""), referring, named, conditional))
	for i, want := range []string{"200", "201", "201", "201"} {
		if !strings.HasPrefix(first.Entry[i].Response.Status, want) {
			t.Errorf("entry %d: %+v", i, first.Entry[i].Response)
		}
	}
	if n := strings.Count(string(first.Entry[0].Resource), `"CarePlan"`); n != 2 {
		t.Errorf("the search sees %d plans: %s", n, first.Entry[0].Resource)
	}
	second := h.answers(send(conditional))
	if r := second.Entry[0].Response; !strings.HasPrefix(r.Status, "200") || r.Location != first.Entry[3].Response.Location {
		t.Errorf("the same Patient again: %+v", r)
	}
	plan := strings.TrimPrefix(first.Entry[2].Response.Location, testBase+"/")
	plan, _, _ = strings.Cut(plan, "/_history/")
	patch := `{"resourceType":"Binary","contentType":"application/json-patch+json","data":"` + base64.StdEncoding.EncodeToString([]byte(`[{"op":"replace","path":"/title","value":"Endret"}]`)) + `"}`
	third := h.answers(send(entry("GET", plan, ""), entry("PATCH", plan, with(patch)), entry("DELETE", "CarePlan?status=revoked", "")))
	if !strings.Contains(string(third.Entry[0].Resource), `"title":"Endret"`) || !strings.HasPrefix(third.Entry[2].Response.Status, "204") {
		t.Errorf("patch: %s", third.Entry[0].Resource)
	}
	for _, tt := range []struct {
		entry, place, code string
		status             int
	}{
		{entry("POST", "CarePlan", with(`{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"`+fullC+`"}}`)), "Bundle.entry[1].resource.subject.reference", "bundle.reference-unresolved", 422},
		{entry("POST", "CarePlan", with(fmt.Sprintf(carePlan, "Patient?identifier=x"))), "Bundle.entry[1].resource.subject.reference", "bundle.reference-none", 422},
		{entry("POST", "CarePlan", with(fmt.Sprintf(carePlan, "Patient?colour=x"))), "Bundle.entry[1].resource.subject.reference", "search.parameter-unknown", 400},
		{entry("POST", "CarePlan", with(`{"resourceType":"CarePlan","intent":"plan","subject":{"reference":"Patient/1"}}`)), "Bundle.entry[1].resource.status", "validation.cardinality-min", 422},
		{entry("GET", "CarePlan/finnes-ikke", ""), "Bundle.entry[1]", "absent", 404},
		{entry("PATCH", plan, with(`{"resourceType":"Binary","contentType":"text/plain","data":"YQ=="}`)), "Bundle.entry[1].resource", "bundle.patch", 400},
		{entry("DELETE", "CarePlan?status=active", ""), "Bundle.entry[1]", "condition-multiple", 412},
		{entry("PUT", "Patient?identifier="+synthetic, with(patient)), "Bundle.entry[1].request.url", "nin.url", 400},
	} {
		w := send(entry("POST", "CarePlan", with(fmt.Sprintf(carePlan, "Patient/1"))), tt.entry)
		wantCode(t, w, tt.status, tt.code)
		if !strings.Contains(w.Body.String(), `"expression":["`+tt.place+`"]`) {
			t.Errorf("%s: %s", tt.place, w.Body)
		}
	}
	if n := len(h.bundle(h.as("bydel-sagene", "GET", "/fhir/CarePlan", "")).matches()); n != 2 {
		t.Errorf("%d plans after transactions that failed, want 2", n)
	}
}

func TestBundleLimit(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	full := make([]string, maxEntries)
	for i := range full {
		full[i] = entry("GET", "Account/1", "")
	}
	if a := h.answers(h.as("bydel-sagene", "POST", "/fhir", bundleOf("batch", full...))); len(a.Entry) != maxEntries {
		t.Errorf("%d answers", len(a.Entry))
	}
	wantCode(t, h.as("bydel-sagene", "POST", "/fhir", bundleOf("batch", append(full, full[0])...)), http.StatusRequestEntityTooLarge, "bundle.too-many")
}

// Conditional interactions, patch, histories and what the client has already, over HTTP.
func TestConditionalOverHTTP(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.patient("bydel-sagene", synthetic)
	body := strings.Replace(fmt.Sprintf(carePlan, p), `{ `, `{"identifier":[{"system":"urn:x","value":"1"}],`, 1)
	const exist = "If-None-Exist: identifier=urn:x|1"
	first := h.want(http.StatusCreated, h.as("bydel-sagene", "POST", "/fhir/CarePlan", body, exist))
	again := h.want(http.StatusOK, h.as("bydel-sagene", "POST", "/fhir/CarePlan", body, exist))
	if first.Header().Get("Location") != again.Header().Get("Location") || first.Body.String() != again.Body.String() {
		t.Errorf("conditional create: %v %v", first.Header(), again.Header())
	}
	plain, _, _ := strings.Cut(strings.TrimPrefix(first.Header().Get("Location"), testBase), "/_history/")
	plain = "/fhir" + plain
	updated := h.want(http.StatusOK, h.as("bydel-sagene", "PUT", "/fhir/CarePlan?identifier=urn:x%7C1", body, "If-Match: "+first.Header().Get("ETag")))
	h.want(http.StatusPreconditionFailed, h.as("bydel-sagene", "PUT", "/fhir/CarePlan?identifier=urn:x%7C1", body, "If-Match: "+first.Header().Get("ETag")))
	patched := h.want(http.StatusOK, h.as("bydel-sagene", "PATCH", plain, `[{"op":"replace","path":"/title","value":"JSON"}]`, "Content-Type: application/json-patch+json; charset=utf-8", "If-Match: "+updated.Header().Get("ETag")))
	if !strings.Contains(patched.Body.String(), `"title":"JSON", "_title":{"extension":[{"url":"http://sluse.no/x","valueDecimal":1.500}]}`) {
		t.Errorf("patched: %s", patched.Body)
	}
	path := `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"CarePlan.title"},{"name":"value","valueString":"Sti"}]}]}`
	if w := h.want(http.StatusOK, h.as("bydel-sagene", "PATCH", "/fhir/CarePlan?identifier=urn:x%7C1", path)); !strings.Contains(w.Body.String(), `"title":"Sti"`) {
		t.Errorf("FHIRPath Patch: %s", w.Body)
	}
	wantCode(t, h.as("bydel-sagene", "PATCH", "/fhir/CarePlan?identifier=urn:x%7C2", path), http.StatusNotFound, "absent")
	wantCode(t, h.as("sosial-sagene", "PATCH", plain, path), http.StatusNotFound, "absent")

	read := h.want(http.StatusOK, h.as("bydel-sagene", "GET", plain, ""))
	for _, header := range []string{"If-None-Match: " + read.Header().Get("ETag"), "If-None-Match: *", "If-Modified-Since: " + read.Header().Get("Last-Modified")} {
		if w := h.as("bydel-sagene", "GET", plain, "", header); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
			t.Errorf("%s: %d %s", header, w.Code, w.Body)
		}
		hidden := h.as("sosial-sagene", "GET", plain, "", header)
		missing := h.as("sosial-sagene", "GET", "/fhir/CarePlan/finnes-ikke", "", header)
		if hidden.Code != http.StatusNotFound || hidden.Body.String() != missing.Body.String() {
			t.Errorf("%s tells hidden from absent: %d %s", header, hidden.Code, hidden.Body)
		}
	}
	if w := h.as("bydel-sagene", "GET", plain, "", "If-Modified-Since: Mon, 01 Jan 2001 00:00:00 GMT"); w.Code != http.StatusOK {
		t.Errorf("modified since: %d", w.Code)
	}
	for target, want := range map[string]int{
		"/fhir/CarePlan/_history": 4, plain + "/_history": 4, "/fhir/CarePlan/_history?_since=2100-01-01": 0, "/fhir/CarePlan/_history?_at=2100": 1,
	} {
		if b := h.bundle(h.as("bydel-sagene", "GET", target, "")); b.Type != "history" || len(b.Entry) != want {
			t.Errorf("%s: %s, %d entries, want %d", target, b.Type, len(b.Entry), want)
		}
	}
	if b := h.bundle(h.as("bydel-sagene", "GET", "/fhir/_history?_count=3", "")); len(b.Entry) != 3 || b.link("next") == "" {
		t.Errorf("history of the system: %d entries", len(b.Entry))
	} else if h.bundle(h.as("bydel-sagene", "GET", b.link("next"), "")); b.link("self") == "" {
		t.Error("no link to itself")
	}
	if w := h.as("bydel-sagene", "DELETE", "/fhir/CarePlan?identifier=urn:x%7C1", "", "Prefer: return=OperationOutcome"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"deleted"`) {
		t.Errorf("conditional delete: %d %s", w.Code, w.Body)
	}
	wantCode(t, h.as("bydel-sagene", "GET", plain, ""), http.StatusGone, "gone")
	h.want(http.StatusNoContent, h.as("bydel-sagene", "DELETE", "/fhir/CarePlan?identifier=urn:x%7C1", ""))
}

// TestBundleAnswersWhatIsDone: when the answers are too many bytes together, what was written is still
// answered as written, so that nobody writes it again; only the reading is refused.
func TestBundleAnswersWhatIsDone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.patient("bydel-sagene", synthetic)
	long := strings.Replace(fmt.Sprintf(carePlan, p), `"title":"Plan"`, `"title":"`+strings.Repeat("Plan ", 300_000)+`x"`, 1)
	plan := h.create("bydel-sagene", long)
	for _, kind := range []string{"batch", "transaction"} {
		var entries []string
		for range 23 {
			entries = append(entries, entry("GET", plan, ""))
		}
		entries = append(entries, entry("POST", "CarePlan", with(long)))
		got := h.answers(h.as("bydel-sagene", "POST", "/fhir", bundleOf(kind, entries...), "Prefer: return=representation"))
		last := got.Entry[len(got.Entry)-1]
		if len(got.Entry) != len(entries) || !strings.HasPrefix(last.Response.Status, "201") || last.Response.Location == "" {
			t.Errorf("%s: %d entries, the write is answered %q %q", kind, len(got.Entry), last.Response.Status, last.Response.Location)
		}
		if read := got.Entry[len(got.Entry)-2]; !strings.HasPrefix(read.Response.Status, "403") {
			t.Errorf("%s: a reading without room is answered %q", kind, read.Response.Status)
		}
	}
}

// An operation in a Bundle is refused by its own code, at its place, in a batch beside what else is there.
func TestOperationInBundleIsNamed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, url := range []string{"$meta", "CarePlan/$validate", "CarePlan/1/$meta", "CarePlan/1/%24meta", "Patient/1/$everything", "Patient/$export", "Subscription/$status"} {
		for _, method := range []string{"GET", "POST"} {
			entry := `{"request":{"method":"` + method + `","url":"` + url + `"}}`
			batch := h.want(http.StatusOK, h.as("bydel-sagene", "POST", "/fhir", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Task?status=draft"}},`+entry+`]}`))
			if body := batch.Body.String(); !strings.Contains(body, `"status":"200 OK"`) || !strings.Contains(body, `"bundle.operation"`) || !strings.Contains(body, `"Bundle.entry[1].request.url"`) {
				t.Errorf("%s %s: %s", method, url, body)
			}
			whole := h.as("bydel-sagene", "POST", "/fhir", `{"resourceType":"Bundle","type":"transaction","entry":[`+entry+`]}`)
			wantCode(t, whole, http.StatusBadRequest, "bundle.operation")
		}
	}
}
