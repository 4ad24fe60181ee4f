package mapping

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"text/template"
)

func edit(t testing.TB, raw []byte, pairs ...string) []byte {
	t.Helper()
	s := string(raw)
	for i := 0; i+1 < len(pairs); i += 2 {
		if !strings.Contains(s, pairs[i]) {
			t.Fatalf("the sample does not hold %q", pairs[i])
		}
		s = strings.ReplaceAll(s, pairs[i], pairs[i+1])
	}
	return []byte(s)
}

func outcomeOf(in *Incoming, suffix string) []Outcome {
	var out []Outcome
	for _, f := range in.Report {
		if strings.HasSuffix(f.Path, suffix) {
			out = append(out, f.Outcome)
		}
	}
	return out
}

func resource(in *Incoming, key string) string {
	for _, r := range in.Resources {
		if r.Key == key {
			return string(r.Body)
		}
	}
	return ""
}

// TestLogisticsHoldNoFreeText: none of the words of a LOG_ message that tell why somebody is admitted stands in a
// resource or in the copy for the receiver; all of them are reported, and stand in the original.
func TestLogisticsHoldNoFreeText(t *testing.T) {
	raw := edit(t, fixture(t, "log-fritekst/in.xml"), "</po:TidsfestetHendelse>\n          </lo:MeldingInnlagtPasient>",
		`</po:TidsfestetHendelse>
          </lo:MeldingInnlagtPasient>
          <po:TilknyttetEnhet xmlns:fk1="http://www.kith.no/xmlstds/felleskomponent1">
            <po:Kontaktenhet><fk1:OrganisationName>Rusakuttmottaket</fk1:OrganisationName><fk1:Ident><fk1:Id>8100032</fk1:Id><fk1:TypeId V="HER"/></fk1:Ident></po:Kontaktenhet>
            <po:Merknad>spør etter LAR-teamet</po:Merknad>
          </po:TilknyttetEnhet>`)
	in, err := Read(raw, ids)
	if err != nil {
		t.Fatal(err)
	}
	words := []string{"avrusning", "Avrusning", "overdose", "F11.2", "Rusakutt", "LAR-teamet", "epikrise", "a2FuYXJp"}
	for _, r := range in.Resources {
		if r.Key == "original-binary" {
			continue
		}
		for _, w := range words {
			if bytes.Contains(r.Body, []byte(w)) {
				t.Errorf("%q stands in %s", w, r.Key)
			}
		}
	}
	var drop []string
	for _, s := range in.Sections {
		if s.Drop {
			drop = append(drop, s.Path)
		}
	}
	copied, err := Withhold(raw, drop)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range words {
		if bytes.Contains(copied, []byte(w)) {
			t.Errorf("%q stands in the receiver's copy", w)
		}
		if !bytes.Contains(raw, []byte(w)) {
			t.Errorf("%q is not in the sample", w)
		}
	}
	if !bytes.Contains(copied, []byte("2026-03-20T22:10:00")) || !bytes.Contains(copied, []byte("8100031")) {
		t.Error("what may cross was dropped")
	}
	if !slices.Contains(in.Sections[0].Labels, "rus") {
		t.Error("the head does not carry rus, though the sender's name tells it")
	}
}

func TestRevealingNames(t *testing.T) {
	for name, want := range map[string]bool{
		"Avdeling rus- og avhengighetsbehandling": true, "OUS TSB": true, "LAR Oslo": true, "Avrusningsposten": true, "Rusakutten": true,
		"Alkoholpoliklinikken": true, "Overdoseteamet": true, "Narkotikamisbrukere": true, "RUS": true,
		"Oslo universitetssykehus HF": false, "Larvik legesenter": false, "Rustad sykehjem": false, "Brus og brød": false,
		"Klarahuset": false, "Psykiatri plo meldingsmottak": false, "Sagene legesenter": false,
	} {
		if reveals(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

// TestInvalidValues: a value that breaks its type is a finding with its place, and never in a resource.
func TestInvalidValues(t *testing.T) {
	raw := edit(t, fixture(t, "medisinske-opplysninger/in.xml"),
		"<po:Hoveddiagnose>true<", "<po:Hoveddiagnose>ja<", "<po:FramsattDato>2026-02-03<", "<po:FramsattDato>2026-02-30<",
		`<epj3:DoseringStarttidspunkt V="2023-09-01"/>`, `<epj3:DoseringStarttidspunkt V="12:31:59"/>`, `<epj3:Styrke V="96"`, `<epj3:Styrke V="mye"`,
		"<po:Vurdering>3<", "<po:Vurdering>tre<", "<DateOfBirth>1992-06-21<", "<DateOfBirth>1992-13-21<", `<Sex V="2"`, `<Sex V="7"`,
		`V="1" S="2.16.578.1.12.4.1.1.9101"`, `V="17" S="2.16.578.1.12.4.1.1.9101"`)
	in, err := Read(raw, ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"MedisinskDiagnose[1]/Hoveddiagnose", "/FramsattDato", "/DoseringStarttidspunkt/@V",
		"ForenkletForskrivning[1]/Forskrivningsinfo/Styrke/@V", "/KartlagtFunksjon/Vurdering", "/Patient/DateOfBirth", "/Patient/Sex/@V"} {
		if got := outcomeOf(in, suffix); !slices.Contains(got, Invalid) {
			t.Errorf("%s: %v", suffix, got)
		}
	}
	if got := outcomeOf(in, "ForenkletForskrivning[1]/Forskrivningsinfo/Bruk/@V"); !slices.Contains(got, UnknownCode) {
		t.Errorf("a code outside its list: %v", got)
	}
	if !strings.Contains(resource(in, "medication-statement-1"), `"code":"17"`) {
		t.Error("an unknown code was lost")
	}
	for _, value := range []string{`"ja"`, "2026-02-30", "12:31:59", `"mye"`, `"tre"`, "1992-13-21"} {
		for _, r := range in.Resources {
			if r.Key != "original-binary" && bytes.Contains(r.Body, []byte(value)) {
				t.Errorf("%s stands in %s", value, r.Key)
			}
		}
	}
}

// TestPatientIdentifiers: an fnr that fails its digits is told, and gets no system, so that it matches nobody.
func TestPatientIdentifiers(t *testing.T) {
	raw := fixture(t, "log-innlagt/in.xml")
	for name, c := range map[string]struct {
		raw    []byte
		valid  bool
		system bool
		there  bool
	}{
		"valid":      {raw, true, true, true},
		"one off":    {edit(t, raw, "21869245515", "21869245516"), false, false, true},
		"no number":  {edit(t, raw, "<Ident><Id>21869245515</Id><TypeId V=\"FNR\" S=\"2.16.578.1.12.4.1.1.8116\" DN=\"Fødselsnummer\"/></Ident>", ""), false, false, true},
		"H-number":   {edit(t, raw, "21869245515", "0712345678", `V="FNR"`, `V="HNR"`), false, false, true},
		"no patient": {cut(raw, "<Patient>", "</Patient>"), false, false, false},
	} {
		in, err := Read(c.raw, ids)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p := in.Head.Patient
		if p.NINValid != c.valid || p.Present != c.there {
			t.Errorf("%s: %+v", name, p)
		}
		if got := strings.Contains(resource(in, "patient"), "1.12.4.1.4.1"); got != c.system {
			t.Errorf("%s: identifier system given: %v", name, got)
		}
		if !c.there {
			if resource(in, "observation-1") != "" || resource(in, "original") == "" {
				t.Errorf("%s: a record about nobody, or the original was lost", name)
			}
		}
	}
}

func cut(raw []byte, from, to string) []byte {
	s := string(raw)
	return []byte(s[:strings.Index(s, from)] + s[strings.Index(s, to)+len(to):])
}

// TestNotSupported: other types are refused with a head that can be answered.
func TestNotSupported(t *testing.T) {
	raw := fixture(t, "log-innlagt/in.xml")
	for name, doc := range map[string][]byte{
		"another type":          edit(t, fixture(t, "medisinske-opplysninger/in.xml"), "MEDISINSKE_OPPLYSNINGER", "INNLEGGELSESRAPPORT"),
		"PLO of another year":   edit(t, raw, "Pasientlogistikk/2012-04-01", "Pasientlogistikk/2008-02-20"),
		"another logistics":     edit(t, raw, "MeldingInnlagtPasient", "TilbakemeldingUtskrivningsklarPasient"),
		"a type of no standard": edit(t, raw, `V="LOG_INNLAGT"`, `V="LOG_TILBAKEMELDING"`),
		"dialogue of the wrong": edit(t, fixture(t, "dialog-1.0-foresporsel/in.xml"), "dialog/2006-10-11", "dialog/2030-01-01"),
	} {
		var e *Error
		if _, err := Read(doc, ids); !errors.As(err, &e) || e.Code != NotSupported {
			t.Errorf("%s: %v", name, err)
		}
		if h, err := ReadHead(doc); err != nil || h.MsgID == "" || h.Receiver.Addressed() == "" {
			t.Errorf("%s: the head cannot be answered: %v", name, err)
		}
	}
}

// TestHeadFaults: what is missing is named, and what is there is given.
func TestHeadFaults(t *testing.T) {
	raw := fixture(t, "log-innlagt/in.xml")
	for path, doc := range map[string][]byte{
		infoPath + "/MsgId":                 cut(raw, "<MsgId>", "</MsgId>"),
		infoPath + "/Type/@V":               edit(t, raw, `V="LOG_INNLAGT"`, `V=""`),
		infoPath + "/GenDate":               edit(t, raw, "<GenDate>2026-03-20T23:40:00<", "<GenDate>2026-03-20T24:40:00<"),
		infoPath + "/Sender/Organisation":   edit(t, raw, "8100030", "", "8100031", ""),
		infoPath + "/Receiver/Organisation": cut(raw, "<Receiver>", "</Receiver>"),
	} {
		h, err := ReadHead(doc)
		var e *Error
		if !errors.As(err, &e) || e.Code != Malformed || e.Path != path {
			t.Errorf("%s: %v", path, err)
		} else if h == nil || h.Processing != "" || h.Namespace == "" {
			t.Errorf("%s: nothing of the head was given", path)
		}
	}
}

// TestUnknownElements: never released by the labels of their neighbours; an indivisible list is locked as a whole.
func TestUnknownElements(t *testing.T) {
	raw := edit(t, fixture(t, "medisinske-opplysninger/in.xml"),
		"<po:BetegnelseTjeneste>", "<po:Ukjent>kanari-ukjent</po:Ukjent><po:BetegnelseTjeneste>",
		"<epj3:GeneriskNavn>", `<epj3:Ukjent V="kanari-liste"/><epj3:GeneriskNavn>`)
	in, err := Read(raw, ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range in.Sections {
		switch {
		case strings.HasSuffix(s.Path, "/Ukjent") && !slices.Equal(s.Labels, []string{"uklassifisert"}):
			t.Errorf("%s: %v", s.Path, s.Labels)
		case s.Name == "Legemidler" && !slices.Contains(s.Labels, "uklassifisert"):
			t.Errorf("%s: %v", s.Path, s.Labels)
		case s.Name == "Behov for tjenester" && slices.Contains(s.Labels, "uklassifisert"):
			t.Errorf("%s: %v", s.Path, s.Labels)
		}
	}
	if got := outcomeOf(in, "TjenesteBehov/Ukjent"); !slices.Equal(got, []Outcome{Kept}) {
		t.Errorf("outcome %v", got)
	}
}

// TestUnknownThemes: the theme tells what a text is about; a theme that nobody knows gives no label to release it by.
func TestUnknownThemes(t *testing.T) {
	theme := `TemaKodet V="7" S="2.16.578.1.12.4.1.1.7322"`
	for name, to := range map[string]string{"known": theme, "unknown code": `TemaKodet V="77" S="2.16.578.1.12.4.1.1.7322"`,
		"unknown list": `TemaKodet V="7" S="2.16.578.1.12.4.1.1.4711"`, "no code": `TemaKodet`} {
		in, err := Read(edit(t, fixture(t, "dialog-1.1-notat/in.xml"), theme, to), ids)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range in.Sections {
			if s.Name == "Dialogmelding" && slices.Contains(s.Labels, "uklassifisert") != (name != "known") {
				t.Errorf("%s: labels %v", name, s.Labels)
			}
		}
	}
	for list, code := range map[string]string{"7322": "9", "9152": "6", "9154": "8", "9153": "5"} {
		if len(theTable().labels[list][code]) == 0 {
			t.Errorf("theme %s of %s adds no label", code, list)
		}
	}
}

// TestNamespacesNotPrefixes: a sender may write any prefix, or a default namespace on each level.
func TestNamespacesNotPrefixes(t *testing.T) {
	raw := fixture(t, "medisinske-opplysninger/in.xml")
	other := edit(t, raw, "epj3:", "x:", "xmlns:epj3", "xmlns:x", "po:", "a:", "xmlns:po=", "xmlns:a=")
	want, err := Read(raw, ids)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(other, ids)
	if err != nil {
		t.Fatal(err)
	}
	if len(want.Resources) != len(got.Resources) || len(want.Resources) < 30 {
		t.Fatalf("%d and %d resources", len(want.Resources), len(got.Resources))
	}
	for i := range want.Resources {
		if want.Resources[i].Key != "original-binary" && !bytes.Equal(want.Resources[i].Body, got.Resources[i].Body) {
			t.Errorf("%s differs", want.Resources[i].Key)
		}
	}
	wrong, err := Read(edit(t, raw, "epj/epj3/2008-02-20", "epj/epj3/1999-01-01"), ids)
	if err != nil {
		t.Fatal(err)
	}
	if resource(wrong, "medication-statement-1") != "" {
		t.Error("an element of another namespace was read by its name")
	}
}

func TestXHTMLBecomesText(t *testing.T) {
	in, err := Read(fixture(t, "dialog-1.1-notat/in.xml"), ids)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"contentString":"Vi kan ta imot tirsdag kl. 12.\nRing først."`; !strings.Contains(resource(in, "communication"), want) {
		t.Errorf("got %s", resource(in, "communication"))
	}
	if len(in.Attachments) != 3 || string(in.Attachments[0].Bytes) != "hei på deg" || in.Attachments[1].Problem != "base64" ||
		in.Attachments[2].FileRef == "" {
		t.Errorf("attachments: %+v", in.Attachments)
	}
}

func TestMoments(t *testing.T) {
	for in, want := range map[string]string{
		"2026": "2026", "2026-03": "2026-03", "2026-03-20": "2026-03-20", "2026-01-05T13:10:00": "2026-01-05T13:10:00+01:00",
		"2026-07-05T13:10:00": "2026-07-05T13:10:00+02:00", "2026-07-05T13:10:00.125Z": "2026-07-05T13:10:00.125Z",
		"2026-07-05T13:10:00-05:30": "2026-07-05T13:10:00-05:30", " 2026-07-05 ": "2026-07-05",
	} {
		if m, ok := parseMoment(in); !ok || m.text != want {
			t.Errorf("%q: %q, %v", in, m.text, ok)
		}
	}
	for _, in := range []string{"", "0000", "26", "2026-13", "2026-02-29", "2026-3-1", "2026-03-20+01:00", "13:10:00", "2026-03-20T24:00:00",
		"2026-03-20T13:10", "2026-03-20 13:10:00", "2026-03-20T13:60:00", "2026-03-20T13:10:00+15:00", "2026-03-20T13:10:00,5Z", "i går"} {
		if m, ok := parseMoment(in); ok {
			t.Errorf("%q was read as %q", in, m.text)
		}
	}
}

// TestDemoTemplate: the message that the demo's GP answers with, filled in, is the sample.
func TestDemoTemplate(t *testing.T) {
	text, err := os.ReadFile("testdata/demo/medisinske-opplysninger.tmpl.xml")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	const parent = "0b3d0e0c-51a9-4b8c-8a15-2a8b5d0f7c01"
	err = template.Must(template.New("").Option("missingkey=error").Parse(string(text))).Execute(&b, map[string]string{
		"Generated": "2026-03-20T12:30:00+01:00", "MsgID": "6b7f3c50-1a55-4d0a-9a67-8f7f1e0c2a11", "RefToParent": parent,
		"RefToConversation": parent, "SenderName": "Sagene legesenter", "SenderHER": "8100010",
		"ReceiverName": "Bydel Sagene, rus og psykisk helse", "ReceiverHER": "8100020", "Family": "Nordlie", "Given": "Kari",
		"BirthDate": "1992-06-21", "NIN": "21869245515"})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), fixture(t, "medisinske-opplysninger/in.xml")) {
		t.Error("template and sample have come apart")
	}
}
