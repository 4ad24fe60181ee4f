package conformance_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// givenConsent is one Consent as it was given, by what it differs from the usual: a samtykke of the bydel for its
// records to the hospital, from yesterday and for most of a year.
type givenConsent struct {
	labels, nested string // nested: a deny inside
	to, by, from   string // personas; the hospital, the bydel, the bydel
	start, end     int    // days from today; from yesterday for 300 days when both are zero
	status, law    string
	deny           bool
	purpose        string
	action         string
	class          string
	item           string // name of a class: that record and no label
	before         bool   // of data older than all
	after          string // what is done to it later
}

// bypassPerson is a person in one state.
type bypassPerson struct {
	nin     string
	patient string // of the bydel
	consent string // the first of hers
	also    string // Patient of another party that registers
}

// bypassWorld is one Sluse with a person for each state and a record of each class about each.
type bypassWorld struct {
	*server
	t        testing.TB
	parties  map[string]*client
	persons  []bypassPerson
	versions [][][2]string // of each state and class, the first and the second
	sources  []string      // ids of the Provenances, which the server chooses
	signer   *bypassSigner
	tokens   sync.Map
	// subscribed are the Subscriptions of parties.
	subscribed []subscription
}

const ownSystem = "urn:sluse:bypass"

func newBypassWorld(t *testing.T) *bypassWorld {
	t.Helper()
	var receivers []*subscriber
	args := []string{"--no-story"}
	for range 3 {
		r := newSubscriber(t)
		receivers, args = append(receivers, r), append(args, "--notify", r.URL+"/inn")
	}
	w := &bypassWorld{t: t, server: start(t, args...), parties: map[string]*client{}}
	for _, name := range []string{"bydel-sagene", "ous-tsb", asSecond, asRegistrar, "nav-sagene", "drift"} {
		w.parties[name] = w.as(name)
	}
	w.versions = make([][][2]string, len(consentStates))
	w.persons, w.sources = make([]bypassPerson, len(consentStates)), make([]string, len(consentStates))
	w.subscribe(func() *subscriber {
		r := receivers[0]
		receivers = receivers[1:]
		return r
	})
	inTurn(len(consentStates), func(s int) { w.enroll(s) })
	w.signer = newBypassSigner(t, w.server)
	return w
}

// inTurn does work with numbers 0 to n-1, eight at a time.
func inTurn(n int, work func(int)) {
	var done sync.WaitGroup
	turns := make(chan int)
	for range 8 {
		done.Go(func() {
			for i := range turns {
				work(i)
			}
		})
	}
	for i := range n {
		turns <- i
	}
	close(turns)
	done.Wait()
}

// markOf is what every string of a record begins with: its state and class.
func markOf(s, c int) string { return fmt.Sprintf("zk%02d%02d", s, c) }

// refOf names the record of a class in a state.
func (w *bypassWorld) refOf(s, c int) string {
	if recordClasses[c].kind == "Provenance" {
		return w.sources[s]
	}
	return recordClasses[c].kind + "/" + w.parties["bydel-sagene"].herID + "-" + markOf(s, c)
}

// syntheticNIN is the n-th number of a person who is nobody (month + 80).
func syntheticNIN(n int) string { return bornNIN("079170", n) }

// bornNIN is the n-th number of that birth date, DDMMYY.
func bornNIN(born string, n int) string {
	digit := func(s string, weights ...int) int {
		sum := 0
		for i, w := range weights {
			sum += w * int(s[i]-'0')
		}
		return (11 - sum%11) % 11
	}
	for serial, found := 10, 0; ; serial++ {
		s := born + fmt.Sprintf("%03d", serial)
		first := digit(s, 3, 7, 6, 1, 8, 9, 4, 5, 2)
		if first == 10 {
			continue
		}
		s += strconv.Itoa(first)
		last := digit(s, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
		if last == 10 {
			continue
		}
		if found == n {
			return s + strconv.Itoa(last)
		}
		found++
	}
}

// enroll makes the person of a state: Patients, records in two versions each, consents.
func (w *bypassWorld) enroll(s int) {
	w.t.Helper()
	bydel := w.parties["bydel-sagene"]
	p := bypassPerson{nin: syntheticNIN(s), patient: w.refOf(s, 0)}
	w.versions[s] = make([][2]string, len(recordClasses))
	task := classNamed("oppgave")
	for c := range recordClasses {
		for _, version := range []string{"o", "w"} {
			if c != task {
				w.write(s, c, p, version)
			}
		}
	}
	w.parties["ous-tsb"].create(patient(p.nin))
	p.also = w.parties[asRegistrar].create(patient(p.nin))
	for n, g := range consentStates[s].given {
		if made := w.give(s, p, g); n == 0 {
			p.consent = made
		}
	}
	st := consentStates[s]
	if st.shield != "" {
		bydel.must(http.StatusOK, http.MethodPost, "/fhir/"+p.patient+"/$protect", operands("code", st.shield, "reason", "trusler"))
	}
	if st.withheld != "" {
		bydel.must(http.StatusOK, http.MethodPost, "/fhir/"+w.refOf(s, classNamed(st.withheld))+"/$withhold", operands("code", "nektet", "reason", "samtalen er ikke holdt"))
	}
	w.persons[s] = p
	for _, version := range []string{"o", "w"} { // once the consents are as they stay: subscribers are told while one holds
		w.write(s, task, p, version)
	}
	document := admitted("post-"+markOf(s, classOfMail), bydel.herID, w.parties["ous-tsb"].herID, p.nin, markOf(s, classOfMail)+"w")
	if a, err := bydel.postMessage(document); err != nil || a.status != http.StatusCreated {
		w.t.Errorf("message of %s: %v, %d %s", st.name, err, a.status, a.body)
	}
}

// bodyOf is one version of a record.
func (w *bypassWorld) bodyOf(s, c int, p bypassPerson, version string) string {
	bydel := w.parties["bydel-sagene"]
	body := recordBodies[recordClasses[c].name]
	mark := markOf(s, c)
	secret := ""
	if version == "w" {
		secret = `"meta":{"security":[{"system":"` + labelSystem + `","code":"okonomi"}]},`
	}
	pairs := []string{
		"{p}", p.patient, "{nin}", p.nin, "{v}", mark + version, "{m}", mark, "{secret}", secret,
		"{known}", `"identifier":[{"system":"` + ownSystem + `","value":"` + mark + version + `"}]`,
		"{told}", `"text":{"status":"additional","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">` + mark + `n</div>"}`,
		"{hospital}", w.parties["ous-tsb"].organization, "{bydel}", bydel.organization,
		"{base64}", base64.StdEncoding.EncodeToString([]byte(mark + version + "xx")),
		"{system}", labelSystem, "{ds4p}", "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label",
	}
	for i, other := range recordClasses {
		pairs = append(pairs, "{"+other.name+"}", w.refOf(s, i), "{"+other.name+" tegn}", markOf(s, i))
	}
	return strings.NewReplacer(pairs...).Replace(body)
}

// write stores one version of a record.
func (w *bypassWorld) write(s, c int, p bypassPerson, version string) {
	w.t.Helper()
	bydel, body := w.parties["bydel-sagene"], w.bodyOf(s, c, p, version)
	if recordClasses[c].kind == "Provenance" {
		if version == "w" {
			w.sources[s] = bydel.create(body)
		}
		return
	}
	ref := w.refOf(s, c)
	_, id, _ := strings.Cut(ref, "/")
	body = strings.Replace(body, "{", `{"id":"`+id+`",`, 1)
	status := http.StatusCreated
	if version == "w" {
		status = http.StatusOK
	}
	a, err := bydel.try(http.MethodPut, "/fhir/"+ref, "application/fhir+json", []byte(body))
	if err != nil || a.status != status {
		w.t.Errorf("%s %s: %v, %d %s\n%s", ref, version, err, a.status, a.body, body)
	}
	n := strings.Index("ow", version)
	w.versions[s][c][n] = strings.Trim(strings.TrimPrefix(a.header.Get("ETag"), "W/"), `"`)
}

func operands(pairs ...string) string {
	var list []string
	for i := 0; i+1 < len(pairs); i += 2 {
		value := "valueCode"
		if pairs[i] == "reason" || pairs[i] == "version" {
			value = "valueString"
		}
		list = append(list, fmt.Sprintf(`{"name":"%s","%s":"%s"}`, pairs[i], value, pairs[i+1]))
	}
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(list, ",") + `]}`
}

// give registers a Consent and does to it what is done later.
func (w *bypassWorld) give(s int, p bypassPerson, g givenConsent) string {
	w.t.Helper()
	by := w.parties["bydel-sagene"]
	about := p.patient
	if g.by != "" {
		by, about = w.parties[g.by], p.also
	}
	body := w.consentBody(s, about, by, g)
	made := by.create(body)
	_, id, _ := strings.Cut(made, "/")
	again := func(body string) {
		by.must(http.StatusOK, http.MethodPut, "/fhir/"+made, strings.Replace(body, "{", `{"id":"`+id+`",`, 1))
	}
	switch g.after {
	case "inactive":
		again(strings.Replace(body, `"status":"active"`, `"status":"inactive"`, 1))
	case "deleted":
		by.must(http.StatusNoContent, http.MethodDelete, "/fhir/"+made, nil)
	case "narrowed":
		g.labels = "plan"
		again(w.consentBody(s, about, by, g))
	case "confirmed":
		a := by.must(http.StatusOK, http.MethodGet, "/fhir/"+made, nil)
		version := strings.Trim(strings.TrimPrefix(a.header.Get("ETag"), "W/"), `"`)
		w.parties["bydel-sagene"].must(http.StatusOK, http.MethodPost, "/fhir/"+made+"/$confirm", operands("version", version))
	}
	return made
}

func (w *bypassWorld) consentBody(s int, about string, by *client, g givenConsent) string {
	coded := func(system, code string) map[string]any {
		return map[string]any{"coding": []any{map[string]string{"system": system, "code": code}}}
	}
	labels := func(words string) (list []any) {
		for _, word := range strings.Fields(words) {
			list = append(list, map[string]string{"system": labelSystem, "code": word})
		}
		return list
	}
	or := func(a, b string) string {
		if a != "" {
			return a
		}
		return b
	}
	actor := func(role, persona string) map[string]any {
		return map[string]any{"role": coded("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", role),
			"reference": map[string]string{"reference": w.parties[persona].organization}}
	}
	day := func(days int) string { return time.Now().AddDate(0, 0, days).Format(time.DateOnly) }
	provision := map[string]any{"type": "permit"}
	if g.deny {
		provision["type"] = "deny"
	} else {
		if g.start == 0 && g.end == 0 {
			g.start, g.end = -1, 300
		}
		provision["period"] = map[string]string{"start": day(g.start), "end": day(g.end)}
		provision["actor"] = []any{actor("IRCP", or(g.to, "ous-tsb")), actor("CST", or(g.from, "bydel-sagene"))}
	}
	if g.labels != "" {
		provision["securityLabel"] = labels(g.labels)
	}
	if g.nested != "" {
		provision["provision"] = []any{map[string]any{"type": "deny", "securityLabel": labels(g.nested)}}
	}
	if g.purpose != "" {
		provision["purpose"] = []any{map[string]string{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": g.purpose}}
	}
	if g.action != "" {
		provision["action"] = []any{coded("http://terminology.hl7.org/CodeSystem/consentaction", g.action)}
	}
	if g.class != "" {
		provision["class"] = []any{map[string]string{"system": "http://hl7.org/fhir/resource-types", "code": g.class}}
	}
	if g.item != "" {
		provision["data"] = []any{map[string]any{"meaning": "instance", "reference": map[string]string{"reference": w.refOf(s, classNamed(g.item))}}}
	}
	if g.before {
		provision["dataPeriod"] = map[string]string{"start": "2019-01-01", "end": "2020-12-31"}
	}
	raw, err := json.Marshal(map[string]any{
		"resourceType": "Consent", "status": or(g.status, "active"), "dateTime": day(min(g.start, -1)),
		"scope":        coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
		"category":     []any{coded("http://terminology.hl7.org/CodeSystem/consentcategorycodes", "infa")},
		"patient":      map[string]string{"reference": about},
		"organization": []any{map[string]string{"reference": by.organization}},
		"policyRule":   coded("http://sluse.no/fhir/CodeSystem/rettsgrunnlag", or(g.law, "HPL22")),
		"provision":    provision,
	})
	if err != nil {
		w.t.Error(err)
	}
	return string(raw)
}

// token gives a token of somebody who asks about the person of a state.
func (w *bypassWorld) token(who bypasser, s int) string {
	about := who.about(s)
	key := fmt.Sprint(who.name, " ", about)
	if known, ok := w.tokens.Load(key); ok {
		return known.(string)
	}
	form := url.Values{"persona": {who.persona}, "expires_in": {"3600"}}
	if about >= 0 {
		form.Set("patient", syntheticNIN(about))
	}
	if who.purpose != "" {
		form.Set("purpose", who.purpose)
	}
	if who.reason != "" {
		form.Set("reason", who.reason)
	}
	a, err := w.send(http.MethodPost, "/demo/token", "", "application/x-www-form-urlencoded", []byte(form.Encode()))
	var granted struct {
		AccessToken string `json:"access_token"`
	}
	if err != nil || json.Unmarshal(a.body, &granted) != nil || granted.AccessToken == "" {
		w.t.Errorf("token of %s: %v, %d %s", who.name, err, a.status, a.body)
	}
	w.tokens.Store(key, granted.AccessToken)
	return granted.AccessToken
}
