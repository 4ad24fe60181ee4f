package mapping

import (
	"strings"
	"testing"
)

// sendAgain is what a message that was read is written from: the Communication, and every other resource as it came.
func sendAgain(in *Incoming) Outgoing {
	o := Outgoing{Head: in.Head, Namespace: in.Head.Namespace}
	for _, r := range in.Resources {
		switch {
		case r.Key == "communication":
			o.Message = r.Body
		case r.Type == "Provenance" || r.Type == "Binary" || r.Type == "DocumentReference" || r.Type == "Patient":
		default:
			o.Resources = append(o.Resources, r.Body)
		}
	}
	if strings.HasPrefix(string(in.Head.Kind), "DIALOG_") {
		o.Dialog = DialogOf(o.Message)
	}
	return o
}

// writable tells whether messages of the kind and version are written as well, in MsgHead.
func writable(h Head) bool {
	for _, m := range theTable().messages {
		if m.kind == h.Kind && m.version == h.Version && m.writes && theTable().heads[m.class] == nil {
			return true
		}
	}
	return false
}

// TestMessagesComeBack: PLO → FHIR → PLO. Every value that a resource holds stands in the message that is written from
// the resources, at its place and as it was; what stands in the original alone has been named in the report.
func TestMessagesComeBack(t *testing.T) {
	compared := 0
	for name, raw := range samples(t) {
		in, err := read(raw, ids, true)
		if err != nil {
			t.Fatal(err)
		}
		if !writable(in.Head) {
			continue
		}
		t.Run(name, func(t *testing.T) { compared += comesBack(t, raw, in) })
	}
	if compared < 1500 {
		t.Errorf("only %d values compared", compared)
	}
}

func comesBack(t *testing.T, raw []byte, in *Incoming) int {
	t.Helper()
	again, findings, err := Write(sendAgain(in))
	if err != nil {
		t.Errorf("cannot be written: %v", err)
		return 0
	}
	for _, f := range findings {
		if !strings.HasPrefix(f.Path, "Attachment[") {
			t.Errorf("%s %s", f.Outcome, f.Path)
		}
	}
	outcome := map[string]Outcome{}
	for _, f := range in.Report {
		if f.Outcome != Reveals && (f.Outcome != Invalid || f.Target == "") {
			outcome[f.Path] = f.Outcome
		}
	}
	have := map[string]string{}
	for _, l := range leavesOf(t, again) {
		have[l.path] = l.value
	}
	compared := 0
	first := map[string]bool{}
	for _, l := range leavesOf(t, raw) {
		o := outcome[l.path]
		if strings.Contains(l.path, "/TekstNotatInnhold/") {
			first["/MsgHead/Document/RefDoc/Content/Dialogmelding/Notat/TekstNotatInnhold"] = true
		}
		l.path = strings.Replace(l.path, "/Document[1]/", "/Document/", 1)
		first[l.path] = true
		if o != Mapped && o != UnknownCode || !inContent(l.path) {
			continue
		}
		compared++
		if got, ok := have[l.path]; !ok || !sameValue(l, got) {
			t.Errorf("%s: %q came back as %q", l.path, l.value, got)
		}
	}
	for path, value := range have {
		if !first[path] && inContent(path) && !added(path, value) {
			t.Errorf("%s: %q was not there", path, value)
		}
	}
	return compared
}

// inContent leaves out the attachments, and the elements of a rich text, which is one text in FHIR.
func inContent(path string) bool {
	return strings.Contains(path, "/Document/RefDoc/Content/") && !strings.Contains(path, "/TekstNotatInnhold/") && !strings.Contains(path, "/Sporsmal/")
}

// sameValue allows what the tables normalise: a zone where there was none, 1 and 0 for a boolean, markup of a rich text.
func sameValue(l leaf, got string) bool {
	if l.value == got || strings.TrimSpace(l.value) == strings.TrimSpace(got) {
		return true
	}
	if m, ok := parseMoment(l.value); ok && m.text == got {
		return true
	}
	b, ok := parseBool(l.value)
	return ok && b == got
}

// added is what a writer says beside a value: the list of a code that named none, its text, the type of a telephone; and
// that a message is new, or what its kind holds, where the sender said nothing.
func added(path, value string) bool {
	if strings.HasSuffix(path, "/Forsendelsesstatus/@V") {
		return value == "N"
	}
	for _, named := range []string{"/Navn", "/AllergiskMot", "/IntervensjonTiltakBeskrivelse"} { // the code's name, for who shows no code
		if strings.HasSuffix(path, named) {
			return true
		}
	}
	return strings.HasSuffix(path, "/TypeInnhold/@V") || strings.HasSuffix(path, "/TypeInnholdKonsultasjon/@V") ||
		strings.HasSuffix(path, "/@S") && strings.HasPrefix(value, volven) || strings.HasSuffix(path, "/@DN") ||
		strings.HasSuffix(path, "/TypeTelecom/@V")
}
