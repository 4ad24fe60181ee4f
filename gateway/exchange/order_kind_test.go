package exchange_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/exchange"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/mapping"
)

// referral20 is the namespace that the test's installation writes henvisning v2.0 under.
const referral20 = "http://example.org/xmlstds/henvisning/2018"

// orderedKinds are all types that the tables write, each with a message of package mapping's test data whose content is
// ordered over FHIR, and the version when it is not the current one.
var orderedKinds = []struct{ kind, golden, version string }{
	{"LOG_INNLAGT", "log-innlagt", ""}, {"LOG_UTSKRIVNINGSKLAR", "log-utskrivningsklar", ""}, {"LOG_AVMELDING", "log-avmelding", ""},
	{"LOG_UTSKREVET", "log-utskrevet", ""}, {"LOG_DOD", "log-dod", ""},
	{"HELSEOPPL_SOKNAD", "helseopplysninger-soknad", ""}, {"INNLEGGELSESRAPPORT", "innleggelsesrapport", ""},
	{"UTSKRIVNINGSRAPPORT", "utskrivningsrapport", ""}, {"HELSEOPPLYSNINGER_LEGE", "helseopplysninger-lege", ""},
	{"MEDISINSKE_OPPLYSNINGER", "medisinske-alt", ""}, {"ORIENTERING_TJENESTETILBUD", "orientering-tjenestetilbud", ""},
	{"LEGEMIDDELHANDTERING", "legemiddelhandtering", ""}, {"EPJ-EKSTRAKT", "epj-ekstrakt", ""},
	{"DIALOG_HELSEFAGLIG", "dialog-1.1-kan-ikke-ta-imot", ""}, {"DIALOG_NOTAT", "dialog-1.0-kan-ta-imot", "1.0"},
	{"DIALOG_NOTAT", "dialog-1.1-notat", ""},
	{"DIALOG_FORESPORSEL", "dialog-1.1-foresporsel", ""}, {"DIALOG_FORESPORSEL", "dialog-1.0-foresporsel", "1.0"},
	{"DIALOG_AVVIK", "dialog-1.0-avvik", "1.0"}, {"DIALOG_STATUS_HENVISNING", "", ""},
	{"HENVISNING", "henvisning-1.1", ""}, {"HENVISNING", "henvisning-1.0", "1.0"},
	{"HENVISNING", "henvisning-2.0", "2.0"}, {"HENVISNING_NYTILSTAND", "henvisning-2.0", ""}, {"HENVISNING_VIDERE", "henvisning-2.0", ""},
	{"HENVISNING_BUP", "henvisning-2.0", ""}, {"HENVISNING_REHAB", "henvisning-2.0", ""},
}

// shown is what reading a message gives, for comparison: the resources that are its content.
type shown struct {
	in   *mapping.Incoming
	sent string
}

func readBack(t testing.TB, document string) shown {
	t.Helper()
	in, err := mapping.Read([]byte(document), func(key string) string { return key })
	must(t, err)
	s := shown{in: in}
	for _, r := range in.Resources {
		if r.Key == "communication" {
			s.sent = fmt.Sprint(object(t, r.Body)["sent"])
		}
	}
	return s
}

func object(t testing.TB, body []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var m map[string]any
	must(t, d.Decode(&m))
	return m
}

// content are the resources that a client would order, as keys and bodies.
func (s shown) content() (list []mapping.Resource) {
	for _, r := range s.in.Resources {
		switch {
		case r.Key == "communication", r.Type == "Patient", r.Type == "Provenance", r.Type == "Binary", r.Type == "DocumentReference":
		default:
			list = append(list, r)
		}
	}
	return list
}

// bodies are the content in an order of its own, less when the message was made.
func (s shown) bodies(t testing.TB, sent ...string) []string {
	var all []string
	for _, r := range s.content() {
		m, _ := anonymous(object(t, r.Body))
		b, err := json.Marshal(m)
		must(t, err)
		text := string(b)
		for _, at := range sent {
			text = strings.ReplaceAll(text, at, "SENT")
		}
		all = append(all, text)
	}
	sort.Strings(all)
	return all
}

// anonymous leaves out references that say nothing but a name, and what holds nothing else: on every crossing a reference
// that may be to a record loses its display (DESIGN § 3, What is released).
func anonymous(v any) (any, bool) {
	switch x := v.(type) {
	case []any:
		var kept []any
		for _, one := range x {
			if one, ok := anonymous(one); ok {
				kept = append(kept, one)
			}
		}
		return kept, len(kept) > 0
	case map[string]any:
		for _, name := range []string{"valueReference", "recipient", "performer"} {
			if bare(x[name]) {
				delete(x, name)
			}
		}
		for name, inner := range x {
			if inner, ok := anonymous(inner); ok {
				x[name] = inner
			} else {
				delete(x, name)
			}
		}
		_, url := x["url"]
		return x, len(x) > 1 || len(x) == 1 && !url
	}
	return v, true
}

// bare tells of references with a display and nothing else.
func bare(v any) bool {
	all, many := v.([]any)
	if !many {
		all = []any{v}
	}
	for _, one := range all {
		m, ok := one.(map[string]any)
		if !ok || len(m) != 1 || m["display"] == nil {
			return false
		}
	}
	return len(all) > 0
}

// ordering is what one case orders: the records, and the Communication that names them.
type ordering struct {
	records []fhir.Reference
	body    string // of the Communication, in-progress
}

func (w *world) ordering(p fhir.Reference, kind, version string, s shown) ordering {
	w.t.Helper()
	var o ordering
	c := map[string]any{}
	for _, r := range s.in.Resources {
		if r.Key == "communication" {
			c = object(w.t, r.Body)
		}
	}
	for _, name := range []string{"identifier", "sent", "received", "sender", "recipient", "inResponseTo", "partOf", "about", "basedOn", "encounter", "medium"} {
		delete(c, name)
	}
	var extensions []any
	for _, x := range list(c["extension"]) {
		if url := fmt.Sprint(x.(map[string]any)["url"]); url != gateway.ExtensionChange && !strings.HasSuffix(url, "/utstedt") {
			extensions = append(extensions, x)
		}
	}
	if version != "" {
		extensions = append(extensions, map[string]any{"url": gateway.ExtensionVersion, "valueCode": version})
	}
	delete(c, "extension")
	if len(extensions) > 0 {
		c["extension"] = extensions
	}
	c["resourceType"], c["status"] = "Communication", "in-progress"
	c["subject"] = map[string]any{"reference": p.String()}
	c["recipient"] = []any{map[string]any{"reference": "Organization/fastlege"}}
	c["category"] = []any{map[string]any{"coding": []any{map[string]any{"system": "urn:oid:2.16.578.1.12.4.1.1.8279", "code": kind}}}}
	var payload []any
	for _, x := range list(c["payload"]) {
		if text, ok := x.(map[string]any)["contentString"]; ok {
			payload = append(payload, map[string]any{"contentString": text})
		}
	}
	if !strings.HasPrefix(kind, "DIALOG_") {
		payload = nil
		for _, r := range s.content() {
			body := strings.ReplaceAll(string(r.Body), `"Patient/patient"`, `"`+p.String()+`"`)
			ref := w.create(person(bydel), r.Type, body)
			ref.Version = ""
			o.records = append(o.records, ref)
			payload = append(payload, map[string]any{"contentReference": map[string]any{"reference": ref.String()}})
		}
	}
	c["payload"] = payload
	b, err := json.Marshal(c)
	must(w.t, err)
	o.body = string(b)
	return o
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// itemised is a samtykke for the labels of these records and no others, uklassifisert among them.
func itemised(p fhir.Reference, records []fhir.Reference, labels ...string) string {
	items := make([]string, 0, len(records))
	for _, r := range records {
		items = append(items, `{"meaning":"instance","reference":{"reference":"`+string(r.Type)+"/"+string(r.ID)+`"}}`)
	}
	return strings.Replace(consentBody("active", p, "bydel", "fastlege", labels...), `"securityLabel"`, `"data":[`+strings.Join(items, ",")+`],"securityLabel"`, 1)
}

func statusLetter() string {
	return `{"resourceType":"Communication","status":"in-progress","topic":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.9148","code":"4"}],"text":"Vurdering"},
	  "payload":[{"contentString":"kanari-status: henvisningen er avvist"}]}`
}

// TestEveryKindIsOrdered: a FHIR client orders every type that the tables write by naming its own records; without samtykke
// nothing leaves, with it the receiver reads in the message exactly the resources that were ordered.
func TestEveryKindIsOrdered(t *testing.T) {
	for _, c := range orderedKinds {
		t.Run(strings.TrimSuffix(c.kind+" "+c.version, " "), func(t *testing.T) {
			w := newWorldWith(t, exchange.Translator{Referral20: referral20})
			p := w.patient(bydel)
			var s shown
			if c.golden == "" {
				s = shown{in: &mapping.Incoming{Resources: []mapping.Resource{{Key: "communication", Type: "Communication", Body: []byte(statusLetter())}}}}
			} else {
				s = readBack(t, document(t, c.golden))
			}
			o := w.ordering(p, c.kind, c.version, s)
			refused := w.create(person(bydel), "Communication", o.body)
			w.once()
			if status, reason := w.communication(refused); status != "stopped" || !strings.Contains(reason, "samtykke mangler") || len(w.list(gp)) != 0 {
				t.Fatalf("without samtykke: %s %q, %d messages", status, reason, len(w.list(gp)))
			}
			ordered := w.create(person(bydel), "Communication", strings.Replace(o.body, "in-progress", "preparation", 1))
			w.create(person(bydel), "Consent", itemised(p, slices.Concat(o.records, []fhir.Reference{ordered, p}), gateway.AllLabels.Codes()...))
			w.update(person(bydel), ordered, withID(o.body, ordered))
			w.once()
			documents, _ := w.documents(gp)
			if status, reason := w.communication(ordered); status != "in-progress" || reason != "" || len(documents) != 1 {
				t.Fatalf("%s %q, %d documents", status, reason, len(documents))
			}
			raw, _ := w.fetch(gp, documents[0].ID)
			got := readBack(t, raw)
			if string(got.in.Head.Kind) != c.kind || c.version != "" && got.in.Head.Version != c.version {
				t.Errorf("it is %s %s", got.in.Head.Kind, got.in.Head.Version)
			}
			if strings.HasPrefix(c.kind, "DIALOG_") {
				sameDialogue(t, o.body, got)
			} else if want, have := s.bodies(t, s.sent), got.bodies(t, s.sent, got.sent); !slices.Equal(want, have) {
				tellDifference(t, want, have)
			}
			if w.call(gp, "POST", "/edi/Messages/"+documents[0].ID+"/apprec/"+gp, map[string]any{"appRecStatus": "Ok"}); true {
				if status, _ := w.communication(ordered); status != "completed" {
					t.Errorf("%s after the AppRec", status)
				}
			}
		})
	}
}

func tellDifference(t *testing.T, want, have []string) {
	t.Helper()
	for _, x := range want {
		if !slices.Contains(have, x) {
			t.Errorf("not in the message:\n%s", x)
		}
	}
	for _, x := range have {
		if !slices.Contains(want, x) {
			t.Errorf("nobody ordered:\n%s", x)
		}
	}
}

// sameDialogue compares what a dialogue says with what was ordered.
func sameDialogue(t *testing.T, ordered string, got shown) {
	t.Helper()
	want := object(t, []byte(ordered))
	for _, r := range got.in.Resources {
		if r.Key != "communication" {
			continue
		}
		have := object(t, r.Body)
		for _, name := range []string{"payload", "topic"} {
			a, _ := json.Marshal(want[name])
			b, _ := json.Marshal(have[name])
			var code any
			if name == "topic" {
				code = object(t, a)["text"]
				if code != object(t, b)["text"] || !bytes.Contains(b, []byte(fmt.Sprintf(`"code":%q`, list(object(t, a)["coding"])[0].(map[string]any)["code"]))) {
					t.Errorf("topic %s, want %s", b, a)
				}
				continue
			}
			for _, x := range list(want[name]) {
				if text := fmt.Sprint(x.(map[string]any)["contentString"]); !strings.Contains(strings.Join(strings.Fields(string(b)), " "), strings.Join(strings.Fields(jsonText(text)), " ")) {
					t.Errorf("text %s, want %s", b, text)
				}
			}
		}
		return
	}
	t.Error("no dialogue")
}

func jsonText(s string) string {
	b, _ := json.Marshal(s)
	return strings.Trim(string(b), `"`)
}

// TestEveryWrittenKindIsTested: the list above is all that the tables write, with and without the setting for v2.0.
func TestEveryWrittenKindIsTested(t *testing.T) {
	with, without := exchange.Translator{Referral20: referral20}, exchange.Translator{}
	for _, kind := range mapping.Kinds() {
		listed := slices.ContainsFunc(orderedKinds, func(c struct{ kind, golden, version string }) bool { return c.kind == string(kind) })
		if written := with.Writes(string(kind), ""); written != (listed || kind == mapping.KindDialogAnswer) { // an answer needs a question: TestEveryTypeIsSent
			t.Errorf("%s: written %t, tested %t", kind, written, listed)
		}
	}
	for kind, version := range map[string]string{"HENVISNING": "2.0", "HENVISNING_VIDERE": "", "HENVISNING_NYTILSTAND": "", "HENVISNING_BUP": "", "HENVISNING_REHAB": ""} {
		if without.Writes(kind, version) {
			t.Errorf("%s %s is written without a namespace", kind, version)
		}
	}
	if !without.Writes("HENVISNING", "") || without.Writes("EPIKRISE", "") || without.Writes("APPREC", "") || without.Writes("", "") {
		t.Error("the wrong kinds are written")
	}
}
