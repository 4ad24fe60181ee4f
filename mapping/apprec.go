package mapping

import (
	"strings"
	"time"
)

// AppRec is an application receipt (HIS 80415:2004 version 1.0, HIS 80415:2012 version 1.1). The two have the same
// structure under two namespaces.
type AppRec struct {
	Version          string // "1.0" or "1.1"
	ID               string
	Generated        time.Time
	SoftwareName     string
	SoftwareVersion  string
	Sender, Receiver Address
	SenderRole       Coded
	ReceiverRole     Coded
	Status           int // Volven 8258: 1 OK, 2 rejected, 3 OK with an error in a part
	Errors           []AppRecError
	RefID            string    // MsgId of the message it answers
	RefKind          Kind      // its type
	RefKindDisplay   string    //
	RefGenerated     time.Time // its GenDate
}

// Coded is a CS: a code with its text.
type Coded struct{ Code, Display string }

// AppRecError is one reason. Text and OtherDetail never hold a national identifier.
type AppRecError struct {
	System      string // dotted OID; empty means Volven 8221
	Code        string
	Text        string // @DN, what the code means
	OtherDetail string // @OT
}

// The namespaces of the two versions, and the MIGversion each writes (plo.md § 6.1: 1.0 has no "v").
var appRecVersions = map[string]struct{ ns, mig string }{
	"1.0": {"http://www.kith.no/xmlstds/apprec/2004-11-21", "1.0 2004-11-21"},
	"1.1": {"http://www.kith.no/xmlstds/apprec/2012-02-15", "v1.1 2012-02-15"},
}

// appRecStatus are the texts of Volven 8258.
var appRecStatus = map[int]string{1: "OK", 2: "Avvist", 3: "OK, feil i delmelding"}

// ReadAppRec reads an application receipt of version 1.0 or 1.1. A receipt without an id, a status of 8258, or a
// reference to a message is an *Error with code Malformed.
func ReadAppRec(raw []byte) (*AppRec, error) {
	root, _, err := parseLean(raw)
	if err != nil {
		return nil, err
	}
	a := &AppRec{}
	for version, v := range appRecVersions {
		if root.name == "AppRec" && root.ns == v.ns {
			a.Version = version
		}
	}
	if a.Version == "" {
		return nil, fault(NotSupported, "/"+root.name, "not an AppRec 1.0 or 1.1")
	}
	original := root.kid("OriginalMsgId")
	a.ID = root.kid("Id").value()
	a.SoftwareName, a.SoftwareVersion = root.kid("SoftwareName").value(), root.kid("SoftwareVersion").value()
	a.Sender, a.Receiver = readHCP(root.at("Sender", "HCP")), readHCP(root.at("Receiver", "HCP"))
	a.SenderRole, a.ReceiverRole = readCoded(root.at("Sender", "Role")), readCoded(root.at("Receiver", "Role"))
	a.RefID, a.RefKind = original.kid("Id").value(), Kind(strings.TrimSpace(original.kid("MsgType").attr("V")))
	a.RefKindDisplay = original.kid("MsgType").attr("DN")
	for status := range appRecStatus {
		if strings.TrimSpace(root.kid("Status").attr("V")) == string(rune('0'+status)) {
			a.Status = status
		}
	}
	for _, e := range root.kidsNamed("Error") {
		a.Errors = append(a.Errors, AppRecError{System: strings.TrimSpace(e.attr("S")), Code: strings.TrimSpace(e.attr("V")),
			Text: e.attr("DN"), OtherDetail: e.attr("OT")})
	}
	return a, a.readTimes(root, original)
}

func (a *AppRec) readTimes(root, original *elem) error {
	generated, ok := parseMoment(root.kid("GenDate").value())
	if a.Generated = generated.at; !ok || generated.layout != time.RFC3339 {
		return fault(Malformed, "/AppRec/GenDate", "missing or not a date and time")
	}
	issued, ok := parseMoment(original.kid("IssueDate").value())
	if a.RefGenerated = issued.at; !ok || issued.layout != time.RFC3339 {
		return fault(Malformed, "/AppRec/OriginalMsgId/IssueDate", "missing or not a date and time")
	}
	switch {
	case a.ID == "":
		return fault(Malformed, "/AppRec/Id", "missing")
	case a.Status == 0:
		return fault(Malformed, "/AppRec/Status", "not a code of 8258")
	case a.RefID == "":
		return fault(Malformed, "/AppRec/OriginalMsgId/Id", "missing")
	case strings.TrimSpace(root.kid("MsgType").attr("V")) != string(KindAppRec):
		return fault(Malformed, "/AppRec/MsgType", "not APPREC")
	}
	return nil
}

func readCoded(e *elem) Coded { return Coded{strings.TrimSpace(e.attr("V")), e.attr("DN")} }

// readHCP reads Inst with its first department and person, or HCProf.
func readHCP(hcp *elem) Address {
	inst := hcp.kid("Inst")
	dept, person := inst.kid("Dept"), inst.kid("HCPerson")
	if inst == nil {
		person = hcp.kid("HCProf")
	}
	return Address{
		HERID: appRecID(inst, "HER"), OrgNumber: appRecID(inst, "ENH"), Name: inst.kid("Name").value(),
		UnitHERID: appRecID(dept, "HER"), UnitName: dept.kid("Name").value(),
		HPR: appRecID(person, "HPR"), PersonName: person.kid("Name").value(),
	}
}

// appRecID finds an identifier of a type. Real senders write TypeId with stray spaces (national samples).
func appRecID(e *elem, typ string) string {
	if strings.TrimSpace(e.kid("TypeId").attr("V")) == typ {
		return e.kid("Id").value()
	}
	for _, more := range e.kidsNamed("AdditionalId") {
		if strings.TrimSpace(more.kid("Type").attr("V")) == typ {
			return more.kid("Id").value()
		}
	}
	return ""
}

// WriteAppRec writes an application receipt that is valid by the schema of its version. Sender and receiver are
// already swapped: the sender is who received the message.
func WriteAppRec(a AppRec) ([]byte, error) {
	v, ok := appRecVersions[a.Version]
	switch {
	case !ok:
		return nil, fault(NotSupported, "/AppRec", "version must be 1.0 or 1.1")
	case a.ID == "" || a.RefID == "" || a.RefKind == "":
		return nil, fault(Malformed, "/AppRec", "id, and the id and type of the message, are required")
	case appRecStatus[a.Status] == "":
		return nil, fault(Malformed, "/AppRec/Status", "not a code of 8258")
	case a.Generated.IsZero() || a.RefGenerated.IsZero():
		return nil, fault(Malformed, "/AppRec/GenDate", "times are required")
	case a.Status != 1 && len(a.Errors) == 0:
		return nil, fault(Malformed, "/AppRec/Error", "a receipt that is not OK gives a reason")
	}
	w := newWriter()
	w.open("AppRec", "xmlns", v.ns)
	w.empty("MsgType", "V", string(KindAppRec), "DN", "Applikasjonskvittering")
	w.text("MIGversion", v.mig)
	w.text("SoftwareName", a.SoftwareName)
	w.text("SoftwareVersion", a.SoftwareVersion)
	w.text("GenDate", instant(a.Generated))
	w.text("Id", a.ID)
	w.hcp("Sender", a.SenderRole, a.Sender)
	w.hcp("Receiver", a.ReceiverRole, a.Receiver)
	w.empty("Status", "V", string(rune('0'+a.Status)), "DN", appRecStatus[a.Status])
	for _, e := range a.Errors {
		if e.System == "" {
			e.System = volven + "8221"
		}
		w.empty("Error", "V", e.Code, "S", e.System, "DN", e.Text, "OT", e.OtherDetail)
	}
	w.open("OriginalMsgId")
	w.empty("MsgType", "V", string(a.RefKind), "DN", a.RefKindDisplay)
	w.text("IssueDate", instant(a.RefGenerated))
	w.text("Id", a.RefID)
	w.close("OriginalMsgId")
	w.close("AppRec")
	return w.bytes(), nil
}

func (w *writer) hcp(side string, role Coded, a Address) {
	w.open(side)
	w.empty("Role", "V", role.Code, "DN", role.Display)
	w.open("HCP")
	w.open("Inst")
	w.text("Name", a.Name)
	switch {
	case a.HERID != "":
		w.text("Id", a.HERID)
		w.empty("TypeId", "V", "HER", "DN", "HER-id")
	case a.OrgNumber != "":
		w.text("Id", a.OrgNumber)
		w.empty("TypeId", "V", "ENH", "DN", "Organisasjonsnummeret i Enhetsregister")
	}
	if a.UnitHERID != "" || a.UnitName != "" {
		w.open("Dept")
		w.text("Name", a.UnitName)
		if a.UnitHERID != "" {
			w.text("Id", a.UnitHERID)
			w.empty("TypeId", "V", "HER", "DN", "HER-id")
		}
		w.close("Dept")
	}
	if a.HERID != "" && a.OrgNumber != "" {
		w.open("AdditionalId")
		w.text("Id", a.OrgNumber)
		w.empty("Type", "V", "ENH", "DN", "Organisasjonsnummeret i Enhetsregister")
		w.close("AdditionalId")
	}
	if a.HPR != "" || a.PersonName != "" {
		w.open("HCPerson")
		w.text("Name", a.PersonName)
		if a.HPR != "" {
			w.text("Id", a.HPR)
			w.empty("TypeId", "V", "HPR", "DN", "HPR-nummer")
		}
		w.close("HCPerson")
	}
	w.close("Inst")
	w.close("HCP")
	w.close(side)
}
