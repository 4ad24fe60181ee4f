package rest

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Limits of a search.
const (
	maxParameters = 64
	maxValues     = 100 // alternatives of one parameter
	defaultCount  = 20
	maxCount      = 100
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

// parameters joins those of the URL with those of a form (R4 search.html#2.21.1.2). _format has
// been read before.
func (a *api) parameters(r *request, form bool) ([]parameter, error) {
	params, err := split(nil, r.http.URL.RawQuery, true)
	if err != nil {
		return nil, err
	}
	if form {
		if err := contentIs(r.http.Header, formData); err != nil {
			return nil, err
		}
		body, err := a.body(r)
		if err != nil {
			return nil, err
		}
		if params, err = split(params, string(body), false); err != nil {
			return nil, err
		}
	}
	return params, nil
}

func (a *api) noParameters(r *request) error {
	params, err := a.parameters(r, false)
	if err != nil {
		return err
	}
	var issues []fhir.Issue
	for _, p := range params {
		issues = append(issues, p.issue("search.parameter-unknown"))
	}
	if len(issues) > 0 {
		return gateway.Fault("rest.parameters", gateway.BadQuery, issues...)
	}
	return nil
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
		if name == "_format" && inURL {
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

// parse is a search on its way from parameters to gateway.Search.
type parse struct {
	api      *api
	kind     fhir.Type
	lenient  bool
	search   gateway.Search
	subjects []gateway.Subject
	byNumber bool // the patient was named by national number, in a form
	seen     map[string]bool
	canon    []string // "name=values", normal form, without paging
	issues   []fhir.Issue
	left     []fhir.Issue
}

// parseSearch gives the one canonical form of a search, or everything that is wrong with it. left
// tells what was left out where the client asked for leniency.
func (a *api) parseSearch(t fhir.Type, params []parameter, lenient bool) (s gateway.Search, left []fhir.Issue, err error) {
	p := &parse{api: a, kind: t, lenient: lenient, seen: make(map[string]bool)}
	p.search = gateway.Search{Count: defaultCount, Base: a.Base, Sort: gateway.Sort{Descending: true}}
	for _, one := range params {
		p.take(one)
	}
	p.subject()
	if len(p.issues) > 0 {
		return gateway.Search{}, nil, gateway.Fault("rest.search", gateway.BadQuery, p.issues...)
	}
	p.links()
	return p.search, p.left, nil
}

func (p *parse) wrong(one parameter, text string) { p.issues = append(p.issues, one.issue(text)) }

// unknown is refused, or left out and told when the client asked for leniency.
func (p *parse) unknown(one parameter, text string) {
	if p.lenient && !fhir.ContainsNIN(one.value) {
		p.left = append(p.left, fhir.Issue{
			Severity: "warning", Type: "not-supported", Code: "search.left-out", Expression: one.expression(),
		})
		return
	}
	p.wrong(one, text)
}

func (p *parse) take(one parameter) {
	switch one.name {
	case "_count", "_sort", "_page":
		p.control(one)
		return
	}
	param, ok := searchable(p.kind, one.name)
	if !ok {
		p.unknown(one, "search.parameter-unknown")
		return
	}
	if one.value == "" {
		p.wrong(one, "search.value-empty")
		return
	}
	raw, ok := alternatives(one.value)
	if !ok {
		p.wrong(one, "search.escape")
		return
	}
	if len(raw) > maxValues {
		p.wrong(one, "search.too-many")
		return
	}
	if p.nationalNumber(one, param, raw) {
		return
	}
	if fhir.ContainsNIN(one.value) {
		p.wrong(one, "nin.misplaced")
		return
	}
	o := operandReader{api: p.api, kind: p.kind, param: param, modifier: one.modifier}
	values, canon, fault := o.read(raw)
	switch {
	case fault == "search.modifier-unknown":
		p.unknown(one, fault)
	case fault != "":
		p.wrong(one, fault)
	default:
		p.condition(one, param, values, canon)
	}
}

// condition keeps the values; a reference to one Patient names the patient of the question.
func (p *parse) condition(one parameter, param fhir.SearchParam, values []gateway.Operand, canon []string) {
	p.canon = append(p.canon, one.name+"="+escapeQuery(strings.Join(canon, ",")))
	if one.name == "patient" || one.name == "subject" {
		first := values[0].Reference
		others := slices.ContainsFunc(values, func(v gateway.Operand) bool { return v.Reference != first })
		patient := slices.ContainsFunc(values, func(v gateway.Operand) bool { return v.Reference.Type == "Patient" })
		switch {
		case patient && others:
			p.wrong(one, "search.patient-single")
			return
		case patient:
			p.subjects = append(p.subjects, gateway.Subject{Patient: first})
			return
		}
	}
	p.search.Conditions = append(p.search.Conditions, gateway.Condition{Param: param, Values: values})
}

// control reads the parameters that say how to answer, each at most once.
func (p *parse) control(one parameter) {
	if one.modifier != "" {
		p.wrong(one, "search.modifier-unknown")
		return
	}
	if p.seen[one.name] {
		p.wrong(one, "search.repeated")
		return
	}
	p.seen[one.name] = true
	switch one.name {
	case "_count":
		n, err := strconv.Atoi(one.value)
		if err != nil || n < 1 {
			p.wrong(one, "search.count")
			return
		}
		p.search.Count = min(n, maxCount)
	case "_page":
		if !pageToken(one.value) {
			p.wrong(one, "page-unknown")
			return
		}
		p.search.Page = one.value
	case "_sort":
		name, down := strings.CutPrefix(one.value, "-")
		date, ok := dateParams[p.kind]
		switch {
		case name == "_lastUpdated":
			p.search.Sort = gateway.Sort{Param: name, Descending: down}
		case ok && name == date:
			p.search.Sort = gateway.Sort{Descending: down}
		default:
			p.wrong(one, "search.sort")
			return
		}
		p.canon = append(p.canon, "_sort="+one.value)
	}
}

// pageToken tells whether the value can be a sealed cursor: base64url.
func pageToken(s string) bool {
	return s != "" && len(s) <= 512 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}

// subject settles which one patient is asked about.
func (p *parse) subject() {
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
func (p *parse) links() {
	slices.Sort(p.canon)
	query := strings.Join(slices.Compact(p.canon), "&")
	p.search.Canonical = string(p.kind) + "?" + query
	p.search.Self = p.api.Base + "/" + string(p.kind)
	if p.byNumber {
		p.search.Self += "/_search"
		return
	}
	count := "_count=" + strconv.Itoa(p.search.Count)
	if query != "" {
		count = "&" + count
	}
	p.search.Self += "?" + query + count
}

// parseHistory reads the parameters of instance history: _count and _page.
func (a *api) parseHistory(r fhir.Reference, params []parameter) (gateway.Search, error) {
	p := &parse{api: a, kind: r.Type, seen: make(map[string]bool)}
	p.search = gateway.Search{Count: defaultCount, Base: a.Base}
	for _, one := range params {
		if one.name == "_count" || one.name == "_page" {
			p.control(one)
		} else {
			p.wrong(one, "search.parameter-unknown")
		}
	}
	if len(p.issues) > 0 {
		return gateway.Search{}, gateway.Fault("rest.history", gateway.BadQuery, p.issues...)
	}
	p.search.Canonical = r.String() + "/_history"
	p.search.Self = a.Base + "/" + p.search.Canonical + "?_count=" + strconv.Itoa(p.search.Count)
	return p.search, nil
}

// escapeQuery escapes a value for a link and for the canonical form: what has a meaning in a query
// is escaped, what people read is not.
func escapeQuery(s string) string {
	return strings.NewReplacer("%2F", "/", "%3A", ":", "%2C", ",").Replace(url.QueryEscape(s))
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xfffd })
}
