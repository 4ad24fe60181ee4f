package conformance_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

var elevenDigits = regexp.MustCompile(`(?:^|[^0-9A-Za-z])([0-9]{11})(?:[^0-9A-Za-z]|$)`)

// A whole story leaves no national number and no content behind in logs, in the table on the
// screen, in metrics or in the URLs that a log line shows.
func TestNothingOfThePersonOutsideBodiesAndLedger(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.as("bydel-sagene")
	// What is refused must not be logged either.
	for _, path := range []string{
		"/fhir/Patient?identifier=urn:oid:2.16.578.1.12.4.1.4.1%7C" + kariNIN,
		"/fhir/Patient/" + kariNIN,
		"/fhir/CarePlan?patient.identifier=" + kariNIN,
		"/" + kariNIN,
		"/edi/Messages?ReceiverHerIds=" + kariNIN,
		"/edi/Messages/" + kariNIN,
		"/demo/token?persona=pasient&patient=" + kariNIN + "x",
	} {
		a, err := c.try(http.MethodGet, path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if a.status < 400 || strings.Contains(string(a.body), kariNIN) {
			t.Errorf("a number in a URL: status %d, answer repeats it: %v", a.status, strings.Contains(string(a.body), kariNIN))
		}
	}
	if a, err := c.try(http.MethodPost, "/fhir/Patient", "application/fhir+json", []byte(`{"resourceType":"Patient","gender":"`+kariNIN+`"}`)); err != nil || a.status < 400 || strings.Contains(string(a.body), kariNIN) {
		t.Errorf("a number as a code: %v, status %d: %s", err, a.status, a.body)
	}
	res, err := http.Get(s.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK || len(metrics) < 500 {
		t.Fatalf("metrics: %v, status %d, %d bytes", err, res.StatusCode, len(metrics))
	}
	time.Sleep(1500 * time.Millisecond) // what works in the background logs as well
	s.end(syscall.SIGTERM)
	for name, text := range map[string]string{"metrics": string(metrics), "output and log": s.out.String()} {
		if len(text) < 500 {
			t.Errorf("%s holds only %d bytes", name, len(text))
		}
		for _, word := range []string{kariNIN, unknownNIN, "kanari-", "14837912092", "25908830264"} {
			if i := strings.Index(text, word); i >= 0 {
				t.Errorf("%s holds %s: …%s…", name, word, text[max(0, i-80):min(len(text), i+80)])
			}
		}
		for _, m := range elevenDigits.FindAllStringSubmatch(text, -1) {
			t.Errorf("%s holds eleven digits: %s", name, m[1])
		}
	}
}
