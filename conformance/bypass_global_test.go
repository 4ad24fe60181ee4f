package conformance_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// globalDoors ask about nobody: what comes is of all persons, each as far as the rules for her state give it.
var globalDoors = []struct {
	name  string
	past  bool
	leads func(kind string) bool
	asks  func() []inquiry
}{
	{"history of a type", true, versioned, func() (list []inquiry) {
		for _, kind := range bypassKinds(versioned) {
			list = append(list, inquiry{method: http.MethodGet, path: "/fhir/" + kind + "/_history?_count=100", pages: 8})
		}
		return list
	}},
	{"history of the system", true, versioned, func() []inquiry {
		return []inquiry{{method: http.MethodGet, path: "/fhir/_history?_count=200", pages: 40}}
	}},
	{"search of a type, of all persons", false, anyKind, func() (list []inquiry) {
		for _, kind := range bypassKinds(anyKind) {
			list = append(list, inquiry{method: http.MethodGet, path: "/fhir/" + kind + "?_count=100", pages: 8})
		}
		return list
	}},
	{"search of the system, of all persons", false, versioned, func() (list []inquiry) {
		for _, kinds := range inGroups(bypassKinds(versioned), 8) {
			list = append(list, inquiry{method: http.MethodGet, path: "/fhir?_type=" + strings.Join(kinds, ",") + "&_count=100", pages: 12})
		}
		return list
	}},
}

// bystate is the state that bound tokens are for, where nobody is asked about.
const bystate = 1

func (b *bypass) globalJobs() (jobs []job) {
	for _, who := range bypassers {
		for _, d := range globalDoors {
			jobs = append(jobs, func() {
				all := ""
				q := inquiry{}
				for _, q = range d.asks() {
					q.door, q.who, q.s = d.name, who, bystate
					a := b.sendIt(q)
					b.nothingMore(q, a, d.past)
					all += contentOf(q, a)
				}
				b.judgeAll(q, all, demands(who, false), d.leads)
			})
		}
		jobs = append(jobs, func() { b.export(who) }, func() { b.mailbox(who) })
	}
	for _, sub := range b.subscribed {
		jobs = append(jobs, func() { b.events(sub) })
	}
	return jobs
}

// judgeAll counts the cells of all persons, and demands what is given. That nothing more is there has been judged.
func (b *bypass) judgeAll(q inquiry, text string, demanded bool, leads func(kind string) bool) {
	found := seenIn(text)
	for s := range consentStates {
		for c, one := range recordClasses {
			if !leads(one.kind) {
				continue
			}
			want := b.verdictOf(q, s, c).shown
			b.count(q.door, want)
			if want && demanded && !found[[2]int{s, c}]["w"] {
				at := q
				at.s = s
				b.fault(at, c, "REFUSED what is given", answer{})
			}
		}
	}
}

// export takes out all that the asker may have. An export is of those whom the party has a Patient of.
func (b *bypass) export(who bypasser) {
	q := asGet("/fhir/Patient/$export")
	q.door, q.who, q.s, q.header = "$export", who, bystate, []string{"Prefer", "respond-async", "Accept", "application/fhir+json"}
	a := b.sendIt(q)
	b.nothingMore(q, a, false)
	text := ""
	if job, err := url.Parse(a.header.Get("Content-Location")); a.status == http.StatusAccepted && err == nil {
		ready := b.await(q, job.Path)
		var manifest struct{ Output []struct{ URL string } }
		if err := json.Unmarshal(ready.body, &manifest); err != nil {
			b.fault(q, -1, "no manifest: "+err.Error(), ready)
		}
		for _, file := range manifest.Output {
			u, err := url.Parse(file.URL)
			if err != nil {
				b.fault(q, -1, err.Error(), ready)
				continue
			}
			one := q
			one.path, one.header = u.Path, nil
			lines := b.sendIt(one)
			b.nothingMore(one, lines, false)
			text += contentOf(one, lines)
		}
	}
	demanded := who.name == asCustodian || who.name == asReceiver
	b.judgeAll(q, text, demanded, func(kind string) bool { return aboutOne(kind) || kind == "Patient" })
}

// await polls a job until it is done.
func (b *bypass) await(q inquiry, path string) answer {
	q.path, q.header = path, nil
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		a := b.sendIt(q)
		if a.status != http.StatusAccepted || time.Now().After(deadline) {
			return a
		}
	}
}

// mailbox reads what lies for the hospital, and for the party itself.
func (b *bypass) mailbox(who bypasser) {
	hospital := b.parties["ous-tsb"].herID
	owner := who.name == asReceiver
	wanted := 0
	for s := range consentStates {
		if consentStates[s].mail {
			wanted++
		}
	}
	q := asGet("/edi/Messages?MessagesToFetch=100&ReceiverHerIds=" + hospital)
	q.door, q.who, q.s = "mailbox", who, bystate
	var found map[int]bool
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		found = b.mail(q)
		if !owner || len(found) >= wanted || time.Now().After(deadline) {
			break
		}
	}
	for s := range consentStates {
		// The mailbox is the party's, whoever of it asks; a bound token reaches one person's messages there, too.
		want := who.persona == "ous-tsb" && consentStates[s].mail && (!who.bound || s == who.about(bystate))
		b.count(q.door, want)
		if got := found[s]; got != want {
			at := q
			at.s = s
			b.fault(at, classOfMail, fmt.Sprintf("message in the mailbox %v, want %v", got, want), answer{})
		}
	}
}

// mail tells about whom, by the state of consent, a message lies ready. Under kode 7 it tells no place.
func (b *bypass) mail(q inquiry) map[int]bool {
	a := b.sendIt(q)
	b.nothingMore(q, a, false)
	found, listed := map[int]bool{}, []struct{ ID string }{}
	if a.status == http.StatusOK {
		if err := json.Unmarshal(a.body, &listed); err != nil {
			b.fault(q, -1, err.Error(), a)
		}
	}
	for _, m := range listed {
		one := q
		one.path = "/edi/Messages/" + m.ID + "/business-document"
		a := b.sendIt(one)
		var envelope struct{ BusinessDocument string }
		if json.Unmarshal(a.body, &envelope) != nil {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(envelope.BusinessDocument)
		if err != nil {
			b.fault(one, -1, err.Error(), a)
		}
		a.body = raw
		b.nothingMore(one, a, false)
		for s := range consentStates {
			place := seenIn(string(raw))[[2]int{s, classOfMail}]["w"]
			if place || consentStates[s].shield == "fortrolig" && bytes.Contains(raw, []byte("post-"+markOf(s, classOfMail)+"<")) {
				found[s] = true
			}
			if place && consentStates[s].shield != "" {
				b.fault(one, classOfMail, "LEAK: where she is", a)
			}
		}
	}
	return found
}

// subscription is one of a party that wants to hear of Tasks.
type subscription struct {
	who      bypasser
	path     string
	receiver *subscriber
}

// subscribe makes Subscriptions before there is anything to hear of.
func (w *bypassWorld) subscribe(receiver func() *subscriber) {
	w.t.Helper()
	for _, who := range bypassers {
		if who.name != asReceiver && who.name != "andre mottaker" && who.name != "annen part" {
			continue
		}
		r := receiver()
		made := w.parties[who.persona].create(`{"resourceType":"Subscription","status":"requested","reason":"Prøve","criteria":"http://sluse.no/fhir/SubscriptionTopic/oppgave-endret",
			"channel":{"type":"rest-hook","endpoint":"` + r.URL + `/inn","payload":"application/fhir+json",
			"_payload":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content","valueCode":"id-only"}]}}}`)
		w.subscribed = append(w.subscribed, subscription{who, "/fhir/" + made, r})
	}
}

// events judges what a subscriber was told: of the Tasks that it may see.
func (b *bypass) events(sub subscription) {
	task := classNamed("oppgave")
	tells := func(q inquiry, s, c int) bool {
		return b.verdictOf(q, s, c).shown || c == task && sub.who.name == asReceiver && consentStates[s].told
	}
	q := asGet(sub.path + "/$events")
	q.door, q.who, q.s = "subscription", sub.who, bystate
	var told map[[2]int]bool
	var a answer
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		a = b.sendIt(q)
		b.nothingMore(q, a, false)
		sub.receiver.mu.Lock()
		text := string(a.body) + strings.Join(sub.receiver.bodies, "\n")
		sub.receiver.mu.Unlock()
		told = map[[2]int]bool{}
		missing := 0
		for _, m := range idsNamed.FindAllStringSubmatch(text, -1) {
			told[[2]int{int(m[1][0]-'0')*10 + int(m[1][1]-'0'), int(m[2][0]-'0')*10 + int(m[2][1]-'0')}] = true
		}
		for s := range consentStates {
			if tells(q, s, task) && !told[[2]int{s, task}] {
				missing++
			}
		}
		if missing == 0 || time.Now().After(deadline) {
			break
		}
	}
	for s := range consentStates {
		want := tells(q, s, task)
		b.count(q.door, want)
		if told[[2]int{s, task}] != want {
			at := q
			at.s = s
			b.fault(at, task, fmt.Sprintf("told of the Task %v, want %v", !want, want), a)
		}
	}
	for at := range told {
		if !tells(q, at[0], at[1]) {
			b.fault(q, at[1], fmt.Sprint("NAMES what is hidden: ", at), a)
		}
	}
}
