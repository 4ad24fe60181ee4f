package conformance_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// world is one store, with the clients that ask it.
type world struct {
	*server
	asks map[string]*client
	etag map[string]string // versions of the records that both stores hold
	next string            // link of the last page
}

// probe is one request, the same for both stores but for versions.
type probe struct {
	who, method, path, form string
	media, body             string
	follow                  bool // the next page of the answer before
	header                  []string
	message                 string // a business document to be handed in
	export                  bool   // to be followed to its files
	door                    string
}

// Two stores that differ only in what is hidden from those who ask give the same answers to
// everything that they can ask: status, headers and body.
func TestHiddenIsAbsent(t *testing.T) {
	t.Parallel()
	twoWorlds(t, 3000)
}

// twoWorlds asks both stores so many questions through every door; SLUSE_WORLDS=n asks n.
func twoWorlds(t *testing.T, count int) {
	random := seeded(t)
	if n, err := strconv.Atoi(os.Getenv("SLUSE_WORLDS")); err == nil {
		count = n
	}
	empty, full := newWorld(t, false), newWorld(t, true)
	empty.visible(t)
	shown := full.visible(t)
	full.hide(t)
	hidden := full.conceal(t, shown)
	empty.store(t, "Patient", "tredje", patient(thirdNIN))
	empty.withhold(t, "tredje", thirdNIN)
	full.settle(t)
	empty.settle(t)
	var visible []string
	for ref := range empty.etag {
		visible = append(visible, ref)
	}
	slices.Sort(visible)
	for ref := range full.etag {
		if empty.etag[ref] == "" && !slices.Contains(hidden, ref) {
			hidden = append(hidden, ref)
		}
	}
	slices.Sort(hidden)
	began := time.Now()
	probes, doors := newCurious(t, full, random, visible, hidden).withDoors(count)
	answers, differ := map[int]int{}, 0
	for n, p := range probes {
		var a, b answer
		var both sync.WaitGroup
		both.Go(func() { a = empty.put(t, p) })
		both.Go(func() { b = full.put(t, p) })
		both.Wait()
		answers[a.status]++
		if a.status == http.StatusInternalServerError {
			t.Errorf("request %d (%s) as %s: %s %s %s %v %.500s: an error of the server: %.300s", n, p.door, p.who, p.method, p.path, p.form, p.header, p.body, a.body)
		}
		if x, y := canonical(a), canonical(b); x != y {
			at := 0
			for at < min(len(x), len(y)) && x[at] == y[at] {
				at++
			}
			from := max(0, at-1500)
			t.Errorf("LEAK: request %d (%s) as %s: %s %s %s %v %.500s\nwithout: …%.5000s\nwith:    …%.5000s", n, p.door, p.who, p.method, p.path, p.form, p.header, p.body, x[from:], y[from:])
			if differ++; differ > 20 {
				break
			}
		}
	}
	t.Logf("%d requests to two worlds, %d of them differ, %d records visible, %d hidden, %.0f s", len(probes), differ, len(visible), len(hidden), time.Since(began).Seconds())
	t.Logf("by door: %v", doors)
	t.Logf("answers by status: %v", answers)
	for _, status := range []int{200, 400, 403, 404} {
		if answers[status] < 10 {
			t.Errorf("only %d answers with status %d", answers[status], status)
		}
	}
	if answers[200] < count/5 {
		t.Errorf("only %d of %d requests were answered with 200: the test shows little", answers[200], count)
	}
	for _, d := range curiousDoors {
		if doors[d.name] == 0 {
			t.Errorf("nothing was asked through %s", d.name)
		}
	}
}

var askers = []string{"ous-tsb", "sosial-sagene", "fastlege-sagene", "nav-sagene", "legevakt"}

// newWorld holds what both stores hold: Kari, her samtykke to the hospital for all labels but okonomi, and
// records that the hospital may read. Their ids are chosen by the bydel.
func newWorld(t *testing.T, full bool) *world { return newWorldWith(t, full) }

// newWorldWith starts the server with further arguments.
func newWorldWith(t *testing.T, full bool, args ...string) *world {
	w := &world{server: start(t, append(args, "--no-story")...), asks: map[string]*client{}, etag: map[string]string{}}
	bydel := w.as("bydel-sagene")
	w.asks["bydel-sagene"] = bydel
	for _, name := range askers {
		w.asks[name] = w.as(name)
	}
	if full { // somebody hidden before her, so that numbers given in order would tell
		w.store(t, "Patient", "annen", patient(otherNIN))
	}
	kari := w.store(t, "Patient", "kari", patient(kariNIN))
	w.store(t, "Consent", "samtykke", consent(kari, bydel.organization,
		[]string{w.asks["ous-tsb"].organization}, []string{bydel.organization}, exceptHidden))
	for n := range 12 {
		plan := carePlan(kari, fmt.Sprintf("synlig-%d", n), 900)
		if full && n%2 == 1 { // a part that the hospital may not see
			plan = strings.Replace(plan, `"activity":[`, `"activity":[`+hiddenActivity+`,`, 1)
		}
		w.store(t, "CarePlan", fmt.Sprintf("plan-%d", n), plan)
	}
	w.store(t, "ServiceRequest", "henvisning", `{"resourceType":"ServiceRequest","status":"active","intent":"order","code":{"text":"Vurdering"},"subject":{"reference":"`+kari+`"},"authoredOn":"2026-02-01"}`)
	w.store(t, "Task", "oppgave", `{"resourceType":"Task","status":"requested","intent":"order","focus":{"reference":"ServiceRequest/`+bydel.herID+`-henvisning"},
		"for":{"reference":"`+kari+`"},"owner":{"reference":"`+w.asks["ous-tsb"].organization+`"},"authoredOn":"2026-02-01"}`)
	return w
}

// store puts a record of the bydel under an id that is the same in both worlds.
func (w *world) store(t *testing.T, kind, name, body string) string {
	t.Helper()
	bydel := w.asks["bydel-sagene"]
	id := bydel.herID + "-" + name
	a := bydel.must(http.StatusCreated, http.MethodPut, "/fhir/"+kind+"/"+id, strings.Replace(body, "{", `{"id":"`+id+`",`, 1))
	w.etag[kind+"/"+id] = strings.Trim(strings.TrimPrefix(a.header.Get("ETag"), "W/"), `"`)
	return kind + "/" + id
}

const hiddenActivity = `{"extension":[{"url":"http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label",
	"valueCoding":{"system":"` + labelSystem + `","code":"okonomi"}}],"detail":{"status":"not-started","code":{"coding":[{"system":"urn:sluse:test","code":"skjult"}]},"description":"Gjeldsrådgivning"}}`

// hide adds what nobody but the bydel may see: other labels, other persons, another custodian's
// records, dates around those that are visible.
func (w *world) hide(t *testing.T) {
	bydel := w.asks["bydel-sagene"]
	kari := "Patient/" + bydel.herID + "-kari"
	secret := `"meta":{"security":[{"system":"` + labelSystem + `","code":"okonomi"}]},`
	label := func(body string) string { return strings.Replace(body, "{", "{"+secret, 1) }
	for n := range 20 {
		w.store(t, "CarePlan", fmt.Sprintf("skjult-%d", n), label(carePlan(kari, fmt.Sprintf("skjult-%d", n), 900)))
	}
	w.store(t, "ServiceRequest", "skjult", label(`{"resourceType":"ServiceRequest","status":"active","intent":"order","code":{"text":"Annet"},"subject":{"reference":"`+kari+`"},"authoredOn":"2026-02-02"}`))
	w.store(t, "Task", "skjult", label(`{"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"`+kari+`"},
		"owner":{"reference":"`+w.asks["ous-tsb"].organization+`"},"authoredOn":"2026-02-02"}`))
	w.store(t, "Observation", "skjult", label(`{"resourceType":"Observation","status":"final","code":{"text":"Gjeld"},"subject":{"reference":"`+kari+`"},"valueString":"x"}`))
	other := "Patient/" + bydel.herID + "-annen"
	w.deliver(t, "skjult-1", otherNIN) // no samtykke lets it through
	w.withhold(t, "annen", otherNIN)
	for n := range 5 {
		w.store(t, "CarePlan", fmt.Sprintf("annen-%d", n), carePlan(other, fmt.Sprintf("annen-%d", n), 900))
	}
	w.store(t, "Consent", "annen", consent(other, bydel.organization, []string{w.as("velferdsetaten").organization}, []string{bydel.organization}, []string{"bolig"}))
}

// withhold lets a message lie in the hospital's mailbox when the samtykke is withdrawn. The hospital is told that there
// was one, and no more (it could see it before): so there is one in both worlds, about different persons.
func (w *world) withhold(t *testing.T, name, nin string) {
	bydel := w.asks["bydel-sagene"]
	person := "Patient/" + bydel.herID + "-" + name
	given := w.store(t, "Consent", "tilbaketrukket", consent(person, bydel.organization, []string{w.asks["ous-tsb"].organization},
		[]string{bydel.organization}, []string{"logistikk", "rus", "psykisk", "somatisk"}))
	w.deliver(t, "skjult-2", nin)
	bydel.must(http.StatusNoContent, http.MethodDelete, "/fhir/"+given, nil)
}

// deliver hands in a message from the bydel to the hospital about somebody.
func (w *world) deliver(t *testing.T, msgID, nin string) {
	t.Helper()
	bydel := w.asks["bydel-sagene"]
	document := admitted(msgID, bydel.herID, w.asks["ous-tsb"].herID, nin, "Ullevål")
	if a, err := bydel.postMessage(document); err != nil || a.status != http.StatusCreated {
		t.Fatalf("message: %v, status %d: %s", err, a.status, a.body)
	}
}

// settle lets what works in the background end.
func (w *world) settle(*testing.T) { time.Sleep(1500 * time.Millisecond) }

// put asks one store.
func (w *world) put(t *testing.T, p probe) answer {
	t.Helper()
	c := w.asks[p.who]
	path := p.path
	if p.follow {
		if w.next == "" {
			path = "/fhir/CarePlan?_count=1"
		} else {
			path = w.next
		}
	}
	text, media, header := p.body, p.media, slices.Clone(p.header)
	if p.form != "" {
		text, media = p.form, "application/x-www-form-urlencoded"
	}
	path, text = w.fill(c, path), w.fill(c, text)
	for i := range header {
		header[i] = w.fill(c, header[i])
	}
	if p.message != "" {
		a, err := c.postMessage(p.message)
		if err != nil {
			t.Errorf("message: %v", err)
		}
		return a
	}
	a, err := c.try(p.method, path, media, []byte(text), header...)
	if err != nil {
		t.Errorf("%s %s: %v", p.method, path, err)
		return a
	}
	w.next = ""
	if p.export && a.status == http.StatusAccepted {
		return w.exported(c, a)
	}
	if a.status == http.StatusOK && bytes.HasPrefix(a.body, []byte("{")) && (bytes.Contains(a.body, []byte(`"searchset"`)) || bytes.Contains(a.body, []byte(`"type":"history"`))) {
		_, next := entries(t, a.body)
		w.next = strings.TrimPrefix(next, w.base)
	}
	return a
}

var versionOf = regexp.MustCompile(`\{version of ([^}]*)\}`)

// fill writes what differs between the worlds, and who asks, into a request.
func (w *world) fill(c *client, text string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "{her}", c.herID), "{base}", url.QueryEscape(w.base))
	return versionOf.ReplaceAllStringFunc(text, func(m string) string {
		if version := w.etag[versionOf.FindStringSubmatch(m)[1]]; version != "" {
			return version
		}
		return "00000000-0000-4000-8000-000000000001"
	})
}

// exported waits until an export is complete, and gives all that its files hold.
func (w *world) exported(c *client, a answer) answer {
	u, err := url.Parse(a.header.Get("Content-Location"))
	if err != nil {
		w.t.Errorf("export: %v", err)
		return a
	}
	files := c.files(u.Path, time.Minute)
	for _, kind := range slices.Sorted(maps.Keys(files)) {
		for _, path := range files[kind] {
			lines, err := c.try(http.MethodGet, path, "", nil)
			if err != nil {
				w.t.Errorf("export: %v", err)
			}
			list := strings.Split(string(uuids.ReplaceAll(lines.body, []byte("random"))), "\n") // by id, and some ids are random
			slices.Sort(list)
			a.body = append(append(a.body, kind...), strings.Join(list, "\n")...)
		}
	}
	if _, err := c.try(http.MethodDelete, u.Path, "", nil); err != nil {
		w.t.Errorf("export: %v", err)
	}
	return a
}

// generate makes requests that a curious party would make.
func generate(random *rand.Rand, count int) []probe {
	const her = "80001001"
	visible := []string{"CarePlan/" + her + "-plan-1", "CarePlan/" + her + "-plan-7", "ServiceRequest/" + her + "-henvisning", "Task/" + her + "-oppgave", "Patient/" + her + "-kari"}
	hidden := []string{"CarePlan/" + her + "-skjult-3", "ServiceRequest/" + her + "-skjult", "Task/" + her + "-skjult", "Observation/" + her + "-skjult", "Patient/" + her + "-annen",
		"CarePlan/" + her + "-annen-1", "Consent/" + her + "-annen", "CarePlan/" + her + "-aldri", "Patient/finnes-ikke", "CarePlan/%20", "CarePlan/" + strings.Repeat("x", 65)}
	patients := []string{"Patient/" + her + "-kari", "Patient/" + her + "-annen", "Patient/finnes-ikke", her + "-kari", "Patient/", "Organization/" + her}
	types := []string{"CarePlan", "ServiceRequest", "Task", "Observation", "Condition", "Patient", "Consent", "Goal", "AuditEvent", "Provenance"}
	one := func(list []string) string { return list[random.IntN(len(list))] }
	var probes []probe
	for len(probes) < count {
		p := probe{who: one(askers), method: http.MethodGet}
		if random.IntN(2) == 0 {
			p.who = "ous-tsb"
		}
		ref := one(slices.Concat(visible, hidden))
		switch random.IntN(14) {
		case 11, 12:
			p.path = "/fhir/" + wideQuery(one, her)
			if before, query, ok := strings.Cut(p.path, "?"); ok && strings.Count(before, "/") == 2 && random.IntN(4) == 0 {
				p.method, p.path, p.form = http.MethodPost, before+"/_search", query
			}
		case 13:
			p.path = "/fhir/" + one(patients) + "/" + one([]string{"*", "CarePlan", "Task", "Observation", "ServiceRequest", "Consent", "Patient", "Goal", "Practitioner"}) +
				"?" + one([]string{"", "_total=accurate", "_count=2", "_sort=-_lastUpdated", "_type=CarePlan,Observation"})
		case 0, 1:
			p.path = "/fhir/" + ref
		case 2:
			version := one([]string{"{version of " + one(visible) + "}", "1", "00000000-0000-4000-8000-000000000000"})
			p.path = "/fhir/" + ref + "/_history/" + version
		case 3:
			p.path = "/fhir/" + ref + "/_history" + one([]string{"", "?_count=1", "?_count=x"})
		case 4, 5, 6:
			query := searchQuery(random, one, patients)
			p.path = "/fhir/" + one(types) + "?" + query
			if random.IntN(4) == 0 {
				p.method, p.path, p.form = http.MethodPost, "/fhir/"+one(types)+"/_search", query
			}
		case 7:
			p.follow = true
			if len(probes) == 0 || probes[len(probes)-1].who != p.who {
				first := probe{who: p.who, method: http.MethodGet, path: "/fhir/CarePlan?_sort=-date&_count=5&patient=Patient/" + her + "-kari"}
				probes = append(probes, first)
			}
		case 8:
			nin := one([]string{kariNIN, otherNIN, unknownNIN, "12345678901"})
			p.method, p.path, p.form = http.MethodPost, "/fhir/Patient/_search", url.Values{"identifier": {one([]string{"urn:oid:2.16.578.1.12.4.1.4.1|", ""}) + nin}}.Encode()
		case 9:
			p.method, p.path = one([]string{http.MethodPut, http.MethodDelete}), "/fhir/"+one(hidden)
			if p.method == http.MethodPut {
				kind, id, _ := strings.Cut(strings.TrimPrefix(p.path, "/fhir/"), "/")
				p.media, p.body = "application/fhir+json", `{"resourceType":"`+kind+`","id":"`+id+`","status":"active","intent":"plan","subject":{"reference":"Patient/x"}}`
			}
		case 10:
			her := map[string]string{"ous-tsb": "80001006", "sosial-sagene": "80001002", "fastlege-sagene": "80001005", "nav-sagene": "80001003", "legevakt": "80001007"}[p.who]
			p.path = one([]string{"/edi/Messages?ReceiverHerIds=" + her, "/edi/Messages/00000000-0000-4000-8000-000000000000/business-document", "/edi/Messages/x"})
		}
		probes = append(probes, p)
	}
	return probes
}

// wideQuery asks by ways that go over other records, count, sort and bring along.
func wideQuery(one func([]string) string, her string) string {
	kari, annen := her+"-kari", her+"-annen"
	return one([]string{
		"CarePlan?patient.identifier=urn:x|1", "CarePlan?patient.birthdate=ge1900", "CarePlan?subject:Patient.name=" + one([]string{"a", "k", "p", "prøve", "synt"}),
		"CarePlan?patient._id=" + annen, "Task?focus:ServiceRequest.status=active", "Task?focus:ServiceRequest.code:text=" + one([]string{"annet", "vurdering"}),
		"Task?owner.name=" + one([]string{"o", "b"}), "Patient?_has:CarePlan:patient:status=active", "Patient?_has:Observation:patient:status=final",
		"Patient?_has:Observation:patient:value-string=x", "Patient?_has:CarePlan:patient:identifier=urn:sluse:test|skjult-3", "Patient?_id=" + kari + "&_has:CarePlan:patient:activity-code=skjult",
		"Organization?_has:Task:owner:status=requested&_total=accurate", "Organization?_has:Task:owner:authored-on=2026-02-02", "ServiceRequest?_has:Task:focus:status=requested",
		"ServiceRequest?_has:Task:focus:_id=" + her + "-skjult", "CarePlan?activity-code=skjult", "CarePlan?activity-code:missing=" + one([]string{"true", "false"}),
		"CarePlan?activity-code:not=skjult&_total=accurate", "CarePlan?activity-code:text=" + one([]string{"gjeld", "b"}), "CarePlan?_list=" + her + "-skjult",
		"CarePlan?_total=" + one([]string{"accurate", "estimate", "none"}) + "&_count=" + one([]string{"0", "1", "5"}), "CarePlan?_summary=" + one([]string{"count", "true", "text", "data"}),
		"CarePlan?_elements=title,activity&_count=3", "CarePlan?_sort=" + one([]string{"_id", "-_id", "date,_id", "-date,_id"}) + "&_count=5", "Task?_sort=-modified,_lastUpdated&_total=accurate",
		"Task?_include=Task:focus&_include=Task:patient", "Task?_include=Task:*", "ServiceRequest?_revinclude=Task:focus", "Patient?_revinclude=CarePlan:patient&_revinclude=Observation:patient",
		"Patient?_id=" + kari + "," + annen + "&_revinclude=Task:patient&_include:iterate=Task:focus", "Organization?_revinclude=Task:owner&_count=200", "CarePlan?patient=" + kari + "&_revinclude=Provenance:target",
		"?_type=CarePlan,Task,Observation&_count=7", "?_type=CarePlan,Patient&_total=accurate", "?_type=Task,ServiceRequest&status=requested", "?_type=Patient&_has:CarePlan:patient:status=active",
		"Observation?value-string=x&_total=accurate", "Observation?code:text=gjeld", "Observation?_security=okonomi&_total=accurate", "CarePlan?_security=" + one([]string{"okonomi", "plan"}) + "&_total=accurate",
		"CarePlan?_has:Task:focus:status=requested", "Task?for=x", "Task?subject:missing=true&_total=accurate", "CarePlan?identifier:not=urn:sluse:test|synlig-3&_total=accurate",
	})
}

func searchQuery(random *rand.Rand, one func([]string) string, patients []string) string {
	q := url.Values{}
	if random.IntN(4) > 0 {
		q.Set(one([]string{"patient", "patient", "subject"}), one(patients))
	}
	for range random.IntN(3) {
		switch random.IntN(6) {
		case 0:
			q.Set("_count", one([]string{"1", "3", "100", "0", "1000"}))
		case 1:
			q.Set("status", one([]string{"active", "requested", "completed", "x"}))
		case 2:
			q.Set("date", one([]string{"2026-01-01", "ge2026-01-01", "lt2020", "2026-13"}))
		case 3:
			q.Set("identifier", one([]string{"urn:sluse:test|synlig-3", "urn:sluse:test|skjult-3", "skjult-3", "urn:sluse:test|annen-1"}))
		case 4:
			q.Set("_sort", one([]string{"date", "-date", "_lastUpdated", "-_lastUpdated", "title"}))
		case 5:
			q.Set("_lastUpdated", one([]string{"ge2026-01-01", "lt2020-01-01"}))
		}
	}
	return q.Encode()
}

var (
	// ids and versions, and the alias under which a ledger names a person (a keyed hash)
	uuids    = regexp.MustCompile(`person","value":"[0-9a-f]{16}"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	instants = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)`)
	ports    = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	queries  = regexp.MustCompile(`("(?:query|businessDocument)":")([A-Za-z0-9+/=]+)`)
	requests = regexp.MustCompile(`"requestId":"[0-9a-f]{32}"`)
	tokens   = regexp.MustCompile(`"policy":\["[A-Za-z0-9_-]{22}"\]`)
	cursors  = regexp.MustCompile(`(page|_page|cursor)=([A-Za-z0-9_%-]+)`)
)

// canonical writes an answer with what is random or of the clock renamed: each random value to
// the number of its first appearance, page links to their length.
func canonical(a answer) string {
	var b strings.Builder
	fmt.Fprintln(&b, a.status)
	var names []string
	for name := range a.header {
		if name != "Date" && name != "X-Request-Id" && name != "Last-Modified" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(a.header[name], ", "))
	}
	b.Write(a.body)
	text := queries.ReplaceAllStringFunc(b.String(), func(m string) string {
		decoded, _ := base64.StdEncoding.DecodeString(queries.FindStringSubmatch(m)[2])
		return queries.FindStringSubmatch(m)[1] + string(decoded)
	})
	text = strings.ReplaceAll(text, "127.0.0.1%3A", "127.0.0.1:")
	text = ports.ReplaceAllString(text, "host")
	text = instants.ReplaceAllString(text, "instant")
	text = requests.ReplaceAllString(text, `"requestId":"request"`)
	text = tokens.ReplaceAllString(text, `"policy":["jti"]`)
	text = cursors.ReplaceAllStringFunc(text, func(m string) string {
		name, value, _ := strings.Cut(m, "=")
		return fmt.Sprintf("%s=[%d]", name, len(value))
	})
	seen := map[string]int{}
	text = uuids.ReplaceAllStringFunc(text, func(m string) string {
		if _, ok := seen[m]; !ok {
			seen[m] = len(seen) + 1
		}
		return fmt.Sprintf("random-%d", seen[m])
	})
	return text
}

// The renaming hides nothing but what is random: answers that differ in a word or in length stay
// different.
func TestCanonicalKeepsDifferences(t *testing.T) {
	t.Parallel()
	body := func(v any) answer {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return answer{status: 200, header: http.Header{"Content-Type": {"x"}}, body: b}
	}
	same := []answer{
		body(map[string]any{"id": "11111111-1111-4111-8111-111111111111", "t": "2026-01-01T00:00:00Z"}),
		body(map[string]any{"id": "22222222-2222-4222-8222-222222222222", "t": "2026-01-02T00:00:00.5Z"}),
	}
	if canonical(same[0]) != canonical(same[1]) {
		t.Error("random values are not renamed")
	}
	different := []answer{
		same[0], body(map[string]any{"id": "x"}), body([]string{"11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"}),
		body([]string{"11111111-1111-4111-8111-111111111111", "11111111-1111-4111-8111-111111111111"}),
		{status: 404, header: same[0].header, body: same[0].body}, {status: 200, header: http.Header{}, body: same[0].body},
	}
	for i := range different {
		for j := range i {
			if canonical(different[i]) == canonical(different[j]) {
				t.Errorf("%d and %d look the same", i, j)
			}
		}
	}
}
