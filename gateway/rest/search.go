package rest

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Limits of a search.
const (
	maxParameters = 64
	defaultCount  = fhir.DefaultCount
	maxCount      = fhir.MaxCount
)

// parameter is one name=value of a request, decoded.
type parameter struct {
	name     string
	modifier string // after ":", "" when none
	value    string
	inURL    bool
}

// expression names the parameter in an issue, but only when its name looks like one: a client may
// put anything there.
func (p parameter) expression() string {
	name := p.name
	if p.modifier != "" {
		name += ":" + p.modifier
	}
	if len(name) > 40 || strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r == '-' || r == '.' || r == ':')
	}) {
		return "http.parameter"
	}
	return "http." + name
}

// parameters joins those of the URL with those of a form (R4 search.html#2.21.1.2). _format and
// _pretty have been read before.
func (a *api) parameters(r *request, form bool) ([]parameter, error) {
	params, err := split(nil, r.http.URL.RawQuery, true)
	if err != nil {
		return nil, err
	}
	if form {
		if err := contentIs(r.http.Header, formData); err != nil {
			return nil, err
		}
		body, err := a.body(r, maxBody)
		if err != nil {
			return nil, err
		}
		if params, err = split(params, string(body), false); err != nil {
			return nil, err
		}
	}
	return params, nil
}

// split decodes a query string, in its order.
func split(params []parameter, query string, inURL bool) ([]parameter, error) {
	for _, pair := range strings.Split(query, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, errName := url.QueryUnescape(rawName)
		value, errValue := url.QueryUnescape(rawValue)
		if errName != nil || errValue != nil || strings.Contains(pair, ";") && rawValue == "" || !printable(name) || !printable(value) {
			return nil, fault(gateway.BadQuery, "search.encoding", "http.parameter")
		}
		if (name == "_format" || name == "_pretty") && inURL {
			continue
		}
		p := parameter{value: value, inURL: inURL}
		p.name, p.modifier, _ = strings.Cut(name, ":")
		if params = append(params, p); len(params) > maxParameters {
			return nil, fault(gateway.BadQuery, "search.too-many", "http.parameter")
		}
	}
	return params, nil
}

// issue is a finding about the parameter. Its value is never told: it may be about a person.
func (p parameter) issue(text string) fhir.Issue {
	kind := fhir.IssueType("value")
	if strings.HasSuffix(text, "-unknown") {
		kind = "not-supported"
	}
	return fhir.Issue{Severity: "error", Type: kind, Code: text, Expression: p.expression()}
}

// full is the name as it was written, with modifier and chain.
func (p parameter) full() string {
	if p.modifier == "" {
		return p.name
	}
	return p.name + ":" + p.modifier
}

// parse is a search on its way from parameters to gateway.Search.
type parse struct {
	api      *api
	kind     fhir.Type // "" for the system
	within   fhir.ID   // the Patient whose compartment is searched
	search   gateway.Search
	subjects []gateway.Subject
	byNumber bool     // the patient was named by national number, in a form
	canon    []string // "name=values", normal form, without paging
	issues   []fhir.Issue
	left     []fhir.Issue
}

// parseSearch gives the one canonical form of a search in a type, or everything that is wrong with it.
// left tells what was left out where the client asked for leniency.
func (a *api) parseSearch(t fhir.Type, params []parameter, lenient bool) (s gateway.Search, left []fhir.Issue, err error) {
	p := &parse{api: a, kind: t}
	return p.read(params, lenient)
}

func (p *parse) read(params []parameter, lenient bool) (gateway.Search, []fhir.Issue, error) {
	a := p.api
	p.search = gateway.Search{Base: a.Base, Sort: gateway.Sort{Descending: true}}
	var rest []fhir.Parameter
	var total string
	for _, one := range params {
		switch {
		case p.nationalNumber(one):
		case fhir.ContainsNIN(one.value), fhir.ContainsNIN(one.full()):
			p.wrong(one, "nin.misplaced")
		case one.name == "_page" && !pageToken(one.value):
			p.wrong(one, "page-unknown")
		case !one.inURL && (one.name == "_format" || one.name == "_pretty"):
			p.wrong(one, "search.parameter-unknown")
		default:
			if one.name == "_total" {
				total = one.value
			}
			rest = append(rest, fhir.Parameter{Name: one.full(), Value: one.value})
		}
	}
	q, left, err := fhir.ParseQuery(p.kind, rest, fhir.QueryConfig{Types: servedTypes(), Base: a.Base, Now: a.now(), Lenient: lenient})
	if err != nil {
		var known *fhir.Error
		if !errors.As(err, &known) {
			return gateway.Search{}, nil, gateway.Failed("rest.search", gateway.Internal, err)
		}
		p.issues = append(p.issues, known.Issues...)
		return gateway.Search{}, nil, gateway.Fault("rest.search", gateway.BadQuery, p.issues...)
	}
	p.left = left
	p.take(&q)
	p.subject()
	if len(p.issues) > 0 {
		return gateway.Search{}, nil, gateway.Fault("rest.search", gateway.BadQuery, p.issues...)
	}
	p.links(q.Canonical, total)
	return p.search, p.left, nil
}

// servedTypes lists the types that can be searched here.
func servedTypes() []fhir.Type {
	out := make([]fhir.Type, 0, len(services))
	for _, s := range services {
		if s.does(gateway.Find) {
			out = append(out, s.Type)
		}
	}
	return out
}

func (a *api) now() time.Time {
	if a.Clock == nil {
		return time.Time{}
	}
	return a.Clock()
}

func (p *parse) wrong(one parameter, text string) { p.issues = append(p.issues, one.issue(text)) }

// take keeps what was read. A reference to one Patient names the patient of the question.
func (p *parse) take(q *fhir.Query) {
	s := &p.search
	s.Count, s.Page, s.Includes, s.Summary, s.Elements, s.Total = q.Count, q.Page, q.Includes, q.Summary, q.Elements, q.Total
	if s.Summary == fhir.SummaryCount { // R4 search.html#summary: the count of what is found, and no entry
		s.Count = 0
	}
	for i := range q.Criteria {
		if c := &q.Criteria[i]; p.kind == "" || !p.about(c) {
			s.Criteria = append(s.Criteria, *c)
		}
	}
	if p.kind == "" {
		s.Types = q.Types
	}
	date, dated := dateParams[p.kind]
	switch {
	case len(q.Sort) == 0:
	case len(q.Sort) == 1 && q.Sort[0].Param.Name == "_lastUpdated" && (p.kind != "" || q.Sort[0].Descending):
		s.Sort = gateway.Sort{Param: "_lastUpdated", Descending: q.Sort[0].Descending}
	case p.kind == "", p.kind == "AuditEvent" && (len(q.Sort) > 1 || q.Sort[0].Param.Name != date):
		p.wrong(parameter{name: "_sort"}, "search.sort-here")
	case len(q.Sort) == 1 && dated && q.Sort[0].Param.Name == date:
		s.Sort = gateway.Sort{Descending: q.Sort[0].Descending}
	default:
		s.By = q.Sort
	}
}

// unsubjected are the types whose records are no one person's, though a parameter may name a
// Patient: it is compared like any other.
var unsubjected = map[fhir.Type]bool{"Appointment": true, "Provenance": true}

// about takes a criterion that names the patient of the question: patient or subject, a Patient. An
// id alone in subject is that of a Patient.
func (p *parse) about(c *fhir.Criterion) bool {
	if len(c.Ways) != 1 || len(c.Ways[0].Hops) > 0 || c.Negate || c.Missing != "" || c.Modifier == fhir.ModifierIdentifier {
		return false
	}
	param := c.Ways[0].Param
	if param.Name != "patient" && param.Name != "subject" || !param.MayTarget("Patient") || unsubjected[p.kind] {
		return false
	}
	var named []fhir.Reference
	for _, v := range c.Values {
		ref := v.Reference
		if ref.ID != "" && ref.Type == "" {
			ref.Type = "Patient"
		}
		if ref.Type == "Patient" {
			named = append(named, ref)
		}
	}
	switch {
	case len(named) == 0:
		return false
	case len(named) < len(c.Values) || slices.ContainsFunc(named, func(r fhir.Reference) bool { return r != named[0] }):
		p.wrong(parameter{name: param.Name}, "search.patient-single")
	default:
		p.subjects = append(p.subjects, gateway.Subject{Patient: named[0]})
	}
	return true
}

// pageToken tells whether the value can be a sealed cursor: base64url.
func pageToken(s string) bool {
	return s != "" && len(s) <= 512 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}

// subject settles which one patient is asked about.
func (p *parse) subject() {
	if p.within != "" {
		p.subjects = append(p.subjects, gateway.Subject{Patient: fhir.Reference{Type: "Patient", ID: p.within}})
		p.search.Compartment = true
	}
	for _, s := range p.subjects {
		if p.search.Subject.IsZero() {
			p.search.Subject = s
			continue
		}
		if s.Patient != p.search.Subject.Patient || s.NIN.Reveal() != p.search.Subject.NIN.Reveal() {
			p.wrong(parameter{name: "patient"}, "search.patient-single")
			return
		}
	}
}

// links makes the canonical form and the self link. Conditions are sorted, so that the order in
// which a client names them makes no other search. A search by national number has a self link
// without conditions: its next page is asked for by posting the same form to the next link.
func (p *parse) links(canonical, total string) {
	if canonical != "" {
		p.canon = append(p.canon, strings.Split(readable.Replace(canonical), "&")...)
	}
	slices.Sort(p.canon)
	query := strings.Join(slices.Compact(p.canon), "&")
	path := string(p.kind)
	switch {
	case p.within != "" && p.kind == "":
		path = "Patient/" + string(p.within) + "/*"
	case p.within != "":
		path = "Patient/" + string(p.within) + "/" + path
	}
	p.search.Canonical = path + "?" + query
	p.search.Self = strings.TrimSuffix(p.api.Base+"/"+path, "/")
	if p.byNumber {
		p.search.Self += "/_search"
		return
	}
	shown := "_count=" + strconv.Itoa(p.search.Count)
	if total != "" {
		shown += "&_total=" + total
	}
	if query != "" {
		shown = query + "&" + shown
	}
	p.search.Self += "?" + shown
}

// compartment reads a search at Patient/[id]/[type], or of all types at Patient/[id]/* (R4
// http.html#vsearch).
func (a *api) compartment(id fhir.ID, name string, params []parameter, lenient bool) (fhir.Type, gateway.Search, []fhir.Issue, error) {
	if err := unknownOperation(root + "/Patient/" + string(id) + "/" + name); err != nil {
		return "", gateway.Search{}, nil, err
	}
	p := &parse{api: a, kind: fhir.Type(name), within: id}
	if name != "*" {
		if !serves(p.kind) {
			return "", gateway.Search{}, nil, refuse(http.StatusNotFound, gateway.NotSupported, "http.route")
		}
		if _, ok := fhir.InCompartment(p.kind, id); !ok {
			return "", gateway.Search{}, nil, refuse(http.StatusNotFound, gateway.NotSupported, "search.compartment")
		}
		s, left, err := p.read(params, lenient)
		return p.kind, s, left, err
	}
	p.kind = ""
	if !slices.ContainsFunc(params, func(one parameter) bool { return one.name == "_type" }) {
		params = append(params, parameter{name: "_type", value: strings.Join(compartmentTypes(id), ","), inURL: true})
	}
	s, left, err := p.read(params, lenient)
	for _, t := range s.Types {
		if !slices.Contains(compartmentTypes(id), string(t)) {
			return "", gateway.Search{}, nil, fault(gateway.BadQuery, "search.compartment", "http._type")
		}
	}
	return "", s, left, err
}

// compartmentTypes lists the types that a search of all of a compartment looks through: the ledger has
// an order of its own.
func compartmentTypes(id fhir.ID) (out []string) {
	for _, t := range servedTypes() {
		if _, ok := fhir.InCompartment(t, id); ok && t != "AuditEvent" {
			out = append(out, string(t))
		}
	}
	return out
}

// escapeQuery escapes a value for a link and for the canonical form: what has a meaning in a query
// is escaped, what people read is not.
func escapeQuery(s string) string {
	return readable.Replace(url.QueryEscape(s))
}

var readable = strings.NewReplacer("%2F", "/", "%3A", ":", "%2C", ",")

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xfffd })
}
