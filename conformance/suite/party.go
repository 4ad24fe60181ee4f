package suite

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
)

// checkParties asks as another party for what that party was not given: it has to look as if it did
// not exist.
func checkParties(s *session) {
	const name = "what is not shared is answered as what does not exist"
	if s.Other == "" {
		s.check(name, func(t *trial) { t.notApplicable("there is no token of another party") })
		return
	}
	same := false
	s.check("the two tokens are of two parties", func(t *trial) {
		a := t.askAs(t.Other, http.MethodPost, "/Patient", []byte(t.fill(samples["Patient"].body)))
		theirs, ok := versioned(a.header.Get("Location"))
		if t.want(http.StatusCreated, a, "the other party's Patient").status != http.StatusCreated || !ok {
			t.fatalf("Location %q", a.header.Get("Location"))
		}
		t.made = slices.DeleteFunc(t.made, func(r string) bool { return r == theirs })
		same = custodian(a) == custodian(t.read(t.subjectOf()))
		t.want(http.StatusNoContent, t.askAs(t.Other, http.MethodDelete, "/"+theirs, nil), "delete")
		if same {
			t.notApplicable("both tokens are of one party, which reads its own records")
		}
	})
	if same {
		return
	}
	s.check(name, func(t *trial) {
		body, query := t.task("hidden")
		reference := t.create(body)
		_, id, _ := strings.Cut(reference, "/")
		for _, r := range []struct{ method, path, body string }{
			{http.MethodGet, "/Task/%", ""}, {http.MethodGet, "/Task/%/_history", ""}, {http.MethodGet, "/Task/%/_history/" + t.read(reference).version(), ""},
			{http.MethodDelete, "/Task/%", ""}, {http.MethodPut, "/Task/%", withID(body, "%")},
		} {
			ask := func(id string) answer {
				var sent []byte
				if r.body != "" {
					sent = []byte(strings.ReplaceAll(r.body, "%", id))
				}
				return t.askAs(t.Other, r.method, strings.ReplaceAll(r.path, "%", id), sent)
			}
			hidden, none := ask(id), ask(absent)
			if hidden.status != none.status || !bytes.Equal(hidden.body, none.body) || hidden.status < 400 {
				t.errorf("%s %s: %s for what is hidden, %s for what does not exist", r.method, r.path, hidden, none)
			}
		}
		for _, search := range []string{query, "_id=" + id, "patient=" + t.patient} {
			if found := t.askAs(t.Other, http.MethodGet, "/Task?"+escaped(search), nil).bundle().matches(); len(found) > 0 {
				t.errorf("a search by the other party finds it")
			}
		}
		if a := t.askAs(t.Other, http.MethodGet, "/AuditEvent?entity="+reference, nil); a.status == http.StatusOK && len(a.bundle().matches()) > 0 {
			t.errorf("the ledger tells the other party of it")
		}
		t.want(http.StatusOK, t.ask(http.MethodGet, "/"+reference, nil), "its own party")
	})
}

// withID gives a body the id that an update of it needs.
func withID(body, id string) string { return string(with([]byte(body), `"id":"`+id+`"`)) }

// custodian is the party that holds a record.
func custodian(a answer) string {
	meta, _ := a.object()["meta"].(map[string]any)
	list, _ := meta["extension"].([]any)
	for _, one := range list {
		if e, ok := one.(map[string]any); ok && e["url"] == "http://sluse.no/fhir/StructureDefinition/custodian" {
			return canonical(e["valueReference"])
		}
	}
	return ""
}
