package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// tasks lists what Sluse has given the party, of one code.
func (w *world) tasks(a gateway.Actor, code string) (list []map[string]any) {
	w.t.Helper()
	b := bundleOf(w.t, string(w.seekRaw(a, "Task", "code=http://sluse.no/fhir/CodeSystem/oppgave|"+code)))
	for _, e := range b.Entry {
		if e.Search.Mode == "match" {
			list = append(list, e.Resource)
		}
	}
	return list
}

func (w *world) seekRaw(a gateway.Actor, kind fhir.Type, query string) []byte {
	w.t.Helper()
	name, value, _ := strings.Cut(query, "=")
	q, _, err := fhir.ParseQuery(kind, []fhir.Parameter{{Name: name, Value: value}}, fhir.QueryConfig{})
	must(w.t, err)
	s := gateway.Search{
		Criteria: q.Criteria, Count: 100, Canonical: string(kind) + "?" + q.Canonical, Base: "http://sluse.test/fhir", Self: "http://sluse.test/fhir/" + string(kind),
	}
	out, err := w.Do(context.Background(), a, gateway.Interaction{Code: gateway.Find, Target: fhir.Reference{Type: kind}, Search: s})
	must(w.t, err)
	return []byte(bodyOf(out))
}

// Who has received something on a samtykke is told when it is withdrawn, once, by a Task of its own that
// names nobody; who has received nothing is not, and neither is who has registered it.
func TestWithdrawalIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	mine := w.patientOf(at(gp), kari)
	r := w.mustPost(at(bydel), plan(p, "delt"))
	body := consentOf(p, []string{"plan", "bolig"}, gp, ous)
	consent := w.mustPost(at(bydel), body)
	_, err := w.read(at(gp), r)
	must(t, err)
	_, _ = w.read(at(sosial), r)
	for range 2 { // the second finds it withdrawn already
		withdraw(w, p, consent, r, body)
		w.clock.forward(2 * time.Minute)
		_, err := w.SettleWithdrawals(t.Context(), 10)
		must(t, err)
	}
	got := w.tasks(at(gp), "withdrawal")
	if len(got) != 1 {
		t.Fatalf("%d Tasks, want 1", len(got))
	}
	text := fmt.Sprint(got[0])
	if !strings.Contains(text, mine.String()) || !strings.Contains(text, consent.String()) || !strings.Contains(text, "trukket tilbake") || !strings.Contains(text, "requested") {
		t.Errorf("the Task: %s", text)
	}
	wantNone(t, text, "kanari", string(bydel), string(ous), "Part "+string(bydel), r.String())
	for _, party := range []gateway.HERID{bydel, ous, sosial} {
		if n := len(w.tasks(at(party), "withdrawal")); n != 0 {
			t.Errorf("%s was told by %d Tasks", party, n)
		}
	}
}

// Who loses something by a narrower version is told that, and who loses nothing is not; that a deny was
// added is told nobody whom it is about.
func TestNarrowingIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after string // what replaces the labels
		gp    string
		ous   string
	}{
		"fewer labels":     {`"plan"`, "innsnevret", "innsnevret"},
		"the same":         {`"plan","bolig"`, "", ""},
		"more":             {`"plan","bolig","okonomi"`, "", ""},
		"one is taken out": {`-`, "", "trukket tilbake"},
		"a deny is added":  {`+`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.patientOf(at(bydel), kari)
			r := w.mustPost(at(bydel), plan(p, "delt"))
			consent := w.mustPost(at(bydel), consentOf(p, []string{"plan", "bolig"}, gp, ous))
			for _, party := range []gateway.HERID{gp, ous} {
				_, err := w.read(at(party), r)
				must(t, err)
			}
			var labels []string
			for l := range strings.SplitSeq(c.after, ",") {
				labels = append(labels, strings.Trim(l, `"`))
			}
			body := consentOf(p, labels, gp, ous)
			switch c.after {
			case "-":
				body = consentOf(p, []string{"plan", "bolig"}, gp)
			case "+":
				body = strings.Replace(consentOf(p, []string{"plan", "bolig"}, gp, ous), `"type":"permit"`,
					`"type":"permit","provision":[{"type":"deny","actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},
					"reference":{"reference":"Organization/`+string(drift)+`-`+string(ous)+`"}}]}]`, 1)
			}
			_, err := w.put(at(bydel), withID(body, consent), "")
			must(t, err)
			for party, want := range map[gateway.HERID]string{gp: c.gp, ous: c.ous} {
				got := fmt.Sprint(w.tasks(at(party), "withdrawal"))
				if want == "" && got != "[]" || want != "" && !strings.Contains(got, want) {
					t.Errorf("%s: %s, want %q", party, got, want)
				}
			}
		})
	}
}

// A samtykke that is deleted, or withdrawn by the patient or by a party that it names, is told of as well; who
// withdraws it is not told what it has done.
func TestWithdrawalByAnybodyIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(w *world, consent fhir.Reference, body string) error
		told   []gateway.HERID
	}{
		"deleted": {func(w *world, consent fhir.Reference, _ string) error {
			_, err := w.Do(context.Background(), at(bydel), gateway.Interaction{Code: gateway.Delete, Target: consent})
			return err
		}, []gateway.HERID{gp, ous}},
		"by the patient": {func(w *world, consent fhir.Reference, body string) error {
			_, err := w.put(w.patient(), strings.Replace(withID(body, consent), `"active"`, `"inactive"`, 1), "")
			return err
		}, []gateway.HERID{gp, ous}},
		"by one that it names": {func(w *world, consent fhir.Reference, body string) error {
			_, err := w.put(at(ous), strings.Replace(withID(body, consent), `"active"`, `"inactive"`, 1), "")
			return err
		}, []gateway.HERID{gp}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.patientOf(at(bydel), kari)
			r := w.mustPost(at(bydel), plan(p, "delt"))
			body := consentOf(p, []string{"plan", "bolig"}, gp, ous)
			consent := w.mustPost(at(bydel), body)
			for _, party := range []gateway.HERID{gp, ous} {
				_, err := w.read(at(party), r)
				must(t, err)
			}
			must(t, c.change(w, consent, body))
			for _, party := range []gateway.HERID{bydel, gp, ous} {
				want := 0
				for _, told := range c.told {
					if told == party {
						want = 1
					}
				}
				if n := len(w.tasks(at(party), "withdrawal")); n != want {
					t.Errorf("%s: %d Tasks, want %d", party, n, want)
				}
			}
		})
	}
}

// An access that was decided before the withdrawal and stands in the ledger only after it is told of too, once,
// whichever of several workers comes first.
func TestLateAccessIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	r := w.mustPost(at(bydel), plan(p, "delt"))
	body := consentOf(p, []string{"plan", "bolig"}, gp)
	consent := w.mustPost(at(bydel), body)
	late := &late{Store: w.store}
	g := w.exporter(gateway.ExportLimits{}, late)
	late.before = func() { withdraw(w, p, consent, r, body) }
	out, err := g.Do(context.Background(), at(gp), gateway.Interaction{Code: gateway.Read, Target: r})
	if err != nil || !strings.Contains(bodyOf(out), "kanari-delt") {
		t.Fatalf("the read under way: %v", err)
	}
	if n := len(w.tasks(at(gp), "withdrawal")); n != 0 {
		t.Fatalf("%d Tasks before the ledger has it", n)
	}
	w.clock.forward(2 * time.Minute)
	var abreast sync.WaitGroup
	for range 4 {
		abreast.Go(func() {
			if _, err := w.SettleWithdrawals(context.Background(), 10); err != nil {
				t.Error(err)
			}
		})
	}
	abreast.Wait()
	if n := len(w.tasks(at(gp), "withdrawal")); n != 1 {
		t.Errorf("%d Tasks, want 1", n)
	}
}

// late does something between the decision and the ledger.
type late struct {
	gateway.Store
	before func()
}

func (l *late) Record(ctx context.Context, entries []gateway.AuditEntry, fetched []gateway.FetchedVersion) error {
	if l.before != nil {
		l.before()
		l.before = nil
	}
	return l.Store.Record(ctx, entries, fetched)
}
