package conformance_test

import (
	"net/http"
	"strings"
	"testing"
)

// viewing is a message from the GP to the hospital, of which a part is withheld, on a Sluse of its own.
type viewing struct {
	*server
	sender, receiver, stranger *client
	patient, consent, body, id string
}

// shownMark and heldMark stand in the part that crosses and in the one that does not.
const (
	shownMark = "zkvises"
	heldMark  = "zkholdestilbake"
)

func newViewing(t *testing.T) *viewing {
	t.Helper()
	s := start(t, "--no-story")
	v := &viewing{server: s, sender: s.as(crossingSender), receiver: s.as(crossingReceiver), stranger: s.as(crossingOther)}
	v.patient = v.sender.create(patient(otherNIN))
	v.body = consent(v.patient, v.sender.organization, []string{v.receiver.organization}, []string{v.sender.organization}, []string{"samarbeid", "demografi", "funksjon"})
	v.consent = v.sender.create(v.body)
	m := &crossingMessage{golden: "medisinske-opplysninger"}
	m.read(t)
	document := m.to(0, 0, uuid(), otherNIN, v.sender.herID, v.receiver.herID)
	for old, text := range map[string]string{"kanari-funksjon": shownMark + `&lt;script&gt;alert(1)&lt;/script&gt;`, "kanari-rus": heldMark} {
		if !strings.Contains(document, old) {
			t.Fatalf("%q is not in the document", old)
		}
		document = strings.ReplaceAll(document, old, text)
	}
	w := &crossing{server: s, t: t, parties: map[string]*client{crossingSender: v.sender}}
	v.id = w.handIn(document)
	return v
}

// ask gets a page of the console.
func (v *viewing) ask(t *testing.T, who *client, method, path string, body []byte) answer {
	t.Helper()
	token := ""
	if who != nil {
		token = who.token
	}
	a, err := v.send(method, path, token, "application/xml", body)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A message is shown as its receiver would fetch it and no more, to its two parties alone, and to show it is not to fetch
// it: withdrawn after that, it is gone.
func TestViewerShowsWhatMayBeFetched(t *testing.T) {
	t.Parallel()
	v := newViewing(t)
	path := "/console/messages/" + v.id
	a := v.ask(t, v.receiver, http.MethodGet, path, nil)
	page := string(a.body)
	switch {
	case a.status != http.StatusOK:
		t.Fatalf("%d %s", a.status, page)
	case !strings.Contains(page, shownMark) || !strings.Contains(page, "Deler av meldingen kan være utelatt"):
		t.Error("what may be fetched is not shown")
	case strings.Contains(page, heldMark):
		t.Error("LEAK: what is withheld is shown")
	case strings.Contains(page, "<script") || !strings.Contains(page, "&lt;script&gt;"):
		t.Error("a text of the message is no text on the page")
	}
	if own := v.ask(t, v.sender, http.MethodGet, path, nil); own.status != http.StatusOK || !strings.Contains(string(own.body), heldMark) {
		t.Errorf("its sender does not see its own message: %d", own.status)
	}
	absent := v.ask(t, v.stranger, http.MethodGet, "/console/messages/"+uuid(), nil)
	for name, who := range map[string]*client{"another party": v.stranger, "the patient": v.as("pasient")} {
		other := v.ask(t, who, http.MethodGet, path, nil)
		if other.status == http.StatusOK || strings.Contains(string(other.body), shownMark) || name == "another party" && string(other.body) != string(absent.body) {
			t.Errorf("LEAK: %s: %d %s", name, other.status, other.body)
		}
	}
	if log := v.sender.must(http.StatusOK, http.MethodGet, "/fhir/AuditEvent?patient="+v.patient+"&_count=100", nil); strings.Count(string(log.body), "Oslo universitetssykehus") == 0 {
		t.Error("the look stands in no ledger")
	}
	_, id, _ := strings.Cut(v.consent, "/")
	v.sender.must(http.StatusOK, http.MethodPut, "/fhir/"+v.consent, strings.Replace(strings.Replace(v.body, `"status":"active"`, `"status":"inactive"`, 1), "{", `{"id":"`+id+`",`, 1))
	for name, at := range map[string]string{"viewer": path, "message API": "/edi/Messages/" + v.id + "/business-document"} {
		if gone := v.ask(t, v.receiver, http.MethodGet, at, nil); gone.status != http.StatusNotFound {
			t.Errorf("LEAK: %s after the withdrawal: %d: it was fetched by being shown", name, gone.status)
		}
	}
}

// The viewer's answers let nothing but themselves run, hold no token, and refuse what the other APIs refuse.
func TestViewerIsGuarded(t *testing.T) {
	t.Parallel()
	v := newViewing(t)
	document := []byte(admitted(uuid(), v.sender.herID, v.receiver.herID, otherNIN, "Sengepost <2>"))
	for name, c := range map[string]struct {
		who          *client
		method, path string
		body         []byte
		status       int
	}{
		"the page":             {nil, http.MethodGet, "/console/", nil, http.StatusOK},
		"its script":           {nil, http.MethodGet, "/console/console.js", nil, http.StatusOK},
		"its style":            {nil, http.MethodGet, "/console/console.css", nil, http.StatusOK},
		"no token":             {nil, http.MethodGet, "/console/messages/" + v.id, nil, http.StatusUnauthorized},
		"no token, pasted":     {nil, http.MethodPost, "/console/view", document, http.StatusUnauthorized},
		"pasted":               {v.receiver, http.MethodPost, "/console/view", []byte(strings.Replace(string(document), "<2>", "2", 1)), http.StatusOK},
		"pasted, not XML":      {v.receiver, http.MethodPost, "/console/view", document, http.StatusBadRequest},
		"pasted, an entity":    {v.receiver, http.MethodPost, "/console/view", []byte(`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`), http.StatusBadRequest},
		"pasted, too large":    {v.receiver, http.MethodPost, "/console/view", make([]byte, 11<<20), http.StatusRequestEntityTooLarge},
		"no id":                {v.receiver, http.MethodGet, "/console/messages/..%2f..%2ffhir", nil, http.StatusBadRequest},
		"a national number":    {v.receiver, http.MethodGet, "/console/messages/" + otherNIN, nil, http.StatusBadRequest},
		"another, in a query":  {v.receiver, http.MethodGet, "/console/?n=" + otherNIN, nil, http.StatusBadRequest},
		"nothing there":        {nil, http.MethodGet, "/console/annet", nil, http.StatusNotFound},
		"another way to ask":   {v.receiver, http.MethodDelete, "/console/messages/" + v.id, nil, http.StatusMethodNotAllowed},
		"token in the query":   {nil, http.MethodGet, "/console/messages/" + v.id + "?access_token=" + v.receiver.token, nil, http.StatusUnauthorized},
		"the page, posted":     {nil, http.MethodPost, "/console/", []byte("x"), http.StatusMethodNotAllowed},
		"head of what is read": {v.receiver, http.MethodHead, "/console/messages/" + v.id, nil, http.StatusOK},
	} {
		a := v.ask(t, c.who, c.method, c.path, c.body)
		if a.status != c.status {
			t.Errorf("%s: %d, want %d", name, a.status, c.status)
		}
		policy := a.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
			t.Errorf("%s: policy %q", name, policy)
		}
		if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Referrer-Policy") != "no-referrer" || a.header.Get("Set-Cookie") != "" ||
			!strings.HasPrefix(a.header.Get("Cache-Control"), "no-") {
			t.Errorf("%s: %v", name, a.header)
		}
		if strings.Contains(string(a.body), v.receiver.token) || strings.Contains(string(a.body), otherNIN) && a.status != http.StatusOK {
			t.Errorf("%s: the answer repeats what must not be repeated", name)
		}
		if c.method == http.MethodHead && len(a.body) > 0 {
			t.Errorf("%s has a body", name)
		}
	}
	if log := v.out.String(); strings.Contains(log, otherNIN) || strings.Contains(log, v.receiver.token) || strings.Contains(log, shownMark) {
		t.Error("the log holds a number, a token or content")
	}
}
