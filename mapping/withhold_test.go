package mapping

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// leafSet has every value of a message by its place.
func leafSet(t *testing.T, raw []byte) map[string]string {
	t.Helper()
	set := map[string]string{}
	for _, l := range leavesOf(t, raw) {
		set[l.path] = l.value
	}
	return set
}

// TestWithholdNothing: the copy has the heading and is otherwise equal, leaf by leaf and place by place.
func TestWithholdNothing(t *testing.T) {
	for name, raw := range samples(t) {
		copied, err := Withhold(raw, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if h, err := ReadHead(raw); err == nil && h.AllOrNothing() {
			if !bytes.Equal(copied, raw) {
				t.Errorf("%s: all or nothing, and not as it came", name)
			}
			continue
		}
		want, got := leafSet(t, raw), leafSet(t, copied)
		heading := 0
		for path, value := range got {
			switch {
			case strings.HasSuffix(path, "/Annotation"):
				if heading++; value != PartsMayBeLeftOut {
					t.Errorf("%s: heading %q", name, value)
				}
			case want[path] != value:
				t.Errorf("%s: %s was changed", name, path)
			}
			delete(want, path)
		}
		for path := range want {
			t.Errorf("%s: %s was lost", name, path)
		}
		if heading != 1 {
			t.Errorf("%s: %d headings", name, heading)
		}
		if !bytes.HasPrefix(copied, []byte(`<?xml version="1.0" encoding="UTF-8"?>`)) {
			t.Errorf("%s: no UTF-8 declaration on the first line", name)
		}
		if again, err := Withhold(copied, nil); err != nil || !bytes.Equal(again, copied) {
			t.Errorf("%s: a copy of the copy differs: %v", name, err)
		}
	}
}

// TestWithholdEachSection is the leak test: each section alone is withheld, and then nothing of it is left, while
// everything else is.
func TestWithholdEachSection(t *testing.T) {
	for name, raw := range samples(t) {
		in, err := read(raw, ids, true)
		if err != nil {
			t.Fatal(err)
		}
		all := leafSet(t, raw)
		for _, s := range in.Sections {
			if s.IsHead() || s.Whole {
				continue
			}
			copied, err := Withhold(raw, []string{s.Path})
			if e := (*Error)(nil); in.AllOrNothing {
				if !errors.As(err, &e) || e.Code != Locked {
					t.Errorf("%s: %s: delivered in parts", name, s.Path)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s: %s: %v", name, s.Path, err)
			}
			inside := 0
			var left []string
			for path := range leafSet(t, copied) {
				left = append(left, stripIndexes(path))
			}
			for path := range all {
				within := slices.ContainsFunc(strings.Split(s.Path, " | "), func(p string) bool {
					return path == p || strings.HasPrefix(path, p+"/") || strings.HasPrefix(path, p+"[")
				})
				if within {
					inside++
				} else if !slices.Contains(left, stripIndexes(path)) {
					t.Errorf("%s: withholding %s lost %s", name, s.Path, path)
				}
			}
			if inside == 0 || len(left) != len(all)-inside+1 { // the heading is new
				t.Errorf("%s: withholding %s left %d of %d leaves, %d of them inside", name, s.Path, len(left), len(all), inside)
			}
		}
	}
}

func stripIndexes(path string) string {
	var b strings.Builder
	skip := false
	for _, c := range path {
		switch {
		case c == '[':
			skip = true
		case c == ']':
			skip = false
		case !skip:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// TestWithholdCanaries: what a receiver without rus may see holds no word of the diagnoses.
func TestWithholdCanaries(t *testing.T) {
	raw := fixture(t, "medisinske-opplysninger/in.xml")
	in, err := Read(raw, ids)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, s := range in.Sections {
		if !s.Whole && (s.ByContent || slices.Contains(s.Labels, "rus")) {
			paths = append(paths, s.Path)
		}
	}
	copied, err := Withhold(raw, paths)
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"kanari-rus", "F11.2", "kanari-psykisk", "kanari-notat", "kanari-familie", "N07BC01", "InfoMedisinskDiagnose"} {
		if bytes.Contains(copied, []byte(gone)) {
			t.Errorf("%q crossed", gone)
		}
	}
	for _, there := range []string{"kanari-funksjon", "kanari-tolk", "kanari-plan", "21869245515", PartsMayBeLeftOut} {
		if !bytes.Contains(copied, []byte(there)) {
			t.Errorf("%q is missing", there)
		}
	}
	if bytes.Contains(copied, []byte("<epj2:GenereltJournalnotat")) || bytes.Contains(copied, []byte("epj3:Legemiddelinfo/>")) {
		t.Error("an emptied element is left and tells that something was there")
	}
}

func TestWithholdRefuses(t *testing.T) {
	raw := fixture(t, "medisinske-opplysninger/in.xml")
	signed := bytes.Replace(raw, []byte("</MsgHead>"), []byte(`<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/></MsgHead>`), 1)
	for name, c := range map[string]struct {
		raw  []byte
		path string
		code Code
	}{
		"the head":               {raw, infoPath, Locked},
		"everything":             {raw, "/MsgHead", Locked},
		"a path that is nowhere": {raw, "/MsgHead/Document/RefDoc/Content/MedisinskeOpplysninger/Finnes", Malformed},
		"a part of a signed one": {signed, "/MsgHead/Document/RefDoc/Content/MedisinskeOpplysninger/InfoMedisinskDiagnose", Locked},
	} {
		var e *Error
		if out, err := Withhold(c.raw, []string{c.path}); !errors.As(err, &e) || e.Code != c.code || out != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if out, err := Withhold(signed, nil); err != nil || !bytes.Equal(out, signed) {
		t.Errorf("a signed message was changed: %v", err)
	}
	if h, err := ReadHead(signed); err != nil || !h.Signed || !h.AllOrNothing() {
		t.Errorf("the signature was not seen: %v", err)
	}
}

// TestWithholdKeepsTheOldAnnotation and escapes what a parser would change.
func TestWithholdKeepsTheOldAnnotation(t *testing.T) {
	raw := bytes.Replace(fixture(t, "log-innlagt/in.xml"), []byte("<Document>"),
		[]byte("<Document><ContentDescription>x</ContentDescription><Annotation>gammel &amp; god</Annotation>"), 1)
	raw = bytes.Replace(raw, []byte(`DN="Ny"`), []byte(`DN="N&#10;y"`), 1)
	copied, err := Withhold(raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	set := leafSet(t, copied)
	if got := set["/MsgHead/Document/Annotation"]; got != PartsMayBeLeftOut+"\ngammel & god" {
		t.Errorf("annotation %q", got)
	}
	if got := set["/MsgHead/Document/RefDoc/Content/Pasientlogistikk/InformasjonOmForsendelsen/Forsendelsesstatus/@DN"]; got != "N\ny" {
		t.Errorf("line end in an attribute became %q", got)
	}
}

// TestWithholdLeavesNoShell: an element that has lost all its content goes too, since its name tells that something was
// there.
func TestWithholdLeavesNoShell(t *testing.T) {
	raw := fixture(t, "medisinske-opplysninger/in.xml")
	in, err := Read(raw, ids)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, s := range in.Sections {
		if s.Path != infoPath && !s.Whole {
			paths = append(paths, s.Path)
		}
	}
	copied, err := Withhold(raw, paths)
	if err != nil {
		t.Fatal(err)
	}
	for path := range leafSet(t, copied) {
		if strings.Contains(path, "MedisinskeOpplysninger") {
			t.Errorf("%s is left", path)
		}
	}
	for _, shell := range []string{"Sykepleierdokumentasjon", "InfoReservasjon", "MedisinskfagligeOpplysninger", "GenereltJournalnotat", "Legemiddelinfo", "InformasjonOmForsendelsen"} {
		if bytes.Contains(copied, []byte(shell)) {
			t.Errorf("%s is left empty", shell)
		}
	}
	if !bytes.Contains(copied, []byte("<mo:MedisinskeOpplysninger")) {
		t.Error("the root of the payload is gone: Content may not lose it")
	}
}
