package mapping

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestWriteTable: what is printed names every kind, and every element with its path and label.
func TestWriteTable(t *testing.T) {
	var all, one bytes.Buffer
	if err := WriteTable(&all, ""); err != nil {
		t.Fatal(err)
	}
	if err := WriteTable(&one, KindDischargeReport); err != nil {
		t.Fatal(err)
	}
	for _, m := range theTable().messages {
		if !strings.Contains(all.String(), string(m.kind)+" "+m.version+" (") {
			t.Errorf("%s %s is not printed", m.kind, m.version)
		}
	}
	for _, want := range []string{"TverrfagligEpikrise", "Diagnosekode 0..1 CV 7110,7170 code", "[samarbeid] Kontakter", "InfoKontrolltime 0..n"} {
		if !strings.Contains(one.String(), want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(one.String(), "MeldingInnlagtPasient") {
		t.Error("another message is printed")
	}
	var e *Error
	if err := WriteTable(&one, "FINNES_IKKE"); !errors.As(err, &e) || e.Code != NotSupported {
		t.Errorf("an unknown kind: %v", err)
	}
}
