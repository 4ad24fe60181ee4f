package suite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	fhirJSON = "application/fhir+json"
	fhirXML  = "application/fhir+xml"
	formData = "application/x-www-form-urlencoded"
)

// answer is a response, read to its end. An error of the wire has status 0.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
}

// String is what a report says of an answer: never a whole body.
func (a answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	if o := a.outcome(); len(o.Issue) > 0 {
		return fmt.Sprintf("%d %s", a.status, o)
	}
	return fmt.Sprintf("%d %.120s", a.status, a.body)
}

// object reads the body as JSON; numbers keep their digits.
func (a answer) object() map[string]any {
	var v map[string]any
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

// id is the logical id in the body.
func (a answer) id() string {
	id, _ := a.object()["id"].(string)
	return id
}

// version is the version that ETag names.
func (a answer) version() string {
	return strings.Trim(strings.TrimPrefix(a.header.Get("ETag"), "W/"), `"`)
}

// outcome is an OperationOutcome.
type outcome struct {
	ResourceType string
	Issue        []struct {
		Severity, Code, Diagnostics string
		Expression                  []string
		Details                     struct {
			Text   string
			Coding []struct{ System, Code string }
		}
	}
}

func (o outcome) String() string {
	var parts []string
	for _, i := range o.Issue {
		code := i.Code
		if len(i.Details.Coding) > 0 {
			code = i.Details.Coding[0].Code
		}
		parts = append(parts, strings.TrimSpace(code+" "+strings.Join(i.Expression, " ")))
	}
	return strings.Join(parts, ", ")
}

func (o outcome) names(expression string) bool {
	for _, i := range o.Issue {
		if slices.Contains(i.Expression, expression) {
			return true
		}
	}
	return false
}

func (a answer) outcome() (o outcome) {
	if json.Unmarshal(a.body, &o) != nil || o.ResourceType != "OperationOutcome" {
		return outcome{}
	}
	return o
}

// bundle is what the suite looks at of a Bundle.
type bundle struct {
	ResourceType, Type string
	Total              *int
	Link               []struct{ Relation, URL string }
	Entry              []struct {
		FullURL  string
		Resource json.RawMessage
		Search   struct{ Mode string }
		Request  struct{ Method, URL string }
		Response struct {
			Status, Location string
			Outcome          json.RawMessage
		}
	}
}

func (a answer) bundle() (b bundle) {
	if json.Unmarshal(a.body, &b) != nil || b.ResourceType != "Bundle" {
		return bundle{}
	}
	return b
}

// matches are the "Type/id" that a searchset found.
func (b bundle) matches() (found []string) {
	for _, e := range b.Entry {
		if e.Search.Mode == "match" {
			found = append(found, nameOf(e.Resource))
		}
	}
	return found
}

func (b bundle) link(relation string) string {
	for _, l := range b.Link {
		if l.Relation == relation {
			return l.URL
		}
	}
	return ""
}

// nameOf is "Type/id" of a resource.
func nameOf(resource json.RawMessage) string {
	var head struct{ ResourceType, ID string }
	if json.Unmarshal(resource, &head) != nil {
		return ""
	}
	return head.ResourceType + "/" + head.ID
}

// ask does a request as the party; header is name and value in turn.
func (s *session) ask(method, path string, body []byte, header ...string) answer {
	return s.askAs(s.Token, method, path, body, header...)
}

// askAs does a request with a token, "" for none. A body without a Content-Type is FHIR JSON.
func (s *session) askAs(token, method, path string, body []byte, header ...string) answer {
	req, err := http.NewRequestWithContext(s.ctx, method, s.Base+path, bytes.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		req.Header.Set("Content-Type", fhirJSON)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.Client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = res.Body.Close() }()
	a := answer{status: res.StatusCode, header: res.Header}
	a.body, a.err = io.ReadAll(io.LimitReader(res.Body, 64<<20))
	s.note(req, a)
	return a
}

// note remembers what a request may have made, whatever the check thought of it.
func (s *session) note(req *http.Request, a answer) {
	if a.status != http.StatusCreated && a.status != http.StatusOK {
		return
	}
	locations := []string{}
	if a.status == http.StatusCreated {
		locations = append(locations, a.header.Get("Location"))
	}
	if req.Method == http.MethodPost && req.URL.Path == pathOf(s.Base) {
		for _, e := range a.bundle().Entry {
			if strings.HasPrefix(e.Response.Status, "201") {
				locations = append(locations, e.Response.Location)
			}
		}
	}
	for _, l := range locations {
		if reference, ok := versioned(l); ok && !slices.Contains(s.made, reference) {
			s.made = append(s.made, reference)
		}
	}
}

func pathOf(base string) string {
	u, err := url.Parse(base)
	if err != nil { // Config.validate has parsed it
		return ""
	}
	return u.Path
}

// versioned reads "…/Type/id/_history/version".
func versioned(location string) (reference string, ok bool) {
	before, _, ok := strings.Cut(location, "/_history/")
	parts := strings.Split(before, "/")
	if !ok || len(parts) < 2 {
		return "", false
	}
	return strings.Join(parts[len(parts)-2:], "/"), true
}

// local turns a link of the server's into a path below the base that the suite was given: an
// installation may be reached by another address than the one it knows of itself.
func (s *session) local(link string) (path string, ok bool) {
	for _, base := range []string{s.statement.Implementation.URL, s.Base} {
		if path, ok := strings.CutPrefix(link, strings.TrimSuffix(base, "/")); ok && base != "" {
			return path, true
		}
	}
	return "", false
}

// create writes a resource, which has to succeed, and gives "Type/id".
func (t *trial) create(body string) string {
	a := t.ask(http.MethodPost, "/"+typeOf(body), []byte(body))
	if a.status != http.StatusCreated {
		t.fatalf("POST %s: %s", typeOf(body), a)
	}
	reference, ok := versioned(a.header.Get("Location"))
	if !ok {
		t.fatalf("POST %s: Location %q names no version", typeOf(body), a.header.Get("Location"))
	}
	return reference
}

func typeOf(body string) string {
	var head struct{ ResourceType string }
	_ = json.Unmarshal([]byte(body), &head) // a body that is no JSON has no type
	return head.ResourceType
}

// want demands a status.
func (t *trial) want(status int, a answer, what string) answer {
	if a.status != status {
		t.errorf("%s: %s, want %d", what, a, status)
	}
	return a
}

// refused demands a status and an OperationOutcome that says why.
func (t *trial) refused(status int, a answer, what string) outcome {
	t.want(status, a, what)
	o := a.outcome()
	if len(o.Issue) == 0 {
		t.errorf("%s: %d without an OperationOutcome", what, a.status)
		return o
	}
	for _, i := range o.Issue {
		if i.Severity == "" || i.Code == "" || i.Details.Text == "" || len(i.Details.Coding) == 0 {
			t.errorf("%s: an issue without severity, code, or details", what)
		}
	}
	return o
}

// search asks by GET and demands a searchset.
func (t *trial) search(kind string, pairs ...string) bundle {
	query := make([]string, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		query = append(query, url.QueryEscape(pairs[i])+"="+url.QueryEscape(pairs[i+1]))
	}
	path := "/" + kind + "?" + strings.Join(query, "&")
	a := t.ask(http.MethodGet, path, nil)
	b := a.bundle()
	if a.status != http.StatusOK || b.Type != "searchset" {
		t.fatalf("GET %s: %s", path, a)
	}
	return b
}
