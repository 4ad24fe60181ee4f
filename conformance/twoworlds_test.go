package conformance_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// bydelHER is the bydel's HER-id: it begins the ids that the bydel chooses.
const bydelHER = "80001001"

// exceptHidden are the labels of the samtykke that both worlds hold: all but those of what is hidden of Kari.
var exceptHidden = strings.Fields(`demografi samarbeid rus somatisk legemidler plan kriseplan henvisning kartlegging bolig arbeid familie barn
	nettverk voldsutsatt voldsrisiko livskvalitet tvang seksuell-helse migrasjon kriminalitet parorende logistikk funksjon tjenester
	rusprover tolk tannhelse smitte uklassifisert`)

// furniture is what a world is given by an author: records of each type.
type furniture struct {
	ids    map[string][]string
	bodies []string // in the order in which they are stored
}

// furnish writes records of each type about one Patient. beside are ids that references may name as well.
func furnish(random *rand.Rand, prefix, patient string, each int, beside map[string][]string) furniture {
	f := furniture{ids: map[string][]string{"Patient": {patient}}}
	a := &author{random: random, next: map[string]int{}, prefix: prefix, ids: map[string][]string{}}
	for kind, list := range beside {
		if kind != "Patient" {
			a.ids[kind] = slices.Clone(list)
		}
	}
	for _, kind := range recordKinds {
		if kind == "Patient" || slices.Contains(directoryKinds, kind) {
			continue
		}
		for n := range each {
			f.ids[kind] = append(f.ids[kind], fmt.Sprintf("%s/%s%s-%d", kind, prefix, strings.ToLower(kind), n))
		}
		a.ids[kind] = append(a.ids[kind], f.ids[kind]...)
	}
	a.ids["Patient"] = f.ids["Patient"]
	for _, kind := range recordKinds {
		if kind == "Patient" {
			continue
		}
		for n, ref := range f.ids[kind] {
			a.full = n == 0
			r := a.resource(kind, ref[strings.IndexByte(ref, '/')+1:])
			for _, about := range []string{"subject", "patient", "for"} { // nothing is about two persons
				if r[about] != nil && kind != "Group" {
					r[about] = map[string]any{"reference": patient}
				}
			}
			body, err := json.Marshal(r)
			if err != nil {
				panic(err) // it is made of what JSON has
			}
			f.bodies = append(f.bodies, string(body))
		}
	}
	return f
}

// keep stores what an author wrote.
func (w *world) keep(t *testing.T, c *client, bodies []string, change func(string) string) {
	t.Helper()
	for _, body := range bodies {
		var head struct{ ResourceType, ID string }
		if err := json.Unmarshal([]byte(body), &head); err != nil {
			t.Fatal(err)
		}
		ref := head.ResourceType + "/" + head.ID
		a := c.must(http.StatusCreated, http.MethodPut, "/fhir/"+ref, change(body))
		w.etag[ref] = strings.Trim(strings.TrimPrefix(a.header.Get("ETag"), "W/"), `"`)
	}
}

func asWritten(body string) string { return body }

// secretly adds the label that the samtykke leaves out.
func secretly(body string) string {
	var r map[string]any
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&r); err != nil {
		panic(err)
	}
	meta, _ := r["meta"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
	}
	meta["security"] = []any{map[string]any{"system": labelSystem, "code": "okonomi"}}
	r["meta"] = meta
	out, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return string(out)
}

// visible stores, in both worlds, records of every type that the hospital may read, and some that point at what
// only one world holds.
func (w *world) visible(t *testing.T) furniture {
	bydel, kari := w.asks["bydel-sagene"], "Patient/"+bydelHER+"-kari"
	f := furnish(rand.New(rand.NewPCG(11, 1)), bydelHER+"-apen-", kari, 2, map[string][]string{"Organization": {bydel.organization}, "Practitioner": {"Practitioner/finnes-ikke"}, "Location": {"Location/finnes-ikke"}, "PractitionerRole": {"PractitionerRole/finnes-ikke"}, "HealthcareService": {"HealthcareService/finnes-ikke"}, "Endpoint": {"Endpoint/finnes-ikke"}, "Questionnaire": {"Questionnaire/finnes-ikke"}})
	w.keep(t, bydel, f.bodies, asWritten)
	w.store(t, "CarePlan", "peker", `{"resourceType":"CarePlan","status":"active","intent":"plan","title":"Peker","subject":{"reference":"`+kari+`"},"goal":[{"reference":"Goal/`+bydelHER+`-skjult-goal-0"}],
		"careTeam":[{"reference":"CareTeam/`+bydelHER+`-skjult-careteam-0","display":"Teamet"}],"addresses":[{"reference":"Condition/`+bydelHER+`-annens-condition-0"}],"basedOn":[{"reference":"CarePlan/`+bydelHER+`-skjult-3"}]}`)
	w.store(t, "Observation", "peker", `{"resourceType":"Observation","status":"final","code":{"text":"Peker"},"subject":{"reference":"`+kari+`"},"effectiveDateTime":"2026-02-03","encounter":{"reference":"Encounter/`+bydelHER+`-skjult-encounter-0"},
		"hasMember":[{"reference":"Observation/`+bydelHER+`-skjult"}],"derivedFrom":[{"reference":"QuestionnaireResponse/`+bydelHER+`-annens-questionnaireresponse-0"}]}`)
	w.store(t, "Binary", "apen", `{"resourceType":"Binary","contentType":"text/plain","data":"aGVp","securityContext":{"reference":"CarePlan/`+bydelHER+`-plan-1"}}`)
	w.store(t, "Questionnaire", "skjema", `{"resourceType":"Questionnaire","url":"http://example.org/skjema","status":"active","item":[{"linkId":"1","type":"string","text":"Hva?"}]}`)
	return f
}

// conceal stores, in one world, records of every type that those who ask may not see: of Kari under a label
// that the samtykke leaves out, of somebody else, and of another custodian.
func (w *world) conceal(t *testing.T, beside furniture) (hidden []string) {
	bydel, other := w.asks["bydel-sagene"], w.as("velferdsetaten")
	directory := map[string][]string{"Organization": {bydel.organization}, "Practitioner": {"Practitioner/finnes-ikke"}, "Location": {"Location/finnes-ikke"}, "PractitionerRole": {"PractitionerRole/finnes-ikke"}, "HealthcareService": {"HealthcareService/finnes-ikke"}, "Endpoint": {"Endpoint/finnes-ikke"}, "Questionnaire": {"Questionnaire/finnes-ikke"}}
	for kind, list := range beside.ids {
		directory[kind] = list
	}
	theirs := "Patient/" + other.herID + "-kari"
	other.must(http.StatusCreated, http.MethodPut, "/fhir/"+theirs, named(patient(kariNIN), theirs))
	for n, part := range []struct {
		by            *client
		name, patient string
		change        func(string) string
	}{
		{bydel, bydelHER + "-skjult-", "Patient/" + bydelHER + "-kari", secretly},
		{bydel, bydelHER + "-annens-", "Patient/" + bydelHER + "-annen", asWritten},
		{other, other.herID + "-", theirs, asWritten},
	} {
		f := furnish(rand.New(rand.NewPCG(uint64(n), 12)), part.name, part.patient, 2, directory)
		w.keep(t, part.by, f.bodies, part.change)
		for _, list := range f.ids {
			hidden = append(hidden, list...)
		}
	}
	w.store(t, "Binary", "skjult", `{"resourceType":"Binary","contentType":"text/plain","data":"aGVtbWVsaWc=","securityContext":{"reference":"CarePlan/`+bydelHER+`-skjult-3"}}`)
	slices.Sort(hidden)
	return append(hidden, "Binary/"+bydelHER+"-skjult", theirs)
}

// curious makes requests of every door.
type curious struct {
	*library
	visible, hidden []string
	types           []string
	pairsOf         map[string][]pair // per type: searches of one parameter
	linked          map[string][]pair // per type: chains and _has
	includes        map[string][]pair
	n, files        int
}

// newCurious knows all that the full world holds: what it asks for is there to be found.
func newCurious(t *testing.T, full *world, random *rand.Rand, visible, hidden []string) *curious {
	l := &library{client: full.asks["bydel-sagene"], random: random, refused: map[string][]string{}, offers: full.offered()}
	l.readAll(t)
	c := &curious{library: l, visible: visible, hidden: hidden, pairsOf: map[string][]pair{}, linked: map[string][]pair{}, includes: map[string][]pair{}}
	for _, kind := range l.types() {
		for _, q := range l.askers(kind) {
			if q.p.Code != "_lastUpdated" { // each world has its own clock
				c.pairsOf[kind] = append(c.pairsOf[kind], q.pairs()...)
			}
			if q.p.Type != "reference" {
				continue
			}
			chained, has, target := q.links(t)
			c.linked[kind] = append(c.linked[kind], chained...)
			if target != "" {
				c.linked[target] = append(c.linked[target], has...)
				c.includes[target] = append(c.includes[target], pair{"_revinclude", kind + ":" + q.p.Code}, pair{"_revinclude:iterate", kind + ":" + q.p.Code})
			}
			c.includes[kind] = append(c.includes[kind], pair{"_include", kind + ":" + q.p.Code}, pair{"_include:iterate", kind + ":" + q.p.Code}, pair{"_include", kind + ":*"})
		}
		if len(c.pairsOf[kind]) > 0 {
			c.types = append(c.types, kind)
		}
	}
	return c
}

func (c *curious) one(list ...string) string { return pick(c.random, list) }

// target is something hidden, something visible, or nothing at all.
func (c *curious) target() string {
	switch c.random.IntN(5) {
	case 0:
		return pick(c.random, c.visible)
	case 1:
		return pick(c.random, c.types) + "/" + c.one("finnes-ikke", bydelHER+"-aldri", "00000000-0000-4000-8000-000000000000")
	}
	return pick(c.random, c.hidden)
}

// of is a target of a type.
func (c *curious) of(kind string) string {
	for range 200 {
		if ref := c.target(); strings.HasPrefix(ref, kind+"/") {
			return ref
		}
	}
	return kind + "/" + bydelHER + "-aldri"
}

// criteria are searches of one or two parameters, with values that a hidden record may have.
func (c *curious) criteria(kind string) (list []pair) {
	for range 1 + c.random.IntN(2) {
		list = append(list, pick(c.random, c.pairsOf[kind]))
	}
	if linked := c.linked[kind]; len(linked) > 0 && c.random.IntN(4) == 0 {
		list[0] = pick(c.random, linked)
	}
	return list
}

// shape adds what forms the answer.
func (c *curious) shape(kind string, list []pair) []pair {
	for range c.random.IntN(4) {
		list = append(list, pick(c.random, []pair{
			{"_count", c.one("0", "1", "2", "5", "200")}, {"_total", c.one("accurate", "estimate", "none")}, {"_summary", c.one("count", "true", "text", "data")},
			{"_elements", "identifier,status"}, {"_sort", c.order(kind)}, {"patient", c.of("Patient")},
			{"_security", c.one("okonomi", "plan", "uklassifisert")}, {"_tag", c.one("a", "b")},
		}))
	}
	if more := c.includes[kind]; len(more) > 0 && c.random.IntN(3) == 0 {
		list = append(list, pick(c.random, more))
		if c.random.IntN(2) == 0 {
			list = append(list, pick(c.random, more))
		}
	}
	return list
}

// order is a value of _sort. By id only what has the same ids in both worlds.
func (c *curious) order(kind string) string {
	if kind == "CarePlan" {
		return c.one("_lastUpdated", "-_lastUpdated", "_id", "-_id", "status,_id")
	}
	return c.one("_lastUpdated", "-_lastUpdated", "date,_lastUpdated", "-date,-_lastUpdated", "-code,_lastUpdated", "status,_lastUpdated")
}

// query is a search as it stands in a URL, of one type.
func (c *curious) query(kind string) string { return c.anywhere(kind, c.shape(kind, c.criteria(kind))) }

// anywhere writes a search so that either world can be asked.
func (c *curious) anywhere(kind string, list []pair) string {
	path := strings.TrimPrefix(link(kind, list...), "/fhir/")
	return strings.ReplaceAll(path, strings.ReplaceAll(strings.ReplaceAll(c.base, ":", "%3A"), "/", "%2F"), "{base}")
}
