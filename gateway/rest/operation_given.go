package rest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// given is what an operation was given: in the URL, in a Parameters resource, or as the one resource
// that stands for it (R4 operations.html#request).
type given struct {
	texts    map[string][]string
	elements map[string]*fhir.Value // values that are no primitives
	resource *fhir.Resource
	wrapped  bool // the resource stood in Parameters
	place    map[string]string
}

// given reads what an operation was given, strictly: what it does not know is refused.
func (a *api) given(r *request, o operation) (*given, error) {
	g := &given{texts: make(map[string][]string), elements: make(map[string]*fhir.Value), place: make(map[string]string)}
	params, err := split(nil, r.http.URL.RawQuery, true)
	if err != nil {
		return nil, err
	}
	for _, p := range params {
		known, repeats := o.takes(p.name)
		switch {
		case !known || p.modifier != "":
			return nil, gateway.Fault("rest.operation", gateway.BadQuery, p.issue("search.parameter-unknown"))
		case p.value == "":
			return nil, gateway.Fault("rest.operation", gateway.BadQuery, p.issue("search.value-empty"))
		case len(g.texts[p.name]) > 0 && !repeats:
			return nil, gateway.Fault("rest.operation", gateway.BadQuery, p.issue("search.repeated"))
		}
		g.texts[p.name] = append(g.texts[p.name], p.value)
		g.place[p.name] = p.expression()
	}
	if r.http.Method != http.MethodPost || r.http.ContentLength == 0 {
		return g, nil
	}
	body, err := a.resource(r)
	switch {
	case err != nil:
		return nil, err
	case body.Type() == "Parameters":
		return g, g.read(body, o)
	case o.resource == "":
		return nil, fault(gateway.Malformed, "operation.parameters", string(body.Type()))
	}
	g.resource = body
	return g, nil
}

// takes tells whether the operation has the parameter, and whether it may be there several times.
func (o operation) takes(name string) (known, repeats bool) {
	at := slices.IndexFunc(o.arguments, func(a argument) bool { return a.name == name })
	return at >= 0, at >= 0 && o.arguments[at].repeats
}

// read takes the parameters of a Parameters resource.
func (g *given) read(body *fhir.Resource, o operation) error {
	for i, p := range body.Root().Get("parameter").Items() {
		place := "Parameters.parameter[" + strconv.Itoa(i) + "]"
		name := p.Get("name").Text()
		if inner := p.Get("resource"); inner != nil && name == o.resource && name != "" {
			if g.resource != nil {
				return fault(gateway.Malformed, "operation.parameter-twice", place)
			}
			res, err := fhir.Parse(inner.Raw())
			if err != nil {
				return unreadable(err)
			}
			g.resource, g.wrapped = res, true
			continue
		}
		known, repeats := o.takes(name)
		switch {
		case !known || name == "_page":
			return fault(gateway.Malformed, "operation.parameter-unknown", place+".name")
		case (len(g.texts[name]) > 0 || g.elements[name] != nil) && !repeats:
			return fault(gateway.Malformed, "operation.parameter-twice", place)
		}
		value := valueIn(p)
		switch {
		case value == nil:
			return fault(gateway.Malformed, "operation.parameter-value", place)
		case value.Name() == "valueReference":
			g.texts[name] = append(g.texts[name], value.Get("reference").Text())
		case value.Kind() == fhir.Object:
			g.elements[name] = value
		default:
			g.texts[name] = append(g.texts[name], value.Text())
		}
		g.place[name] = place
	}
	return nil
}

// valueIn gives the one value[x] of a parameter.
func valueIn(p *fhir.Value) *fhir.Value {
	for _, m := range p.Members() {
		if strings.HasPrefix(m.Name, "value") {
			return m.Value
		}
	}
	return nil
}

// one gives the text of a parameter that is there at most once.
func (g *given) one(name string) string {
	if v := g.texts[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// wrong is a finding about a parameter; its value is not told.
func (g *given) wrong(name, text string) error {
	place := g.place[name]
	if place == "" {
		place = "Parameters.parameter"
	}
	return fault(gateway.BadQuery, text, place)
}

// nothing refuses a resource where the path names one.
func (g *given) nothing(in *gateway.Interaction) error {
	if in.Target.ID != "" && g.resource != nil {
		return fault(gateway.Malformed, "operation.resource-unexpected", string(g.resource.Type()))
	}
	return nil
}

// planEverything reads stretch of time, types and page. The types are those of the patient's records,
// less the ledger, which has its own search, and those of the directory.
func (a *api) planEverything(g *given, in *gateway.Interaction) error {
	o := &in.Operation
	var canon []string
	for _, name := range []string{"start", "end", "_since"} {
		text := g.one(name)
		if text == "" {
			continue
		}
		low, high, err := fhir.ParseDate(text)
		if err != nil {
			return g.wrong(name, "search.date")
		}
		switch name {
		case "start":
			o.Low = low
		case "end":
			o.High = high
		default:
			o.Since = low
		}
		canon = append(canon, name+"="+url.QueryEscape(text))
	}
	for _, s := range services {
		if s.Type != "AuditEvent" && s.Type != "Subscription" && s.Type != "Questionnaire" {
			o.Types = append(o.Types, s.Type)
		}
	}
	if asked := strings.Join(g.texts["_type"], ","); asked != "" {
		var chosen []fhir.Type
		for _, t := range strings.Split(asked, ",") {
			if !slices.Contains(o.Types, fhir.Type(t)) {
				return g.wrong("_type", "operation.type")
			}
			if !slices.Contains(chosen, fhir.Type(t)) {
				chosen = append(chosen, fhir.Type(t))
			}
		}
		slices.Sort(chosen)
		o.Types = chosen
		names := make([]string, 0, len(chosen))
		for _, t := range chosen {
			names = append(names, string(t))
		}
		canon = append(canon, "_type="+strings.Join(names, ","))
	}
	if err := g.paged(in); err != nil {
		return err
	}
	slices.Sort(canon)
	in.Search.Canonical += "?" + strings.Join(canon, "&")
	in.Search.Self += "?" + strings.Join(append(canon, "_count="+strconv.Itoa(in.Search.Count)), "&")
	return nil
}

// planValidate wants a resource, unless it is about a delete.
func (a *api) planValidate(g *given, in *gateway.Interaction) error {
	in.Body = g.resource
	in.Operation.Mode = fhir.Mode(g.one("mode"))
	in.Operation.Profiles = g.texts["profile"]
	switch {
	case !in.Operation.Mode.Valid():
		return g.wrong("mode", "operation.parameter-value")
	case g.resource == nil && (in.Operation.Mode != fhir.ModeDelete || in.Target.ID == ""):
		return fault(gateway.Malformed, "operation.resource-missing", "Parameters.parameter")
	}
	return nil
}

// planMeta names the types that are looked at.
func (a *api) planMeta(_ *given, in *gateway.Interaction) error {
	in.Operation.Types = []fhir.Type{in.Target.Type}
	if in.Target.Type == "" {
		in.Operation.Types = withHistory()
	}
	return nil
}

// planMetaChange wants the meta to add or to take away.
func (a *api) planMetaChange(g *given, in *gateway.Interaction) error {
	in.Operation.Meta = g.elements["meta"]
	if in.Operation.Meta == nil {
		return fault(gateway.Malformed, "operation.meta-missing", "Parameters.parameter")
	}
	return nil
}

// planPopulate wants the patient, and where the path names no form, a form.
func (a *api) planPopulate(g *given, in *gateway.Interaction) error {
	if err := g.nothing(in); err != nil {
		return err
	}
	subject, err := fhir.ParseReference(strings.TrimPrefix(g.one("subject"), a.Base+"/"))
	if err != nil || subject.Type != "Patient" || subject.Version != "" {
		return g.wrong("subject", "operation.subject")
	}
	in.Operation.Subject, in.Operation.Canonical, in.Body = subject, g.one("canonical"), g.resource
	if g.resource != nil && g.resource.Type() != "Questionnaire" {
		return fault(gateway.Malformed, "http.type-differs", string(g.resource.Type()))
	}
	if in.Target.ID == "" && g.resource == nil && in.Operation.Canonical == "" {
		return fault(gateway.Malformed, "operation.resource-missing", "Parameters.parameter")
	}
	return nil
}

// planExtract wants a response where the path names none.
func (a *api) planExtract(g *given, in *gateway.Interaction) error {
	if err := g.nothing(in); err != nil {
		return err
	}
	in.Body = g.resource
	switch {
	case in.Target.ID == "" && g.resource == nil:
		return fault(gateway.Malformed, "operation.resource-missing", "Parameters.parameter")
	case g.resource != nil && g.resource.Type() != in.Target.Type:
		return fault(gateway.Malformed, "http.type-differs", string(g.resource.Type()))
	}
	return nil
}

// planDocument knows documents that are not kept.
func (a *api) planDocument(g *given, _ *gateway.Interaction) error {
	switch g.one("persist") {
	case "", "false":
		return nil
	case "true":
		return fault(gateway.NotSupported, "operation.persist", g.place["persist"])
	}
	return g.wrong("persist", "operation.parameter-value")
}

// planConfirm knows which version is confirmed: nobody stands by what has changed since it was read.
func (a *api) planConfirm(g *given, in *gateway.Interaction) error {
	if in.Operation.Version = g.one("version"); in.Operation.Version == "" {
		return fault(gateway.BadQuery, "confirm.version-missing", "Parameters.parameter")
	}
	return nil
}
