package conformance_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const exported = 1200 // Tasks in each export: six pages, and more time than it takes to kill

// begin begins an export and gives the path of its status.
func (c *client) begin(types string) string {
	c.t.Helper()
	a := c.must(http.StatusAccepted, http.MethodGet, "/fhir/Patient/$export?_type="+types, nil, "Prefer", "respond-async")
	u, err := url.Parse(a.header.Get("Content-Location"))
	if err != nil || !strings.HasPrefix(u.Path, "/fhir/export/") {
		c.t.Fatalf("Content-Location %q: %v", a.header.Get("Content-Location"), err)
	}
	return u.Path
}

// files waits until an export is complete, and gives the paths of its files by type.
func (c *client) files(job string, patience time.Duration) map[string][]string {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		a, err := c.try(http.MethodGet, job, "", nil)
		if err != nil {
			c.t.Fatal(err)
		}
		switch a.status {
		case http.StatusAccepted:
		case http.StatusOK:
			var manifest struct {
				Output []struct{ Type, URL string }
			}
			if err := json.Unmarshal(a.body, &manifest); err != nil {
				c.t.Fatal(err)
			}
			found := map[string][]string{}
			for _, f := range manifest.Output {
				u, err := url.Parse(f.URL)
				if err != nil {
					c.t.Fatal(err)
				}
				found[f.Type] = append(found[f.Type], u.Path)
			}
			return found
		default:
			c.t.Fatalf("%s: status %d: %s", job, a.status, a.body)
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s is not complete after %s: %s", job, patience, a.header.Get("X-Progress"))
		}
	}
}

// lines counts what an export holds, by "Type/id", and gives its bytes.
func (c *client) lines(files map[string][]string) (held map[string]int, body string) {
	c.t.Helper()
	held = map[string]int{}
	for _, kind := range []string{"Patient", "Task"} {
		for _, file := range files[kind] {
			a := c.must(http.StatusOK, http.MethodGet, file, nil)
			body += string(a.body)
			for line := range strings.Lines(string(a.body)) {
				var head struct{ ResourceType, ID string }
				if err := json.Unmarshal([]byte(line), &head); err != nil || head.ResourceType != kind {
					c.t.Fatalf("%s: a line that is no %s: %v: %.100s", file, kind, err, line)
				}
				held[head.ResourceType+"/"+head.ID]++
			}
		}
	}
	return held, body
}

// Gateway and PostgreSQL are killed while one export is complete, one cancelled, one being made and
// others waiting: what was complete is the same bytes, what was cancelled stays so, and the rest go on
// until each holds every record once. Cancelling and expiry work as before.
func TestKilledWhileExporting(t *testing.T) {
	t.Parallel()
	s := start(t, "--no-story")
	c := s.as("bydel-sagene")
	patient := c.create(`{"resourceType":"Patient","name":[{"family":"Prøve"}]}`)
	want := map[string]bool{patient: true}
	for range exported / 200 {
		var entries []string
		for n := range 200 {
			entries = append(entries, fmt.Sprintf(`{"request":{"method":"POST","url":"Task"},"resource":{"resourceType":"Task","status":"draft","intent":"plan","for":{"reference":"%s"},"description":"nr. %d"}}`, patient, n))
		}
		a := c.must(http.StatusOK, http.MethodPost, "/fhir", `{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(entries, ",")+`]}`)
		var made struct {
			Entry []struct{ Response struct{ Location string } }
		}
		if err := json.Unmarshal(a.body, &made); err != nil {
			t.Fatal(err)
		}
		for _, e := range made.Entry {
			reference, _, _ := strings.Cut(e.Response.Location[strings.Index(e.Response.Location, "Task/"):], "/_history/")
			want[reference] = true
		}
	}
	complete := c.begin("Patient,Task")
	_, before := c.lines(c.files(complete, time.Minute))
	cancelled := c.begin("Patient,Task")
	c.must(http.StatusAccepted, http.MethodDelete, cancelled, nil)
	jobs := []string{c.begin("Patient,Task"), c.begin("Task"), c.begin("Patient,Task")}
	running := false
	for deadline := time.Now().Add(30 * time.Second); !running && time.Now().Before(deadline); {
		a := c.must(http.StatusAccepted, http.MethodGet, jobs[len(jobs)-1], nil)
		for _, job := range jobs[:len(jobs)-1] {
			one, err := c.try(http.MethodGet, job, "", nil)
			running = running || err == nil && one.status == http.StatusAccepted && strings.HasPrefix(one.header.Get("X-Progress"), "Task")
		}
		running = running || strings.HasPrefix(a.header.Get("X-Progress"), "Task")
	}
	if !running {
		t.Fatal("no export is seen under way")
	}
	s.killPostgres()
	s.kill()
	s.run("--no-story")
	c = s.as("bydel-sagene")

	if _, after := c.lines(c.files(complete, time.Second)); after != before {
		t.Errorf("what was complete has %d bytes after the kill, %d before", len(after), len(before))
	}
	c.must(http.StatusNotFound, http.MethodGet, cancelled, nil)
	for i, job := range jobs {
		held, _ := c.lines(c.files(job, 3*time.Minute)) // the lease of who was killed runs out in one
		lost, double, strange := 0, 0, 0
		for reference := range want {
			switch n := held[reference]; {
			case n == 0 && (i != 1 || reference != patient):
				lost++
			case n > 1:
				double++
			}
		}
		for reference := range held {
			if !want[reference] {
				strange++
			}
		}
		if lost+double+strange > 0 {
			t.Errorf("export %d of %d lines: lost %d, double %d, strange %d", i, len(held), lost, double, strange)
		}
	}
	file := c.files(jobs[0], time.Second)["Task"][0]
	c.must(http.StatusAccepted, http.MethodDelete, jobs[0], nil)
	c.must(http.StatusNotFound, http.MethodGet, jobs[0], nil)
	c.must(http.StatusNotFound, http.MethodGet, file, nil)
	s.tamper(t, `update export set expires = now() - interval '1 minute' where id = '`+jobs[1][strings.LastIndex(jobs[1], "/")+1:]+`'`)
	c.must(http.StatusNotFound, http.MethodGet, jobs[1], nil)
	c.files(jobs[2], time.Second)
}
