package mapping

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// TestRoundTrip: FHIR → HELSEOPPLYSNINGER_LEGE → FHIR gives every resource back byte by byte, where the tables has an
// element for it. What has none is named in the findings.
func TestRoundTrip(t *testing.T) {
	first, err := Read(fixture(t, "medisinske-opplysninger/in.xml"), ids)
	if err != nil {
		t.Fatal(err)
	}
	o := Outgoing{Head: demoHead(KindInformationToGP)}
	o.Head.Generated = first.Head.Generated
	var want [][]byte
	for _, r := range first.Resources {
		switch r.Type {
		case "Communication", "DocumentReference", "Binary", "Provenance", "Patient":
			continue
		}
		o.Resources = append(o.Resources, r.Body)
		if r.Type != "ServiceRequest" { // TjenesteBehov is not among the children of HelseopplysningerTilLege
			want = append(want, r.Body)
		}
	}
	message, findings, err := Write(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if !strings.HasPrefix(f.Path, "ServiceRequest[") {
			t.Errorf("not sent: %s", f.Path)
		}
	}
	if len(findings) != 1 {
		t.Errorf("%d findings, want the ServiceRequest alone", len(findings))
	}
	second, err := read(message, ids, true)
	if err != nil {
		t.Fatal(err)
	}
	var got [][]byte
	for _, r := range second.Resources {
		got = append(got, r.Body)
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(g []byte) bool { return bytes.Equal(g, w) }) {
			t.Errorf("did not come back: %s", w)
		}
	}
	if len(want) < 15 {
		t.Errorf("only %d resources compared", len(want))
	}
}

// TestTranslateBothWays: a message that sluse translate makes of a Bundle reads back to the same Bundle, and twice the
// same input gives the same bytes.
func TestTranslateBothWays(t *testing.T) {
	for name, o := range outgoing(t) {
		message, _, err := Write(o)
		if err != nil {
			t.Fatal(err)
		}
		bundle, _, err := ToFHIR(message)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, _, err := ToMessage(bundle)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		second, _, err := ToFHIR(again)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		third, _, err := ToMessage(second)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(again, third) {
			t.Errorf("%s: the second way round gave another message", name)
		}
		if repeat, _, _ := ToFHIR(message); !bytes.Equal(bundle, repeat) {
			t.Errorf("%s: the same message gave another Bundle", name)
		}
		for _, text := range []string{o.Head.MsgID, o.Head.Patient.NIN, o.Head.Sender.UnitName, o.Head.Sender.HPR} {
			if !bytes.Contains(again, []byte(text)) {
				t.Errorf("%s: %q was lost on the way", name, text)
			}
		}
	}
}
