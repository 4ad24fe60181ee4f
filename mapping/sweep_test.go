package mapping

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

const signature = `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignatureValue>YQ==</SignatureValue></Signature></MsgHead>`

// TestSignedLogisticsAreRefused: what must be dropped cannot be dropped from a signed message, so it crosses to nobody,
// even when the caller withholds nothing. One that holds nothing to drop is returned byte by byte.
func TestSignedLogisticsAreRefused(t *testing.T) {
	for name, sample := range map[string][]byte{
		"free text": fixture(t, "log-fritekst/in.xml"),
		"comment":   edit(t, fixture(t, "log-innlagt/in.xml"), "<Ack", "<!-- kanari --><Ack"),
		"attribute": edit(t, fixture(t, "log-innlagt/in.xml"), "<Ack", `<Ack x="kanari"`),
		"object": edit(t, edit(t, fixture(t, "log-innlagt/in.xml"), "</MsgHead>", signature),
			"<SignatureValue>", "<Object>kanari</Object><SignatureValue>"),
	} {
		signed := sample
		if name != "object" {
			signed = edit(t, sample, "</MsgHead>", signature)
		}
		in, err := Read(signed, ids)
		if err != nil || !in.AllOrNothing || !slices.ContainsFunc(in.Sections, func(s Section) bool { return s.Drop }) {
			t.Errorf("%s: it must be read and kept, with what is to be dropped: %v", name, err)
		}
		var e *Error
		if out, err := Withhold(signed, nil); !errors.As(err, &e) || e.Code != Locked || out != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	signed := edit(t, fixture(t, "log-innlagt/in.xml"), "</MsgHead>", signature)
	if out, err := Withhold(signed, nil); err != nil || !bytes.Equal(out, signed) {
		t.Errorf("a signed message without free text: %v", err)
	}
}

// TestRoutineLogisticsLoseNothing: what systems write every day is no free text, and gives no status 3.
func TestRoutineLogisticsLoseNothing(t *testing.T) {
	for _, name := range []string{"log-innlagt", "log-utskrivningsklar"} {
		raw := edit(t, fixture(t, name+"/in.xml"), `<MsgHead `,
			`<MsgHead xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xsi:schemaLocation="http://www.kith.no/xmlstds/msghead/2006-05-24 MsgHead-v1_2.xsd" `,
			`DN="HER-id"`, `DN="Her-Id"`, "<Ident><Id>21869245515", `<Address><Type V="H" DN="Bostedsadresse"/><County V="0301" DN="Oslo"/><Country V="NO" DN="Norge"/></Address><Ident><Id>21869245515`)
		in, err := Read(raw, ids)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range in.Sections {
			if s.Drop || slices.Contains(s.Labels, "uklassifisert") {
				t.Errorf("%s: %s (%s)", name, s.Path, s.Name)
			}
		}
		copied, err := Withhold(raw, nil)
		if err != nil || bytes.Contains(copied, []byte("schemaLocation")) || bytes.Contains(copied, []byte("XMLSchema")) {
			t.Errorf("%s: hints and unused namespaces are left: %v", name, err)
		}
	}
}

// TestDescriptionsFollowTheDocument: what tells of the document has every label of it, and what stands beside codes that
// decide has uklassifisert.
func TestDescriptionsFollowTheDocument(t *testing.T) {
	for name, unclassified := range map[string]bool{"dialog-1.0-foresporsel": false, "medisinske-opplysninger": true} {
		raw := edit(t, fixture(t, name+"/in.xml"), "<Document>", "<Document><ContentDescription>beskrivelse-a</ContentDescription><Annotation>beskrivelse-b</Annotation>",
			`<MsgType V="XML" DN="XML-instans"/>`, `<MsgType V="XML" DN="XML-instans"/><Description>beskrivelse-c</Description>`)
		if unclassified {
			raw = cut(raw, "<po:InfoReservasjon>", "</po:InfoReservasjon>") // has the label itself
		}
		in, err := Read(raw, ids)
		if err != nil {
			t.Fatal(err)
		}
		var all, paths []string
		for _, s := range in.Sections {
			if strings.Contains(s.Path, "/Content/") {
				all = append(all, s.Labels...)
			}
		}
		for _, s := range in.Sections {
			if s.Name != "Beskrivelse av dokumentet" {
				continue
			}
			paths = append(paths, s.Path)
			for _, l := range all {
				if !slices.Contains(s.Labels, l) {
					t.Errorf("%s: %s lacks %s", name, s.Path, l)
				}
			}
			if slices.Contains(s.Labels, "uklassifisert") != unclassified {
				t.Errorf("%s: %s has %v", name, s.Path, s.Labels)
			}
		}
		copied, err := Withhold(raw, paths)
		if err != nil || len(paths) != 3 || bytes.Contains(copied, []byte("beskrivelse-a")) || bytes.Contains(copied, []byte("beskrivelse-b")) || bytes.Contains(copied, []byte("beskrivelse-c")) {
			t.Errorf("%s: %v: %v", name, paths, err)
		}
	}
}

// TestOnlyTheFirstIsRead: a second of what may stand once is nobody's.
func TestOnlyTheFirstIsRead(t *testing.T) {
	med, log := fixture(t, "medisinske-opplysninger/in.xml"), fixture(t, "log-innlagt/in.xml")
	for path, raw := range map[string][]byte{
		"/MsgHead/MsgInfo[2]":      edit(t, med, "</MsgInfo>", "</MsgInfo><MsgInfo><MsgId>kanari</MsgId></MsgInfo>"),
		"/Patient[2]":              edit(t, med, "</MsgInfo>", "<Patient><FamilyName>kanari</FamilyName></Patient></MsgInfo>"),
		"/MIGversion[2]":           edit(t, med, "<GenDate>", "<MIGversion>kanari</MIGversion><GenDate>"),
		"/PatientReport":           edit(t, med, "</MsgHead>", "<PatientReport><CaseNo>kanari</CaseNo></PatientReport></MsgHead>"),
		"/Anslag[2]":               edit(t, log, "</po:TidsfestetHendelse>", "<po:Anslag>kanari</po:Anslag><po:Anslag>kanari</po:Anslag></po:TidsfestetHendelse>"),
		"/TidspunktForHendelse/@V": edit(t, log, `TidspunktForHendelse V="`, `TidspunktForHendelse V="kanari `),
		"/Hendelsekode/@V":         edit(t, log, `Hendelsekode V="`, `Hendelsekode V="kanari med tekst `),
	} {
		in, err := Read(raw, ids)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		var paths []string
		for _, s := range in.Sections {
			if slices.Contains(s.Labels, "uklassifisert") && !s.Whole {
				paths = append(paths, s.Path)
			}
		}
		if !slices.ContainsFunc(paths, func(p string) bool { return strings.HasSuffix(p, path) }) {
			t.Errorf("%s has no section: %v", path, paths)
		}
		if copied, err := Withhold(raw, paths); err != nil || bytes.Contains(copied, []byte("kanari<")) || bytes.Contains(copied, []byte(`"kanari`)) && path != "/Anslag[2]" {
			t.Errorf("%s crossed: %v", path, err)
		}
	}
}

// TestNationalityIsNoPartOfTheHead: the head is name, birth date and national identifier (DESIGN § 3).
func TestNationalityIsNoPartOfTheHead(t *testing.T) {
	raw := edit(t, fixture(t, "medisinske-opplysninger/in.xml"), `<Sex V="2" DN="Kvinne"/>`, `<Sex V="2" DN="Kvinne"/><Nationality V="SO" DN="kanari"/>`)
	in, err := Read(raw, ids)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(in.Sections, func(s Section) bool { return s.Path == infoPath+"/Patient/Nationality" })
	if i < 0 || !slices.Equal(in.Sections[i].Labels, []string{"demografi", "migrasjon"}) {
		t.Fatal("no section of its own")
	}
	if copied, err := Withhold(raw, []string{in.Sections[i].Path}); err != nil || bytes.Contains(copied, []byte("Nationality")) {
		t.Errorf("it crossed: %v", err)
	}
}

// TestWhiteSpaceInTexts: leaving out the white space between tags takes none from a text.
func TestWhiteSpaceInTexts(t *testing.T) {
	raw := edit(t, fixture(t, "dialog-1.1-notat/in.xml"), "<Tema>Mottak tirsdag</Tema>", "<Tema><!--x-->en <!--x--> <![CDATA[to]]> <![CDATA[tre]]></Tema>")
	in, err := Read(raw, ids)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(resource(in, "communication"), `"en  to tre"`) {
		t.Errorf("got %s", resource(in, "communication"))
	}
	var e *Error
	broken := edit(t, raw, "<DatoNotat>", "<DatoNotat>&kanari;")
	line := 1 + bytes.Count(broken[:bytes.Index(broken, []byte("&kanari;"))], []byte("\n"))
	if _, err := Read(broken, ids); !errors.As(err, &e) || e.Line != line {
		t.Errorf("the line of a fault was lost: %v", err)
	}
}
