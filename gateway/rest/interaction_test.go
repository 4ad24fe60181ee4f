package rest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// The life of a record, over HTTP.
func TestInteractions(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	body := fmt.Sprintf(carePlan, h.patient("bydel-sagene", synthetic))
	created := h.want(http.StatusCreated, h.as("bydel-sagene", "POST", "/fhir/CarePlan", body))
	location, etag := created.Header().Get("Location"), created.Header().Get("ETag")
	if !strings.HasPrefix(location, testBase+"/CarePlan/") || !strings.HasPrefix(etag, `W/"`) || !strings.Contains(location, "/_history/"+strings.Trim(etag, `W/"`)) {
		t.Fatalf("Location %q, ETag %q", location, etag)
	}
	if _, err := time.Parse(http.TimeFormat, created.Header().Get("Last-Modified")); err != nil {
		t.Error(err)
	}
	versioned := strings.TrimPrefix(location, strings.TrimSuffix(testBase, root))
	plain, _, _ := strings.Cut(versioned, "/_history/")
	id := plain[strings.LastIndex(plain, "/")+1:]

	read := h.want(http.StatusOK, h.as("bydel-sagene", "GET", plain, ""))
	if !strings.Contains(read.Body.String(), `"title":"Plan", "_title":{"extension":[{"url":"http://sluse.no/x","valueDecimal":1.500}]}`) {
		t.Errorf("the bytes changed: %s", read.Body)
	}
	if read.Header().Get("ETag") != etag || read.Body.String() != created.Body.String() {
		t.Errorf("read differs from what create gave: %s", read.Body)
	}
	if w := h.as("bydel-sagene", "GET", plain, "", "If-None-Match: "+etag); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("If-None-Match: %d %s", w.Code, w.Body)
	}
	if w := h.as("bydel-sagene", "HEAD", plain, ""); w.Code != http.StatusOK || w.Header().Get("ETag") != etag {
		t.Errorf("HEAD: %d", w.Code)
	}
	if w := h.as("bydel-sagene", "GET", versioned, ""); w.Body.String() != read.Body.String() {
		t.Errorf("vread: %d %s", w.Code, w.Body)
	}

	changed := strings.Replace(body, `"title":"Plan"`, `"title":"Ny plan"`, 1)
	changed = strings.Replace(changed, `{ "resourceType"`, `{"id":"`+id+`", "resourceType"`, 1)
	updated := h.want(http.StatusOK, h.as("bydel-sagene", "PUT", plain, changed, "If-Match: "+etag))
	if updated.Header().Get("ETag") == etag || updated.Header().Get("Location") == location {
		t.Error("the update has the version of before")
	}
	wantCode(t, h.as("bydel-sagene", "PUT", plain, changed, "If-Match: "+etag), http.StatusPreconditionFailed, "version-conflict")
	wantCode(t, h.as("bydel-sagene", "DELETE", plain, "", "If-Match: "+etag), http.StatusPreconditionFailed, "version-conflict")
	h.want(http.StatusOK, h.as("bydel-sagene", "PUT", plain, changed)) // R4: If-Match may be left out

	history := h.bundle(h.as("bydel-sagene", "GET", plain+"/_history?_count=2", ""))
	if history.Type != "history" || len(history.Entry) != 2 || history.link("next") == "" {
		t.Errorf("history: %d entries, next %q", len(history.Entry), history.link("next"))
	}
	if rest := h.bundle(h.as("bydel-sagene", "GET", history.link("next"), "")); len(rest.Entry) != 1 || rest.link("next") != "" {
		t.Errorf("history, second page: %d entries", len(rest.Entry))
	}
	h.want(http.StatusNoContent, h.as("bydel-sagene", "DELETE", plain, ""))
	wantCode(t, h.as("bydel-sagene", "GET", plain, ""), http.StatusGone, "gone")
	h.want(http.StatusNoContent, h.as("bydel-sagene", "DELETE", plain, ""))
	if found := h.bundle(h.as("bydel-sagene", "GET", "/fhir/CarePlan?_id="+id, "")); len(found.matches()) != 0 {
		t.Error("what is deleted is found")
	}
}

func TestPreferReturn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	body := fmt.Sprintf(carePlan, h.patient("bydel-sagene", synthetic))
	for prefer, want := range map[string]func(string) bool{
		"return=minimal":          func(s string) bool { return s == "" },
		"return=representation":   func(s string) bool { return strings.Contains(s, `"CarePlan"`) },
		"return=OperationOutcome": func(s string) bool { return strings.Contains(s, `"code":"saved"`) },
	} {
		w := h.want(http.StatusCreated, h.as("bydel-sagene", "POST", "/fhir/CarePlan", body, "Prefer: "+prefer))
		if !want(w.Body.String()) || w.Header().Get("Location") == "" || w.Header().Get("ETag") == "" {
			t.Errorf("%s: %v %s", prefer, w.Header(), w.Body)
		}
	}
}

// What is hidden and what is not there: one status, one set of header fields, the same bytes,
// whichever way is tried and in either language.
func TestHiddenIsAbsent(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	hidden := h.create("bydel-sagene", fmt.Sprintf(carePlan, h.patient("bydel-sagene", synthetic)))
	_, hiddenID, _ := strings.Cut(hidden, "/")
	const absentID = "0b8f9f1e-0000-4000-8000-000000000000"
	for _, lang := range []string{"nb", "en"} {
		for _, try := range []struct{ method, path string }{
			{"GET", "/fhir/CarePlan/ID"}, {"HEAD", "/fhir/CarePlan/ID"}, {"GET", "/fhir/CarePlan/ID/_history"},
			{"GET", "/fhir/CarePlan/ID/_history/" + absentID}, {"PUT", "/fhir/CarePlan/ID"}, {"DELETE", "/fhir/CarePlan/ID"},
			{"GET", "/fhir/Goal/ID"},
		} {
			var seen [2]string
			for i, id := range []string{hiddenID, absentID} {
				body := ""
				if try.method == "PUT" {
					body = strings.Replace(fmt.Sprintf(carePlan, "Patient/x"), "{ ", `{"id":"`+id+`",`, 1)
				}
				w := h.as("sosial-sagene", try.method, strings.ReplaceAll(try.path, "ID", id), body, "Accept-Language: "+lang)
				w.Header().Del("X-Request-Id") // random
				seen[i] = fmt.Sprint(w.Code, w.Header(), w.Body)
				if w.Code != http.StatusNotFound {
					t.Errorf("%s %s: %d %s", try.method, try.path, w.Code, w.Body)
				}
			}
			if seen[0] != seen[1] {
				t.Errorf("%s %s tells them apart:\n%s\n%s", try.method, try.path, seen[0], seen[1])
			}
		}
	}
}

func TestContentIsRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	wantCode(t, h.as("bydel-sagene", "POST", "/fhir/CarePlan", `{"resourceType":"CarePlan","intent":"plan","subject":{"reference":"Patient/1"}}`), http.StatusUnprocessableEntity, "validation.cardinality-min")
	wantCode(t, h.as("bydel-sagene", "PUT", "/fhir/CarePlan/self-chosen", strings.Replace(fmt.Sprintf(carePlan, "Patient/1"), "{ ", `{"id":"self-chosen",`, 1)), http.StatusNotFound, "absent")
	own := h.as("bydel-sagene", "PUT", "/fhir/CarePlan/80001001-a", strings.Replace(fmt.Sprintf(carePlan, "Patient/1"), "{ ", `{"id":"80001001-a",`, 1))
	h.want(http.StatusCreated, own)
	w := h.as("bydel-sagene", "POST", "/fhir/Consent", `{"resourceType":"Consent","status":"active","scope":{"coding":[{"code":"patient-privacy"}]},"category":[{"coding":[{"code":"59284-0"}]}]}`)
	if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `"expression":["Consent`) {
		t.Errorf("a Consent that says nothing: %d %s", w.Code, w.Body)
	}
	wantCode(t, h.as("drift", "POST", "/fhir/CarePlan", fmt.Sprintf(carePlan, "Patient/1")), http.StatusForbidden, "write-not-allowed")
}

func TestSearch(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	patient := h.patient("bydel-sagene", synthetic)
	other := h.patient("bydel-sagene", otherNIN)
	for range 3 {
		h.create("bydel-sagene", fmt.Sprintf(carePlan, patient))
	}
	h.create("bydel-sagene", fmt.Sprintf(carePlan, other))
	form := []string{"Content-Type: " + formData}
	for _, tt := range []struct {
		method, target, form string
		want                 int
	}{
		{"GET", "/fhir/CarePlan?patient=" + patient, "", 3},
		{"GET", "/fhir/CarePlan?subject=" + patient + "&status=active", "", 3},
		{"GET", "/fhir/CarePlan?subject=" + patient + "&status=revoked", "", 0},
		{"GET", "/fhir/CarePlan", "", 4},
		{"GET", "/fhir/CarePlan?date=ge2026-10-01", "", 4},
		{"GET", "/fhir/CarePlan?date=lt2026-10-01", "", 0},
		{"GET", "/fhir/CarePlan?patient=Patient/unknown", "", 0},
		{"POST", "/fhir/CarePlan/_search", "patient=" + patient, 3},
		{"POST", "/fhir/CarePlan/_search?status=active", "patient=" + patient, 3},
		{"POST", "/fhir/CarePlan/_search", "patient:identifier=" + nationalID + synthetic, 3},
		{"POST", "/fhir/CarePlan/_search", "patient:identifier=" + nationalID + otherNIN + "&status=active", 1},
		{"POST", "/fhir/Patient/_search", "identifier=" + nationalID + synthetic, 1},
		{"POST", "/fhir/Patient/_search", "identifier=" + nationalID + "14837912092", 0},
		{"GET", "/fhir/Organization?identifier=urn:oid:2.16.578.1.12.4.1.2%7C80001001", "", 1},
		{"GET", "/fhir/Organization?name=bydel", "", 1},
		{"GET", "/fhir/AuditEvent?entity=" + patient, "", -1},
	} {
		var header []string
		if tt.form != "" {
			header = form
		}
		b := h.bundle(h.as("bydel-sagene", tt.method, tt.target, tt.form, header...))
		if got := len(b.matches()); got != tt.want && tt.want >= 0 {
			t.Errorf("%s %s %s: %d matches, want %d", tt.method, tt.target, tt.form, got, tt.want)
		}
		if b.link("self") == "" || fhir.ContainsNIN(b.link("self")) {
			t.Errorf("self link %q", b.link("self"))
		}
	}
	if got := h.bundle(h.as("sosial-sagene", "GET", "/fhir/CarePlan", "")).matches(); len(got) != 0 {
		t.Errorf("a party without samtykke finds %v", got)
	}
}

// Pages are followed by link, each row once, by nobody else, also when a national number asked.
func TestPaging(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	patient := h.patient("bydel-sagene", synthetic)
	for range 5 {
		h.create("bydel-sagene", fmt.Sprintf(carePlan, patient))
	}
	for _, tt := range []struct{ method, target, form string }{
		{"GET", "/fhir/CarePlan?patient=" + patient + "&_count=2", ""},
		{"GET", "/fhir/CarePlan?_count=2&_sort=_lastUpdated", ""},
		{"POST", "/fhir/CarePlan/_search", "patient:identifier=" + nationalID + synthetic + "&_count=2"},
	} {
		seen := map[string]int{}
		target := tt.target
		for page := 0; target != "" && page < 5; page++ {
			var header []string
			if tt.form != "" {
				header = []string{"Content-Type: " + formData}
			}
			b := h.bundle(h.as("bydel-sagene", tt.method, target, tt.form, header...))
			for _, u := range b.matches() {
				seen[u]++
			}
			target = b.link("next")
			if target != "" {
				wantCode(t, h.as("ous-tsb", tt.method, target, tt.form, header...), http.StatusBadRequest, "page-unknown")
			}
		}
		if len(seen) != 5 {
			t.Errorf("%s: %d of 5 records on the pages", tt.target, len(seen))
		}
		for u, n := range seen {
			if n != 1 {
				t.Errorf("%s: %s %d times", tt.target, u, n)
			}
		}
	}
}

// Leniency is told inside the Bundle, beside the constant outcome.
func TestLenientSearchSaysSo(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	patient := h.patient("bydel-sagene", synthetic)
	h.create("bydel-sagene", fmt.Sprintf(carePlan, patient))
	for target, outcomes := range map[string]int{"/fhir/CarePlan?colour=red": 2, "/fhir/CarePlan?colour=red&status=revoked": 2, "/fhir/Organization?colour=red&name=finnesikke": 1} {
		b := h.bundle(h.as("bydel-sagene", "GET", target, "", "Prefer: handling=lenient"))
		told := 0
		for _, e := range b.Entry {
			if e.Search.Mode == "outcome" {
				told++
			}
		}
		last := string(b.Entry[len(b.Entry)-1].Resource)
		if told != outcomes || !strings.Contains(last, `"search.left-out"`) || !strings.Contains(last, `http.colour`) || strings.Contains(b.link("self"), "colour") {
			t.Errorf("%s: %d outcomes, last %s, self %s", target, told, last, b.link("self"))
		}
	}
}

// P8: whatever was asked by number, no number in the log or the metrics.
func TestNumbersStayInBodies(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.patient("bydel-sagene", synthetic)
	form := "Content-Type: " + formData
	h.want(http.StatusOK, h.as("bydel-sagene", "POST", "/fhir/Patient/_search", "identifier="+nationalID+synthetic, form))
	h.as("bydel-sagene", "POST", "/fhir/Task/_search", "status="+synthetic, form)
	h.as("bydel-sagene", "GET", "/fhir/Patient/"+synthetic, "")
	h.as("bydel-sagene", "GET", "/fhir/Patient?name="+synthetic, "")
	h.as("bydel-sagene", "POST", "/fhir/Patient", `{"resourceType":"Patient","birthDate":"`+synthetic+`"}`)
	h.as("bydel-sagene", synthetic, "/fhir/Patient/1", "")
	h.as("bydel-sagene", "GET", "/fhir/metadata", "", "X-Request-Id: "+synthetic)
	families, err := h.metrics.Gather()
	must(t, err)
	figures := fmt.Sprint(families)
	if strings.Contains(h.log.String(), synthetic) || strings.Contains(figures, synthetic) {
		t.Error("a national number is in the log or in the metrics")
	}
	if !strings.Contains(figures, `/fhir/Patient/_search`) || !strings.Contains(h.log.String(), `"route":"/fhir/Patient/_search"`) {
		t.Error("the route is missing: the test sees nothing")
	}
	for _, line := range strings.Split(strings.TrimSpace(h.log.String()), "\n") {
		if strings.Contains(line, "?") || !strings.HasSuffix(line, "}") {
			t.Errorf("odd line: %s", line)
		}
	}
}
