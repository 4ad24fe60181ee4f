package exchange_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/exchange"
)

// bench is a gateway whose GP is reached by a spool directory.
type bench struct {
	*world
	directory string
	spool     *exchange.Spool
	carrier   *exchange.Carrier
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{world: newWorld(t), directory: t.TempDir()}
	var err error
	b.spool, err = exchange.OpenSpool(b.directory)
	must(t, err)
	t.Cleanup(func() { must(t, b.spool.Close()) })
	b.carrier = b.carry(b.spool, gp)
	return b
}

// files lists a directory of the spool with the contents.
func (b *bench) files(directory string) map[string]string {
	b.t.Helper()
	entries, err := os.ReadDir(filepath.Join(b.directory, directory))
	must(b.t, err)
	out := map[string]string{}
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(b.directory, directory, e.Name()))
		must(b.t, err)
		out[e.Name()] = string(raw)
	}
	return out
}

func (b *bench) lay(name, text string) {
	b.t.Helper()
	must(b.t, os.WriteFile(filepath.Join(b.directory, "in", name), []byte(text), 0o600))
}

var spoolName = regexp.MustCompile(`^[0-9a-f-]{32,36}(-[0-9]{7})?\.(xml|txt)$`)

// TestSpool: a document laid in in/ is received as any message and its AppRec leaves by out/; what cannot be
// read goes to failed/ with the reason. No name tells of anybody.
func TestSpool(t *testing.T) {
	b := newBench(t)
	b.create(person(bydel), "Consent", consentBody("active", b.patient(bydel), "fastlege", "bydel", clinical...))
	b.lay(kari+".xml", document(t, "medisinske-opplysninger"))
	b.lay("uleselig.xml", "<MsgHead>21869245515")
	b.lay("halvveis.xml.part", "<MsgHead")
	for range 3 {
		must(t, b.carrier.Once(context.Background()))
	}
	if list, _ := b.documents(bydel); len(list) != 1 {
		t.Fatalf("%d documents reach the bydel, want 1", len(list))
	}
	out := b.files("out")
	if len(out) != 1 {
		t.Fatalf("%d files in out, want the AppRec", len(out))
	}
	for _, text := range out {
		if a, err := (exchange.Translator{}).ReadAppRec([]byte(text)); err != nil || a.Original != medicalID || a.To != gp || a.Status != gateway.OKErrorInMessagePart {
			t.Errorf("%+v %v, want the AppRec", a, err)
		}
	}
	if done, failed := b.files("done"), b.files("failed"); len(done) != 1 || len(failed) != 2 {
		t.Errorf("%d in done and %d in failed, want 1 and a pair", len(done), len(failed))
	} else {
		for name, text := range failed {
			if strings.HasSuffix(name, ".txt") && (!strings.Contains(text, "(message.not-xml)") || strings.Contains(text, kari)) {
				t.Errorf("the reason is %q", text)
			}
		}
	}
	if in := b.files("in"); len(in) != 1 {
		t.Errorf("%d files left in in, want the half-written one", len(in))
	}
	for _, directory := range []string{"out", "done", "failed"} {
		for name := range b.files(directory) {
			if !spoolName.MatchString(name) || strings.Contains(name, kari) {
				t.Errorf("%s/%s", directory, name)
			}
		}
	}
}

// dying is a Transport whose process dies around a step: the work is done, and nobody hears of it.
type dying struct {
	exchange.Transport
	before, after bool // on sending
	taken         bool // after take
}

var errDied = errors.New("the process has died")

func (d *dying) Send(ctx context.Context, p gateway.Parcel) (string, error) {
	if d.before {
		return "", errDied
	}
	reference, err := d.Transport.Send(ctx, p)
	if d.after {
		return "", errDied
	}
	return reference, err
}

func (d *dying) Receive(ctx context.Context, take func(context.Context, gateway.Arrival) error) error {
	return d.Transport.Receive(ctx, func(ctx context.Context, in gateway.Arrival) error {
		err := take(ctx, in)
		if d.taken && err == nil {
			return errDied
		}
		return err
	})
}

// TestSpoolDies: a process that dies between any two steps leaves one effect, both ways.
func TestSpoolDies(t *testing.T) {
	b := newBench(t)
	p := b.patient(bydel)
	b.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "bydel", clinical...))
	b.create(person(bydel), "Consent", consentBody("active", p, "bydel", "fastlege", clinical...))
	c := b.create(person(bydel), "Communication", order(p, "DIALOG_HELSEFAGLIG", "fastlege", note))
	b.lay("inn.xml", document(t, "medisinske-opplysninger"))
	must(t, b.worker.Once(context.Background()))
	for _, d := range []dying{{before: true}, {after: true}, {taken: true}, {after: true, taken: true}, {}} {
		d.Transport = b.spool
		carrier := b.carry(&d, gp)
		for range 3 {
			_ = carrier.Once(context.Background()) // dies
			b.wait(20 * time.Minute)
		}
	}
	if list, _ := b.documents(bydel); len(list) != 1 {
		t.Errorf("%d documents reach the bydel, want 1", len(list))
	}
	messages, receipts := 0, 0
	for _, text := range b.files("out") {
		if strings.Contains(text, "kanari-dialog") {
			messages++
			m, err := exchange.Translator{}.Head([]byte(text))
			must(t, err)
			answer, err := exchange.Translator{}.WriteAppRec(gateway.AppRec{
				MsgID: "1f0b8f5e-9f0b-4a9c-8f3f-5d0a7c1e2b11", From: gp, To: bydel, Original: m.MsgID, Status: gateway.AppRecOK, At: b.clock(),
			}, m)
			must(t, err)
			b.lay("svar.xml", string(answer))
			continue
		}
		receipts++
	}
	if messages != 1 || receipts != 1 {
		t.Errorf("%d messages and %d AppRecs in out, want one of each", messages, receipts)
	}
	must(t, b.carrier.Once(context.Background()))
	if status, _ := b.communication(c); status != "completed" {
		t.Errorf("the Communication is %s after the AppRec", status)
	}
	if in := b.files("in"); len(in) != 0 {
		t.Errorf("%d files left in in", len(in))
	}
}

// TestSpoolSpeaksForItsOwn: a document from a party that the route does not reach is refused, and nothing of
// it is kept under that party's name.
func TestSpoolSpeaksForItsOwn(t *testing.T) {
	b := newBench(t)
	b.create(person(bydel), "Consent", consentBody("active", b.patient(bydel), "fastlege", "bydel", clinical...))
	b.lay("falsk.xml", document(t, "medisinske-opplysninger", gp, hospice))
	must(t, b.carrier.Once(context.Background()))
	if list, _ := b.documents(bydel); len(list) != 0 {
		t.Errorf("%d documents reach the bydel", len(list))
	}
	if all := b.searchAll(person(hospice)); strings.Contains(all, "kanari") {
		t.Error("it is kept as the hospital's")
	}
	if failed := b.files("failed"); len(failed) != 2 {
		t.Errorf("%d files in failed, want it and the reason", len(failed))
	}
}

// TestSpoolLessParts: of a message that was handed in, a receiver outside gets what is covered when it leaves, and
// nothing once less than that is.
func TestSpoolLessParts(t *testing.T) {
	for _, withdrawn := range []bool{false, true} {
		b := newBench(t)
		b.carrier = b.carry(b.spool, bydel)
		p := b.patient(bydel)
		k := b.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "bydel", clinical...))
		b.send(gp, document(t, "medisinske-opplysninger"))
		if withdrawn { // tried before, to no avail
			_ = b.carry(&dying{Transport: b.spool, before: true}, bydel).Once(context.Background())
			less := slices.DeleteFunc(slices.Clone(clinical), func(l string) bool { return l == "psykisk" })
			b.update(person(bydel), k, withID(consentBody("active", p, "fastlege", "bydel", less...), k))
			b.wait(time.Hour / 2)
		}
		must(t, b.carrier.Once(context.Background()))
		out := b.files("out")
		if withdrawn {
			if tasks := b.search(person(gp), "Task"); len(out) != 0 || !strings.Contains(tasks, "message-withheld") {
				t.Errorf("%d documents left, and a Task tells of it: %t", len(out), strings.Contains(tasks, "message-withheld"))
			}
			continue
		}
		for _, text := range out {
			if !strings.Contains(text, "kanari-rus") || strings.Contains(text, "kanari-familie") || strings.Contains(text, "kanari-arbeid") {
				t.Error("what leaves is not what is covered")
			}
		}
		if len(out) != 1 {
			t.Errorf("%d documents left, want 1", len(out))
		}
	}
}

// TestDeliveredNeverAnswered: a message that the other side has, and does not answer in time, is told by a Task.
func TestDeliveredNeverAnswered(t *testing.T) {
	b := newBench(t)
	p := b.patient(bydel)
	b.create(person(bydel), "Consent", consentBody("active", p, "bydel", "fastlege", clinical...))
	b.create(person(bydel), "Communication", order(p, "DIALOG_HELSEFAGLIG", "fastlege", note))
	must(t, b.worker.Once(context.Background()))
	must(t, b.carrier.Once(context.Background()))
	if n := len(b.files("out")); n != 1 {
		t.Fatalf("%d documents left, want 1", n)
	}
	b.wait(2 * time.Hour)
	must(t, b.worker.Once(context.Background()))
	if n := strings.Count(b.search(person(bydel), "Task"), "apprec-missing"); n != 1 {
		t.Errorf("%d Tasks, want 1", n)
	}
}
