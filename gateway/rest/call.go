package rest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// call is one interaction as a client asked for it, by a request of its own or by an entry of a
// Bundle: what HTTP has in header fields, R4 has in Bundle.entry.request (R4 http.html#transaction).
type call struct {
	code    gateway.InteractionCode
	target  fhir.Reference
	query   string      // of the URL
	within  string      // search in the compartment of the target: a type, or "*"
	params  []parameter // of a search, when they have been read already
	match   []string    // If-Match
	none    []string    // If-None-Match
	since   time.Time   // If-Modified-Since
	exist   []string    // If-None-Exist
	bundled bool        // in a Bundle: If-None-Exist stands in a body
	prefer  preference
}

// call takes what the header says.
func (r *request) call(code gateway.InteractionCode) call {
	h := r.http.Header
	c := call{
		code: code, target: r.target, query: r.http.URL.RawQuery, prefer: r.prefer,
		match: h.Values("If-Match"), none: h.Values("If-None-Match"), exist: h.Values("If-None-Exist"),
	}
	if since, err := http.ParseTime(h.Get("If-Modified-Since")); err == nil { // RFC 9110 § 13.1.3: ignored otherwise
		c.since = since
	}
	return c
}

// planned is a call in the words of the gateway, checked but for its body.
type planned struct {
	call
	in   gateway.Interaction
	left []fhir.Issue // parameters left out, since the client asked for leniency
}

func (a *api) plan(c call) (planned, error) {
	p := planned{call: c, in: gateway.Interaction{Code: c.code, Target: c.target}}
	var err error
	switch c.code {
	case gateway.Find, gateway.FindSystem:
		if p.params == nil {
			if p.params, err = split(nil, c.query, true); err != nil {
				return planned{}, err
			}
		}
		if c.within != "" {
			p.in.Target.Type, p.in.Search, p.left, err = a.compartment(c.target.ID, c.within, p.params, c.prefer.lenient)
			p.in.Target.ID = ""
			return p, err
		}
		p.in.Search, p.left, err = a.parseSearch(c.target.Type, p.params, c.prefer.lenient)
		return p, err
	case gateway.History, gateway.HistoryType, gateway.HistorySystem:
		err = a.parseWindow(&p.in, c.query)
		return p, err
	case gateway.Read, gateway.VRead:
		return p, noneLeft(c.query)
	}
	switch {
	case c.code == gateway.Create && len(c.exist) > 0:
		if err = noneLeft(c.query); err == nil {
			p.in.When, err = a.ifNoneExist(c)
		}
	case c.code != gateway.Create && c.target.ID == "":
		p.in.When, err = a.condition(c.target.Type, c.query, true)
	default:
		err = noneLeft(c.query)
	}
	if err == nil {
		err = p.preconditions()
	}
	return p, err
}

// noneLeft refuses parameters where an interaction has none.
func noneLeft(query string) error {
	params, err := split(nil, query, true)
	if err != nil || len(params) == 0 {
		return err
	}
	var issues []fhir.Issue
	for _, one := range params {
		issues = append(issues, one.issue("search.parameter-unknown"))
	}
	return gateway.Fault("rest.parameters", gateway.BadQuery, issues...)
}

// ifNoneExist reads the condition of a create: what would stand behind "?" of a search (R4
// http.html#ccreate). In a header field a national identifier is as misplaced as in a URL.
func (a *api) ifNoneExist(c call) (*gateway.Search, error) {
	if len(c.exist) != 1 {
		return nil, fault(gateway.Malformed, "http.if-none-exist", "http.If-None-Exist")
	}
	query := strings.TrimPrefix(strings.TrimPrefix(c.exist[0], string(c.target.Type)), "?")
	if !c.bundled && urlHasNIN(&url.URL{RawQuery: query}) {
		return nil, fault(gateway.BadQuery, "nin.url", "http.If-None-Exist")
	}
	return a.condition(c.target.Type, query, !c.bundled)
}

// conditional are the parameters beginning with "_" that a condition may have: those that say what is
// found, not how it is shown.
var conditional = []string{"_id", "_lastUpdated", "_tag", "_profile", "_security", "_source", "_has", "_list"}

// condition reads a condition by the parser of searches, always strictly: a filter that is dropped
// would match more than was meant.
func (a *api) condition(t fhir.Type, query string, inURL bool) (*gateway.Search, error) {
	params, err := split(nil, query, false)
	if err != nil {
		return nil, err
	}
	var kept []parameter
	for _, one := range params {
		one.inURL = inURL
		if inURL && (one.name == "_format" || one.name == "_pretty") {
			continue
		}
		if strings.HasPrefix(one.name, "_") && !slices.Contains(conditional, one.name) {
			return nil, gateway.Fault("rest.condition", gateway.BadQuery, one.issue("search.parameter-unknown"))
		}
		kept = append(kept, one)
	}
	s, _, err := a.parseSearch(t, kept, false)
	if err != nil {
		return nil, err
	}
	if len(s.Criteria) == 0 && s.Subject.IsZero() {
		return nil, fault(gateway.BadQuery, "condition-empty", "http.parameter")
	}
	return &s, nil
}

// preconditions reads what must hold of the current version: If-Match names one version in the form
// W/"v" that the server gives, or "v"; a list or "*" names none and is refused. If-None-Match is "*"
// on an update: nothing may be there yet.
func (p *planned) preconditions() error {
	if len(p.none) > 0 {
		if p.code != gateway.Update || len(p.none) > 1 || strings.TrimSpace(p.none[0]) != "*" {
			return fault(gateway.NotSupported, "http.if-none-match", "http.If-None-Match")
		}
		p.in.Absent = true
	}
	if len(p.match) == 0 {
		return nil
	}
	v, ok := entityTag(p.match[0])
	if len(p.match) > 1 || !ok || p.code == gateway.Create {
		return fault(gateway.Malformed, "http.if-match", "http.If-Match")
	}
	p.in.IfMatch = v
	return nil
}

// holds takes the body of a create or update.
func (p *planned) holds(body *fhir.Resource) error {
	if body.Type() != p.target.Type {
		return fault(gateway.Malformed, "http.type-differs", string(body.Type()))
	}
	if p.code == gateway.Update && p.target.ID != "" && body.ID() != p.target.ID {
		return fault(gateway.Malformed, "http.id-differs", string(body.Type())+".id")
	}
	p.in.Body = body
	return nil
}

// answer says what has been done, as the client prefers to hear it.
func (p *planned) answer(out gateway.Outcome, base string) answer {
	ans := answerOf(out)
	switch p.code {
	case gateway.Find, gateway.FindSystem, gateway.History, gateway.HistoryType, gateway.HistorySystem:
		ans.left = p.left
		return ans
	case gateway.Read, gateway.VRead:
		ans.one = true
		if p.has(out) {
			ans.status, ans.release = http.StatusNotModified, gateway.Release{}
		}
		return ans
	case gateway.Delete:
		ans.status = http.StatusNoContent
		if p.prefer.answer == "OperationOutcome" {
			ans.status, ans.issues = http.StatusOK, told("deleted")
		}
		return ans
	}
	ans.one = true
	ans.location = base + "/" + out.Location.String()
	if out.Created {
		ans.status = http.StatusCreated
	}
	switch p.prefer.answer {
	case "representation":
		return ans
	case "OperationOutcome":
		ans.issues = append(told("saved"), out.Issues...)
	case "":
		if !p.bundled {
			return ans
		}
	}
	ans.release = gateway.Release{}
	return ans
}

// told is an outcome that says only that all is well.
func told(text string) []fhir.Issue {
	return []fhir.Issue{{Severity: "information", Type: "informational", Code: text}}
}

// has tells whether the client has this version already: by its entity tag, or without one by the
// time (RFC 9110 § 13.2.2).
func (p *planned) has(out gateway.Outcome) bool {
	if len(p.none) > 0 {
		header := strings.Join(p.none, ",")
		return strings.TrimSpace(header) == "*" || namesVersion(header, out.Version)
	}
	return !p.since.IsZero() && !out.Updated.Truncate(time.Second).After(p.since)
}

// entityTag reads one entity tag whose content can be a version (RFC 9110 § 8.8.3).
func entityTag(s string) (string, bool) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "W/")
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	v := s[1 : len(s)-1]
	return v, fhir.ID(v).Valid()
}

// namesVersion tells whether an If-None-Match names the version.
func namesVersion(header, version string) bool {
	for _, one := range strings.Split(header, ",") {
		if v, ok := entityTag(one); ok && v == version {
			return true
		}
	}
	return false
}
