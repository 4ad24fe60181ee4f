package mapping

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func demoAppRec(version string) AppRec {
	zone := time.FixedZone("", 3600)
	return AppRec{Version: version, ID: "88888888-aaaa-4888-8888-888888888888", Generated: time.Date(2026, 3, 20, 12, 31, 0, 0, zone),
		SoftwareName: "Sluse", SoftwareVersion: "1", Sender: Address{HERID: "8100020", OrgNumber: "974778866", Name: "Bydel Sagene", UnitHERID: "8100021", UnitName: "Rus & psykisk helse"},
		Receiver: Address{HERID: "8100010", Name: "Sagene legesenter", HPR: "9144897", PersonName: "Grete Vang"}, Status: 3,
		Errors: []AppRecError{{System: volven + "8221", Code: "X99", Text: "Ikke levert: samtykke mangler for rus.", OtherDetail: `Seksjon "Diagnoser"`},
			{System: volven + "8221", Code: "T99", Text: "Vedlegg kan ikke leses"}},
		RefID: "6b7f3c50-1a55-4d0a-9a67-8f7f1e0c2a11", RefKind: KindMedicalInformation, RefKindDisplay: "Medisinske opplysninger",
		RefGenerated: time.Date(2026, 3, 20, 12, 30, 0, 0, zone)}
}

func TestAppRecRoundTrip(t *testing.T) {
	for _, version := range []string{"1.0", "1.1"} {
		want := demoAppRec(version)
		raw, err := WriteAppRec(want)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, filepath.Join("testdata", "write", "apprec-"+version+".xml"), raw)
		got, err := ReadAppRec(raw)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Generated.Equal(want.Generated) || !got.RefGenerated.Equal(want.RefGenerated) {
			t.Errorf("%s: times changed", version)
		}
		got.Generated, got.RefGenerated = want.Generated, want.RefGenerated
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, want %+v", version, *got, want)
		}
	}
}

func TestAppRecRefusals(t *testing.T) {
	base := demoAppRec("1.1")
	for name, change := range map[string]func(*AppRec){
		"version":        func(a *AppRec) { a.Version = "2.0" },
		"status":         func(a *AppRec) { a.Status = 4 },
		"no reason":      func(a *AppRec) { a.Status, a.Errors = 2, nil },
		"no id":          func(a *AppRec) { a.ID = "" },
		"no reference":   func(a *AppRec) { a.RefID = "" },
		"no time":        func(a *AppRec) { a.Generated = time.Time{} },
		"no time of ref": func(a *AppRec) { a.RefGenerated = time.Time{} },
	} {
		a := base
		if change(&a); true {
			if _, err := WriteAppRec(a); err == nil {
				t.Errorf("%s: written", name)
			}
		}
	}
	raw, err := WriteAppRec(base)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"status": {`<Status V="3"`, `<Status V="7"`}, "ref": {"<Id>6b7f3c50-1a55-4d0a-9a67-8f7f1e0c2a11</Id>", "<Id> </Id>"},
		"date": {"<IssueDate>2026-03-20T12:30:00+01:00", "<IssueDate>2026-02-30T12:30:00+01:00"}, "type": {`V="APPREC"`, `V="EPIKRISE"`},
	} {
		var e *Error
		if _, err := ReadAppRec([]byte(strings.Replace(string(raw), edit[0], edit[1], 1))); !errors.As(err, &e) || e.Code != Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	var e *Error
	if _, err := ReadAppRec(fixture(t, "log-innlagt/in.xml")); !errors.As(err, &e) || e.Code != NotSupported {
		t.Errorf("a MsgHead read as AppRec: %v", err)
	}
}
