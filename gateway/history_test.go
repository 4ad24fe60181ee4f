package gateway_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// timeline asks for the history of a type, or of the system when kind is "", page by page.
func (w *world) timeline(a gateway.Actor, kind fhir.Type, window gateway.Window, count int) (bodies string, entries int) {
	w.t.Helper()
	in := gateway.Interaction{Code: gateway.HistoryType, Target: fhir.Reference{Type: kind}, Window: window}
	if kind == "" {
		in.Code, in.Window.Types = gateway.HistorySystem, []fhir.Type{"Patient", "CarePlan", "Consent", "Organization", "Binary"}
	}
	in.Search = gateway.Search{Count: count, Base: "http://sluse.test/fhir", Self: "http://sluse.test/fhir/" + string(kind) + "/_history"}
	for page := 0; page < 50; page++ {
		out, err := w.Do(context.Background(), a, in)
		must(w.t, err)
		body := bodyOf(out)
		bodies += body
		n := strings.Count(body, `"fullUrl"`)
		entries += n
		_, next, more := strings.Cut(body, "_page=")
		if !more {
			return bodies, entries
		}
		if n != count {
			w.t.Errorf("a page of %d entries with more behind it, want %d", n, count)
		}
		in.Search.Page, _, _ = strings.Cut(next, `"`)
	}
	w.t.Fatal("the pages do not end")
	return "", 0
}

// A history of a type or of the system shows what the versions' own and the current labels allow, page
// by page, and neither more places nor fewer than that.
func TestTimelineShowsOnlyWhatMayBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other := w.patientOf(at(bydel), kari), w.patientOf(at(bydel), ola)
	change := func(r fhir.Reference, body string) {
		_, err := w.put(at(bydel), strings.Replace(body, `{`, `{"id":"`+string(r.ID)+`",`, 1), "")
		must(t, err)
	}
	shared := w.mustPost(at(bydel), plan(p, "delt-en"))
	change(shared, plan(p, "delt-to"))
	// Its first version was only a plan; what was in it turned out to be rus, and is so from then on.
	whole := func(canary string) string { return strings.ReplaceAll(plan(p, canary), "okonomi", "bolig") }
	hidden := w.mustPost(at(bydel), whole("senere-skjult"))
	change(hidden, strings.Replace(whole("skjult"), `{`, `{"meta":{"security":[{"system":"`+gateway.LabelSystem+`","code":"rus"}]},`, 1))
	// A part that gets a label takes the older version's same words with it.
	parted := w.mustPost(at(bydel), strings.ReplaceAll(plan(p, "del-en"), "okonomi", "bolig"))
	change(parted, plan(p, "del-to"))
	w.mustPost(at(bydel), plan(other, "annen"))
	gone := w.mustPost(at(bydel), plan(p, "slettet"))
	_, err := w.Do(context.Background(), at(bydel), gateway.Interaction{Code: gateway.Delete, Target: gone})
	must(t, err)
	w.mustPost(at(bydel), consentOf(p, []string{"plan", "bolig"}, ous))
	mine := w.mustPost(at(ous), plan(w.patientOf(at(ous), kari), "egen"))

	for _, count := range []int{1, 2, 3, 100} {
		body, n := w.timeline(at(ous), "CarePlan", gateway.Window{}, count)
		wantNone(t, body, "kanari-senere-skjult", "kanari-skjult", "kanari-annen", "kanari-okonomi-del", "kanari-del-en", "kanari-narrativ-", "kanari-okonomi-delt", string(hidden.ID))
		for _, want := range []string{"kanari-delt-to", "kanari-del-to", "kanari-egen", string(mine.ID), `"method":"DELETE"`} {
			if !strings.Contains(body, want) {
				t.Errorf("count %d: %s is missing", count, want)
			}
		}
		// own 1; shared: delt-to and delt-en have parts of okonomi that are not covered now: only the current; del-to; slettet twice
		system, m := w.timeline(at(ous), "", gateway.Window{}, count)
		wantNone(t, system, "kanari-senere-skjult", "kanari-skjult", "kanari-annen", "kanari-del-en", string(other.ID))
		if m <= n || !strings.Contains(system, "Organization/") || !strings.Contains(system, "kanari-egen") {
			t.Errorf("count %d: %d entries of the system, %d of the type", count, m, n)
		}
		if _, all := w.timeline(at(bydel), "CarePlan", gateway.Window{}, count); all != 9 {
			t.Errorf("count %d: the custodian sees %d versions, want 9", count, all)
		}
		if body, n := w.timeline(at(sosial), "CarePlan", gateway.Window{}, count); n != 0 {
			t.Errorf("count %d: a party without samtykke sees %d versions: %s", count, n, body)
		}
	}
	bound := at(ous)
	bound.Attest = gateway.Attest{NIN: nin(t, ola)}
	if body, n := w.timeline(bound, "CarePlan", gateway.Window{}, 5); n != 0 {
		t.Errorf("a token of another patient sees %s", body)
	}
	body, n := w.timeline(w.patient(), "CarePlan", gateway.Window{}, 5)
	if wantNone(t, body, "kanari-annen"); n == 0 || !strings.Contains(body, "kanari-delt-to") {
		t.Errorf("the patient does not see her own (pbrl. § 5-1): %d versions", n)
	}
}

func TestTimelineWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	var made []time.Time
	r := w.mustPost(at(bydel), plan(p, "v1"))
	made = append(made, w.clock.time())
	for _, v := range []string{"v2", "v3"} {
		w.clock.forward(time.Hour)
		_, err := w.put(at(bydel), strings.Replace(plan(p, v), `{`, `{"id":"`+string(r.ID)+`",`, 1), "")
		must(t, err)
		made = append(made, w.clock.time())
	}
	w.mustPost(at(bydel), consentOf(p, []string{"plan", "bolig", "okonomi"}, ous))
	between := func(i int) gateway.Window {
		at := made[i].Add(time.Minute)
		return gateway.Window{Low: at, High: at.Add(time.Second)}
	}
	for _, tt := range []struct {
		window gateway.Window
		want   string
	}{
		{gateway.Window{}, "v3 v2 v1"},
		{gateway.Window{Since: made[0]}, "v3 v2"},
		{gateway.Window{Since: made[2]}, ""},
		{between(0), "v1"}, {between(1), "v2"}, {between(2), "v3"},
		{gateway.Window{Low: made[0], High: made[1]}, "v2 v1"},
		{gateway.Window{Low: made[0].Add(-time.Hour), High: made[0].Add(-time.Hour)}, ""},
	} {
		for name, a := range map[string]gateway.Actor{"own": at(bydel), "shared": at(ous)} {
			for _, count := range []int{1, 10} {
				body, _ := w.timeline(a, "CarePlan", tt.window, count)
				if got := versionsIn(body); got != tt.want {
					t.Errorf("%s, %v: %q, want %q", name, tt.window, got, tt.want)
				}
			}
			out, err := w.Do(context.Background(), a, gateway.Interaction{Code: gateway.History, Target: r, Window: tt.window, Search: gateway.Search{Count: 10}})
			if got := versionsIn(bodyOf(out)); err != nil || got != tt.want {
				t.Errorf("%s, one record, %v: %q %v, want %q", name, tt.window, got, err, tt.want)
			}
		}
		_, err := w.Do(context.Background(), at(sosial), gateway.Interaction{Code: gateway.History, Target: r, Window: tt.window, Search: gateway.Search{Count: 10}})
		wantCode(t, err, gateway.NotFound)
	}
}

// What was no longer current takes no place on a page of those that were.
func TestTimelineWindowOfManyVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	w.mustPost(at(bydel), plan(p, "a1"))
	r := w.mustPost(at(bydel), plan(p, "b1"))
	for _, v := range []string{"b2", "b3", "b4", "b5"} {
		_, err := w.put(at(bydel), strings.Replace(plan(p, v), `{`, `{"id":"`+string(r.ID)+`",`, 1), "")
		must(t, err)
	}
	now := w.clock.time()
	w.clock.forward(time.Minute)
	_, err := w.put(at(bydel), strings.Replace(plan(p, "b6"), `{`, `{"id":"`+string(r.ID)+`",`, 1), "")
	must(t, err)
	for _, count := range []int{1, 10} {
		body, _ := w.timeline(at(bydel), "CarePlan", gateway.Window{Low: now, High: now.Add(time.Second)}, count)
		if got := versionsIn(body); got != "b5 a1" {
			t.Errorf("count %d: %q", count, got)
		}
	}
}

func versionsIn(body string) string {
	var found []string
	for _, s := range strings.Split(body, `"title":"kanari-`)[1:] {
		found = append(found, s[:2])
	}
	return strings.Join(found, " ")
}

// That a version which is hidden stood between two that are not is told by no window.
func TestTimelineTellsNoHiddenChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	var made []time.Time
	r := w.mustPost(at(bydel), plan(p, "v1"))
	for _, body := range []string{plan(fhir.Reference{Type: "Patient", ID: "ingen"}, "v2"), plan(p, "v3")} { // v2 is about nobody
		made = append(made, w.clock.time())
		w.clock.forward(time.Hour)
		_, err := w.put(at(bydel), strings.Replace(body, `{`, `{"id":"`+string(r.ID)+`",`, 1), "")
		must(t, err)
	}
	w.mustPost(at(bydel), consentOf(p, []string{"plan", "bolig", "okonomi"}, ous))
	late := made[1].Add(time.Minute)
	window := gateway.Window{Low: late, High: late.Add(time.Second)}
	if got, _ := w.timeline(at(bydel), "CarePlan", window, 5); versionsIn(got) != "v2" {
		t.Errorf("the custodian: %q", versionsIn(got))
	}
	if got, _ := w.timeline(at(ous), "CarePlan", window, 5); versionsIn(got) != "v1" {
		t.Errorf("another party: %q, want what it would see without the hidden version", versionsIn(got))
	}
}

// generous is a Store whose histories list more than the scope allows: what is in extra comes along in
// those of its type, as if the predicates let it through.
type generous struct {
	gateway.Store
	listed map[string]gateway.Record // by version: all that was ever given
	extra  []gateway.Record
}

func (s *generous) Snapshot(ctx context.Context, fn func(gateway.View) error) error {
	return s.Store.Snapshot(ctx, func(v gateway.View) error { return fn(generousView{v, s}) })
}

type generousView struct {
	gateway.View
	from *generous
}

func (v generousView) History(ctx context.Context, p gateway.Permit, r fhir.Reference, w gateway.Window, limit int, after gateway.Cursor) ([]gateway.Record, error) {
	list, err := v.View.History(ctx, p, r, w, limit, after)
	for _, one := range list {
		v.from.listed[one.Reference.Version] = one
	}
	for _, more := range v.from.extra {
		if more.Reference.Type == r.Type && (r.ID == "" || r.ID == more.Reference.ID) {
			list, err = append(list, more), nil
		}
	}
	return list, err
}

// The Gateway alone, with a store that lets through what it should not: nothing of a page with a past
// version that the current one does not allow is released, whether by its labels, by its person, or by
// the labels of its parts; what the current one allows is.
func TestHistoryAsksTheCurrentVersionInGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other := w.patientOf(at(bydel), kari), w.patientOf(at(bydel), ola)
	whole := func(about fhir.Reference, canary string) string {
		return strings.ReplaceAll(plan(about, canary), "okonomi", "bolig")
	}
	secret := strings.Replace(whole(p, "to"), `{`, `{"meta":{"security":[{"system":"`+gateway.LabelSystem+`","code":"rus"}]},`, 1)
	first := map[string]fhir.Reference{}
	for name, then := range map[string]string{"same": whole(p, "to"), "label": secret, "person": whole(other, "to"), "part": plan(p, "to")} {
		out, err := w.post(at(bydel), whole(p, "en-"+name))
		must(t, err)
		first[name] = out.Location
		_, err = w.put(at(bydel), strings.Replace(then, `{`, `{"id":"`+string(out.Location.ID)+`",`, 1), "")
		must(t, err)
	}
	w.mustPost(at(bydel), consentOf(p, []string{"plan", "bolig"}, ous))
	store := &generous{Store: w.store, listed: map[string]gateway.Record{}}
	g := w.exporter(gateway.ExportLimits{}, store)
	list := func(a gateway.Actor, code gateway.InteractionCode, target fhir.Reference) (string, error) {
		out, err := g.Do(context.Background(), a, gateway.Interaction{Code: code, Target: target, Search: gateway.Search{Count: 50}, Window: gateway.Window{Types: []fhir.Type{target.Type}}})
		return bodyOf(out), err
	}
	kind := fhir.Reference{Type: "CarePlan"}
	_, err := list(at(bydel), gateway.HistoryType, kind)
	must(t, err)
	past := maps.Clone(store.listed)
	_, err = list(at(ous), gateway.HistoryType, kind)
	must(t, err)
	covered := store.listed[first["same"].Version].Covered // by the one samtykke, which touches all of them alike
	for name, r := range first {
		row := past[r.Version]
		row.Covered, row.Labels = covered, past[first["same"].Version].Labels
		store.extra = []gateway.Record{row}
		for code, target := range map[gateway.InteractionCode]fhir.Reference{gateway.HistoryType: kind, gateway.HistorySystem: kind, gateway.History: {Type: r.Type, ID: r.ID}} {
			body, err := list(at(ous), code, target)
			if name == "same" {
				if err != nil || !strings.Contains(body, "kanari-en-same") {
					t.Errorf("%s: what the current version allows: %v", code, err)
				}
				continue
			}
			if err == nil || strings.Contains(body, "kanari-en-"+name) {
				t.Errorf("%s, %s: LEAK of what the current version does not allow: %v", code, name, err)
			}
		}
	}
}
