package exchange_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// copied is a message to the bydel with a copy to others.
func copied(t testing.TB, to ...string) string {
	return strings.Replace(document(t, "medisinske-opplysninger"), "</Receiver>", copies(to...), 1)
}

func copies(to ...string) string {
	more := "</Receiver>"
	for _, her := range to {
		more += `<OtherReceiver><RoleReceiver V="COP"/><Organisation><OrganisationName>Kopi</OrganisationName>
		  <Ident><Id>` + her + `</Id><TypeId V="HER"/></Ident></Organisation></OtherReceiver>`
	}
	return more
}

// subset posts a document to some of its receivers.
func (w *world) subset(party, document string, receivers ...int) answer {
	w.t.Helper()
	return w.call(party, "POST", "/edi/Messages", map[string]any{
		"businessDocument": base64.StdEncoding.EncodeToString([]byte(document)), "contentType": "application/xml",
		"contentTransferEncoding": "base64", "receiverHerIdsSubset": receivers,
	})
}

// TestSubsets: a document that is posted for one receiver after the other reaches each, once, with an
// AppRec of its own, decided for it alone; what the others have does not change.
func TestSubsets(t *testing.T) {
	w := newWorld(t)
	p := w.patient(bydel)
	w.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "bydel", clinical...))
	w.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "ous", "samarbeid", "rus", "plan", "tjenester"))
	body := copied(t, hospice, sosial, stray)
	first := w.subset(gp, body, 8100020)
	before := w.searchAll(person(bydel))
	if list := w.list(hospice); first.status != http.StatusCreated || len(list) != 0 {
		t.Fatalf("first: %d, %d messages at another", first.status, len(list))
	}
	for range 2 {
		for _, receivers := range [][]int{{8100030}, {8100040, 8199999}, {8100020}} {
			if a := w.subset(gp, body, receivers...); a.status != http.StatusCreated || string(a.body) != string(first.body) {
				t.Errorf("%v: %d %s, first %s", receivers, a.status, a.body, first.body)
			}
		}
	}
	w.once()
	for party, want := range map[string]int{bydel: 1, hospice: 1, sosial: 0} {
		if list := w.list(party); len(list) != want {
			t.Errorf("%s has %d messages, want %d", party, len(list), want)
		}
	}
	if _, receipts := w.documents(gp); len(receipts) != 4 {
		t.Errorf("%d AppRecs, want 4", len(receipts))
	}
	id := strings.Trim(strings.TrimSpace(string(first.body)), `"`)
	a := w.call(gp, "GET", "/edi/Messages/"+id+"/apprec", nil)
	for _, want := range []string{
		`"receiverHerId":8100020,"appRecStatus":"OkErrorInMessagePart"`, `"receiverHerId":8100030,"appRecStatus":"OkErrorInMessagePart"`,
		`"receiverHerId":8100040,"appRecStatus":"Rejected","appRecErrorList":[{"errorCode":"X99"`,
		`"receiverHerId":8199999,"appRecStatus":"Rejected","appRecErrorList":[{"errorCode":"E21"`,
	} {
		if !strings.Contains(string(a.body), want) {
			t.Errorf("no %s in %s", want, a.body)
		}
	}
	fetched, _ := w.fetch(hospice, id)
	all := w.searchAll(person(hospice))
	for canary, want := range map[string]bool{"kanari-plan": true, "kanari-psykisk": false, "kanari-legemidler": false} {
		if strings.Contains(fetched, canary) != want || strings.Contains(all, canary) != want {
			t.Errorf("%s at the second receiver: mailbox %t, FHIR %t", canary, strings.Contains(fetched, canary), strings.Contains(all, canary))
		}
	}
	if after := w.searchAll(person(bydel)); after != before {
		t.Error("the first receiver's records changed")
	}
	if strings.Contains(w.searchAll(person(sosial)), "kanari") {
		t.Error("the receiver without samtykke reads it")
	}
	for kind, want := range map[string]int{"Patient": 1, "Condition": 3, "Communication": 1} {
		if n := strings.Count(w.search(person(gp), kind), `"mode":"match"`); n != want {
			t.Errorf("%d of %s, want %d", n, kind, want)
		}
	}
}

// TestSubsetOfRejected: what no receiver could get is answered for the next receiver as well.
func TestSubsetOfRejected(t *testing.T) {
	w := agreed(t)
	body := strings.ReplaceAll(copied(t, hospice), kari, "21869245514")
	for _, receiver := range []int{8100020, 8100030} {
		if a := w.subset(gp, body, receiver); a.status != http.StatusCreated {
			t.Fatalf("%d: %d %s", receiver, a.status, a.body)
		}
	}
	if _, receipts := w.documents(gp); len(receipts) != 2 || len(w.list(bydel))+len(w.list(hospice)) != 0 {
		t.Errorf("%d AppRecs, want 2", len(receipts))
	}
}

// TestAppRecRepeated: what a receiver says of a message counts once; the same said again gets the
// first id, a contradiction is refused.
func TestAppRecRepeated(t *testing.T) {
	rejected := map[string]any{"appRecStatus": "Rejected", "appRecErrorList": []map[string]string{{"errorCode": "T02", "details": ""}}}
	w := agreed(t)
	path := "/edi/Messages/" + w.send(gp, document(t, "medisinske-opplysninger")) + "/apprec/" + bydel
	first := w.call(bydel, "POST", path, rejected)
	for range 3 {
		if a := w.call(bydel, "POST", path, rejected); a.status != http.StatusCreated || string(a.body) != string(first.body) {
			t.Errorf("repeated: %d %s, first %s", a.status, a.body, first.body)
		}
	}
	if a := w.call(bydel, "POST", path, map[string]any{"appRecStatus": "Ok"}); a.status != http.StatusConflict {
		t.Errorf("contradiction: %d %s", a.status, a.body)
	}
	if n := strings.Count(w.search(person(gp), "Task"), `"code":"message-refused"`); n != 1 {
		t.Errorf("%d Tasks, want 1", n)
	}
	w.receipt(gp, medicalID)
}

// TestAppRecOfOrderRepeated: the same for what Sluse has sent.
func TestAppRecOfOrderRepeated(t *testing.T) {
	w, p := sending(t, clinical...)
	c := w.create(person(bydel), "Communication", order(p, "DIALOG_HELSEFAGLIG", "fastlege", note))
	w.once()
	list, _ := w.documents(gp)
	path := "/edi/Messages/" + list[0].ID + "/apprec/" + gp
	first := w.call(gp, "POST", path, map[string]any{"appRecStatus": "Ok"})
	before, err := w.read(person(bydel), c)
	must(t, err)
	if a := w.call(gp, "POST", path, map[string]any{"appRecStatus": 1}); a.status != http.StatusCreated || string(a.body) != string(first.body) {
		t.Errorf("repeated: %d %s, first %s", a.status, a.body, first.body)
	}
	after, err := w.read(person(bydel), c)
	must(t, err)
	if string(after.Root().Get("meta", "versionId").Raw()) != string(before.Root().Get("meta", "versionId").Raw()) {
		t.Error("the repetition wrote a version")
	}
}

// TestReusedTold: one Task tells of a MsgId that is used for other contents, however often.
func TestReusedTold(t *testing.T) {
	w := agreed(t)
	body := document(t, "medisinske-opplysninger")
	w.send(gp, body)
	for i := range 4 {
		if a := w.post(gp, strings.Replace(body, "kanari-rus", fmt.Sprintf("annet-%d", i), 1)); a.status != http.StatusConflict {
			t.Errorf("other bytes: %d", a.status)
		}
	}
	if n := strings.Count(w.search(person(gp), "Task"), `"code":"msgid-reused"`); n != 1 {
		t.Errorf("%d Tasks, want 1", n)
	}
}

// TestBoundToken: with a token that is bound to one patient, the messages about others are not there,
// and none can be handed in.
func TestBoundToken(t *testing.T) {
	w := agreed(t)
	w.create(person(bydel), "Consent", strings.ReplaceAll(
		consentBody("active", w.patientOf(bydel, ola), "fastlege", "bydel", clinical...), kari, ola))
	hers := w.send(gp, document(t, "medisinske-opplysninger"))
	his := w.send(gp, document(t, "medisinske-opplysninger", medicalID, "about-ola", kari, ola))
	bound := bydel + " " + kari
	if list := w.list(bydel); len(list) != 2 {
		t.Fatalf("%d messages in all, want 2", len(list))
	}
	if a := w.call(bound, "GET", "/edi/Messages?ReceiverHerIds="+bydel, nil); !strings.Contains(string(a.body), hers) || strings.Contains(string(a.body), his) {
		t.Errorf("list: %s", a.body)
	}
	for _, c := range []struct{ id, method, path string }{
		{his, "GET", ""}, {his, "GET", "/business-document"}, {his, "PUT", "/read/" + bydel}, {his, "POST", "/apprec/" + bydel},
		{hers, "GET", ""}, {hers, "GET", "/business-document"}, {hers, "PUT", "/read/" + bydel}, {hers, "POST", "/apprec/" + bydel},
	} {
		var in any
		if c.method == "POST" {
			in = map[string]any{"appRecStatus": "Ok"}
		}
		a := w.call(bound, c.method, "/edi/Messages/"+c.id+c.path, in)
		if (a.status == http.StatusNotFound) != (c.id == his) || a.status >= 400 && c.id == hers {
			t.Errorf("%s %q about her %t: %d %s", c.method, c.path, c.id == hers, a.status, a.body)
		}
	}
	sender := gp + " " + kari
	for _, path := range []string{"", "/business-document", "/status", "/apprec"} {
		if a := w.call(sender, "GET", "/edi/Messages/"+his+path, nil); a.status != http.StatusNotFound {
			t.Errorf("the sender's GET %q about another: %d", path, a.status)
		}
		if a := w.call(sender, "GET", "/edi/Messages/"+hers+path, nil); a.status != http.StatusOK {
			t.Errorf("the sender's GET %q: %d", path, a.status)
		}
	}
	if a := w.call(sender, "GET", "/edi/Messages?ReceiverHerIds="+gp, nil); strings.Count(string(a.body), `"id"`) != 1 {
		t.Errorf("AppRecs: %s", a.body)
	}
	if a := w.post(sender, document(t, "medisinske-opplysninger", medicalID, "other", kari, ola)); a.status != http.StatusForbidden {
		t.Errorf("a message about another: %d %s", a.status, a.body)
	}
	if a := w.post(sender, document(t, "medisinske-opplysninger", medicalID, "own")); a.status != http.StatusCreated {
		t.Errorf("a message about her: %d %s", a.status, a.body)
	}
	if a := w.call(gp+" 14837912092", "GET", "/edi/Messages?ReceiverHerIds="+gp, nil); a.status != http.StatusOK || strings.Contains(string(a.body), `"id"`) {
		t.Errorf("bound to somebody unknown: %s", a.body)
	}
}
