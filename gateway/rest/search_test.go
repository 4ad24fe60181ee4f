package rest

import (
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

const (
	synthetic  = "12859200212" // month + 80: nobody's
	otherNIN   = "13116900216"
	nationalID = "urn:oid:2.16.578.1.12.4.1.4.1|"
)

func parseQuery(t fhir.Type, inURL, inForm string, lenient bool) (gateway.Search, []fhir.Issue, error) {
	a := &api{Config: Config{Base: testBase}}
	params, err := split(nil, inURL, true)
	if err != nil {
		return gateway.Search{}, nil, err
	}
	if params, err = split(params, inForm, false); err != nil {
		return gateway.Search{}, nil, err
	}
	return a.parseSearch(t, params, lenient)
}

// issueCodes gives the codes of an error's issues.
func issueCodes(err error) (codes []string) {
	var known *gateway.Error
	if errors.As(err, &known) {
		for _, i := range known.Issues {
			codes = append(codes, i.Code)
		}
	}
	return codes
}

// What is read is shown by its canonical form, which holds all of it but numbers.
func TestSearchCanonical(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind             fhir.Type
		url, form        string
		canonical        string
		patient          string
		byNumber         bool
		conditions       int
		count            int
		sort             string
		sortedDescending bool
	}{
		{kind: "Task", url: "", canonical: "Task?", count: 20, sortedDescending: true},
		{kind: "Task", url: "owner=Organization/1&status=requested,accepted", canonical: "Task?owner=Organization/1&status=accepted,requested", conditions: 2, count: 20, sortedDescending: true},
		{kind: "Task", url: "status=requested&owner=Organization/1&status=requested", canonical: "Task?owner=Organization/1&status=requested", conditions: 3, count: 20, sortedDescending: true},
		{kind: "Task", url: "owner=" + url.QueryEscape(testBase+"/Organization/1"), canonical: "Task?owner=" + testBase + "/Organization/1", conditions: 1, count: 20, sortedDescending: true},
		{kind: "Task", url: "owner=1", canonical: "Task?owner=1", conditions: 1, count: 20, sortedDescending: true},
		{kind: "Task", url: "owner:Organization=1", canonical: "Task?owner:Organization=1", conditions: 1, count: 20, sortedDescending: true},
		{kind: "Task", form: "owner=Organization%2F1&_count=5", canonical: "Task?owner=Organization/1", conditions: 1, count: 5, sortedDescending: true},
		{kind: "Task", url: "_count=1000", canonical: "Task?", count: 200, sortedDescending: true},
		{kind: "CarePlan", url: "patient=abc", canonical: "CarePlan?patient=abc", patient: "Patient/abc", count: 20, sortedDescending: true},
		{kind: "CarePlan", url: "subject=Patient/abc&patient=abc", canonical: "CarePlan?patient=abc&subject=Patient/abc", patient: "Patient/abc", count: 20, sortedDescending: true},
		{kind: "CarePlan", url: "subject=abc", canonical: "CarePlan?subject=abc", patient: "Patient/abc", count: 20, sortedDescending: true},
		{kind: "CarePlan", url: "patient:Patient=abc", canonical: "CarePlan?patient:Patient=abc", patient: "Patient/abc", count: 20, sortedDescending: true},
		{kind: "CarePlan", url: "date=ge2026-01-01&date=lt2026-02", canonical: "CarePlan?date=ge2026-01-01&date=lt2026-02", conditions: 2, count: 20, sortedDescending: true},
		{kind: "CarePlan", url: "date=2026", canonical: "CarePlan?date=2026", conditions: 1, count: 20, sortedDescending: true},
		{kind: "CarePlan", url: "_id=a,b&_lastUpdated=gt2026-01-01T10:00:00Z", canonical: "CarePlan?_id=a,b&_lastUpdated=gt2026-01-01T10:00:00Z", conditions: 2, count: 20, sortedDescending: true},
		{kind: "CarePlan", url: "_sort=_lastUpdated", canonical: "CarePlan?_sort=_lastUpdated", count: 20, sort: "_lastUpdated"},
		{kind: "CarePlan", url: "_sort=-date", canonical: "CarePlan?_sort=-date", count: 20, sortedDescending: true},
		{kind: "CarePlan", url: "_sort=date", canonical: "CarePlan?_sort=date", count: 20},
		{kind: "Organization", url: "identifier=urn:oid:2.16.578.1.12.4.1.2%7C1001", canonical: "Organization?identifier=urn:oid:2.16.578.1.12.4.1.2%7C1001", conditions: 1, count: 20, sortedDescending: true},
		{kind: "Patient", form: "identifier=" + nationalID + synthetic, canonical: "Patient?identifier=", byNumber: true, count: 20, sortedDescending: true},
		{kind: "Patient", form: "identifier=" + synthetic, canonical: "Patient?identifier=", byNumber: true, count: 20, sortedDescending: true},
		{kind: "CarePlan", form: "patient:identifier=" + nationalID + synthetic + "&status=active", canonical: "CarePlan?patient:identifier=&status=active", byNumber: true, conditions: 1, count: 20, sortedDescending: true},
		{kind: "AuditEvent", url: "entity=Consent/a/_history/b", canonical: "AuditEvent?entity=Consent/a/_history/b", conditions: 1, count: 20, sortedDescending: true},
	} {
		s, left, err := parseQuery(tt.kind, tt.url, tt.form, false)
		if err != nil || len(left) > 0 {
			t.Errorf("%s %s %s: %v %v", tt.kind, tt.url, tt.form, err, left)
			continue
		}
		if s.Canonical != tt.canonical {
			t.Errorf("%s: canonical %q, want %q", tt.url+tt.form, s.Canonical, tt.canonical)
		}
		patient := ""
		if !s.Subject.Patient.IsZero() {
			patient = s.Subject.Patient.String()
		}
		if patient != tt.patient || !s.Subject.NIN.IsZero() != tt.byNumber {
			t.Errorf("%s: subject %v", tt.url+tt.form, s.Subject)
		}
		if len(s.Criteria) != tt.conditions || s.Count != tt.count || s.Sort.Param != tt.sort || s.Sort.Descending != tt.sortedDescending {
			t.Errorf("%s: %d conditions, count %d, sort %v", tt.url+tt.form, len(s.Criteria), s.Count, s.Sort)
		}
		if tt.byNumber && (s.Self != testBase+"/"+string(tt.kind)+"/_search" || s.Subject.NIN.Reveal() != synthetic) {
			t.Errorf("%s: self %q", tt.form, s.Self)
		}
		if !tt.byNumber && !strings.HasPrefix(s.Self, testBase+"/"+string(tt.kind)+"?") {
			t.Errorf("%s: self %q", tt.url, s.Self)
		}
	}
}

func TestSearchRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind      fhir.Type
		url, form string
		code      string
	}{
		{"Task", "colour=red", "", "search.parameter-unknown"},
		{"Task", "_has:Observation:patient:code=1", "", "search.has-reference"},
		{"Task", "_include=Task:status", "", "search.include"},
		{"Task", "_include=CarePlan:subject", "", "search.include-lost"},
		{"Task", "_total=about", "", "search.total"},
		{"Task", "_summary=some", "", "search.summary"},
		{"Task", "_elements=colour", "", "search.elements"},
		{"Task", "patient.colour=x", "", "search.parameter-unknown"},
		{"Task", "owner.colour=x", "", "search.chain-parameter"},
		{"Task", "focus:CarePlan.subject:Patient.link:Patient.name=x", "", "search.chain-depth"},
		{"Task", "_text=x", "", "search.parameter-unknown"},
		{"Task", "_content=x", "", "search.parameter-unknown"},
		{"Task", "_filter=x", "", "search.parameter-unknown"},
		{"Task", "_query=x", "", "search.parameter-unknown"},
		{"Task", "status:exact=x", "", "search.modifier-unknown"},
		{"Task", "authored-on:below=2026", "", "search.modifier-unknown"},
		{"AuditEvent", "_sort=_id", "", "search.sort-here"},
		{"Task", "", "patient.identifier=" + nationalID + synthetic, "nin.misplaced"},
		{"Task", "", "patient:Patient.identifier=x|" + synthetic, "nin.misplaced"},
		{"Task", "_format=json&__proto__=1", "", "search.parameter-unknown"},
		{"Task", "", "_format=json", "search.parameter-unknown"},
		{"Task", "_count:x=1", "", "search.modifier-unknown"},
		{"Task", "status=", "", "search.value-empty"},
		{"Task", "status", "", "search.value-empty"},
		{"Task", "status=a,,b", "", "search.value-empty"},
		{"Task", "status=%7C", "", "search.token"},
		{"Task", "status=a%7Cb%7Cc", "", "search.token"},
		{"Task", `status=a\`, "", "search.escape"},
		{"Task", `status=a\b`, "", "search.escape"},
		{"Task", "status=%zz", "", "search.encoding"},
		{"Task", "status=a%00", "", "search.encoding"},
		{"Task", "status=%ff", "", "search.encoding"},
		{"Task", "_count=-1", "", "search.count"},
		{"Task", "_count=ten", "", "search.count"},
		{"Task", "_count=1&_count=2", "", "search.repeated"},
		{"Task", "_count=1", "_count=1", "search.repeated"},
		{"Task", "_sort=status", "", "search.sort"},
		{"Task", "_page=../../etc", "", "page-unknown"},
		{"Task", "_page=", "", "page-unknown"},
		{"Task", "_id=a%2Fb", "", "search.id"},
		{"Task", "_id=x%7Cb", "", "search.id"},
		{"Task", "owner=Nobody/1", "", "search.reference-target"},
		{"Task", "owner=Questionnaire/1", "", "search.reference-target"},
		{"Task", "owner=Organization/1/_history/2", "", "search.reference-version"},
		{"Task", "_lastUpdated=yesterday", "", "search.prefix"},
		{"Task", "_lastUpdated=2026-13", "", "search.date"},
		{"Task", "_lastUpdated=ge", "", "search.date"},
		{"CarePlan", "patient=a,b", "", "search.patient-single"},
		{"CarePlan", "patient=a&subject=b", "", "search.patient-single"},
		{"CarePlan", "patient=a", "patient:identifier=" + nationalID + synthetic, "search.patient-single"},
		{"Patient", "", "identifier=" + nationalID + synthetic + "," + nationalID + otherNIN, "search.patient-single"},
		{"Patient", "", "identifier=" + nationalID + "12345678901", "nin.invalid"},
		{"Patient", "identifier=" + url.QueryEscape(nationalID) + "12345678901", "", "nin.url"},
		{"Patient", "identifier=" + synthetic, "", "nin.url"},
		{"CarePlan", "patient:identifier=" + url.QueryEscape(nationalID) + synthetic, "", "nin.url"},
		{"Practitioner", "", "identifier=" + nationalID + synthetic, "nin.misplaced"},
		{"CarePlan", "", "identifier=" + nationalID + synthetic, "nin.misplaced"},
		{"CarePlan", "", "identifier=x|" + synthetic, "nin.misplaced"},
		{"CarePlan", "", "status=" + synthetic, "nin.misplaced"},
		{"Task", strings.Repeat("status=a&", 65), "", "search.too-many"},
		{"Task", "status=" + strings.Repeat("a,", 100) + "a", "", "search.too-many"},
	} {
		s, _, err := parseQuery(tt.kind, tt.url, tt.form, false)
		if codes := issueCodes(err); !slices.Contains(codes, tt.code) {
			t.Errorf("%s?%s %s: %v %v, want %s", tt.kind, tt.url, tt.form, err, s, tt.code)
		}
		if gateway.CodeOf(err) != gateway.BadQuery {
			t.Errorf("%s: code %s", tt.url, gateway.CodeOf(err))
		}
		_, _, issues := rendered(err)
		for _, number := range []string{synthetic, otherNIN, "12345678901"} {
			if strings.Contains(string(outcome(issues, "nb"))+string(outcome(issues, "en"))+err.Error(), number) {
				t.Errorf("%s %s: the refusal repeats the number", tt.url, tt.form)
			}
		}
	}
}

// Leniency leaves out what is unknown, says so, and nothing else.
func TestSearchLenient(t *testing.T) {
	t.Parallel()
	s, left, err := parseQuery("Task", "colour=red&status=requested", "", true)
	if err != nil || len(left) != 1 || left[0].Code != "search.left-out" || left[0].Expression != "http.colour" {
		t.Fatalf("%v %v", left, err)
	}
	if s.Canonical != "Task?status=requested" || strings.Contains(s.Self, "colour") {
		t.Errorf("canonical %q, self %q", s.Canonical, s.Self)
	}
	for _, query := range []string{"status=", "_lastUpdated=x", "patient=a,b", "colour=" + synthetic} {
		if _, _, err := parseQuery("Task", query, "", true); err == nil {
			t.Errorf("%s: leniency let it pass", query)
		}
	}
}

// Every token form, as operands.
func TestTokenOperands(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]fhir.Operand{
		"a":          {Code: "a", AnySystem: true},
		"s|a":        {System: "s", Code: "a"},
		"|a":         {Code: "a"},
		"s|":         {System: "s"},
		`a\|b`:       {Code: "a|b", AnySystem: true},
		`s|a\,b\$\\`: {System: "s", Code: `a,b$\`},
	} {
		s, _, err := parseQuery("Task", "", "status="+url.QueryEscape(value), false)
		if err != nil || len(s.Criteria) != 1 || len(s.Criteria[0].Values) != 1 || !reflect.DeepEqual(s.Criteria[0].Values[0], want) {
			t.Errorf("%s: %+v %v", value, s.Criteria, err)
		}
	}
}

func TestDateOperands(t *testing.T) {
	t.Parallel()
	s, _, err := parseQuery("CarePlan", "date=ge2026-03", "", false)
	if err != nil {
		t.Fatal(err)
	}
	v := s.Criteria[0].Values[0]
	// March begins in winter time and ends in summer time in Oslo.
	if v.Prefix != "ge" || v.Low.UTC().Format("2006-01-02T15") != "2026-02-28T23" || v.High.UTC().Format("2006-01-02T15") != "2026-03-31T22" {
		t.Errorf("%+v", v)
	}
}

// A hostile parameter name does not come back.
func TestExpressionHidesOddNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"status": "http.status", "_id": "http._id", "kari nordmann": "http.parameter", "a1": "http.parameter",
		"<script>": "http.parameter", strings.Repeat("a", 41): "http.parameter",
	} {
		if got := (parameter{name: name}).expression(); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
}

// FuzzSearch: no query panics, no number in a URL is taken, no accepted search has a number in
// what is logged or linked, and the canonical form is a fixed point.
func FuzzSearch(f *testing.F) {
	for _, seed := range []string{
		"status=requested&owner=Organization/1", "patient=a&_count=3&_sort=-_lastUpdated", `status=a\,b|c\$`,
		"identifier=" + nationalID + synthetic, "patient:identifier=" + nationalID + synthetic, "_id=" + synthetic,
		"date=ge2026-01-01T00:00:00%2B01:00", "status=%7C", "a;b=c", "%", "_page=AAAA", "status=%C3%A6", "=&=",
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	kinds := []fhir.Type{"Task", "CarePlan", "Patient", "AuditEvent", "Organization"}
	f.Fuzz(func(t *testing.T, query string, form bool) {
		for _, kind := range kinds {
			inURL, inForm := query, ""
			if form {
				inURL, inForm = "", query
			}
			s, _, err := parseQuery(kind, inURL, inForm, false)
			if err != nil {
				if _, _, issues := rendered(err); fhir.ContainsNIN(string(outcome(issues, "nb"))) {
					t.Fatalf("%q: the refusal holds a number", query)
				}
				continue
			}
			if !form && !s.Subject.NIN.IsZero() {
				t.Fatalf("%q: a number was taken from a URL", query)
			}
			if fhir.ContainsNIN(s.Canonical) || fhir.ContainsNIN(s.Self) {
				t.Fatalf("%q: canonical %q self %q", query, s.Canonical, s.Self)
			}
			if !s.Subject.NIN.IsZero() {
				continue
			}
			_, again, _ := strings.Cut(s.Canonical, "?")
			s2, _, err := parseQuery(kind, again, "", false)
			if err != nil || s2.Canonical != s.Canonical {
				t.Fatalf("%q: canonical %q becomes %q, %v", query, s.Canonical, s2.Canonical, err)
			}
		}
	})
}

// The guard before the router sees numbers that the parser never would.
func TestURLHasNIN(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"/fhir/Patient?identifier=" + synthetic: true, "/" + synthetic + "/x": true, "/fhir/Patient?a=b%7c" + synthetic: true,
		"/fhir/Patient?a=%31" + synthetic[1:]: true, "/fhir/Patient?a=%2531" + synthetic[1:]: true,
		"/fhir/Patient/f81d4fae-7dec-11d0-a765-" + synthetic + "a": false, "/fhir/Patient/12345678901": false,
		"/fhir/Patient?a=x" + synthetic: false, "/fhir/Patient?a=%": false,
	} {
		u, err := url.ParseRequestURI(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := urlHasNIN(u); got != want {
			t.Errorf("%s: %v", raw, got)
		}
	}
}

func TestPreferred(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]preference{
		"":                                     {},
		"return=minimal":                       {answer: "minimal"},
		"return=OperationOutcome":              {answer: "OperationOutcome"},
		"return=everything":                    {},
		"respond-async":                        {async: true},
		"handling=lenient, return=minimal":     {answer: "minimal", lenient: true},
		"handling=strict":                      {},
		`return="minimal"; handling=lenient`:   {answer: "minimal", lenient: true},
		"return = minimal ,HANDLING = lenient": {answer: "minimal", lenient: true},
	} {
		if got := preferred(http.Header{"Prefer": {header}}); got != want {
			t.Errorf("%q: %+v", header, got)
		}
	}
}
