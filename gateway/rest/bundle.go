package rest

import (
	"bytes"
	"encoding/base64"
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

// Limits of a Bundle.
const (
	maxEntries   = 1000
	maxAnswer    = 32 << 20 // bytes of the answers of all entries together
	bundleFactor = 2        // times the timeout of one interaction
)

// bundle performs a batch, each entry by itself, or a transaction, all or nothing (R4
// http.html#transaction).
func (a *api) bundle(r *request) (answer, error) {
	if err := noneLeft(r.http.URL.RawQuery); err != nil {
		return answer{}, err
	}
	res, err := a.parsed(r, maxBundle)
	if err != nil {
		return answer{}, err
	}
	if len(res.Bytes()) > maxBody {
		select {
		case a.heavy <- struct{}{}:
			defer func() { <-a.heavy }()
		case <-r.ctx.Done():
			return answer{}, gateway.Failed("rest.bundle", gateway.Unavailable, r.ctx.Err())
		}
	}
	if res.Type() != "Bundle" {
		return answer{}, fault(gateway.Malformed, "bundle.expected", string(res.Type()))
	}
	if issues := outline(res.Root(), "Bundle", bundleElements); len(issues) > 0 {
		return answer{}, gateway.Fault("rest.bundle", gateway.Malformed, issues...)
	}
	entries := res.Root().Get("entry").Items()
	if len(entries) > maxEntries {
		return answer{}, refuse(http.StatusRequestEntityTooLarge, gateway.TooLarge, "bundle.too-many")
	}
	switch kind := res.Root().Get("type").Text(); kind {
	case "batch":
		return a.batch(r, entries)
	case "transaction":
		return a.transaction(r, entries)
	default:
		return answer{}, fault(gateway.Malformed, "bundle.type", "Bundle.type")
	}
}

// reply collects the answers of entries, in their order.
type reply struct {
	body []byte
	lang string
	n    int
}

func newReply(kind, lang string) *reply {
	return &reply{body: []byte(`{"resourceType":"Bundle","type":"` + kind + `"`), lang: lang}
}

var errLarge = fault(gateway.TooCostly, "bundle.answer-too-large")

// addDone puts in what is done and cannot be undone. Where there is no room, a write is answered without
// its resource, so that nobody does it again; a read is refused.
func (p *reply) addDone(ans answer, entry int) error {
	err := p.add(ans, nil)
	switch {
	case !errors.Is(err, errLarge):
		return err
	case ans.location == "":
		return p.add(answer{}, &gateway.EntryError{Entry: entry, Err: err})
	}
	ans.release = gateway.Release{}
	return p.add(ans, nil)
}

// add puts in what one interaction answered, as the same interaction alone would (R4
// bundle-definitions.html#Bundle.entry.response).
func (p *reply) add(ans answer, err error) error {
	var resource, told []byte
	if err != nil {
		status, _, issues := rendered(err)
		ans, told = answer{status: status}, outcome(issues, p.lang)
	} else if len(ans.issues) > 0 {
		told = outcome(ans.issues, p.lang)
	} else if len(ans.left) > 0 {
		if resource, err = withOutcome(ans.release, outcome(ans.left, p.lang)); err != nil {
			return err
		}
	} else if ans.release.Len() > 0 {
		var b bytes.Buffer
		b.Grow(ans.release.Len())
		if _, err := ans.release.WriteTo(&b); err != nil {
			return err
		}
		resource = b.Bytes()
	}
	if len(p.body)+len(resource) > maxAnswer {
		return errLarge
	}
	if p.n++; p.n == 1 {
		p.body = append(p.body, `,"entry":[{`...)
	} else {
		p.body = append(p.body, ",{"...)
	}
	if resource != nil {
		p.body = append(append(append(p.body, `"resource":`...), resource...), ',')
	}
	field := func(name, value string) {
		if value != "" {
			p.body = append(p.body, `,"`+name+`":`...)
			p.body = fhir.AppendString(p.body, value)
		}
	}
	p.body = append(p.body, `"response":{"status":"`+strconv.Itoa(ans.status)+" "+http.StatusText(ans.status)+`"`...)
	field("location", ans.location)
	if ans.version != "" {
		field("etag", `W/"`+ans.version+`"`)
	}
	if !ans.updated.IsZero() {
		field("lastModified", fhir.FormatInstant(ans.updated))
	}
	if told != nil {
		p.body = append(append(p.body, `,"outcome":`...), told...)
	}
	p.body = append(p.body, "}}"...)
	return nil
}

func (p *reply) answer() answer {
	if p.n > 0 {
		p.body = append(p.body, ']')
	}
	return answer{status: http.StatusOK, bundle: append(p.body, '}')}
}

// batch performs every entry by itself, in order: what one of them is refused is said in its place.
func (a *api) batch(r *request, entries []*fhir.Value) (answer, error) {
	p := newReply("batch-response", language(r.http.Header))
	for i, entry := range entries {
		ans, err := a.entry(r, entry)
		if err != nil {
			if r.ctx.Err() != nil { // nobody waits any longer
				return answer{}, gateway.Failed("rest.batch", gateway.Unavailable, err)
			}
			err = &gateway.EntryError{Entry: i, Err: err}
		}
		if err == nil {
			err = p.addDone(ans, i)
		} else {
			err = p.add(answer{}, err)
		}
		if err != nil {
			return answer{}, err
		}
	}
	return p.answer(), nil
}

// entry performs one entry of a batch.
func (a *api) entry(r *request, entry *fhir.Value) (answer, error) {
	p, err := a.planEntry(r, entry)
	if err != nil {
		return answer{}, err
	}
	out, err := a.interact(r, p.in)
	if err != nil {
		return answer{}, err
	}
	return p.answer(out, a.Base), nil
}

// transaction performs all entries or none; the answer is a Bundle of theirs, or one outcome that
// names the entry (R4 http.html#trules).
func (a *api) transaction(r *request, entries []*fhir.Value) (answer, error) {
	plans := make([]planned, len(entries))
	work := make([]gateway.Entry, len(entries))
	for i, entry := range entries {
		p, err := a.planEntry(r, entry)
		if err != nil {
			return answer{}, &gateway.EntryError{Entry: i, Err: err}
		}
		p.in.Search.English = r.english()
		plans[i] = p
		work[i] = gateway.Entry{Interaction: p.in, FullURL: entry.Get("fullUrl").Text()}
		if work[i].Lookups, err = a.lookups(p.in.Body); err != nil {
			return answer{}, &gateway.EntryError{Entry: i, Err: err}
		}
	}
	outs, err := a.Gateway.Transact(r.ctx, r.actor, work)
	if err != nil {
		return answer{}, err
	}
	p := newReply("transaction-response", language(r.http.Header))
	for i, out := range outs {
		r.bare = r.bare || out.Bare
		if err := p.addDone(plans[i].answer(out, a.Base), i); err != nil {
			return answer{}, err
		}
	}
	return p.answer(), nil
}

// Elements that a Bundle for performing may have; what else R4 knows belongs to answers.
var (
	bundleElements  = strings.Fields("resourceType id meta implicitRules language identifier type timestamp link entry signature")
	entryElements   = strings.Fields("id extension link fullUrl resource request")
	requestElements = strings.Fields("id extension method url ifNoneMatch ifModifiedSince ifMatch ifNoneExist")
)

// outline refuses elements that are not known where they stand: what one does not read one does not
// do.
func outline(v *fhir.Value, name string, known []string) (issues []fhir.Issue) {
	if v.Kind() != fhir.Object {
		return []fhir.Issue{{Severity: "error", Type: "structure", Code: "bundle.element", Expression: name}}
	}
	for _, m := range v.Members() {
		if !slices.Contains(known, strings.TrimPrefix(m.Name, "_")) {
			issues = append(issues, fhir.Issue{Severity: "error", Type: "structure", Code: "bundle.element", Expression: m.Value.Expression()})
		}
	}
	return issues
}

// planEntry reads one entry. Its errors name places in the entry.
func (a *api) planEntry(r *request, entry *fhir.Value) (planned, error) {
	issues := outline(entry, "Bundle.entry", entryElements)
	request := entry.Get("request")
	if len(issues) == 0 {
		issues = outline(request, "Bundle.entry.request", requestElements)
	}
	if len(issues) > 0 {
		return planned{}, gateway.Fault("rest.entry", gateway.Malformed, issues...)
	}
	if full := entry.Get("fullUrl"); full != nil && !absoluteURL(full.Text()) {
		return planned{}, fault(gateway.Malformed, "bundle.full-url", "Bundle.entry.fullUrl")
	}
	method := request.Get("method").Text()
	c, err := a.locate(method, request.Get("url").Text())
	if err != nil {
		return planned{}, err
	}
	c.bundled, c.prefer = true, r.prefer
	for name, to := range map[string]*[]string{"ifNoneMatch": &c.none, "ifMatch": &c.match, "ifNoneExist": &c.exist} {
		if v := request.Get(name); v != nil {
			*to = []string{v.Text()}
		}
	}
	if v := request.Get("ifModifiedSince"); v != nil {
		if c.since, err = time.Parse(time.RFC3339Nano, v.Text()); err != nil {
			return planned{}, fault(gateway.Malformed, "bundle.instant", "Bundle.entry.request.ifModifiedSince")
		}
	}
	if len(c.exist) > 0 && c.code != gateway.Create {
		return planned{}, fault(gateway.Malformed, "http.if-none-exist", "Bundle.entry.request.ifNoneExist")
	}
	p, err := a.plan(c)
	if err != nil {
		return planned{}, err
	}
	return p, a.content(&p, entry.Get("resource"))
}

// content takes the resource of an entry: what is created or updated, or a patch. JSON Patch comes as
// a Binary (R4 http.html#patch).
func (a *api) content(p *planned, v *fhir.Value) error {
	switch p.code {
	case gateway.Create, gateway.Update, gateway.Patch:
		if v == nil {
			return fault(gateway.Malformed, "bundle.resource-missing", "Bundle.entry.resource")
		}
	default:
		if v != nil {
			return fault(gateway.Malformed, "bundle.resource-unexpected", "Bundle.entry.resource")
		}
		return nil
	}
	body, err := fhir.Parse(v.Raw())
	if err != nil {
		return unreadable(err)
	}
	if p.code != gateway.Patch {
		return p.holds(body)
	}
	if body.Type() == "Binary" {
		kind, _, _ := strings.Cut(body.Root().Get("contentType").Text(), ";")
		text, err := base64.StdEncoding.DecodeString(body.Root().Get("data").Text())
		if strings.TrimSpace(kind) != jsonPatch || err != nil {
			return fault(gateway.Malformed, "bundle.patch", "Bundle.entry.resource")
		}
		p.in.Patch, err = textPatch(text)
		return err
	}
	p.in.Patch, err = pathPatch(body)
	return err
}

func absoluteURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && (u.Host != "" || u.Opaque != "") && u.Fragment == ""
}

// locate reads method and URL of an entry as the router reads those of a request. The URL is relative
// to the base (R4 bundle-definitions.html#Bundle.entry.request.url); in it, as in every other, no
// national identifier may stand.
func (a *api) locate(method, address string) (call, error) {
	const place = "Bundle.entry.request.url"
	u, err := url.Parse(strings.TrimPrefix(address, a.Base+"/"))
	if err != nil || u.Path == "" || u.IsAbs() || u.Host != "" || strings.HasPrefix(u.Path, "/") || u.Fragment != "" || len(address) > maxURL {
		return call{}, fault(gateway.Malformed, "bundle.url", place)
	}
	if urlHasNIN(u) {
		return call{}, fault(gateway.BadQuery, "nin.url", place)
	}
	steps := strings.Split(u.EscapedPath(), "/")
	if strings.HasPrefix(steps[len(steps)-1], "$") || strings.HasPrefix(steps[len(steps)-1], "%24") {
		return call{}, fault(gateway.NotSupported, "bundle.operation", place)
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if method == http.MethodGet && u.Path == "_history" {
		return call{code: gateway.HistorySystem, query: u.RawQuery}, nil
	}
	s := served(fhir.Type(steps[0]))
	known := false
	for _, code := range s.Interactions {
		for _, d := range doors[code] {
			c, ok := d.leads(steps[1:])
			if !ok || d.path == "/_search" {
				continue
			}
			known = true
			if d.method == method {
				c.code, c.target.Type, c.query = code, s.Type, u.RawQuery
				return c, wellFormed(c.target)
			}
		}
	}
	if known {
		return call{}, refuse(http.StatusMethodNotAllowed, gateway.NotSupported, "http.method")
	}
	return call{}, refuse(http.StatusNotFound, gateway.NotSupported, "http.route")
}

// leads tells whether the steps below the type are those of the door, and what they name.
func (d door) leads(steps []string) (c call, ok bool) {
	pattern := strings.Split(d.path, "/")[1:]
	if d.path == "" {
		pattern = nil
	}
	if len(pattern) != len(steps) {
		return call{}, false
	}
	for i, p := range pattern {
		switch {
		case p == ":id" && !strings.HasPrefix(steps[i], "_"):
			c.target.ID = fhir.ID(steps[i])
		case p == ":version":
			c.target.Version = steps[i]
		case p != steps[i]:
			return call{}, false
		}
	}
	return c, true
}

// lookups reads the conditional references of a resource: "Type?conditions" in the place of a literal
// reference. It is part of a body, so that a national identifier may stand in it.
func (a *api) lookups(body *fhir.Resource) (map[string]gateway.Lookup, error) {
	if body == nil {
		return nil, nil
	}
	var found map[string]gateway.Lookup
	for _, v := range body.References() {
		text := v.Get("reference").Text()
		kind, query, ok := strings.Cut(text, "?")
		if !ok || !serves(fhir.Type(kind)) {
			continue
		}
		s, err := a.condition(fhir.Type(kind), query, false)
		if err != nil {
			var known *gateway.Error
			if errors.As(err, &known) {
				for i := range known.Issues {
					known.Issues[i].Expression = v.Expression() + ".reference"
				}
			}
			return nil, err
		}
		if found == nil {
			found = make(map[string]gateway.Lookup)
		}
		found[text] = gateway.Lookup{Type: fhir.Type(kind), Search: *s}
	}
	return found, nil
}
