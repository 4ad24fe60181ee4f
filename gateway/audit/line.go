package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// lineForm is the first byte of a line. A form is never changed, only followed by another one: a line
// must give the same AuditEvent for as long as it is kept.
const lineForm = 1

var errLine = errors.New("audit: a line of the ledger cannot be read")

// Line gives an entry in the form in which the ledger keeps it and the chain hashes it: all that
// its AuditEvent says, at about a fourth of the length. It refuses what Render would refuse. No
// national identity number is in it, and what was withheld only in refusals.
func (s Source) Line(e gateway.AuditEntry) ([]byte, error) {
	if err := s.complete(e); err != nil {
		return nil, err
	}
	b := make([]byte, 0, 768)
	b = append(b, lineForm)
	b = texts(b, s.Site, string(s.Observer.Type), string(s.Observer.ID), s.Observer.Version, e.ID)
	b = binary.AppendVarint(b, e.Recorded.UnixMicro())
	b = binary.AppendVarint(b, int64(e.Person))
	b = texts(b, string(e.Interaction), string(e.Outcome), string(e.Code), e.Alias, string(e.Type), e.Query, e.Policy, e.Message)
	a, o := &e.Actor, e.Party.Organization
	b = texts(b, string(a.Unit), string(a.Practitioner), a.Name, a.Role, string(a.Purpose), a.Reason, a.Client, a.TokenID)
	b = texts(b, string(e.Party.ID), e.Party.Name, string(o.Type), string(o.ID), o.Version)
	b = binary.AppendUvarint(b, uint64(len(e.Entities)))
	for i := range e.Entities {
		touched := &e.Entities[i]
		withheld := touched.Withheld
		if e.Outcome != gateway.Refused {
			withheld = 0
		}
		r := touched.Record
		b = texts(b, string(r.Type), string(r.ID), r.Version, string(touched.Custodian))
		b = binary.AppendUvarint(b, uint64(withheld))
		b = binary.AppendUvarint(b, uint64(len(touched.Citations)))
		for _, c := range touched.Citations {
			b = texts(b, string(c.Consent.Type), string(c.Consent.ID), c.Consent.Version, c.Path, c.Law, c.Paragraph)
		}
	}
	return b, nil
}

// texts appends each text with its length before it.
func texts(b []byte, list ...string) []byte {
	for _, s := range list {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

// Event gives the AuditEvent of a line: the bytes that Render gave when the line was written.
func Event(line []byte) ([]byte, error) {
	s, e, err := read(line)
	if err != nil {
		return nil, err
	}
	event, err := s.Render(e)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errLine, err)
	}
	return event, nil
}

// Read gives the entry of a line, as far as a line holds it.
func Read(line []byte) (gateway.AuditEntry, error) {
	_, e, err := read(line)
	return e, err
}

// read takes a line apart.
func read(line []byte) (Source, gateway.AuditEntry, error) {
	if len(line) == 0 || line[0] != lineForm {
		return Source{}, gateway.AuditEntry{}, errLine
	}
	r := reader{rest: line[1:]}
	s := Source{Site: r.text()}
	s.Observer = r.reference()
	e := gateway.AuditEntry{ID: r.text()}
	e.Recorded, e.Person = time.UnixMicro(r.number()).UTC(), gateway.PersonID(r.number())
	e.Interaction, e.Outcome, e.Code = gateway.InteractionCode(r.text()), gateway.AuditOutcome(r.text()), gateway.Code(r.text())
	e.Alias, e.Type, e.Query, e.Policy, e.Message = r.text(), fhir.Type(r.text()), r.text(), r.text(), r.text()
	a := &e.Actor
	a.Unit, a.Practitioner, a.Name, a.Role = gateway.HERID(r.text()), gateway.HPRNumber(r.text()), r.text(), r.text()
	a.Purpose, a.Reason, a.Client, a.TokenID = gateway.Purpose(r.text()), r.text(), r.text(), r.text()
	e.Party.ID, e.Party.Name, e.Party.Organization = gateway.HERID(r.text()), r.text(), r.reference()
	for range r.count() {
		touched := gateway.AuditEntity{Record: r.reference(), Custodian: gateway.HERID(r.text()), Withheld: gateway.Labels(r.count())}
		for range r.count() {
			touched.Citations = append(touched.Citations, gateway.Citation{
				Consent: r.reference(), Path: r.text(), Law: r.text(), Paragraph: r.text(),
			})
			if r.broken {
				return Source{}, gateway.AuditEntry{}, errLine
			}
		}
		e.Entities = append(e.Entities, touched)
		if r.broken {
			return Source{}, gateway.AuditEntry{}, errLine
		}
	}
	if r.broken || len(r.rest) > 0 {
		return Source{}, gateway.AuditEntry{}, errLine
	}
	return s, e, nil
}

// reader takes a line apart; once something is missing it is broken and gives nothing more.
type reader struct {
	rest   []byte
	broken bool
}

func (r *reader) count() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || r.broken {
		r.broken = true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) number() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 || r.broken {
		r.broken = true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) text() string {
	n := r.count()
	if n > uint64(len(r.rest)) {
		r.broken = true
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *reader) reference() fhir.Reference {
	return fhir.Reference{Type: fhir.Type(r.text()), ID: fhir.ID(r.text()), Version: r.text()}
}
