package suite

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// checkSearch asks each parameter of each type: a value that the resource has finds it, one that
// nothing has finds nothing, and :missing divides what there is in two. A server that drops a filter
// shows by it.
func checkSearch(s *session) {
	for _, p := range s.looked() {
		if !p.does("search-type") {
			continue
		}
		reference := ""
		s.check(p.Type+": strict", func(t *trial) { t.strict(p) })
		if _, ok := samples[p.Type]; ok && p.does("create") {
			s.check(p.Type+": found by _id", func(t *trial) {
				body := t.sampleOf(p.Type)
				a := t.ask(http.MethodPost, "/"+p.Type, []byte(body))
				if a.status == http.StatusForbidden {
					t.notApplicable("this token may not write the type")
				}
				t.want(http.StatusCreated, a, "create")
				reference, _ = versioned(a.header.Get("Location"))
				if found := t.search(p.Type, "_id", a.id()).matches(); !slices.Equal(found, []string{reference}) {
					t.errorf("found %v", found)
				}
			})
		}
		for _, x := range p.SearchParam {
			s.check(p.Type+"."+x.Name, func(t *trial) { t.parameter(p, x, reference) })
		}
		if reference != "" && p.does("delete") {
			s.ask(http.MethodDelete, "/"+reference, nil)
		}
	}
}

// strict: an unknown parameter is refused by name, or left out and told when the client asks for it.
func (t *trial) strict(p promised) {
	query := "/" + p.Type + "?sluse-ukjent=1"
	if o := t.refused(http.StatusBadRequest, t.ask(http.MethodGet, query, nil), query); !o.names("http.sluse-ukjent") {
		t.errorf("%s: the outcome does not name the parameter: %s", query, o)
	}
	a := t.want(http.StatusOK, t.ask(http.MethodGet, query, nil, "Prefer", "handling=lenient"), "handling=lenient")
	told := false
	for _, e := range a.bundle().Entry {
		told = told || e.Search.Mode == "outcome" && (answer{body: e.Resource}).outcome().names("http.sluse-ukjent")
	}
	if !told {
		t.errorf("handling=lenient: nothing tells that the parameter was left out")
	}
	t.refused(http.StatusBadRequest, t.ask(http.MethodGet, "/"+p.Type+"?_id:sluse-ukjent=1", nil), "an unknown modifier")
}

// impossible are values that no resource has, by type of parameter. The forms of a reference or of a
// composite that a parameter takes are not told anywhere: the first that is taken is used.
func (s *session) impossible(x parameter) []string {
	switch x.Type {
	case "token":
		return []string{s.mark + "-ingen", "true", "male"}
	case "string":
		return []string{s.mark + "-ingen"}
	case "date":
		return []string{"1850-01-01"}
	case "number", "quantity":
		return []string{"987654321"}
	case "uri":
		return []string{"http://sluse.example/" + s.mark + "/ingen"}
	case "reference":
		values := []string{absent}
		for _, p := range s.statement.types() {
			values = append(values, p.Type+"/"+absent)
		}
		return append(values, "http://sluse.example/"+s.mark)
	case "composite":
		return []string{"ingen$ingen", "ingen$987654321", "ingen$1850-01-01", "ingen$Patient/" + absent, "987654321$ingen"}
	}
	return nil
}

// parameter asks one. Without a resource of its own it can only see that nothing is found.
func (t *trial) parameter(p promised, x parameter, reference string) {
	var own []string
	if reference != "" && x.Name != "_id" {
		_, id, _ := strings.Cut(reference, "/")
		own = []string{"_id", id}
	}
	values := t.impossible(x)
	if len(values) == 0 {
		t.notApplicable("the suite knows no value of type %s", x.Type)
	}
	var last answer
	taken := false
	for _, v := range values {
		last = t.query(p.Type, append(slices.Clone(own), x.Name, v))
		if last.status >= http.StatusInternalServerError {
			t.errorf("%s=%s: %s", x.Name, v, last)
			break
		}
		if last.status == http.StatusOK {
			taken = true
			if found := last.bundle().matches(); len(found) > 0 && !(x.Type == "token" && len(v) < 5) {
				t.errorf("%s=%s finds %d", x.Name, v, len(found))
			}
			break
		}
	}
	if !taken && last.status < http.StatusInternalServerError {
		t.errorf("no value is taken: %s", last)
	}
	if reference == "" {
		return
	}
	for _, pair := range samples[p.Type].finds {
		name, value, _ := strings.Cut(t.fill(pair), "=")
		if name != x.Name {
			continue
		}
		if found := t.search(p.Type, append(slices.Clone(own), name, value)...).matches(); !slices.Equal(found, []string{reference}) {
			t.errorf("%s=%s finds %v", name, value, found)
		}
	}
	t.missing(p, x, own)
}

// missing: a resource has a value or has none. A server may lack the modifier: then it refuses it.
func (t *trial) missing(p promised, x parameter, own []string) {
	if strings.HasPrefix(x.Name, "_") || len(own) == 0 {
		return
	}
	yes := t.query(p.Type, append(slices.Clone(own), x.Name+":missing", "true"))
	no := t.query(p.Type, append(slices.Clone(own), x.Name+":missing", "false"))
	switch {
	case yes.status == http.StatusBadRequest && no.status == http.StatusBadRequest:
		return
	case yes.status != http.StatusOK || no.status != http.StatusOK:
		t.errorf(":missing: %s and %s", yes, no)
	case len(yes.bundle().matches())+len(no.bundle().matches()) != 1:
		t.errorf(":missing=true finds %d, :missing=false %d", len(yes.bundle().matches()), len(no.bundle().matches()))
	}
}

func (t *trial) query(kind string, pairs []string) answer {
	values := make([]string, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		values = append(values, url.QueryEscape(pairs[i])+"="+url.QueryEscape(pairs[i+1]))
	}
	return t.ask(http.MethodGet, "/"+kind+"?"+strings.Join(values, "&"), nil)
}
