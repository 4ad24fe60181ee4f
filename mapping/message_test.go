package mapping

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// TestResourcesAreR4: what a henvisning or an epikrise becomes is what the store takes.
func TestResourcesAreR4(t *testing.T) {
	for name, raw := range samples(t) {
		if !strings.HasPrefix(name, "henvisning") && !strings.HasPrefix(name, "epikrise") {
			continue
		}
		in, err := Read(raw, ids)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, r := range in.Resources {
			res, err := fhir.Parse(r.Body)
			if err != nil {
				t.Errorf("%s, %s: %v", name, r.Key, err)
				continue
			}
			for _, i := range fhir.Validate(res) {
				if i.Severity == "error" {
					t.Errorf("%s, %s: %s %s %v", name, r.Key, i.Code, i.Expression, i.Args)
				}
			}
		}
	}
}

// TestReferralRoundTrip: FHIR → henvisning gives back every element that reading has mapped, but for what stands here.
func TestReferralRoundTrip(t *testing.T) {
	lost := []string{ // told by the findings, or by the head of the message that is written
		"/Message/ServReq/IssueDate/", "/Message/ServReq/Id", "/Message/ServReq/MsgDescr/",
	}
	for _, name := range []string{"henvisning-1.1", "henvisning-1.0"} {
		raw := samples(t)[name]
		in, err := Read(raw, ids)
		if err != nil {
			t.Fatal(err)
		}
		o := Outgoing{Head: in.Head}
		o.Head.Patient.Addresses = []PostalAddress{{Street: "Kanariveien 4", PostalCode: "0460", City: "Oslo"}}
		o.Head.Patient.Telecom = []Telecom{{URI: "tel:91234567"}}
		for _, r := range in.Resources {
			switch r.Type {
			case "Communication", "DocumentReference", "Binary", "Provenance", "Patient":
				continue
			}
			o.Resources = append(o.Resources, r.Body)
		}
		message, findings, err := Write(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			t.Logf("%s: not sent: %s", name, f.Path)
		}
		if h, err := ReadHead(message); err != nil || h.MsgID != in.Head.MsgID || h.Version != in.Head.Version || h.Sender != in.Head.Sender ||
			h.Receiver != in.Head.Receiver || h.Patient.NIN != in.Head.Patient.NIN || !h.Generated.Equal(in.Head.Generated) || h.Consent != in.Head.Consent {
			t.Errorf("%s: another head: %+v %v", name, h, err)
		}
		if _, err := Read(message, ids); err != nil {
			t.Fatal(err)
		}
		have := map[leaf]bool{}
		for _, l := range leavesOf(t, message) {
			have[l] = true
		}
		mapped := map[string]bool{}
		for _, f := range in.Report {
			mapped[f.Path] = f.Outcome == Mapped || f.Outcome == UnknownCode
		}
		compared := 0
		for _, l := range leavesOf(t, raw) {
			if !mapped[l.path] || strings.HasSuffix(l.path, "/@DN") {
				continue
			}
			known := false
			for _, p := range lost {
				known = known || strings.HasPrefix(l.path, p)
			}
			if compared++; !have[l] && !known {
				t.Errorf("%s: %s did not come back", name, l.path)
			}
		}
		if compared < 80 {
			t.Errorf("%s: only %d leaves compared", name, compared)
		}
	}
}

// TestReferralOfAnotherNamespace: the namespace of v2.0 is not confirmed: the root is known by its local name.
func TestReferralOfAnotherNamespace(t *testing.T) {
	raw := samples(t)["henvisning-2.0"]
	want, err := Read(raw, ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{"http://www.kith.no/xmlstds/henvisning/2016-01-01", "http://ehelse.no/xmlstds/henvisning/2018-06-01"} {
		got, err := Read(edit(t, raw, "http://ehelse.no/xmlstds/henvisning/2017-11-30", ns), ids)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Resources) != len(want.Resources) || len(got.Sections) != len(want.Sections) || got.Head.Version != "2.0" {
			t.Errorf("%s: %d resources, %d sections, version %q", ns, len(got.Resources), len(got.Sections), got.Head.Version)
		}
	}
}

// TestNationalNumbersOfOthersStayBehind: the number of a healthcare person is in the original, and in no resource.
func TestNationalNumbersOfOthersStayBehind(t *testing.T) {
	raw := edit(t, samples(t)["henvisning-1.1"], "<Id>9144897</Id>", "<Id>03918537774</Id>", `<TypeId V="HPR" DN="HPR-nummer"/>`, `<TypeId V="FNR"/>`)
	in, err := Read(raw, ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range in.Resources {
		if r.Key != "original-binary" && strings.Contains(string(r.Body), "03918537774") {
			t.Errorf("it stands in %s", r.Key)
		}
	}
}

// TestOwnHeadFaults: what is missing of a head without MsgHead is named, and what is there is given.
func TestOwnHeadFaults(t *testing.T) {
	raw := samples(t)["henvisning-1.1"]
	for path, doc := range map[string][]byte{
		"/Message/MsgId":                    cut(raw, "<MsgId>", "</MsgId>"),
		"/Message/GenDate/@V":               edit(t, raw, "2026-03-20T12:30:00+01:00", "2026-03-20"),
		"/Message/ServReq/Requester/HCP":    edit(t, raw, "<Id>8100010</Id>", ""),
		"/Message/ServReq/ServProvider/HCP": edit(t, raw, "<Id>8100030</Id>", ""),
	} {
		h, err := ReadHead(doc)
		var e *Error
		if !errors.As(err, &e) || e.Code != Malformed || e.Path != path || h == nil || h.Kind != KindReferral {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestReferralTranslatesBothWays: what sluse translate makes of a henvisning goes back to one with the same head.
func TestReferralTranslatesBothWays(t *testing.T) {
	raw := edit(t, samples(t)["henvisning-1.1"], "<Name>OUS</Name>", "<Name>OUS</Name>", "          <TypeId V=\"HER\" DN=\"HER-id\"/>\n        </Inst>",
		"          <TypeId V=\"HER\" DN=\"HER-id\"/>\n          <Dept><Name>Poliklinikken</Name><Id>8100033</Id><TypeId V=\"HER\"/></Dept>\n        </Inst>")
	bundle, _, err := ToFHIR(raw)
	if err != nil {
		t.Fatal(err)
	}
	message, _, err := ToMessage(bundle)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := ReadHead(raw)
	got, err := ReadHead(message)
	if err != nil || got.MsgID != want.MsgID || got.Kind != want.Kind || got.Sender != want.Sender || got.Receiver != want.Receiver || got.Receiver.UnitHERID != "8100033" ||
		got.Patient.NIN != want.Patient.NIN || got.Patient.Family != want.Patient.Family || got.Consent != want.Consent {
		t.Errorf("%v\n%+v\n%+v", err, got, want)
	}
}
