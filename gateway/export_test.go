package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

var exportTypes = []fhir.Type{"CarePlan", "Consent", "Observation", "Patient", "Task"}

// exporter is a second process on the same store: small pages, and a Store that may fail.
func (w *world) exporter(limits gateway.ExportLimits, store gateway.Store) *gateway.Gateway {
	w.t.Helper()
	c := w.Config
	c.Store, c.Exports = store, limits
	g, err := gateway.New(c)
	must(w.t, err)
	return g
}

func (w *world) begin(a gateway.Actor, r gateway.ExportRequest) string {
	w.t.Helper()
	if r.Types == nil {
		r.Types = exportTypes
	}
	r.Canonical = "Patient/$export"
	id, err := w.BeginExport(context.Background(), a, r)
	must(w.t, err)
	return id
}

// finish works until the job is no longer under way. It begins when every transaction of the cluster from
// before it has ended.
func (w *world) finish(g *gateway.Gateway, a gateway.Actor, job string) {
	w.t.Helper()
	for range 1000 {
		worked, err := g.ExportOnce(context.Background())
		must(w.t, err)
		s, err := w.ExportStatus(context.Background(), a, job)
		must(w.t, err)
		if s.State != gateway.ExportRunning {
			return
		}
		if !worked {
			time.Sleep(10 * time.Millisecond)
		}
	}
	w.t.Fatal("the export does not end")
}

// lines fetches every file of a job, by type.
func (w *world) lines(a gateway.Actor, job string) map[fhir.Type][]string {
	w.t.Helper()
	s, err := w.ExportStatus(context.Background(), a, job)
	must(w.t, err)
	if s.State != gateway.ExportComplete {
		w.t.Fatalf("the job is %s at %s", s.State, s.Progress)
	}
	out := make(map[fhir.Type][]string)
	for _, f := range s.Files {
		for _, line := range w.fetch(a, job, f.ID) {
			var r struct {
				ResourceType fhir.Type `json:"resourceType"`
			}
			if err := json.Unmarshal([]byte(line), &r); err != nil || r.ResourceType != f.Type {
				w.t.Fatalf("a line of %s that is none: %v %s", f.Type, err, line)
			}
			out[f.Type] = append(out[f.Type], line)
		}
	}
	return out
}

func (w *world) fetch(a gateway.Actor, job, file string) []string {
	w.t.Helper()
	var b bytes.Buffer
	must(w.t, w.DownloadExport(context.Background(), a, job, file, func(r gateway.Release) error {
		_, err := r.WriteTo(&b)
		return err
	}))
	if b.Len() == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func idsOf(t testing.TB, lines []string) (ids []string) {
	t.Helper()
	for _, line := range lines {
		var r struct{ ID string }
		must(t, json.Unmarshal([]byte(line), &r))
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return ids
}

func task(patient fhir.Reference, canary string) string {
	return fmt.Sprintf("{\n  \"resourceType\": \"Task\",\"status\":\"requested\",\"intent\":\"order\",\r\n\"description\":\"kanari-%s\",\"for\":{\"reference\":\"%s\"},\"authoredOn\":\"2026-10-01\"}", canary, patient)
}

// What is hidden is in no line and in no file; what is shared and what is the party's own is there once;
// a person whom the party has no Patient of is not.
func TestExportHoldsWhatMayBeRead(t *testing.T) {
	w := newWorld(t)
	theirs := w.patientOf(at(bydel), kari)
	mine := w.patientOf(at(gp), kari)
	other := w.patientOf(at(bydel), ola) // gp has no Patient of his
	shared := w.mustPost(at(bydel), plan(theirs, "delt"))
	w.mustPost(at(bydel), task(theirs, "skjult-oppgave"))
	w.mustPost(at(sosial), plan(w.patientOf(at(sosial), kari), "skjult-sosial"))
	w.mustPost(at(bydel), plan(other, "fremmed"))
	w.mustPost(at(bydel), consentOf(theirs, []string{"plan"}, gp))
	w.mustPost(at(bydel), consentOf(other, []string{"plan"}, gp))
	own := w.mustPost(at(gp), task(mine, "egen"))
	job := w.begin(at(gp), gateway.ExportRequest{})
	w.finish(w.Gateway, at(gp), job)
	got := w.lines(at(gp), job)
	if ids := idsOf(t, got["CarePlan"]); !slices.Equal(ids, []string{string(shared.ID)}) {
		t.Errorf("plans %v, want %s", ids, shared.ID)
	}
	if ids := idsOf(t, got["Task"]); !slices.Equal(ids, []string{string(own.ID)}) {
		t.Errorf("tasks %v, want %s", ids, own.ID)
	}
	if n := len(got["Patient"]); n != 2 { // its own, and the head of bydel's, which every permit covers
		t.Errorf("%d Patients", n)
	}
	all := fmt.Sprint(got)
	wantNone(t, all, "skjult", "fremmed", "kanari-okonomi", "kanari-bolig", "kanari-narrativ", "kanari-navn", ola)
	if !strings.Contains(all, "SUBSETTED") || !strings.Contains(all, "kanari-egen") {
		t.Errorf("own or shared is not as it should be: %s", all)
	}
	s, err := w.ExportStatus(context.Background(), at(gp), job)
	must(t, err)
	for _, f := range s.Files { // nothing counts what is hidden
		if n := int64(len(got[f.Type])); f.Last-f.First != n {
			t.Errorf("%s: %d lines, %d of them fetched", f.Type, f.Last-f.First, n)
		}
	}
}

// The lines come in the order of the party's own Patients, whoever of the persons another party has known before.
func TestExportOrderTellsNothing(t *testing.T) {
	w := newWorld(t)
	w.patientOf(at(bydel), ola)
	first, second := w.patientOf(at(gp), kari), w.patientOf(at(gp), ola)
	late := w.mustPost(at(gp), task(second, "annen"))
	early := w.mustPost(at(gp), task(first, "egen"))
	job := w.begin(at(gp), gateway.ExportRequest{Types: []fhir.Type{"Task"}})
	w.finish(w.Gateway, at(gp), job)
	lines := w.lines(at(gp), job)["Task"]
	if len(lines) != 2 || !strings.Contains(lines[0], string(early.ID)) || !strings.Contains(lines[1], string(late.ID)) {
		t.Errorf("LEAK: %s comes before %s in %v", late.ID, early.ID, lines)
	}
}

// A withdrawal between kick-off and page, between page and download, and a label added afterwards: what
// is not covered any more is not in the file.
func TestExportIsDecidedWhenItIsFetched(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before bool // of the pages
		change func(w *world, theirs, consent, plan fhir.Reference, given string)
	}{
		{"withdrawn before the page", true, withdraw},
		{"withdrawn after the page", false, withdraw},
		{"expired after the page", false, func(w *world, _, _, _ fhir.Reference, _ string) {
			w.clock.forward(365 * 24 * time.Hour)
		}},
		{"labelled after the page", false, func(w *world, theirs, _, p fhir.Reference, _ string) {
			body := strings.Replace(plan(theirs, "delt"), `"resourceType":"CarePlan"`,
				`"resourceType":"CarePlan","id":"`+string(p.ID)+`","meta":{"security":[{"system":"`+gateway.LabelSystem+`","code":"rus"}]}`, 1)
			_, err := w.put(at(bydel), body, "")
			must(w.t, err)
		}},
		{"deleted after the page", false, func(w *world, _, _, p fhir.Reference, _ string) {
			_, err := w.Do(context.Background(), at(bydel), gateway.Interaction{Code: gateway.Delete, Target: p})
			must(w.t, err)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			g := w.exporter(gateway.ExportLimits{Keep: 1000 * 24 * time.Hour}, w.store)
			theirs := w.patientOf(at(bydel), kari)
			w.patientOf(at(gp), kari)
			p := w.mustPost(at(bydel), plan(theirs, "delt"))
			given := consentOf(theirs, []string{"plan"}, gp)
			c := w.mustPost(at(bydel), given)
			job, err := g.BeginExport(context.Background(), at(gp), gateway.ExportRequest{Types: exportTypes})
			must(t, err)
			if tt.before {
				tt.change(w, theirs, c, p, given)
			}
			w.finish(g, at(gp), job)
			if !tt.before {
				if n := len(w.lines(at(gp), job)["CarePlan"]); n != 1 {
					t.Fatalf("%d plans before the change, want 1", n)
				}
				tt.change(w, theirs, c, p, given)
			}
			got := w.lines(at(gp), job)
			if len(got["CarePlan"]) != 0 {
				t.Errorf("LEAK: %v", got["CarePlan"])
			}
			wantNone(t, fmt.Sprint(got), "kanari-delt")
		})
	}
}

func withdraw(w *world, _, c, _ fhir.Reference, given string) {
	body := strings.Replace(given, `"resourceType":"Consent"`, `"resourceType":"Consent","id":"`+string(c.ID)+`"`, 1)
	_, err := w.put(at(bydel), strings.Replace(body, `"status":"active"`, `"status":"inactive"`, 1), "")
	must(w.t, err)
}

// A job is there for who began it and for nobody else, in status, file and cancellation alike; after its
// time for nobody at all.
func TestExportIsItsOwners(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	mine := w.patientOf(at(gp), kari)
	w.mustPost(at(gp), task(mine, "egen"))
	job := w.begin(at(gp), gateway.ExportRequest{})
	w.finish(w.Gateway, at(gp), job)
	s, err := w.ExportStatus(ctx, at(gp), job)
	must(t, err)
	file := s.Files[0].ID
	colleague, otherRole := at(gp), at(gp)
	colleague.Practitioner, otherRole.Role = "9900002", "sekretær"
	_, never := w.ExportStatus(ctx, at(gp), "11111111-2222-4333-8444-555555555555")
	before := w.refusals()
	for name, a := range map[string]gateway.Actor{"another party": at(ous), "a colleague": colleague, "another role": otherRole, "the patient": w.patient()} {
		_, err := w.ExportStatus(ctx, a, job)
		if err == nil || err.Error() != never.Error() {
			t.Errorf("%s: status %v, want %v", name, err, never)
		}
		err = w.DownloadExport(ctx, a, job, file, func(gateway.Release) error { return errors.New("something was given") })
		if err == nil || err.Error() != never.Error() {
			t.Errorf("%s: file %v, want %v", name, err, never)
		}
		if err := w.CancelExport(ctx, a, job); err == nil || err.Error() != never.Error() {
			t.Errorf("%s: cancel %v, want %v", name, err, never)
		}
	}
	if n := w.refusals() - before; n != 9 { // status, file and cancel, of the three that gp and the patient's own party see
		t.Errorf("%d refusals in the ledger, want 9", n)
	}
	w.clock.forward(24*time.Hour + time.Minute)
	if _, err := w.ExportStatus(ctx, at(gp), job); err == nil || err.Error() != never.Error() {
		t.Errorf("after its time: %v", err)
	}
	if err := w.DownloadExport(ctx, at(gp), job, file, func(gateway.Release) error { return nil }); err == nil {
		t.Error("a file is there after its time")
	}
	if n, err := w.ExpireExports(ctx, 10); err != nil || n != 1 {
		t.Errorf("%d removed, %v", n, err)
	}
	job = w.begin(at(gp), gateway.ExportRequest{})
	refused := w.cancelled()
	must(t, w.CancelExport(ctx, at(gp), job))
	if n := w.cancelled() - refused; n != 1 {
		t.Errorf("%d cancellations in the ledger, want 1", n)
	}
	if worked, err := w.ExportOnce(ctx); worked || err != nil {
		t.Errorf("a cancelled job is worked on: %v %v", worked, err)
	}
	if _, err := w.ExportStatus(ctx, at(gp), job); err == nil || err.Error() != never.Error() {
		t.Errorf("a cancelled job: %v", err)
	}
}

// cancelled counts the cancellations in the ledger of gp.
func (w *world) cancelled() int {
	w.t.Helper()
	a := at(gp)
	a.Kind = gateway.Compliance
	body, err := w.find(a, "AuditEvent", gateway.Search{Count: 100})
	must(w.t, err)
	return strings.Count(body, `"code":"export-cancel"`)
}

// Nobody but a person of a party exports, in its ordinary work: each refusal stands in the ledger.
func TestExportIsRefused(t *testing.T) {
	w := newWorld(t)
	w.patientOf(at(gp), kari)
	emergency, help, bound, compliance, system := at(gp), at(gp), at(gp), at(gp), gateway.Actor{Kind: gateway.Machine, Party: gp, Client: "epj"}
	emergency.Purpose, emergency.Reason = gateway.BreakTheGlass, "bevisstløs"
	help.Purpose = gateway.EmergencyTreat
	nin, err := gateway.NewNIN(kari)
	must(t, err)
	bound.Attest = gateway.Attest{NIN: nin}
	compliance.Kind = gateway.Compliance
	before := w.refusals()
	for name, a := range map[string]gateway.Actor{"BTG": emergency, "ETREAT": help, "bound": bound, "compliance": compliance, "system": system, "patient": w.patient(), "operator": w.operator()} {
		_, err := w.BeginExport(context.Background(), a, gateway.ExportRequest{Types: exportTypes})
		if gateway.CodeOf(err) != gateway.Forbidden {
			t.Errorf("%s: %v, want forbidden", name, err)
		}
	}
	if n := w.refusals() - before; n != 6 { // that of the operator is in nobody's view
		t.Errorf("%d refusals in the ledger, want 6", n)
	}
	if worked, err := w.ExportOnce(context.Background()); worked || err != nil {
		t.Errorf("a refused export has a job: %v %v", worked, err)
	}
}

// refusals counts those in the ledger that compliance of each party sees.
func (w *world) refusals() (n int) {
	w.t.Helper()
	for _, party := range []gateway.HERID{gp, people} {
		a := at(party)
		a.Kind = gateway.Compliance
		body, err := w.find(a, "AuditEvent", gateway.Search{Count: 100})
		must(w.t, err)
		n += strings.Count(body, `"outcome":"4"`)
	}
	return n
}

var errKilled = errors.New("killed")

// mortal is a Store whose process is killed in the transaction before the last of its life: that one is
// never committed, and nothing follows.
type mortal struct {
	gateway.Store
	life int
}

func (m *mortal) Tx(ctx context.Context, fn func(gateway.Tx) error) error {
	if m.life--; m.life < 0 {
		return errKilled
	}
	return m.Store.Tx(ctx, func(tx gateway.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		if m.life == 0 {
			return errKilled
		}
		return nil
	})
}

// Whoever is killed, wherever, leaves a job that somebody else ends: each record is in it once, and its
// release is in the ledger once.
func TestExportSurvivesKills(t *testing.T) {
	w := newWorld(t)
	limits := gateway.ExportLimits{Page: 3, Lines: 4}
	mine := w.patientOf(at(gp), kari)
	his := w.patientOf(at(gp), ola)
	var want []string
	for i := range 10 {
		want = append(want, string(w.mustPost(at(gp), task(mine, fmt.Sprint(i))).ID), string(w.mustPost(at(gp), task(his, fmt.Sprint(i))).ID))
	}
	slices.Sort(want)
	job := w.begin(at(gp), gateway.ExportRequest{Types: []fhir.Type{"Task"}})
	for life := 1; life < 40; life++ {
		g := w.exporter(limits, &mortal{w.store, life % 5})
		for {
			worked, err := g.ExportOnce(context.Background())
			if err != nil || !worked {
				break
			}
		}
		if worked, err := w.exporter(limits, w.store).ExportOnce(context.Background()); life%5 > 1 && (worked || err != nil) {
			if s, _ := w.ExportStatus(context.Background(), at(gp), job); s.State != gateway.ExportComplete {
				t.Fatalf("life %d: the lease of the dead was not respected: %v %v", life, worked, err)
			}
		}
		w.clock.forward(2 * time.Minute)
	}
	w.finish(w.exporter(limits, w.store), at(gp), job)
	s, err := w.ExportStatus(context.Background(), at(gp), job)
	must(t, err)
	if len(s.Files) != 5 {
		t.Errorf("%d files of at most 4 lines for 20 records", len(s.Files))
	}
	if got := idsOf(t, w.lines(at(gp), job)["Task"]); !slices.Equal(got, want) {
		t.Errorf("got %d lines %v\nwant %d %v", len(got), got, len(want), want)
	}
	body, err := w.find(at(gp), "AuditEvent", gateway.Search{Count: 100})
	must(t, err)
	for _, id := range want {
		if n := strings.Count(body, `Task/`+id+`/_history`); n != 3 { // written, found, fetched
			t.Errorf("Task %s stands %d times in the ledger, want 3", id, n)
		}
	}
}

// What is written while pages are made: each record is there once, in the version of the kick-off.
func TestExportIsOfItsTime(t *testing.T) {
	w := newWorld(t)
	g := w.exporter(gateway.ExportLimits{Page: 2, Turn: 1}, w.store)
	mine := w.patientOf(at(gp), kari)
	var refs []fhir.Reference
	for i := range 6 {
		refs = append(refs, w.mustPost(at(gp), task(mine, fmt.Sprint("først-", i))))
	}
	since := w.clock.time()
	job := w.begin(at(gp), gateway.ExportRequest{Types: []fhir.Type{"Task"}})
	for i := range 4 {
		for worked := false; !worked; time.Sleep(5 * time.Millisecond) {
			var err error
			worked, err = g.ExportOnce(context.Background())
			must(t, err)
		}
		w.mustPost(at(gp), task(mine, "senere"))
		body := strings.Replace(task(mine, "endret"), `"resourceType": "Task"`, `"resourceType":"Task","id":"`+string(refs[5-i].ID)+`"`, 1)
		_, err := w.put(at(gp), body, "")
		must(t, err)
	}
	w.finish(g, at(gp), job)
	got := w.lines(at(gp), job)["Task"]
	if len(got) != 6 {
		t.Errorf("%d lines, want 6", len(got))
	}
	wantNone(t, fmt.Sprint(got), "senere", "endret")
	job = w.begin(at(gp), gateway.ExportRequest{Types: []fhir.Type{"Task"}, Since: since})
	w.finish(g, at(gp), job)
	if got := w.lines(at(gp), job)["Task"]; len(got) != 8 || strings.Contains(fmt.Sprint(got), "først-0") {
		t.Errorf("since the first export: %d lines, want 8: %v", len(got), got)
	}
}

// The jobs of a party are few.
func TestExportLimit(t *testing.T) {
	w := newWorld(t)
	g := w.exporter(gateway.ExportLimits{Jobs: 2}, w.store)
	r := gateway.ExportRequest{Types: exportTypes}
	for i := range 3 {
		_, err := g.BeginExport(context.Background(), at(gp), r)
		if (gateway.CodeOf(err) == gateway.TooCostly) != (i == 2) {
			t.Errorf("export %d: %v", i+1, err)
		}
	}
	_, err := g.BeginExport(context.Background(), at(ous), r)
	must(t, err)
}

// A Group gives its members that are the party's own Patients, and a Group that is hidden is one that
// does not exist.
func TestExportOfAGroup(t *testing.T) {
	w := newWorld(t)
	theirs := w.patientOf(at(bydel), kari)
	mine, his := w.patientOf(at(gp), kari), w.patientOf(at(gp), ola)
	kept := w.mustPost(at(gp), task(mine, "egen"))
	w.mustPost(at(gp), task(his, "ikke-medlem"))
	group := func(members ...string) string {
		return `{"resourceType":"Group","type":"person","actual":true,"member":[` + strings.Join(members, ",") + `]}`
	}
	member := func(r fhir.Reference, more string) string {
		return `{"entity":{"reference":"` + r.String() + `"}` + more + `}`
	}
	ours := w.mustPost(at(gp), group(member(mine, ""), member(theirs, ""), member(his, `,"inactive":true`)))
	past := w.mustPost(at(gp), group(member(his, `,"period":{"end":"2026-10-01"}`)))
	hidden := w.mustPost(at(bydel), group(member(theirs, "")))
	types := []fhir.Type{"Patient", "Task"}
	job := w.begin(at(gp), gateway.ExportRequest{Group: ours.ID, Types: types})
	none := w.begin(at(gp), gateway.ExportRequest{Group: past.ID, Types: types})
	w.finish(w.Gateway, at(gp), job)
	w.finish(w.Gateway, at(gp), none)
	got := w.lines(at(gp), job)
	if ids := idsOf(t, got["Task"]); !slices.Equal(ids, []string{string(kept.ID)}) || len(got["Patient"]) != 1 {
		t.Errorf("got %v", got)
	}
	if got := w.lines(at(gp), none); len(got) != 0 {
		t.Errorf("a Group without members gave %v", got)
	}
	_, one := w.BeginExport(context.Background(), at(gp), gateway.ExportRequest{Group: hidden.ID, Types: types})
	_, other := w.BeginExport(context.Background(), at(gp), gateway.ExportRequest{Group: "finnes-ikke", Types: types})
	if one == nil || gateway.CodeOf(one) != gateway.NotFound || one.Error() != other.Error() {
		t.Errorf("hidden: %v; absent: %v", one, other)
	}
}

// Who has lost the lease writes nothing any more.
func TestExportLeaseIsOfOne(t *testing.T) {
	w := newWorld(t)
	w.patientOf(at(gp), kari)
	w.begin(at(gp), gateway.ExportRequest{})
	var job gateway.ExportJob
	claim := func(lease string) gateway.Code {
		for range 500 { // until what was under way before it has ended
			err := w.store.Tx(context.Background(), func(tx gateway.Tx) (err error) {
				now := w.clock.time()
				job, err = tx.ClaimExport(context.Background(), now, now.Add(time.Minute), lease)
				return err
			})
			if gateway.CodeOf(err) != gateway.NotFound || job.Key != 0 {
				return gateway.CodeOf(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		return gateway.NotFound
	}
	lock := func(lease string) gateway.Code {
		return gateway.CodeOf(w.store.Tx(context.Background(), func(tx gateway.Tx) error {
			_, err := tx.LockExport(context.Background(), job.Key, lease)
			return err
		}))
	}
	if code := claim("a"); code != "" {
		t.Fatal(code)
	}
	key := job.Key
	if code := claim("b"); code != gateway.NotFound {
		t.Errorf("a job under lease was claimed: %s", code)
	}
	w.clock.forward(2 * time.Minute)
	if code := claim("b"); code != "" || job.Key != key {
		t.Errorf("the job of the dead is not claimed: %s", code)
	}
	if a, b := lock("a"), lock("b"); a != gateway.NotFound || b != "" {
		t.Errorf("the first has %q, the second %q", a, b)
	}
}

// A transaction from before the kick-off may write what is older than the export: no page is read before
// it has ended.
func TestExportWaitsForWhatIsUnderWay(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	mine := w.patientOf(at(gp), kari)
	var job string
	must(t, w.store.Tx(ctx, func(tx gateway.Tx) error {
		must(t, tx.Record(ctx, []gateway.AuditEntry{{
			ID: "11111111-2222-4333-8444-555555555555", Recorded: w.clock.time(), Interaction: gateway.Find, Outcome: gateway.Released,
			Party: gateway.Party{ID: gp, Name: "Part"},
		}}))
		_, err := tx.ExportCount(ctx, gp, w.clock.time()) // what is recorded travels with the next question
		must(t, err)
		job = w.begin(at(gp), gateway.ExportRequest{})
		for range 5 {
			if worked, err := w.ExportOnce(ctx); worked || err != nil {
				t.Errorf("a page was made before an older transaction had ended: %v %v", worked, err)
			}
		}
		return nil
	}))
	w.finish(w.Gateway, at(gp), job)
	if ids := idsOf(t, w.lines(at(gp), job)["Patient"]); !slices.Equal(ids, []string{string(mine.ID)}) {
		t.Errorf("got %v", ids)
	}
}
