package exchange

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/mapping"
)

// Translator is the Gateway's way between documents and values, on package mapping. It is pure and
// its zero value is ready.
type Translator struct {
	Referral20 string // namespace that henvisning v2.0 is written under; "": it is not written, since none is confirmed (plo.md § 0.1)
}

var _ gateway.Translator = Translator{}

// Head reads who sends what to whom about whom: a MsgHead 1.2 or an AppRec.
func (t Translator) Head(document []byte) (gateway.Message, error) {
	h, err := mapping.ReadHead(document)
	if err != nil {
		if a, ok := mapping.ReadAppRec(document); ok == nil {
			return receiptHead(a)
		}
		return gateway.Message{}, fault("exchange.head", err)
	}
	m := gateway.Message{
		Sender: addressee(h.Sender), MsgID: gateway.MsgID(h.MsgID), Kind: string(h.Kind), KindName: h.KindDisplay,
		Version: h.Version, Conversation: h.RefToConversation, Parent: h.RefToParent, Change: changes[h.Status],
		Generated: h.Generated, GenDate: h.GeneratedValue, Consent: statedIn(h.Consent),
		Thread: h.Thread, Threaded: h.Threaded,
	}
	for _, r := range append([]mapping.Address{h.Receiver}, h.CopyReceivers...) {
		if r.Addressed() != "" {
			m.Receivers = append(m.Receivers, addressee(r))
		}
	}
	switch n, err := gateway.NewNIN(h.Patient.NIN); {
	case err == nil && h.Patient.NINValid:
		m.National = n
	case h.Patient.NINType == "FNR" || h.Patient.NINType == "DNR":
		m.Fault = gateway.NationalWrong
	default:
		m.Fault = gateway.NationalMissing
	}
	return m, sound(m)
}

// changes maps Forsendelsesstatus (Volven 7309).
var changes = map[mapping.Status]gateway.Change{
	mapping.StatusChange: gateway.Supersede, mapping.StatusCancel: gateway.Cancel, mapping.StatusSupplement: gateway.Supplement,
}

// sound refuses what cannot be kept apart or answered: HER-ids are numbers, and a message has a
// receiver. An identifier that holds a national number would spread it to places that must not
// have it (DESIGN § 5, Identifiers).
func sound(m gateway.Message) error {
	broken := func(place string) error {
		return gateway.Fault("exchange.head", gateway.Malformed,
			fhir.Issue{Severity: "error", Type: "structure", Code: "message.malformed", Expression: place})
	}
	if !herForm.MatchString(string(m.Sender.HERID)) {
		return broken("/MsgHead/MsgInfo/Sender")
	}
	if len(m.Receivers) == 0 || slices.ContainsFunc(m.Receivers, func(a gateway.Addressee) bool { return !herForm.MatchString(string(a.HERID)) }) {
		return broken("/MsgHead/MsgInfo/Receiver")
	}
	for _, id := range []string{string(m.MsgID), m.Parent, m.Conversation, m.Thread} {
		if fhir.ContainsNIN(id) || len(id) > 200 {
			return broken("/MsgHead/MsgInfo/MsgId")
		}
	}
	return nil
}

func receiptHead(a *mapping.AppRec) (gateway.Message, error) {
	m := gateway.Message{
		Sender: addressee(a.Sender), MsgID: gateway.MsgID(a.ID), Kind: gateway.KindAppRec, Version: a.Version,
		Receivers: []gateway.Addressee{addressee(a.Receiver)}, Parent: a.RefID, Fault: gateway.NationalMissing, Generated: a.Generated,
	}
	return m, sound(m)
}

func addressee(a mapping.Address) gateway.Addressee {
	to := gateway.Addressee{
		HERID: gateway.HERID(a.Addressed()), Name: a.Name, OrgNumber: gateway.OrgNumber(a.OrgNumber),
		Practitioner: gateway.HPRNumber(a.HPR),
	}
	if a.UnitHERID != "" {
		to.Name, to.Above, to.AboveName = a.UnitName, gateway.HERID(a.HERID), a.Name
	}
	return to
}

func address(a gateway.Addressee) mapping.Address {
	to := mapping.Address{HERID: string(a.HERID), Name: a.Name, OrgNumber: string(a.OrgNumber), HPR: string(a.Practitioner)}
	if a.Above != "" {
		to.HERID, to.Name, to.UnitHERID, to.UnitName = string(a.Above), a.AboveName, string(a.HERID), a.Name
	}
	return to
}

// Map gives resources and sections of a message.
func (Translator) Map(m gateway.Message, id func(t fhir.Type, key string) fhir.ID) (gateway.Delivery, error) {
	const op = "exchange.map"
	ids := map[string]fhir.ID{}
	in, err := mapping.Read(m.Document, func(key string) string {
		t := fhir.Type("")
		if key == "patient" {
			t = "Patient"
		}
		if _, ok := ids[key]; !ok {
			ids[key] = id(t, key)
		}
		return string(ids[key])
	})
	if err != nil {
		return gateway.Delivery{}, fault(op, err)
	}
	d := gateway.Delivery{AllOrNothing: in.AllOrNothing}
	for _, a := range in.Attachments {
		d.Unreadable = d.Unreadable || a.Problem != ""
	}
	unknown := unknownSections(in, m.Document)
	whole := ""
	for _, s := range in.Sections {
		if s.Whole {
			whole = s.Path
			continue // the resources of it cross only when all crosses
		}
		labels, err := labelsOf(s.Labels)
		if err != nil {
			return gateway.Delivery{}, err
		}
		d.Sections = append(d.Sections, gateway.Section{
			Path: s.Path, Name: s.Name, Labels: labels, Dropped: s.Drop, Head: s.IsHead(), Where: s.Where,
			Unknown: slices.Contains(unknown, s.Path),
		})
	}
	for _, r := range in.Resources {
		if _, ok := ids[r.Key]; !ok { // nothing points at it
			ids[r.Key] = id(r.Type, r.Key)
		}
		one := gateway.DeliveredResource{Type: r.Type, ID: ids[r.Key], Section: r.Section, Body: r.Body}
		if r.Section == whole {
			one.Section, one.Whole = "", true
		}
		d.Resources = append(d.Resources, one)
	}
	d.Responsible = responsible(in)
	d.Report, err = json.Marshal(in.Report)
	if err != nil {
		return gateway.Delivery{}, gateway.Failed(op, gateway.Internal, err)
	}
	return d, nil
}

func labelsOf(codes []string) (gateway.Labels, error) {
	var all gateway.Labels
	for _, code := range codes {
		l, ok := gateway.LabelOf(code)
		if !ok {
			return 0, gateway.Failed("exchange.labels", gateway.Internal, errors.New("the mapping table names an unknown label"))
		}
		all |= l
	}
	return all, nil
}

// Withhold gives the receiver's copy.
func (Translator) Withhold(document []byte, paths []string) ([]byte, error) {
	copied, err := mapping.Withhold(document, paths)
	if err != nil {
		return nil, gateway.Failed("exchange.withhold", gateway.Internal, err)
	}
	return copied, nil
}

// ownRoot are the versions of henvisning and epikrise from before AppRec 1.1, which came with their next ones on the
// same day (2012-02-15).
var ownRoot = map[string]string{"HENVISNING": "1.0", "EPIKRISE": "1.1"}

// dialog10 are the types whose version 1.0 is answered by an AppRec 1.0 (plo.md § 6.2).
var dialog10 = []string{"DIALOG_FORESPORSEL", "DIALOG_SVAR", "DIALOG_NOTAT", "DIALOG_AVVIK"}

// WriteAppRec renders an AppRec.
func (Translator) WriteAppRec(a gateway.AppRec, m gateway.Message) ([]byte, error) {
	version := "1.1"
	if slices.Contains(dialog10, m.Kind) && m.Version == "1.0" || m.Version != "" && ownRoot[m.Kind] == m.Version {
		version = "1.0"
	}
	out := mapping.AppRec{
		Version: version, ID: string(a.MsgID), Generated: a.At.Truncate(time.Millisecond), SoftwareName: "Sluse", Status: int(a.Status),
		RefID: string(a.Original), RefKind: mapping.Kind(m.Kind), RefKindDisplay: m.KindName, RefGenerated: m.Generated,
		Sender: mapping.Address{HERID: string(a.From)}, Receiver: address(m.Sender),
	}
	for _, r := range m.Receivers {
		if r.HERID == a.From {
			out.Sender = address(r)
			out.Sender.HPR = ""
		}
	}
	for _, e := range a.Errors {
		out.Errors = append(out.Errors, mapping.AppRecError{Code: e.Code, Text: e.Text})
	}
	document, err := mapping.WriteAppRec(out)
	if err != nil {
		return nil, gateway.Failed("exchange.apprec", gateway.Internal, err)
	}
	return document, nil
}

// ReadAppRec reads an AppRec.
func (Translator) ReadAppRec(document []byte) (gateway.AppRec, error) {
	a, err := mapping.ReadAppRec(document)
	if err != nil {
		return gateway.AppRec{}, fault("exchange.apprec", err)
	}
	out := gateway.AppRec{
		MsgID: gateway.MsgID(a.ID), From: gateway.HERID(a.Sender.Addressed()), To: gateway.HERID(a.Receiver.Addressed()),
		Original: gateway.MsgID(a.RefID), Status: gateway.AppRecStatus(a.Status), At: a.Generated, //nolint:gosec // 1 to 3
	}
	for _, e := range a.Errors {
		text := e.Text
		if text == "" {
			text = e.OtherDetail
		}
		out.Errors = append(out.Errors, gateway.AppRecError{Code: e.Code, Text: text})
	}
	return out, nil
}

// fault turns an error of package mapping into one of ours: code and place, never content.
func fault(op string, err error) error {
	var e *mapping.Error
	if !errors.As(err, &e) {
		return gateway.Failed(op, gateway.Internal, err)
	}
	code, ok := mappingCodes[e.Code]
	if !ok {
		return gateway.Failed(op, gateway.Internal, err)
	}
	place := e.Path
	if place == "" && e.Line > 0 {
		place = "line " + strconv.Itoa(e.Line)
	}
	issue := fhir.Issue{Severity: "error", Type: "structure", Code: "message." + string(e.Code), Expression: place, Line: e.Line}
	return gateway.Fault(op, code, issue)
}

// mappingCodes gives every fault of package mapping its Code.
var mappingCodes = map[mapping.Code]gateway.Code{
	mapping.NotXML:       gateway.Malformed,
	mapping.Forbidden:    gateway.Malformed,
	mapping.TooLarge:     gateway.TooLarge,
	mapping.Charset:      gateway.Malformed,
	mapping.Malformed:    gateway.Malformed,
	mapping.NotSupported: gateway.NotSupported,
	mapping.Locked:       gateway.Internal,
	mapping.NotFHIR:      gateway.Invalid,
}
