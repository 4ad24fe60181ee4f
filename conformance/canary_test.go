package conformance_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// aviary is a server with a word of its own in every place of hidden records, and what has been seen of it.
type aviary struct {
	*world
	*planter
	hidden  []string        // records with words
	words   map[string]bool // all that are stored and hidden
	kinds   map[string]int  // how many words each type holds
	seen    int             // answers looked at
	visible int             // times the word that all may see was seen
}

// seenByAll stands where the hospital may see it: who looks would see the others too.
const seenByAll = "kanarisynligforalle"

// No word of a hidden record, whatever its place, is in an answer, a header, a message, a notification, a
// log line or a metric of anybody else.
func TestCanaries(t *testing.T) {
	t.Parallel()
	listenCanaries(t, 700)
}

func listenCanaries(t *testing.T, count int) {
	receiver := newSubscriber(t)
	v := newAviary(t, receiver)
	visible := slices.Sorted(maps.Keys(v.etag))
	random := seeded(t)
	c := newCurious(t, v.world, random, visible, v.hidden)
	probes, doors := c.withDoors(count)
	for _, ref := range v.hidden { // each at least once by whoever may read the rest
		kind, id, _ := strings.Cut(ref, "/")
		for _, path := range []string{ref, ref + "/_history", kind + "?_id=" + id, ref + "/$meta", "AuditEvent?entity=" + ref, "Provenance?target=" + ref, kind + "?_id=" + id + "&_include=*&_revinclude=*"} {
			probes = append(probes, probe{who: "ous-tsb", method: http.MethodGet, path: "/fhir/" + path, door: "read"})
		}
	}
	for kind := range v.kinds {
		for _, who := range append(slices.Clone(askers), "drift") {
			probes = append(probes, probe{who: who, method: http.MethodGet, path: "/fhir/" + kind + "?_count=200&_total=accurate", door: "search"})
		}
	}
	for _, p := range probes {
		if asks := p.path + p.form + p.body + strings.Join(p.header, " "); planted.MatchString(asks) { // what one says oneself is no secret
			continue
		}
		a := v.put(t, p)
		v.look(t, fmt.Sprintf("%s as %s: %s %s", p.door, p.who, p.method, p.path), a)
	}
	v.lookAsPatient(t)
	v.lookAround(t, receiver)
	paths := map[string]bool{}
	for w := range v.words {
		paths[v.places[w]] = true
	}
	t.Logf("%d words in %d places (paths) of %d hidden records of %d types; %d answers looked at, by door %v; the word that may be seen was seen %d times",
		len(v.words), len(paths), len(v.hidden), len(v.kinds), v.seen, doors, v.visible)
	for _, kind := range recordKinds {
		if !slices.Contains(directoryKinds, kind) && v.kinds[kind] < 20 {
			t.Errorf("%s holds only %d words", kind, v.kinds[kind])
		}
	}
	if len(v.words) < 2000 || v.visible < 20 {
		t.Errorf("%d words, seen what may be seen %d times: the test shows little", len(v.words), v.visible)
	}
}

// newAviary plants words in records of every type: of Kari under the label that the samtykke leaves out, and of
// somebody else.
func newAviary(t *testing.T, receiver *subscriber) *aviary {
	v := &aviary{world: newWorldWith(t, true, "--log-level=debug", "--notify", receiver.URL+"/inn"), planter: newPlanter("a"), words: map[string]bool{}, kinds: map[string]int{}}
	bydel := v.asks["bydel-sagene"]
	v.asks["drift"], v.asks["velferdsetaten"] = v.as("drift"), v.as("velferdsetaten")
	v.world.store(t, "CarePlan", "synlig", strings.Replace(carePlan("Patient/"+bydelHER+"-kari", "synlig", 500), "Plan synlig", seenByAll, 1))
	v.subscribe(t, receiver)
	v.visibleOnly(t)
	kari, other := "Patient/"+bydelHER+"-kari", "Patient/"+bydelHER+"-kanarifugl"
	v.plantOne(t, "Patient", other, func(body string) string {
		return strings.Replace(body, `"identifier":[`, `"identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"`+synthetic(400)+`"},`, 1)
	}, other, 0)
	for _, kind := range recordKinds {
		if kind == "Patient" || slices.Contains(directoryKinds, kind) {
			continue
		}
		name := kind + "/" + bydelHER + "-kanari-" + strings.ToLower(kind)
		v.plantOne(t, kind, name+"-0", secretly, kari, 0)
		for variant := 1; variant < 4; variant++ {
			v.plantOne(t, kind, fmt.Sprintf("%s-%d", name, variant), asWritten, other, variant)
		}
	}
	v.byHand(t, bydel, other)
	v.controls(t, bydel)
	return v
}

// plantOne stores one record with words.
func (v *aviary) plantOne(t *testing.T, kind, ref string, change func(string) string, about string, variant int) {
	t.Helper()
	r := v.plant(kind, ref[strings.IndexByte(ref, '/')+1:], about, variant)
	words := v.sow(v.asks["bydel-sagene"], r, change)
	v.keepWords(kind, ref, words)
}

func (v *aviary) keepWords(kind, ref string, words []string) {
	for _, w := range words {
		v.words[w] = true
	}
	v.kinds[kind] += len(words)
	v.hidden = append(v.hidden, ref)
}

// byHand plants what has rules of its own: Consent, Binary, Provenance, the parts of a visible plan, and a
// message.
func (v *aviary) byHand(t *testing.T, bydel *client, other string) {
	w := func(path string) string { return v.word(path) }
	agreed := consent(other, bydel.organization, []string{v.asks["velferdsetaten"].organization}, []string{bydel.organization}, []string{"bolig"})
	agreed = strings.Replace(agreed, `"status":"active",`, `"status":"active","identifier":[{"system":"http://example.org/`+w("Consent.identifier.system")+`","value":"`+w("Consent.identifier.value")+`"}],
		"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">`+w("Consent.text")+`</div>"},"sourceAttachment":{"contentType":"text/plain","title":"`+w("Consent.source.title")+`","data":"`+base64.StdEncoding.EncodeToString([]byte(w("Consent.source.data")))+`"},`, 1)
	plan := strings.Replace(carePlan("Patient/"+bydelHER+"-kari", "deler", 500), `"activity":[`, `"activity":[`+strings.Replace(hiddenActivity, "Gjeldsrådgivning", w("CarePlan.activity.description"), 1)+`,`, 1)
	for _, one := range []struct{ ref, body string }{
		{"Consent/" + bydelHER + "-kanari-samtykke", agreed}, {"CarePlan/" + bydelHER + "-kanari-deler", plan},
		{"Binary/" + bydelHER + "-kanari-binary", `{"resourceType":"Binary","contentType":"text/plain","data":"` + base64.StdEncoding.EncodeToString([]byte(w("Binary.data"))) + `","securityContext":{"reference":"CarePlan/` + bydelHER + `-kanari-careplan-0"}}`},
		{"QuestionnaireResponse/" + bydelHER + "-kanari-svar", `{"resourceType":"QuestionnaireResponse","status":"completed","subject":{"reference":"` + other + `"},"item":[{"linkId":"` + w("item.linkId") + `","text":"` + w("item.text") + `","definition":"http://example.org/` + w("item.definition") + `","answer":[{"valueString":"` + w("item.answer") + `","item":[{"linkId":"` + w("item.answer.item.linkId") + `","answer":[{"valueCoding":{"code":"` + w("item.answer.item") + `"}}]}]}]}]}`},
	} {
		bydel.must(http.StatusCreated, http.MethodPut, "/fhir/"+one.ref, named(one.body, one.ref))
		kind, _, _ := strings.Cut(one.ref, "/")
		v.keepWords(kind, one.ref, planted.FindAllString(one.body, -1))
		for _, m := range inBase64.FindAllStringSubmatch(one.body, -1) {
			b, _ := base64.StdEncoding.DecodeString(m[1])
			v.keepWords(kind, one.ref, planted.FindAllString(string(b), -1))
		}
	}
	made := bydel.create(`{"resourceType":"Provenance","target":[{"reference":"CarePlan/` + bydelHER + `-kanari-careplan-0"}],"recorded":"2026-03-01T10:00:00+01:00","reason":[{"text":"` + w("Provenance.reason") + `"}],"agent":[{"who":{"display":"` + w("Provenance.agent.who") + `"}}]}`)
	v.keepWords("Provenance", made, []string{v.last(2), v.last(1)})
	document := admitted("kanari-melding", bydel.herID, v.asks["ous-tsb"].herID, synthetic(400), w("StedHendelse"))
	if a, err := bydel.postMessage(document); err != nil || a.status != http.StatusCreated {
		t.Fatalf("message: %v, status %d: %s", err, a.status, a.body)
	}
	v.words[v.last(1)] = true
}

// last is the word that was made so many before.
func (v *aviary) last(n int) string { return fmt.Sprintf("kanari%s%06d", v.prefix, len(v.places)-n) }

// controls demands that what was planted is there: the custodian reads every word.
func (v *aviary) controls(t *testing.T, bydel *client) {
	t.Helper()
	found := map[string]bool{}
	for _, ref := range v.hidden {
		a := bydel.must(http.StatusOK, http.MethodGet, "/fhir/"+ref, nil)
		for _, w := range v.wordsIn(a.body) {
			found[strings.ToLower(w)] = true
		}
	}
	lost := 0
	for w := range v.words {
		if !found[w] && v.places[w] != "StedHendelse" {
			if lost++; lost < 10 {
				t.Errorf("%s at %s is not stored", w, v.places[w])
			}
		}
	}
}

var inBase64 = regexp.MustCompile(`"([A-Za-z0-9+/]{12,}={0,2})"`)

// wordsIn finds words in bytes as they are, and in base64.
func (v *aviary) wordsIn(body []byte) []string {
	found := planted.FindAllString(string(body), -1)
	for _, m := range inBase64.FindAllSubmatch(body, -1) {
		if b, err := base64.StdEncoding.DecodeString(string(m[1])); err == nil {
			found = append(found, planted.FindAllString(string(b), -1)...)
		}
	}
	return found
}

// look demands that an answer holds no word.
func (v *aviary) look(t *testing.T, asked string, a answer) {
	t.Helper()
	v.seen++
	v.visible += bytes.Count(a.body, []byte(seenByAll))
	header, err := json.Marshal(a.header)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range append(v.wordsIn(a.body), v.wordsIn(header)...) {
		if v.words[strings.ToLower(w)] {
			t.Errorf("LEAK: %s shows %s of %s", asked, w, v.places[strings.ToLower(w)])
			return
		}
	}
}

// lookAsPatient asks as Kari, who may see what is about herself and nothing of what is about somebody else.
func (v *aviary) lookAsPatient(t *testing.T) {
	t.Helper()
	kari, mine := v.as("pasient"), map[string]bool{}
	for _, ref := range v.hidden {
		a := v.asks["bydel-sagene"].must(http.StatusOK, http.MethodGet, "/fhir/"+ref, nil)
		if bytes.Contains(a.body, []byte("Patient/"+bydelHER+"-kari\"")) || bytes.Contains(a.body, []byte(bydelHER+"-kanari-careplan-0\"")) { // or about what is about her
			for _, w := range v.wordsIn(a.body) {
				mine[strings.ToLower(w)] = true
			}
		}
	}
	others := maps.Clone(v.words)
	maps.DeleteFunc(others, func(w string, _ bool) bool { return mine[w] })
	all := v.words
	v.words = others
	for _, ref := range v.hidden {
		kind, id, _ := strings.Cut(ref, "/")
		for _, path := range []string{ref, ref + "/_history", kind + "?_id=" + id, kind + "?_count=200", "AuditEvent?entity=" + ref} {
			a, err := kari.try(http.MethodGet, "/fhir/"+path, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			v.look(t, "pasient: "+path, a)
		}
	}
	v.words = all
	if len(mine) < 500 || len(others) < 2000 {
		t.Errorf("%d words about her, %d about others", len(mine), len(others))
	}
}

// lookAround looks at mailboxes, notifications, metrics and the log.
func (v *aviary) lookAround(t *testing.T, receiver *subscriber) {
	t.Helper()
	ward := &ward{}
	for _, who := range askers {
		ward.drain(t, v.asks[who], func(d document) { v.look(t, "message to "+who, answer{body: d.raw}) })
	}
	v.settle(t)
	receiver.mu.Lock()
	told := slices.Clone(receiver.bodies)
	receiver.mu.Unlock()
	for _, body := range told {
		v.look(t, "notification", answer{body: []byte(body)})
	}
	if len(told) < 2 {
		t.Errorf("only %d notifications came", len(told))
	}
	res, err := http.Get(v.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || len(metrics) < 500 {
		t.Fatalf("metrics: %v, %d bytes", err, len(metrics))
	}
	v.look(t, "metrics", answer{body: metrics})
	v.end(syscall.SIGTERM)
	lines := 0
	for line := range strings.Lines(v.out.String()) {
		lines++
		v.look(t, "log", answer{body: []byte(line)})
	}
	if lines < 100 {
		t.Errorf("only %d lines of log", lines)
	}
	t.Logf("%d notifications, %d bytes of metrics, %d lines of log", len(told), len(metrics), lines)
}

// subscribe has the hospital told of all that it may be told of.
func (v *aviary) subscribe(t *testing.T, receiver *subscriber) {
	t.Helper()
	hospital := v.asks["ous-tsb"]
	for _, topic := range []string{"oppgave-endret"} {
		hospital.create(`{"resourceType":"Subscription","status":"requested","reason":"Prøve","criteria":"http://sluse.no/fhir/SubscriptionTopic/` + topic + `",
			"channel":{"type":"rest-hook","endpoint":"` + receiver.URL + `/inn","payload":"application/fhir+json",
			"_payload":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content","valueCode":"full-resource"}]}}}`)
	}
}

// visibleOnly stores what the hospital may see and is told of.
func (v *aviary) visibleOnly(t *testing.T) {
	t.Helper()
	f := furnish(rand.New(rand.NewPCG(11, 1)), bydelHER+"-apen-", "Patient/"+bydelHER+"-kari", 1, nil)
	v.keep(t, v.asks["bydel-sagene"], f.bodies, asWritten)
}
