package mapping

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func demoHead(kind Kind) Head {
	return Head{MsgID: "77777777-aaaa-4777-8777-777777777777", Kind: kind, Generated: time.Date(2026, 3, 25, 10, 0, 0, 0, time.FixedZone("", 3600)),
		Sender:   Address{HERID: "8100020", Name: "Bydel Sagene", UnitHERID: "8100021", UnitName: "Rus og psykisk helse", HPR: "9144899", PersonName: "Ola Hansen"},
		Receiver: Address{HERID: "8100010", Name: "Sagene legesenter"},
		Patient: PatientHead{Present: true, NIN: "21869245515", NINType: "FNR", NINValid: true, Given: "Kari", Family: "Nordlie", BirthDate: "1992-06-21", Sex: "2",
			Addresses: []PostalAddress{{Type: "H", Street: "Kanariveien 1", PostalCode: "0468", City: "Oslo"}}, Telecom: []Telecom{{Type: "MC", URI: "tel:99900001"}}},
	}
}

func fixture(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// outgoing are the messages that the schema tests validate too.
func outgoing(t testing.TB) map[string]Outgoing {
	question := demoHead(KindDialogClinical)
	answer := demoHead(KindDialogAnswer)
	answer.RefToParent, answer.RefToConversation = "0b3d0e0c-51a9-4b8c-8a15-2a8b5d0f7c01", "0b3d0e0c-51a9-4b8c-8a15-2a8b5d0f7c01"
	answer.CopyReceivers = []Address{{HERID: "8100030", Name: "OUS"}}
	asked := demoHead(KindDialogQuestion)
	var resources [][]byte
	n, err := parseJSON(fixture(t, "write/resources.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range n.get("resources").items() {
		resources = append(resources, r.bytes())
	}
	return map[string]Outgoing{
		"dialog-helsefaglig": {Head: question, Dialog: &Dialog{ThemeList: "7322", ThemeCode: "8", Subject: "Opplysninger før planmøte",
			Text: "Ber om <oppdaterte> diagnoser & legemidler.\nMøtet er 2. april.", Remark: "Haster litt", Date: "2026-03-25"},
			Attachments: []Attachment{{MimeType: "text/plain", Name: "liste.txt", Bytes: []byte("hei på deg")}, {Name: "borte", Problem: "base64"}}},
		"dialog-svar":        {Head: answer, Dialog: &Dialog{ThemeList: "9069", ThemeCode: "4", Text: "Pasienten har ikke samtykket."}},
		"dialog-foresporsel": {Head: asked, Dialog: &Dialog{ThemeList: "9152", ThemeCode: "4", Subject: "Legemidler", Text: "Hva brukes?", Remark: "Før helgen", Urgency: "3"}},
		"helseopplysninger":  {Head: demoHead(KindInformationToGP), Resources: resources},
	}
}

func TestWriteGolden(t *testing.T) {
	for name, o := range outgoing(t) {
		t.Run(name, func(t *testing.T) {
			got, findings, err := Write(o)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				again, _, _ := Write(o)
				if !bytes.Equal(got, again) {
					t.Fatal("the same input gave other bytes")
				}
			}
			compare(t, filepath.Join("testdata", "write", name+".xml"), got)
			var report strings.Builder
			for _, f := range findings {
				report.WriteString(string(f.Outcome) + " " + f.Path + "\n")
			}
			compare(t, filepath.Join("testdata", "write", name+".txt"), []byte(report.String()))
		})
	}
}

// TestWriteRefuses: what cannot be sent is named before anything is written.
func TestWriteRefuses(t *testing.T) {
	for name, o := range map[string]Outgoing{
		"type":            {Head: demoHead(KindAdmitted)},
		"payload":         {Head: demoHead(KindDialogClinical)},
		"theme":           {Head: demoHead(KindDialogClinical), Dialog: &Dialog{ThemeList: "7322", ThemeCode: "99", Text: "x"}},
		"list":            {Head: demoHead(KindDialogClinical), Dialog: &Dialog{ThemeList: "9142", ThemeCode: "PROB", Text: "x"}},
		"answer to whom":  {Head: demoHead(KindDialogAnswer), Dialog: &Dialog{ThemeList: "9069", ThemeCode: "5", Text: "x"}},
		"content":         {Head: demoHead(KindInformationToGP), Content: "77"},
		"not a resource":  {Head: demoHead(KindInformationToGP), Resources: [][]byte{[]byte(`[]`)}},
		"nobody receives": {Head: func() Head { h := demoHead(KindInformationToGP); h.Receiver = Address{}; return h }()},
		"no time":         {Head: func() Head { h := demoHead(KindInformationToGP); h.Generated = time.Time{}; return h }()},
	} {
		if raw, _, err := Write(o); err == nil || raw != nil {
			t.Errorf("%s: written", name)
		}
	}
}

// TestWriteLeavesOut: what is withdrawn, refuted or called off does not go out as if it were in force.
func TestWriteLeavesOut(t *testing.T) {
	raw, _, err := Write(outgoing(t)["helseopplysninger"])
	if err != nil {
		t.Fatal(err)
	}
	for _, canary := range []string{"feilført", "avlyst", "andre dosering"} {
		if bytes.Contains(raw, []byte(canary)) {
			t.Errorf("%q was sent", canary)
		}
	}
}
