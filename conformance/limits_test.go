package conformance_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// hostile is one request that has to be refused, with the status it gets.
type hostile struct {
	name, method, path, media string
	body                      string
	want                      int
}

// Whatever comes in, the answer is a 4xx with an OperationOutcome (or the message API's
// ErrorMessage), the server goes on, and nothing is stored.
func TestBadInputIsRefusedWhole(t *testing.T) {
	t.Parallel()
	s := start(t, "--no-story")
	c := s.as("bydel-sagene")
	own := c.create(patient(kariNIN))
	before := c.count(t)
	for _, h := range badInput(own) {
		t.Run(h.name, func(t *testing.T) {
			a, err := c.try(h.method, h.path, h.media, []byte(h.body))
			if err != nil {
				t.Fatal(err)
			}
			if a.status != h.want {
				t.Errorf("status %d, want %d: %.300s", a.status, h.want, a.body)
			}
			var outcome struct {
				ResourceType string
				Issue        []struct{ Severity, Code string }
				RequestID    string
			}
			if err := json.Unmarshal(a.body, &outcome); err != nil {
				t.Fatalf("no JSON: %v: %.300s", err, a.body)
			}
			switch {
			case strings.HasPrefix(h.path, "/edi"):
				if outcome.RequestID == "" {
					t.Errorf("no ErrorMessage: %.300s", a.body)
				}
			case outcome.ResourceType != "OperationOutcome" || len(outcome.Issue) == 0 || outcome.Issue[0].Code == "":
				t.Errorf("no OperationOutcome: %.300s", a.body)
			}
		})
	}
	if after := c.count(t); after != before {
		t.Errorf("records before %d, after %d", before, after)
	}
}

// count tells how many records the party has, type by type.
func (c *client) count(t *testing.T) int {
	t.Helper()
	n := 0
	for _, kind := range []string{"Patient", "CarePlan", "Consent", "Observation", "DocumentReference", "Binary", "Communication", "Task"} {
		a := c.must(http.StatusOK, http.MethodGet, "/fhir/"+kind+"?_count=100", nil)
		found, _ := entries(t, a.body)
		n += len(found)
	}
	return n
}

func badInput(own string) []hostile {
	const json = "application/fhir+json"
	plan := func(change string) string {
		return `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"` + own + `"}` + change + `}`
	}
	post := func(name, body string, want int) hostile {
		return hostile{name, http.MethodPost, "/fhir/CarePlan", json, body, want}
	}
	get := func(name, path string, want int) hostile {
		return hostile{name, http.MethodGet, path, "", "", want}
	}
	list := []hostile{
		post("empty", "", 400), post("no JSON", "<CarePlan/>", 400), post("cut off", plan("")[:60], 400),
		post("duplicate key", plan(`,"status":"completed"`), 400), post("key in another case", plan(`,"Status":"completed"`), 400),
		post("invalid UTF-8", plan(",\"title\":\"\xff\xfe\""), 400), post("lone surrogate", plan(`,"title":"\ud800"`), 400),
		post("deep", plan(`,"extension":`+strings.Repeat(`[{"extension":`, 200)+"1"+strings.Repeat("}]", 200)), 400),
		post("trailing bytes", plan("")+"{}", 400), post("another type", `{"resourceType":"Goal"}`, 400),
		post("unknown element", plan(`,"secret":"x"`), 422), post("wrong code", strings.Replace(plan(""), `"active"`, `"aktiv"`, 1), 422),
		post("missing element", `{"resourceType":"CarePlan","status":"active","subject":{"reference":"`+own+`"}}`, 422),
		post("empty value", plan(`,"title":""`), 422), post("too large", plan(`,"title":"`+strings.Repeat("x", 3<<20)+`"`), 413),
		{"media type", http.MethodPost, "/fhir/CarePlan", "text/plain", plan(""), 415},
		{"unknown type", http.MethodPost, "/fhir/Basic", json, `{"resourceType":"Basic"}`, 404},
		{"foreign id", http.MethodPut, "/fhir/CarePlan/valgt-selv", json, strings.Replace(plan(""), "{", `{"id":"valgt-selv",`, 1), 404},
		{"foreign custodian", http.MethodPost, "/fhir/CarePlan", json, plan(`,"meta":{"extension":[{"url":"http://sluse.no/fhir/StructureDefinition/custodian","valueReference":{"reference":"Organization/annen"}}]}`), 422},
		{"ledger", http.MethodPost, "/fhir/AuditEvent", json, `{"resourceType":"AuditEvent"}`, 405},
		get("unknown parameter", "/fhir/CarePlan?hemmelig=1", 400), get("modifier", "/fhir/CarePlan?status:contains=a", 400),
		get("include", "/fhir/CarePlan?_include=CarePlan:finnes-ikke", 400), get("malformed page", "/fhir/CarePlan?_page=xyz", 400),
		get("date", "/fhir/CarePlan?date=i-dag", 400), get("national number", "/fhir/Patient?identifier="+kariNIN, 400),
		get("dots", "/fhir/CarePlan/..%2f..%2fetc%2fpasswd", 400), get("nothing there", "/fhir/CarePlan/ukjent", 404),
		{"message without JSON", http.MethodPost, "/edi/Messages", "application/json", "<x/>", 400},
		{"message without document", http.MethodPost, "/edi/Messages", "application/json", `{}`, 400},
	}
	for name, document := range map[string]string{
		"entity": `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><MsgHead>&a;</MsgHead>`,
		"deep":   strings.Repeat("<a>", 5000) + strings.Repeat("</a>", 5000), "not XML": "MsgHead",
		"cut off":           admitted("m-1", "80001001", "80001006", kariNIN, "x")[:500],
		"sender is another": admitted("m-2", "80001006", "80001001", kariNIN, "x"),
	} {
		list = append(list, hostile{"message: " + name, http.MethodPost, "/edi/Messages", "application/json",
			fmt.Sprintf(`{"businessDocument":"%s","contentType":"application/xml","contentTransferEncoding":"base64"}`, base64.StdEncoding.EncodeToString([]byte(document))),
			map[string]int{"deep": 413, "sender is another": 403}[name]})
		if last := &list[len(list)-1]; last.want == 0 {
			last.want = 400
		}
	}
	for _, lack := range []struct{ name, old, element string }{
		{"what", `"securityLabel":[{"system":"` + labelSystem + `","code":"plan"}]`, "securityLabel"},
		{"how long", `"end":`, "period"},
		{"to whom", `"IRCP"`, "actor"},
	} {
		body := consent(own, "Organization/80001010-bydel-sagene", []string{"Organization/80001010-ous-tsb"}, nil, []string{"plan"})
		body = strings.Replace(body, lack.old, map[string]string{"what": `"id":"x"`, "how long": `"id":`, "to whom": `"CST"`}[lack.name], 1)
		list = append(list, hostile{"consent without " + lack.name, http.MethodPost, "/fhir/Consent", json, body, 422})
	}
	return list
}

// A consent that lacks what, to whom or how long is refused with the element that is missing.
func TestConsentNamesWhatItLacks(t *testing.T) {
	t.Parallel()
	s := start(t, "--no-story")
	c := s.as("bydel-sagene")
	own := c.create(patient(kariNIN))
	for _, h := range badInput(own) {
		name, found := strings.CutPrefix(h.name, "consent without ")
		if !found {
			continue
		}
		a := c.must(http.StatusUnprocessableEntity, h.method, h.path, h.body)
		want := map[string]string{"what": "securityLabel", "how long": "period", "to whom": "actor"}[name]
		if !bytes.Contains(a.body, []byte("Consent.provision")) || !bytes.Contains(a.body, []byte(want)) {
			t.Errorf("without %s: %s", name, a.body)
		}
	}
}

// Heads that are too large and bodies that trickle end with an answer, and the server goes on.
func TestWireIsGuarded(t *testing.T) {
	t.Parallel()
	s := start(t, "--no-story")
	host := strings.TrimPrefix(s.base, "http://")
	say := func(text string, wait time.Duration) string {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(wait))
		_, _ = io.WriteString(conn, text)
		b, _ := io.ReadAll(conn)
		return string(b)
	}
	for name, text := range map[string]string{
		"large head":  "GET /fhir/metadata HTTP/1.1\r\nHost: x\r\nX-Y: " + strings.Repeat("y", 40<<10) + "\r\n\r\n",
		"no protocol": "HALLO\r\n\r\n",
	} {
		if got := say(text, 5*time.Second); !strings.HasPrefix(got, "HTTP/1.1 4") || !strings.Contains(got, "OperationOutcome") {
			t.Errorf("%s: %.200s", name, got)
		}
	}
	begun := time.Now()
	got := say("POST /fhir/CarePlan HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nContent-Length: 100000\r\n\r\n{", 20*time.Second)
	if took := time.Since(begun); took > 12*time.Second {
		t.Errorf("a body that never comes was waited for %v: %.100s", took, got)
	}
	a, err := s.send(http.MethodGet, "/fhir/metadata", "", "", nil)
	if err != nil || a.status != http.StatusOK || !bytes.Contains(a.body, []byte("CapabilityStatement")) {
		t.Errorf("metadata after that: %v, status %d", err, a.status)
	}
}
