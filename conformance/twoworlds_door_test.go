package conformance_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// curiousDoors are the ways in, by name. Each makes one request, or several in a row of one asker.
var curiousDoors = []struct {
	name   string
	weight int
	make   func(*curious) []probe
}{
	{"read", 10, (*curious).reads}, {"vread", 4, (*curious).versions}, {"history", 8, (*curious).histories},
	{"search", 24, (*curious).searches}, {"pages", 5, (*curious).pagesOf}, {"compartment", 4, (*curious).compartments}, {"system search", 4, (*curious).systemwide},
	{"batch", 6, (*curious).batches}, {"transaction", 3, (*curious).transactions}, {"conditional", 7, (*curious).conditionals}, {"write", 8, (*curious).writes},
	{"operation", 8, (*curious).operations}, {"explain", 5, (*curious).explains}, {"$validate", 3, (*curious).validates},
	{"ledger", 4, (*curious).ledgers}, {"messages", 4, (*curious).messages}, {"subscription", 2, (*curious).subscriptions}, {"export", 1, (*curious).exports},
}

// probes makes so many requests, and tells how many of each door.
func (c *curious) probes(count int) (list []probe, doors map[string]int) {
	doors = map[string]int{}
	total := 0
	for _, d := range curiousDoors {
		total += d.weight
	}
	for len(list) < count {
		at := c.random.IntN(total)
		for _, d := range curiousDoors {
			if at -= d.weight; at >= 0 {
				continue
			}
			made := d.make(c)
			who := c.one(askers...)
			if c.random.IntN(2) == 0 {
				who = "ous-tsb"
			}
			for _, p := range made {
				if p.who == "" {
					p.who = who
				}
				if p.method == "" {
					p.method = http.MethodGet
				}
				p.door = d.name
				list = append(list, p)
			}
			doors[d.name] += len(made)
			break
		}
	}
	return list, doors
}

func asked(path string) []probe { return []probe{{path: "/fhir/" + path}} }

func (c *curious) reads() []probe {
	p := probe{path: "/fhir/" + c.target() + c.one("", "", "", "?_format=xml", "?_summary=true", "?_elements=id", "?_pretty=true", "?_format=turtle", "?x=y")}
	p.method = c.one(http.MethodGet, http.MethodGet, http.MethodGet, http.MethodHead)
	p.header = pick(c.random, [][]string{nil, nil, {"If-None-Match", `W/"1"`}, {"If-Modified-Since", "Sun, 22 Nov 2099 00:00:00 GMT"}, {"Accept", "application/fhir+xml"}, {"Accept-Language", "nn"}})
	return []probe{p}
}

func (c *curious) versions() []probe {
	return asked(c.target() + "/_history/" + c.one("1", "00000000-0000-4000-8000-000000000000", "{version of "+c.target()+"}", "{version of "+pick(c.random, c.visible)+"}"))
}

func (c *curious) histories() []probe {
	query := c.one("", "?_count=1", "?_count=3", "?_since=2026-01-01", "?_since=2099-01-01", "?_at=2026-11", "?_at=2019", "?_count=0", "?_sort=x", "?_summary=count")
	if c.random.IntN(5) == 0 {
		return append(asked(c.one("_history?_count=4", "CarePlan/_history?_count=3", pick(c.random, c.types)+"/_history?_count=2")), probe{follow: true}, probe{follow: true})
	}
	return asked(c.one(c.target()+"/_history", c.target()+"/_history", pick(c.random, c.types)+"/_history", "_history") + query)
}

func (c *curious) searches() []probe {
	kind := pick(c.random, c.types)
	query := c.query(kind)
	if c.random.IntN(4) == 0 {
		_, form, _ := strings.Cut(query, "?")
		return []probe{{method: http.MethodPost, path: "/fhir/" + kind + "/_search", form: form}}
	}
	return []probe{{path: "/fhir/" + query, header: pick(c.random, [][]string{nil, nil, nil, {"Prefer", "handling=lenient"}, {"Accept", "application/fhir+xml"}})}}
}

// pagesOf follows the links of a search that finds several.
func (c *curious) pagesOf() []probe {
	kind := c.one("CarePlan", "CarePlan", pick(c.random, c.types))
	query := url.Values{"_count": {c.one("1", "2", "5")}, "_sort": {c.order(kind)}, "_total": {c.one("none", "accurate")}}
	if c.random.IntN(2) == 0 {
		query.Set("patient", c.one("Patient/"+bydelHER+"-kari", c.of("Patient")))
	}
	list := asked(kind + "?" + query.Encode())
	for range 1 + c.random.IntN(5) {
		list = append(list, probe{follow: true})
	}
	return list
}

func (c *curious) compartments() []probe {
	_, query, _ := strings.Cut(c.query(pick(c.random, c.types)), "?")
	if c.random.IntN(2) == 0 {
		query = c.one("", "_total=accurate", "_count=2", "_sort=-_lastUpdated", "_summary=count")
	}
	return asked(c.of("Patient") + "/" + c.one("*", pick(c.random, c.types)) + "?" + query)
}

func (c *curious) systemwide() []probe {
	query := "?_type=" + pick(c.random, c.types) + c.one("", ","+pick(c.random, c.types)) + c.one("", "&_count=3", "&_total=accurate", "&_security=okonomi", "&_lastUpdated=ge2026", "&_id=x,"+bydelHER+"-skjult-3", "&_tag=a")
	list := asked(query)
	if c.random.IntN(2) == 0 {
		list = append(list, probe{follow: true})
	}
	return list
}

// entry writes a request as the entry of a Bundle.
func (p probe) entry() string {
	request := map[string]any{"method": p.method, "url": strings.TrimPrefix(p.path, "/fhir/")}
	for i := 0; i+1 < len(p.header); i += 2 {
		if name := map[string]string{"If-None-Exist": "ifNoneExist", "If-Match": "ifMatch", "If-None-Match": "ifNoneMatch"}[p.header[i]]; name != "" {
			request[name] = p.header[i+1]
		}
	}
	if p.method == "" {
		request["method"] = http.MethodGet
	}
	b, err := json.Marshal(request)
	if err != nil {
		panic(err)
	}
	if p.body != "" && strings.HasPrefix(p.body, "{") {
		return `{"request":` + string(b) + `,"resource":` + p.body + `}`
	}
	return `{"request":` + string(b) + `}`
}

func (c *curious) bundle(kind string, from ...func() []probe) []probe {
	var entries []string
	for range 1 + c.random.IntN(4) {
		for _, p := range pick(c.random, from)() {
			if !p.follow && p.form == "" && !strings.Contains(p.path, "$") && p.method != http.MethodPatch {
				entries = append(entries, p.entry())
			}
		}
	}
	return []probe{{method: http.MethodPost, path: "/fhir", media: "application/fhir+json", body: `{"resourceType":"Bundle","type":"` + kind + `","entry":[` + strings.Join(entries, ",") + `]}`}}
}

func (c *curious) batches() []probe {
	return c.bundle("batch", c.reads, c.searches, c.histories, c.compartments, c.conditionals, c.writes)
}

func (c *curious) transactions() []probe {
	return c.bundle("transaction", c.reads, c.searches, c.conditionals, c.writes)
}

// own is a record of whoever asks; {her} is its HER-id.
func (c *curious) own(kind, id string) string {
	c.n++
	subject := c.one(`{"reference":"`+c.of("Patient")+`"}`, `{"reference":"Patient/{her}-ingen"}`)
	head := `{"resourceType":"` + kind + `","id":"` + id + `","identifier":[{"system":"urn:sluse:id","value":"egen-` + strconv.Itoa(c.n) + `"}],`
	switch kind {
	case "Task":
		return head + `"status":"requested","intent":"order","for":` + subject + `,"focus":{"reference":"` + c.target() + `"}}`
	case "Flag":
		return head + `"status":"active","code":{"text":"Eget"},"subject":` + subject + `}`
	case "List":
		return head + `"status":"current","mode":"working","subject":` + subject + `,"entry":[{"item":{"reference":"` + c.target() + `"}}]}`
	}
	return head + `"status":"active","intent":"plan","subject":` + subject + `,"basedOn":[{"reference":"` + c.of("CarePlan") + `"}]}`
}

// conditionals name what they are about by criteria that a hidden record fits.
func (c *curious) conditionals() []probe {
	kind := c.one("CarePlan", "Task", "Flag", "List")
	_, criteria, _ := strings.Cut(c.anywhere(kind, c.criteria(kind)), "?")
	if c.random.IntN(3) == 0 {
		criteria = "identifier=urn:sluse:test|" + c.one("skjult-3", "annen-1", "synlig-3", "aldri")
	}
	p := probe{method: c.one(http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodGet), path: "/fhir/" + kind + "?" + criteria, media: "application/fhir+json"}
	c.n++
	switch p.method {
	case http.MethodPost:
		if kind != "Flag" { // the server gives it an id, by which nothing is sorted
			_, criteria, _ = strings.Cut(c.anywhere("Flag", c.criteria("Flag")), "?")
		}
		p.path, p.header, p.body = "/fhir/Flag", []string{"If-None-Exist", criteria}, c.own("Flag", "x")
	case http.MethodPut:
		p.body = c.own(kind, fmt.Sprintf("{her}-betinget-%d", c.n))
	case http.MethodPatch:
		p.media, p.body = "application/json-patch+json", `[{"op":"replace","path":"/status","value":"active"}]`
	}
	return []probe{p}
}

// writes try to change, remove or make what may be there.
func (c *curious) writes() []probe {
	ref := c.target()
	kind, id, _ := strings.Cut(ref, "/")
	p := probe{method: c.one(http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodPost), path: "/fhir/" + ref, media: "application/fhir+json"}
	p.header = pick(c.random, [][]string{nil, nil, {"If-Match", `W/"1"`}, {"If-Match", `W/"{version of ` + ref + `}"`}, {"If-None-Match", "*"}})
	switch p.method {
	case http.MethodPut:
		if p.body = c.own(c.one("CarePlan", "Task", "List"), id); c.random.IntN(3) > 0 {
			p.body = strings.Replace(c.own("CarePlan", id), `"CarePlan"`, `"`+kind+`"`, 1)
		}
		if c.random.IntN(3) == 0 { // its own
			c.n++
			id = fmt.Sprintf("{her}-egen-%d", c.n)
			p.path, p.body, p.header = "/fhir/Task/"+id, c.own("Task", id), nil
		}
	case http.MethodPatch:
		p.media, p.body = "application/json-patch+json", c.one(`[{"op":"replace","path":"/status","value":"completed"}]`, `[{"op":"test","path":"/status","value":"active"}]`, `[{"op":"remove","path":"/finnes/ikke"}]`)
	case http.MethodPost: // refers to what may be there
		p.path, p.header, p.body = "/fhir/"+c.one("Flag", "Provenance", "Consent"), nil, ""
		switch strings.TrimPrefix(p.path, "/fhir/") {
		case "Provenance":
			p.body = `{"resourceType":"Provenance","target":[{"reference":"` + c.target() + `"}],"recorded":"2026-03-01T10:00:00+01:00","agent":[{"who":{"display":"Noen"}}]}`
		case "Consent":
			p.body = consent(c.of("Patient"), "Organization/80001010-ous-tsb", []string{"Organization/80001010-ous-tsb"}, []string{"Organization/80001010-bydel-sagene"}, []string{"plan"})
		default:
			p.body = c.own("Flag", "x")
		}
	}
	return []probe{p}
}

// operations performs each of them at what may be there.
func (c *curious) operations() []probe {
	parameters := func(list ...string) string {
		return `{"resourceType":"Parameters","parameter":[` + strings.Join(list, ",") + `]}`
	}
	post := func(path, body string) []probe {
		return []probe{{method: http.MethodPost, path: "/fhir/" + path, media: "application/fhir+json", body: body}}
	}
	tag := parameters(`{"name":"meta","valueMeta":{"tag":[{"system":"urn:sluse:a","code":"a"}]}}`)
	switch c.random.IntN(13) {
	case 0, 1:
		return append(asked(c.of("Patient")+"/$everything"+c.one("", "?_count=2", "?_type=CarePlan,Task", "?start=2026-01-01", "?_since=2026-01-01")), probe{follow: true})
	case 2:
		return asked(c.of("CarePlan") + "/$document" + c.one("", "?persist=false", "?persist=true"))
	case 3:
		return asked(c.of("QuestionnaireResponse") + "/$extract")
	case 4, 5:
		return asked(c.one(c.target()+"/$meta", c.target()+"/$meta", pick(c.random, c.types)+"/$meta", "$meta"))
	case 6:
		return post(c.target()+"/$meta-"+c.one("add", "delete"), tag)
	case 7:
		return asked("Questionnaire/" + c.one(bydelHER+"-skjema", "aldri") + "/$populate?subject=" + c.of("Patient"))
	case 8:
		return post(c.one(c.of("Consent"), "CareTeam/"+bydelHER+"-skjult-careteam-0", "Consent/"+bydelHER+"-annen")+"/$confirm", parameters(`{"name":"version","valueId":"{version of `+c.of("Consent")+`}"}`))
	case 9:
		return asked(c.one(c.of("Consent"), "Consent/"+bydelHER+"-annen", "Consent/"+bydelHER+"-aldri") + "/$disclosures" + c.one("", "?_count=1"))
	case 10:
		return post(c.target()+"/$withhold", parameters(`{"name":"code","valueCode":"nektet"}`, `{"name":"reason","valueString":"Prøve"}`))
	case 11:
		return post(c.of("Patient")+"/$protect", parameters(`{"name":"code","valueCode":"`+c.one("fortrolig", "ugradert")+`"}`, `{"name":"reason","valueString":"Prøve"}`))
	}
	return post("$hjemmel", parameters(`{"name":"id","valueCode":"logistikk-hf-bydel"}`, `{"name":"active","valueBoolean":true}`, `{"name":"reason","valueString":"Prøve"}`))
}

func (c *curious) explains() []probe {
	if c.random.IntN(4) == 0 {
		draft := consent(c.of("Patient"), "Organization/80001010-ous-tsb", []string{"Organization/80001010-ous-tsb"}, []string{"Organization/80001010-bydel-sagene"}, []string{"plan", "okonomi"})
		return []probe{{method: http.MethodPost, path: "/fhir/Consent/$simulate", media: "application/fhir+json", body: draft}}
	}
	query := url.Values{}
	for range 1 + c.random.IntN(3) {
		switch c.random.IntN(5) {
		case 0:
			query.Set("patient", c.of("Patient"))
		case 1, 2:
			query.Set("resource", c.target())
		case 3:
			query.Set("receiver", "Organization/80001010-"+c.one("ous-tsb", "fastlege-sagene", "velferdsetaten", "aldri"))
		case 4:
			query.Set(c.one("purpose", "action", "time"), c.one("TREAT", "read", "2026-03-01T10:00:00Z"))
		}
	}
	return []probe{{path: "/fhir/Consent/$explain?" + query.Encode(), header: []string{"Accept-Language", c.one("nb", "nn", "en")}}}
}

// validates asks about a resource, and about one at a place where something may be.
func (c *curious) validates() []probe {
	kind := c.one("CarePlan", "Task")
	ref := c.one(c.of(kind), kind)
	_, id, _ := strings.Cut(ref, "/")
	return []probe{{method: http.MethodPost, path: "/fhir/" + ref + "/$validate" + c.one("", "?mode=update", "?mode=create", "?mode=delete"), media: "application/fhir+json", body: c.own(kind, id)}}
}

func (c *curious) ledgers() []probe {
	return asked(c.one("AuditEvent?entity="+c.target(), "AuditEvent?patient="+c.of("Patient"), "AuditEvent?_count=5", "AuditEvent?entity="+c.target()+"&_total=accurate",
		"AuditEvent?outcome=4&_count=3", "AuditEvent?date=ge2026-01-01&_count=2", "Provenance?target="+c.target(), "Provenance?patient="+c.of("Patient"), "Provenance?_total=accurate"))
}

func (c *curious) messages() []probe {
	ids := []string{"00000000-0000-4000-8000-000000000000", "x"}
	switch c.random.IntN(6) {
	case 0:
		c.n++
		nin := c.one(otherNIN, unknownNIN, kariNIN)
		return []probe{{who: "ous-tsb", method: http.MethodPost, path: "/edi/Messages", message: admitted(fmt.Sprintf("nysgjerrig-%d", c.n), "80001006", bydelHER, nin, "Ullevål")}}
	case 1:
		return []probe{{method: http.MethodPut, path: "/edi/Messages/" + c.one(ids...) + "/read/{her}"}}
	case 2:
		return []probe{{path: "/edi/Messages/" + c.one(ids...) + "/" + c.one("business-document", "status", "apprec", "x")}}
	}
	return []probe{{path: "/edi/Messages?ReceiverHerIds=" + c.one("{her}", "{her}", bydelHER) + c.one("", "&MessagesToFetch=1", "&IncludeMetadata=true")}}
}

func (c *curious) subscriptions() []probe {
	ref := "Subscription/" + c.one("80001006-varsel", "80001006-varsel", bydelHER+"-skjult", "aldri")
	return asked(c.one(ref+"/$events", ref+"/$status", ref+"/$events?eventsSinceNumber=1&content=full-resource", "Subscription/$status", ref))
}

// exports make one to its end: the files are compared as they are.
func (c *curious) exports() []probe {
	if c.files++; c.files > 60 { // they take long, and there is little to vary
		return c.reads()
	}
	group := c.of("Group")
	return []probe{{who: c.one("ous-tsb", "ous-tsb", "fastlege-sagene"), export: true, path: "/fhir/" + c.one("Patient", "Patient", group) + "/$export" + c.one("", "?_type=CarePlan,Task", "?_type=Patient,Observation", "?_since=2026-01-01T00:00:00Z"),
		header: []string{"Prefer", "respond-async"}}}
}

// withDoors joins the requests of before with those of every door.
func (c *curious) withDoors(count int) ([]probe, map[string]int) {
	narrow := generate(c.random, count/5)
	for i := range narrow {
		narrow[i].door = "hidden"
	}
	wide, doors := c.probes(count - len(narrow))
	doors["hidden"] = len(narrow)
	return slices.Concat(narrow, wide), doors
}
