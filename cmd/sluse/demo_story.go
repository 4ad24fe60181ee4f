package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// row is one line of the story's table. Every cell but Step is computed from what a party
// received: names from the directory, kinds and custodians from bodies, labels from canaries,
// paragraphs from the ledger or from the text of the refusal.
type row struct {
	Step     int
	From, To string
	What     string
	Crossed  string
	Withheld string
	Why      string
}

// story is one telling of the case of Kari against a running server.
type story struct {
	door
	people map[string]persona
	inside map[string]*caller // callers by persona
	names  map[string]string  // Organization reference → name, as the directory tells it
	held   map[string][]byte  // what was handed in, by key
	refs   map[string]string  // "Type/id" by key
	etags  map[string]string
	msgIDs map[string]string // MsgId by key
	answer letter            // what the hospital has fetched before the withdrawal
	omit   string            // label left out of the first samtykke
	kari   person
	other  person // nobody knows
	now    time.Time
	rows   []row
	err    error // the first failure; everything after it does nothing
}

// step is one of the eight of the story.
type step struct {
	title string
	tell  func(*story, context.Context)
}

var steps = []step{
	{"Samtykket", (*story).stepConsent},
	{"Bydelen spør fastlegen", (*story).stepQuestion},
	{"Kartlegging, plan og henvisning", (*story).stepReferral},
	{"Innlagt og utskrivningsklar", (*story).stepAdmission},
	{"Planen endres", (*story).stepChange},
	{"Sosialtjenesten spør", (*story).stepSocial},
	{"Kari trekker tilbake for sykehuset", (*story).stepWithdrawal},
	{"Kari ser hvem som har sett", (*story).stepInsight},
}

// tellStory tells all of it and gives the rows.
func tellStory(ctx context.Context, d door, clock func() time.Time, omit string) (*story, error) {
	s := &story{
		door: d, omit: omit, now: clock(), kari: kari, other: unknownPerson,
		inside: map[string]*caller{}, names: map[string]string{}, held: map[string][]byte{},
		refs: map[string]string{}, etags: map[string]string{}, msgIDs: map[string]string{},
	}
	if s.people, s.err = d.personas(ctx); s.err != nil {
		return s, s.err
	}
	for i, step := range steps {
		step.tell(s, ctx)
		if s.err != nil {
			return s, fmt.Errorf("steg %d (%s): %w", i+1, step.title, s.err)
		}
	}
	return s, nil
}

// as gives the caller for a persona; its token is fetched once.
func (s *story) as(ctx context.Context, name string) *caller {
	if c, ok := s.inside[name]; ok || s.err != nil {
		return c
	}
	p, ok := s.people[name]
	if !ok {
		s.fail("no persona %s", name)
		return nil
	}
	c, err := s.enter(ctx, p)
	if err != nil {
		s.err = err
		return nil
	}
	s.inside[name] = c
	return c
}

func (s *story) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

// ask does one request as a persona and keeps the first failure of the wire.
func (s *story) ask(ctx context.Context, name, method, path, media string, body []byte, header ...string) reply {
	c := s.as(ctx, name)
	if s.err != nil {
		return reply{}
	}
	r, err := c.do(ctx, method, path, media, body, header...)
	if err != nil {
		s.err = err
	}
	if r.status >= http.StatusInternalServerError {
		s.fail("%s %s as %s: status %d: %s", method, pathOnly(path), name, r.status, refusalText(r))
	}
	return r
}

// create posts a document of the story under a key.
func (s *story) create(ctx context.Context, name, key, file string, data ...any) reply {
	body := s.document(file, data...)
	resource := word(reply{body: body}.parsed(), "resourceType")
	r := s.ask(ctx, name, http.MethodPost, "/fhir/"+resource, fhirJSON, body)
	s.keep(key, r, body, http.StatusCreated)
	return r
}

// replace puts a new version of what stands under the key, if that is still the current one.
func (s *story) replace(ctx context.Context, name, key, file string, data ...any) reply {
	body := s.withID(s.document(file, data...), key)
	r := s.ask(ctx, name, http.MethodPut, "/fhir/"+s.refs[key], fhirJSON, body, "If-Match", s.etags[key])
	s.keep(key, r, body, http.StatusOK)
	return r
}

func (s *story) keep(key string, r reply, sent []byte, want int) {
	if s.err != nil {
		return
	}
	if r.status != want {
		s.fail("%s: status %d: %s", key, r.status, refusalText(r))
		return
	}
	v := r.parsed()
	s.refs[key] = word(v, "resourceType") + "/" + word(v, "id")
	s.etags[key] = r.header.Get("ETag")
	s.held[key] = sent
}

func (s *story) withID(body []byte, key string) []byte {
	_, id, _ := strings.Cut(s.refs[key], "/")
	return []byte(strings.Replace(string(body), "{", `{"id":"`+id+`",`, 1))
}

// add computes a row from what was received and what there was to receive.
func (s *story) add(step int, from, to, what string, received, held [][]byte, why string) {
	if s.err != nil {
		return
	}
	crossed := seen(received...)
	s.rows = append(s.rows, row{
		Step: step, From: from, To: to, What: what,
		Crossed: listed(crossed), Withheld: listed(without(seen(held...), crossed)), Why: why,
	})
}

// readRow reads one record by reference, as the hospital, and adds a row.
func (s *story) readRow(ctx context.Context, step int, key string) reply {
	r := s.ask(ctx, hospital, http.MethodGet, "/fhir/"+s.refs[key], "", nil)
	kind, _, _ := strings.Cut(s.refs[key], "/")
	why := refusalText(r)
	if r.status == http.StatusOK {
		why = s.paragraphs(ctx, hospital, s.refs[key])
	}
	s.add(step, s.custodians(ctx, r), s.partyOf(ctx, hospital), fmt.Sprintf("%s %d", kind, r.status), [][]byte{r.body}, [][]byte{s.held[key]}, why)
	return r
}

// searchRow searches types for one patient and adds a row of all that came. patient is the
// reference that the searcher uses.
func (s *story) searchRow(ctx context.Context, step int, name, what, patient string, types []string, held ...[]byte) {
	var bodies [][]byte
	var from, why []string
	for _, kind := range types {
		r := s.ask(ctx, name, http.MethodGet, "/fhir/"+kind+"?"+url.Values{"patient": {patient}}.Encode(), "", nil)
		if r.status != http.StatusOK {
			s.fail("search %s: status %d: %s", kind, r.status, refusalText(r))
			return
		}
		bodies = append(bodies, r.body)
		from = merge(from, s.custodians(ctx, r))
		for _, e := range matches(r) {
			why = merge(why, s.paragraphs(ctx, name, word(e, "resourceType")+"/"+word(e, "id")))
		}
	}
	s.add(step, dash(from), s.partyOf(ctx, name), what, bodies, held, dash(why))
}

// merge adds what a cell holds to a list without repeating.
func merge(list []string, cell string) []string {
	if cell != "" && cell != "–" && !slices.Contains(list, cell) {
		list = append(list, cell)
	}
	slices.Sort(list)
	return list
}

func dash(list []string) string {
	if len(list) == 0 {
		return "–"
	}
	return strings.Join(list, ", ")
}

// matches gives the resources of a searchset that answer the search.
func matches(r reply) []any {
	var found []any
	for _, e := range each(r.parsed(), "entry") {
		if word(e, "search", "mode") == "match" {
			found = append(found, pick(e, "resource"))
		}
	}
	return found
}

const custodianExtension = "http://sluse.no/fhir/StructureDefinition/custodian"

// custodians names the parties that hold what a body brought, as its meta tells.
func (s *story) custodians(ctx context.Context, r reply) string {
	v := r.parsed()
	bodies := matches(r)
	if word(v, "resourceType") != "Bundle" {
		bodies = []any{v}
	}
	var from []string
	for _, body := range bodies {
		for _, e := range each(body, "meta", "extension") {
			if word(e, "url") == custodianExtension {
				from = merge(from, s.nameOf(ctx, word(e, "valueReference", "reference")))
			}
		}
	}
	return dash(from)
}

// partyOf is the name of a persona's party, read from the directory.
func (s *story) partyOf(ctx context.Context, name string) string {
	return s.nameOf(ctx, s.people[name].Organization)
}

func (s *story) nameOf(ctx context.Context, organization string) string {
	if name, ok := s.names[organization]; ok || organization == "" || s.err != nil {
		return name
	}
	r := s.ask(ctx, "drift", http.MethodGet, "/fhir/"+organization, "", nil)
	s.names[organization] = word(r.parsed(), "name")
	return s.names[organization]
}

// paragraphs reads the asker's own ledger entries about a record and gives what they rest on.
func (s *story) paragraphs(ctx context.Context, name, reference string) string {
	path := "/fhir/AuditEvent?" + url.Values{"entity": {reference}, "_count": {"100"}}.Encode()
	r := s.ask(ctx, name, http.MethodGet, path, "", nil)
	if r.status != http.StatusOK {
		s.fail("AuditEvent of %s: status %d: %s", reference, r.status, refusalText(r))
	}
	var found []string
	for _, e := range matches(r) {
		for _, touched := range each(e, "entity") {
			if word(touched, "what", "reference") == reference || strings.HasPrefix(word(touched, "what", "reference"), reference+"/") {
				found = laws(found, touched)
			}
		}
	}
	return dash(found)
}

const basisExtension = "http://sluse.no/fhir/StructureDefinition/rettsgrunnlag"

// laws adds the paragraphs that an entity of an AuditEvent cites.
func laws(found []string, entity any) []string {
	for _, basis := range each(entity, "extension") {
		if word(basis, "url") != basisExtension {
			continue
		}
		for _, x := range each(basis, "extension") {
			if word(x, "url") == "law" {
				found = merge(found, word(x, "valueCoding", "display"))
			}
		}
	}
	return found
}

// refusalText is what a refusal tells: the text of its first issue.
func refusalText(r reply) string {
	if r.status < http.StatusBadRequest {
		return ""
	}
	issue := pick(r.parsed(), "issue", 0)
	text := word(issue, "details", "text")
	if expression := word(issue, "expression", 0); expression != "" {
		text += " (" + expression + ")"
	}
	if text == "" {
		var failure struct{ Error string }
		if json.Unmarshal(r.body, &failure) == nil {
			text = failure.Error
		}
	}
	return text
}
