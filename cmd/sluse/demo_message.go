package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
)

// coded is an element of KITH's data types CS and CV.
type coded struct {
	V  string `xml:"V,attr"`
	DN string `xml:"DN,attr"`
	OT string `xml:"OT,attr"`
}

// letter is what the story reads of a business document: MsgHead 1.2 or AppRec 1.0/1.1.
type letter struct {
	XMLName  xml.Name
	Kind     coded   `xml:"MsgInfo>Type"`
	MsgID    string  `xml:"MsgInfo>MsgId"`
	Sender   string  `xml:"MsgInfo>Sender>Organisation>OrganisationName"`
	Receiver string  `xml:"MsgInfo>Receiver>Organisation>OrganisationName"`
	Status   coded   `xml:"Status"`
	Errors   []coded `xml:"Error"`
	Original string  `xml:"OriginalMsgId>Id"`
	From     string  `xml:"Sender>HCP>Inst>Name"`
	To       string  `xml:"Receiver>HCP>Inst>Name"`
	id       string  // of the message API
	document []byte
}

// post hands an XML document to /edi as the persona's system does.
func (s *story) post(ctx context.Context, name, key, file string, data ...any) {
	document := s.document(file, data...)
	if s.err != nil {
		return
	}
	body, err := json.Marshal(map[string]string{
		"businessDocument": base64.StdEncoding.EncodeToString(document),
		"contentType":      "application/xml", "contentTransferEncoding": "base64",
	})
	if err != nil {
		s.err = err
		return
	}
	r := s.ask(ctx, name, http.MethodPost, "/edi/Messages", "application/json", body)
	if r.status != http.StatusCreated {
		s.fail("%s: status %d: %s", key, r.status, refusalText(r))
		return
	}
	head := s.read(document)
	s.held[key], s.msgIDs[key] = document, head.MsgID
}

func (s *story) read(document []byte) letter {
	l := letter{document: document}
	if err := xml.Unmarshal(document, &l); err != nil {
		s.fail("business document: %w", err)
	}
	return l
}

// collect waits for an unread document that wanted accepts, fetches it and marks it read. Nothing
// that comes within the time is an empty letter: that too is an outcome.
func (s *story) collect(ctx context.Context, name string, wanted func(letter) bool) letter {
	if s.err != nil {
		return letter{}
	}
	herID := s.people[name].HERID
	var found letter
	err := poll(ctx, func() (bool, error) {
		query := url.Values{"ReceiverHerIds": {herID}, "MessagesToFetch": {"100"}}
		r := s.ask(ctx, name, http.MethodGet, "/edi/Messages?"+query.Encode(), "", nil)
		for _, m := range each(r.parsed()) {
			if l := s.fetch(ctx, name, word(m, "id")); s.err == nil && wanted(l) {
				found = l
				return true, nil
			}
		}
		if r.status != http.StatusOK {
			s.fail("mailbox of %s: status %d: %s", name, r.status, refusalText(r))
		}
		return false, s.err
	})
	if err != nil {
		return found
	}
	r := s.ask(ctx, name, http.MethodPut, "/edi/Messages/"+found.id+"/read/"+herID, "", nil)
	if r.status != http.StatusNoContent {
		s.fail("mark as read: status %d: %s", r.status, refusalText(r))
	}
	return found
}

// fetch gets one business document.
func (s *story) fetch(ctx context.Context, name, id string) letter {
	r := s.ask(ctx, name, http.MethodGet, "/edi/Messages/"+id+"/business-document", "", nil)
	encoded := word(r.parsed(), "businessDocument")
	document, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || r.status != http.StatusOK {
		s.fail("document for %s: status %d: %s", name, r.status, refusalText(r))
		return letter{}
	}
	l := s.read(document)
	l.id = id
	return l
}

// ofKind wants a message by its type (kodeverk 8279).
func ofKind(kind string) func(letter) bool {
	return func(l letter) bool { return l.Kind.V == kind }
}

// receiptFor wants the AppRec of a message.
func receiptFor(msgID string) func(letter) bool {
	return func(l letter) bool { return l.XMLName.Local == "AppRec" && l.Original == msgID }
}

// messageRow collects a message and adds a row: what stands in the document as it was fetched.
func (s *story) messageRow(ctx context.Context, step int, name, kind string, held ...[]byte) letter {
	l := s.collect(ctx, name, ofKind(kind))
	if l.id == "" {
		s.add(step, "–", s.partyOf(ctx, name), kind+" kom ikke", nil, held, "–")
		return l
	}
	s.add(step, l.Sender, l.Receiver, l.Kind.V, [][]byte{l.document}, held, s.messageBasis(ctx, name, l))
	return l
}

// receiptRow collects the AppRec of a message and adds a row: its status and its reasons.
func (s *story) receiptRow(ctx context.Context, step int, name, msgID string) {
	l := s.collect(ctx, name, receiptFor(msgID))
	if l.id == "" {
		s.add(step, "–", s.partyOf(ctx, name), "AppRec kom ikke", nil, nil, "–")
		return
	}
	s.add(step, l.From, l.To, "AppRec "+l.Status.V, [][]byte{l.document}, nil, l.reasons())
}

// reasons gives code and rule of every error of an AppRec; what to do about it follows the first full stop.
func (l letter) reasons() string {
	var why []string
	for _, e := range l.Errors {
		text := e.OT
		if text == "" {
			text = e.DN
		}
		if rule, _, more := strings.Cut(text, ". "); more {
			text = rule + "."
		}
		why = append(why, strings.TrimSpace(e.V+" "+text))
	}
	return dash(why)
}

// acknowledge answers a message with AppRec OK.
func (s *story) acknowledge(ctx context.Context, name string, l letter) {
	if l.id == "" {
		return
	}
	r := s.ask(ctx, name, http.MethodPost, "/edi/Messages/"+l.id+"/apprec/"+s.people[name].HERID,
		"application/json", []byte(`{"appRecStatus":"Ok"}`))
	if r.status != http.StatusCreated {
		s.fail("AppRec by %s: status %d: %s", name, r.status, refusalText(r))
	}
}

// settled waits until a Communication of the bydel is no longer in-progress and gives how it ended.
func (s *story) settled(ctx context.Context, key string) any {
	var last any
	err := poll(ctx, func() (bool, error) {
		r := s.ask(ctx, bydel, http.MethodGet, "/fhir/"+s.refs[key], "", nil)
		last = r.parsed()
		return s.err == nil && word(last, "status") != "in-progress", s.err
	})
	if err != nil {
		s.fail("%s is still %s: %w", key, word(last, "status"), err)
	}
	return last
}

// outcomeRow adds a row of how a Communication of the bydel ended, as its sender sees it: the AppRec of the
// message that came of it, if one did, and the Communication's own status and reason.
func (s *story) outcomeRow(ctx context.Context, step int, key string, l letter) {
	v := s.settled(ctx, key)
	what := "Communication " + word(v, "status")
	if l.id != "" {
		r := s.ask(ctx, bydel, http.MethodGet, "/edi/Messages/"+l.id+"/apprec", "", nil)
		what = "AppRec " + word(r.parsed(), 0, "appRecStatus") + ", " + what
	}
	s.add(step, s.recipients(ctx, v), s.partyOf(ctx, bydel), what, nil, nil, dash(merge(nil, word(v, "statusReason", "text"))))
}

func (s *story) recipients(ctx context.Context, communication any) string {
	var names []string
	for _, recipient := range each(communication, "recipient") {
		names = merge(names, s.nameOf(ctx, word(recipient, "reference")))
	}
	return dash(names)
}

// ledgerOf reads in a party's own ledger the entries about a message.
func (s *story) ledgerOf(ctx context.Context, name string, l letter) []any {
	r := s.ask(ctx, name, http.MethodGet, "/fhir/AuditEvent?_sort=-date&_count=100", "", nil)
	if r.status != http.StatusOK {
		s.fail("AuditEvent: status %d: %s", r.status, refusalText(r))
	}
	var about []any
	for _, e := range matches(r) {
		for _, item := range each(e, "entity") {
			if word(item, "what", "identifier", "value") == l.MsgID {
				about = append(about, e)
			}
		}
	}
	return about
}

// messageBasis reads in the receiver's own ledger what the delivery of a message rested on.
func (s *story) messageBasis(ctx context.Context, name string, l letter) string {
	var why []string
	for _, e := range s.ledgerOf(ctx, name, l) {
		for _, item := range each(e, "entity") {
			why = laws(why, item)
		}
	}
	return dash(why)
}
