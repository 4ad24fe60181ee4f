package conformance_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	random "math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The same consent decides a section of a message and its FHIR twin: for messages of every type with sections by
// chance, and consents of every form, what the receiver fetches is what it may read of the same content over FHIR, but
// for what the rules in crossing_rule_test.go name.
//
// Each cell is one message in two copies, about two persons who have agreed to the same. The one copy goes to the
// receiver; the other to somebody else, so that the receiver may ask for what it became and has not been sent it.
func TestSectionAndTwinAreDecidedAlike(t *testing.T) { crossingBy(t, 76, 40) }

// messagesOf is how many messages there are about each person.
const messagesOf = 4

// crossingBy tries sets of consents with messagesOf messages each. SLUSE_SEED names another seed.
func crossingBy(t *testing.T, sets int, demanded int) {
	t.Helper()
	t.Parallel()
	seed := uint64(1)
	if s := os.Getenv("SLUSE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SLUSE_SEED=%d", seed)
	w := newCrossing(t)
	began := time.Now()
	inTurn(sets, func(n int) { w.try(seed, n) })
	w.report(time.Since(began), sets*messagesOf, demanded)
}

// crossing is a Sluse where messages cross.
type crossing struct {
	*server
	t            testing.TB
	parties      map[string]*client
	practitioner string
	mu           sync.Mutex
	cells        int
	crossed      map[string]int // sections, by form of the consents
	withheld     map[string]int
	faults       int
	patients     map[int]string // of the sender, about the person who is asked about, by set
}

func newCrossing(t *testing.T) *crossing {
	t.Helper()
	w := &crossing{t: t, server: start(t, "--no-story"), parties: map[string]*client{}, crossed: map[string]int{}, withheld: map[string]int{}, patients: map[int]string{}}
	for _, name := range []string{crossingSender, crossingReceiver, crossingOther, "drift"} {
		w.parties[name] = w.as(name)
	}
	drift := w.parties["drift"]
	person := drift.create(`{"resourceType":"Practitioner","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.4","value":"` + receiverHPR + `"}],"name":[{"family":"Berg"}]}`)
	w.practitioner = drift.create(`{"resourceType":"PractitionerRole","practitioner":{"reference":"` + person + `"},"organization":{"reference":"` +
		w.parties[crossingReceiver].organization + `"}}`)
	return w
}

// fault tells of a difference, with what is needed to see it again.
func (w *crossing) fault(set crossingSet, n int, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.faults++; w.faults <= 25 {
		w.t.Errorf("set %d: %s\n\t%s", n, fmt.Sprintf(format, args...), set)
	}
}

// subject is one of the two persons of a set.
type subject struct {
	number    int
	nin       string
	patient   string // of the sender
	received  string // of the receiver
	consents  []string
	registrar *client
	about     string // Patient of the registrar
}

// letter is a message of a set with its two copies.
type letter struct {
	*crossingMessage
	copies [2]int    // numbers of the copies' marks
	ids    [2]string // as the message API gives them
	msgID  string    // of the second copy
}

func uuid() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// try does all with one set of consents.
func (w *crossing) try(seed uint64, n int) {
	r := random.New(random.NewPCG(seed, uint64(n))) //nolint:gosec // a test
	set := newCrossingSet(r, n)
	sent, asked := w.enrol(n, 0), w.enrol(n, 1)
	w.mu.Lock()
	w.patients[n] = asked.patient
	w.mu.Unlock()
	if set.foreign {
		sent.registrar, sent.about = w.parties[crossingReceiver], sent.received
	}
	if !set.late {
		w.agree(set, sent, "disclose")
		w.agree(set, asked, "access")
	}
	letters := w.post(r, set, n, sent, asked)
	before := w.view(crossingReceiver, asked)
	if set.late {
		w.agree(set, sent, "disclose")
		w.agree(set, asked, "access")
	}
	w.change(set, sent)
	w.change(set, asked)
	after := w.view(crossingReceiver, asked)
	own := w.view(crossingSender, asked)
	early := n%2 == 0
	var shown view
	if early {
		shown = w.view(crossingReceiver, sent)
	}
	fetched := make([]map[int]bool, len(letters))
	for i, l := range letters {
		fetched[i] = w.fetch(set, n, l)
	}
	if !early {
		shown = w.view(crossingReceiver, sent)
	}
	for i, l := range letters {
		w.judge(set, n, l, own, [2]view{before, after}, shown, fetched[i])
	}
	if set.split || set.foreign {
		w.alone(set, n, sent, asked, letters)
	}
}

// enrol makes a person who is known to sender and receiver.
func (w *crossing) enrol(n, which int) *subject {
	s := &subject{number: 2*n + which}
	s.nin = crossingNIN(s.number)
	body := func(more string) string {
		return `{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"` + s.nin + `"}],
		"name":[{"family":"Syntetisk","given":["Kari"]}],"birthDate":"1992-05-12"` + more + `}`
	}
	s.patient = w.parties[crossingSender].create(body(`,"address":[{"use":"home","line":["Prøveveien 1 ` + mark(s.number, addressLeaf) + `"]}]`))
	s.received = w.parties[crossingReceiver].create(body(""))
	s.registrar, s.about = w.parties[crossingSender], s.patient
	return s
}

// crossingNIN is the number of the n-th person, who is nobody (month + 80): each has a birth date of her own.
func crossingNIN(n int) string {
	return bornNIN(fmt.Sprintf("%02d%02d%02d", 1+n%28, 81+n/28%12, 50+n/28/12), 0)
}

// agree registers the consents of the set.
func (w *crossing) agree(set crossingSet, s *subject, alone string) {
	for _, c := range set.given {
		if set.split {
			c.action = alone
		}
		s.consents = append(s.consents, s.registrar.create(w.body(c, s.about, s.registrar)))
	}
}

// change does to the consents what the set says.
func (w *crossing) change(set crossingSet, s *subject) {
	again := func(c crossingConsent) {
		_, id, _ := strings.Cut(s.consents[0], "/")
		s.registrar.must(http.StatusOK, http.MethodPut, "/fhir/"+s.consents[0], strings.Replace(w.body(c, s.about, s.registrar), "{", `{"id":"`+id+`",`, 1))
	}
	switch set.after {
	case "inactive":
		c := set.given[0]
		c.status = "inactive"
		again(c)
	case "deleted":
		s.registrar.must(http.StatusNoContent, http.MethodDelete, "/fhir/"+s.consents[0], nil)
	case "labels":
		c := set.given[0]
		c.labels = set.changed
		again(c)
	case "objection":
		s.registrar.create(w.body(crossingConsent{deny: true, law: "PBRL53"}, s.about, s.registrar))
	}
}

// post hands in the two copies of each message, and the record that kept texts are held against.
func (w *crossing) post(r *random.Rand, set crossingSet, n int, sent, asked *subject) (letters []*letter) {
	sender := w.parties[crossingSender]
	sender.create(`{"resourceType":"DocumentReference","status":"current","subject":{"reference":"` + asked.patient + `"},"date":"2026-03-24T10:15:00+01:00",
		"meta":{"security":[{"system":"` + labelSystem + `","code":"somatisk"},{"system":"` + labelSystem + `","code":"psykisk"},{"system":"` + labelSystem + `","code":"rus"}]},
		"description":"` + mark(asked.number, probeLeaf) + `","content":[{"attachment":{"contentType":"text/plain","title":"prøve"}}]}`)
	for i := range messagesOf {
		kind := (n*messagesOf + i + n/len(crossingKinds)) % len(crossingKinds)
		l := &letter{crossingMessage: newCrossingMessage(w.t, r, kind, crossingForm{set.named && (!set.nameless || i%2 == 0), set.limited(), set.full})}
		for c, s := range []*subject{sent, asked} {
			l.copies[c] = 2*(n*messagesOf+i) + c
			to := crossingReceiver
			if c == 1 {
				to = crossingOther
			}
			l.msgID = uuid()
			l.ids[c] = w.handIn(l.to(l.copies[c], s.number, l.msgID, s.nin, sender.herID, w.parties[to].herID))
		}
		letters = append(letters, l)
	}
	return letters
}

func (w *crossing) handIn(document string) string {
	a, err := w.parties[crossingSender].postMessage(document)
	var id string
	if err != nil || a.status != http.StatusCreated || json.Unmarshal(a.body, &id) != nil {
		w.t.Errorf("message: %v, %d %s\n%s", err, a.status, a.body, document)
	}
	return id
}

// fetch gives the leaves that stand in the document as the receiver gets it; nil when it gets none.
func (w *crossing) fetch(set crossingSet, n int, l *letter) map[int]bool {
	c := w.parties[crossingReceiver]
	a, err := c.try(http.MethodGet, "/edi/Messages/"+l.ids[0]+"/business-document", "", nil)
	if err != nil || a.status != http.StatusOK && a.status != http.StatusNotFound {
		w.fault(set, n, "fetch of %s: %v, %d %s", l.golden, err, a.status, a.body)
	}
	if err != nil || a.status != http.StatusOK {
		return nil
	}
	var envelope struct{ BusinessDocument string }
	if err := json.Unmarshal(a.body, &envelope); err != nil {
		w.fault(set, n, "%v", err)
	}
	document, err := base64.StdEncoding.DecodeString(envelope.BusinessDocument)
	if err != nil {
		w.fault(set, n, "%v", err)
	}
	leaves := map[int]bool{}
	for at := range marksIn(document) {
		leaves[at[1]] = true
	}
	return leaves
}

// twin is where the receiver finds over FHIR what a leaf is held against.
func (l *letter) twin(f leaf, n int) [2]int {
	switch {
	case f.kept:
		return [2]int{2*n + 1, probeLeaf}
	case f.home:
		return [2]int{2*n + 1, addressLeaf}
	}
	return [2]int{l.copies[1], f.n}
}

// crossingGroup is a section of a message: what is decided as one.
type crossingGroup struct {
	leaves  []leaf
	records []string // that were made of it
	head    bool
	heard   []string // labels of the head's records, less samarbeid
	inside  string   // the section that a text stands in
}

// groups sorts the leaves of a message by the section that its sender's Provenance ties them to.
func (w *crossing) groups(set crossingSet, n int, l *letter, own view) (list []crossingGroup) {
	for _, from := range own.sources {
		if from.msgID == l.msgID && !from.whole {
			g := crossingGroup{records: from.records, head: from.head}
			for _, name := range from.records {
				g.heard = append(g.heard, slices.DeleteFunc(slices.Clone(own.labels[name]), func(l string) bool { return l == "samarbeid" })...)
			}
			list = append(list, g)
		}
	}
	for _, f := range l.leaves {
		record, there := own.marks[[2]int{l.copies[1], f.n}]
		at := slices.IndexFunc(list, func(g crossingGroup) bool { return there && slices.Contains(g.records, record) })
		switch {
		case strings.HasPrefix(f.path, "?"):
			w.fault(set, n, "%s: no rule knows %s", l.golden, f.path)
		case f.home, f.kept && !there, f.lost && !there:
			list = append(list, crossingGroup{leaves: []leaf{f}, inside: f.inside})
		case !there:
			w.fault(set, n, "%s: %s came into no record", l.golden, f.path)
		case at < 0:
			w.fault(set, n, "%s: no Provenance for %s", l.golden, record)
		default:
			f.lost = false
			list[at].leaves = append(list[at].leaves, f)
		}
	}
	return list
}

// judge compares what crossed by message with what FHIR releases.
func (w *crossing) judge(set crossingSet, n int, l *letter, own view, asked [2]view, shown view, fetched map[int]bool) {
	groups := w.groups(set, n, l, own)
	w.mu.Lock()
	head := w.patients[n]
	w.mu.Unlock()
	by := func(views ...view) map[int]bool {
		has := func(key [2]int) bool {
			return !slices.ContainsFunc(views, func(v view) bool { return v.marks[key] == "" })
		}
		record := func(name string) bool {
			if strings.HasPrefix(name, "CareTeam/") {
				name = head
			}
			return !slices.ContainsFunc(views, func(v view) bool { return !v.records[name] })
		}
		if set.nameless && !l.named || !record(head) {
			return map[int]bool{}
		}
		return l.crosses(groups, func(f leaf) bool { return has(l.twin(f, n)) }, record)
	}
	then, want := by(asked[0]), by(asked[0], asked[1])
	covered := set.covers()
	crossed, withheld := 0, 0
	for _, g := range groups {
		for _, f := range g.leaves {
			_, read := shown.marks[[2]int{l.copies[0], f.n}]
			_, there := own.marks[[2]int{l.copies[1], f.n}]
			_, now := asked[1].marks[[2]int{l.copies[1], f.n}]
			switch {
			case fetched[f.n] && !want[f.n]:
				w.fault(set, n, "LEAK: %s: %s crosses, and FHIR does not release it", l.golden, f.path)
			case !fetched[f.n] && want[f.n]:
				a, _ := w.parties[crossingSender].try(http.MethodGet, "/edi/Messages/"+l.ids[0]+"/apprec", "", nil)
				w.fault(set, n, "HELD: %s: %s does not cross, and FHIR releases it: %s", l.golden, f.path, a.body)
			case !f.home && there && read != (then[f.n] && now): // as it was released then, record by record, and is now
				w.fault(set, n, "%s: %s crosses %t, and its record is read %t", l.golden, f.path, fetched[f.n], read)
			}
			for _, label := range f.labels {
				if (fetched[f.n] || read) && !slices.Contains(covered, label) {
					w.fault(set, n, "LEAK: %s: %s crosses (message %t, FHIR %t), and no consent covers %s", l.golden, f.path, fetched[f.n], read, label)
				}
			}
			if now {
				for _, label := range f.labels {
					if !slices.Contains(covered, label) {
						w.fault(set, n, "LEAK: %s: %s is released over FHIR, and no consent covers %s", l.golden, f.path, label)
					}
				}
			}
		}
		if len(g.leaves) > 0 && fetched[g.leaves[0].n] {
			crossed++
		} else {
			withheld++
		}
	}
	if shown.original[l.copies[0]] && len(want) < len(l.leaves) {
		w.fault(set, n, "LEAK: %s: the original is read, and of the message some is withheld", l.golden)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cells++
	w.crossed[set.name] += crossed
	w.withheld[set.name] += withheld
}

// alone: a consent to messages alone lets nothing be read that was not sent, and one to reading alone lets no message
// come.
func (w *crossing) alone(set crossingSet, n int, sent, asked *subject, letters []*letter) {
	sender := w.parties[crossingSender].herID
	first := letters[0]
	other := 900_000 + n
	w.handIn(first.to(other, sent.number, uuid(), sent.nin, sender, w.parties[crossingOther].herID))
	for at := range w.view(crossingReceiver, sent).marks {
		if at[0] == other {
			w.fault(set, n, "LEAK: %s: read with a consent to messages alone", first.golden)
		}
	}
	if !set.split {
		return
	}
	id := w.handIn(first.to(other, asked.number, uuid(), asked.nin, sender, w.parties[crossingReceiver].herID))
	if l := (&letter{crossingMessage: first.crossingMessage, ids: [2]string{id}}); w.fetch(set, n, l) != nil {
		w.fault(set, n, "LEAK: %s: it came with a consent to reading alone", first.golden)
	}
}

// report prints the sections of each form of consent, and demands that there is something to compare.
func (w *crossing) report(took time.Duration, cells, demanded int) {
	crossed, withheld := 0, 0
	for _, name := range slices.Sorted(maps.Keys(w.withheld)) {
		w.t.Logf("%-28s %5d sections cross, %5d do not", name, w.crossed[name], w.withheld[name])
		crossed, withheld = crossed+w.crossed[name], withheld+w.withheld[name]
	}
	w.t.Logf("%d cells of consents and message in %v: %d sections cross, %d do not; %d differ", w.cells, took.Round(time.Millisecond), crossed, withheld, w.faults)
	if w.cells < cells || crossed < demanded || withheld < demanded {
		w.t.Error("too little to prove anything")
	}
}
