package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// asks are ways to get a plan of another's, each asked until all that may be remembered is; the page is what
// is asked for last.
var asks = map[string]func(w *world, a gateway.Actor, theirs, record fhir.Reference, page string) (body, next string, err error){
	"read": func(w *world, a gateway.Actor, _, record fhir.Reference, _ string) (string, string, error) {
		body, err := w.read(a, record)
		return body, "", err
	},
	"version": func(w *world, a gateway.Actor, _, record fhir.Reference, page string) (string, string, error) {
		if page == "" {
			return "", w.version(at(bydel), record), nil
		}
		record.Version = page
		body, err := w.read(a, record)
		return body, "", err
	},
	"history": func(w *world, a gateway.Actor, _, record fhir.Reference, _ string) (string, string, error) {
		s := gateway.Search{Count: 10, Base: "http://sluse.test/fhir", Self: "http://sluse.test/fhir/x"}
		out, err := w.Do(context.Background(), a, gateway.Interaction{Code: gateway.History, Target: record, Search: s})
		return bodyOf(out), "", err
	},
	"search by patient": func(w *world, a gateway.Actor, theirs, _ fhir.Reference, page string) (string, string, error) {
		return w.pageOf(a, "CarePlan", gateway.Search{Count: 1, Page: page, Canonical: "CarePlan?subject", Subject: gateway.Subject{NIN: nin(w.t, kari)}})
	},
	"search of all": func(w *world, a gateway.Actor, _, _ fhir.Reference, page string) (string, string, error) {
		return w.pageOf(a, "CarePlan", gateway.Search{Count: 1, Page: page, Canonical: "CarePlan?"})
	},
	"everything": func(w *world, a gateway.Actor, theirs, _ fhir.Reference, page string) (string, string, error) {
		mine := fhir.Reference{Type: "Patient", ID: theirs.ID}
		body, err := w.everything(a, mine, onPage(1, page))
		if err != nil {
			return "", "", err
		}
		return body, bundleOf(w.t, body).next(), nil
	},
	"document": func(w *world, a gateway.Actor, _, record fhir.Reference, _ string) (string, string, error) {
		out, err := w.operate(a, record, gateway.Operation{Name: gateway.Document}, "")
		return bodyOf(out), "", err
	},
}

func (w *world) pageOf(a gateway.Actor, t fhir.Type, s gateway.Search) (body, next string, err error) {
	if body, err = w.find(a, t, s); err != nil {
		return "", "", err
	}
	return body, bundleOf(w.t, body).next(), nil
}

// A samtykke that is withdrawn at one process is withdrawn at every other on the very next question, whatever that one
// remembers and whichever page it has given a token for.
func TestWithdrawalIsEverywhereAtOnce(t *testing.T) {
	t.Parallel()
	for name, ask := range asks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here := newWorld(t)
			there := replica(t, here.dsn, here.clock)
			theirs := here.patientOf(at(bydel), kari)
			var record fhir.Reference
			for n := range 3 {
				record = here.mustPost(at(bydel), plan(theirs, fmt.Sprint("delt-", n)))
			}
			given := consentOf(theirs, []string{"plan", "samarbeid"}, gp)
			consent := here.mustPost(at(bydel), given)
			page := ""
			for range 3 {
				body, next, err := ask(there, at(gp), theirs, record, "")
				if err != nil {
					t.Fatalf("before: %v", err)
				}
				if page = next; page != "" {
					body, _, err = ask(there, at(gp), theirs, record, page)
				}
				if err != nil || name != "everything" && !strings.Contains(body, "kanari-delt") {
					t.Fatalf("before: %v\n%s", err, body)
				}
			}
			withdraw(here, theirs, consent, record, given)
			for _, page := range []string{page, ""} {
				body, _, err := ask(there, at(gp), theirs, record, page)
				if err != nil && gateway.CodeOf(err) != gateway.NotFound {
					t.Errorf("after: %v", err)
				}
				wantNone(t, body, "kanari-delt", string(record.ID))
			}
		})
	}
}
