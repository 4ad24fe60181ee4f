package fhir

import (
	"errors"
	"strings"
)

// The namespaces that an XML resource may use (R4 xml.html).
const (
	xmlFHIR   = "http://hl7.org/fhir"
	xmlXHTML  = "http://www.w3.org/1999/xhtml"
	xmlSchema = "http://www.w3.org/2001/XMLSchema-instance"
	xmlSelf   = "http://www.w3.org/XML/1998/namespace"
)

// maxXMLAttributes is the number of attributes that one XML element may have.
const maxXMLAttributes = 64

// ParseXML reads one resource from application/fhir+xml as strictly as Parse reads JSON (R4
// xml.html): UTF-8, the FHIR namespace, elements known to the tables and in their order, values
// in attributes, no text, no declarations, entities or processing instructions, within the limits.
// Comments and a schema location are ignored; a byte order mark is accepted, since XML allows it.
//
// What comes as XML is kept in its JSON form: Bytes gives canonical JSON, members in R4's order (what
// XML has as attributes first) and without white space, the same for the same content. Literal decimals, ids and extensions of
// primitives, contained resources and comments inside the narrative are kept; the narrative is the
// XHTML as it was written, with prefixes of the XHTML namespace resolved. Positions of issues, here
// and in Validate, are those in data, which ParseXML keeps and which must not be changed.
//
// The error is *Error with the faults, their expressions and positions. A code that begins with
// "validation." is a fault of content (HTTP 422), parse.xml-encoding one of the media type (415),
// every other of form (400). ParseXML never panics and fetches nothing.
func ParseXML(data []byte, limits Limits) (*Resource, error) {
	limits = limits.orDefaults()
	x := &xmlReader{limits: limits}
	x.doc = &document{body: data}
	if len(data) > limits.Bytes {
		x.fault(0, CodeParseSize, IssueTooLong, itoa(limits.Bytes))
		return nil, &Error{Issues: x.issues}
	}
	x.src = string(data)
	x.out = make([]byte, 0, len(data))
	x.marks = make([]xmlMark, 0, len(data)/32)
	if !x.document() || len(x.issues) > 0 {
		return nil, &Error{Issues: x.issues}
	}
	r, err := ParseLimits(x.out, limits)
	if err != nil {
		var beyond *Error
		if errors.As(err, &beyond) {
			for i := range beyond.Issues {
				beyond.Issues[i].Line, beyond.Issues[i].Col = 0, 0 // of the JSON, which nobody sent
			}
		}
		return nil, err
	}
	r.root.doc.source, r.root.doc.marks = data, x.marks
	return r, nil
}

// AppendXML appends a resource as application/fhir+xml with its XML declaration: elements in R4's
// order, literal numbers, the narrative as XHTML. What ParseXML makes of it is the resource again,
// value by value. The error is *Error: content that is not of the form that the tables ask for, or
// a character that XML cannot carry, has no XML form. dst is then returned as it was.
func AppendXML(dst []byte, r *Resource) ([]byte, error) { return appendXML(dst, r, false) }

// AppendXMLIndent is AppendXML with one element a line, indented by two blanks (R4 http.html#pretty).
func AppendXMLIndent(dst []byte, r *Resource) ([]byte, error) { return appendXML(dst, r, true) }

func appendXML(dst []byte, r *Resource, indent bool) ([]byte, error) {
	w := &xmlWriter{out: append(dst, `<?xml version="1.0" encoding="UTF-8"?>`...), indent: indent}
	w.resource(r.root, 0)
	if len(w.issues) > 0 {
		return dst, &Error{Issues: w.issues}
	}
	if indent {
		w.out = append(w.out, '\n')
	}
	return w.out, nil
}

// xmlMark tells that the JSON from offset to on was made from the XML element at offset from.
type xmlMark struct{ to, from int32 }

// origin gives the offset in the XML that the JSON at an offset was made from.
func origin(marks []xmlMark, offset int) int {
	low, high := 0, len(marks)
	for low < high {
		if mid := (low + high) / 2; int(marks[mid].to) <= offset {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == 0 {
		return 0
	}
	return int(marks[low-1].from)
}

// xmlCharacters gives the offset of the first byte that XML 1.0 § 2.2 has no place for, -1 when
// there is none.
func xmlCharacters(s string) int {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 && c != '\n' && c != '\t' && c != '\r' {
			return i
		}
	}
	for _, c := range []string{"\ufffe", "\uffff"} {
		if i := strings.Index(s, c); i >= 0 {
			return i
		}
	}
	return -1
}
