package fhir

import (
	"bytes"
	"time"
)

// ExtensionCustodian is the extension in meta that names the party which holds a record
// (Reference to Organization). Only the server writes it.
const ExtensionCustodian = "http://sluse.no/fhir/StructureDefinition/custodian"

// Coding is a code with its system (R4 datatypes.html#Coding).
type Coding struct {
	System, Code, Display string
}

// Meta is what the server says about a version of a resource.
type Meta struct {
	VersionID   string
	LastUpdated time.Time
	Custodian   Reference
	Security    []Coding
	Tag         []Coding
}

// instantLayout is how the server writes an instant: UTC, milliseconds.
const instantLayout = "2006-01-02T15:04:05.000Z07:00"

// FormatInstant writes a time as the server does in meta.lastUpdated: UTC, milliseconds.
func FormatInstant(t time.Time) string { return t.UTC().Format(instantLayout) }

// Meta reads the meta that the body carries. What is absent or malformed is left zero.
func (r *Resource) Meta() Meta {
	meta := r.root.Get("meta")
	m := Meta{VersionID: meta.Get("versionId").Text()}
	if t, err := time.Parse(time.RFC3339Nano, meta.Get("lastUpdated").Text()); err == nil {
		m.LastUpdated = t
	}
	for _, x := range meta.Get("extension").Items() {
		if x.Get("url").Text() == ExtensionCustodian {
			m.Custodian, _ = parseReference(x.Get("valueReference", "reference").Text())
		}
	}
	m.Security = codings(meta.Get("security"))
	m.Tag = codings(meta.Get("tag"))
	return m
}

func codings(list *Value) []Coding {
	var out []Coding
	for _, c := range list.Items() {
		out = append(out, Coding{System: c.Get("system").Text(), Code: c.Get("code").Text(), Display: c.Get("display").Text()})
	}
	return out
}

// Stamp splices id and meta into the received bytes. versionId, lastUpdated, the custodian
// extension and security are the server's and replace what the client sent; profile, source, tag
// and foreign extensions of the client stay literally, as does every other byte of the resource.
// Tags of m that the client did not send are added. The error is *Error when id or meta are of
// the wrong kind.
func (r *Resource) Stamp(id ID, m Meta) ([]byte, error) {
	old := r.root.member("id")
	meta := r.root.member("meta")
	if meta != nil && meta.kind != Object || old != nil && old.kind != String {
		return nil, faultAt(r.root, CodeMeta, IssueStructure)
	}
	stamp, err := stampMeta(meta, m)
	if err != nil {
		return nil, err
	}
	type cut struct {
		from, to int32
		json     []byte
	}
	quoted := appendString(nil, string(id))
	var cuts [2]cut
	n := 0
	after := r.root.member("resourceType").end
	var insert []byte
	if old != nil {
		cuts[n] = cut{old.start, old.end, quoted}
		n++
	} else {
		insert = append(append(insert, `,"id":`...), quoted...)
	}
	if meta != nil {
		cuts[n] = cut{meta.start, meta.end, stamp}
		n++
	} else {
		insert = append(append(insert, `,"meta":`...), stamp...)
	}
	if n < 2 {
		cuts[n] = cut{after, after, insert}
	}
	if n == 0 {
		n = 1
	} else {
		n = 2
	}
	if n == 2 && cuts[0].from > cuts[1].from {
		cuts[0], cuts[1] = cuts[1], cuts[0]
	}
	src := r.root.doc.body
	out := make([]byte, 0, len(src)+len(quoted)+len(stamp)+32)
	at := int32(0)
	for _, c := range cuts[:n] {
		out = append(append(out, src[at:c.from]...), c.json...)
		at = c.to
	}
	return append(out, src[at:]...), nil
}

// stampMeta gives the new meta: the server's elements first, then the client's in their order.
func stampMeta(meta *Value, m Meta) ([]byte, error) {
	b := make([]byte, 0, 512)
	b = append(b, '{')
	comma := func() {
		if len(b) > 1 {
			b = append(b, ',')
		}
	}
	extensions, err := stampExtensions(meta.Get("extension"), m.Custodian)
	if err != nil {
		return nil, err
	}
	if extensions != nil {
		b = append(append(b, `"extension":`...), extensions...)
	}
	if m.VersionID != "" {
		comma()
		b = appendString(append(b, `"versionId":`...), m.VersionID)
	}
	if !m.LastUpdated.IsZero() {
		comma()
		b = appendString(append(b, `"lastUpdated":`...), FormatInstant(m.LastUpdated))
	}
	tagged := false
	for _, member := range meta.Members() {
		v := member.Value
		switch member.Name {
		case "extension", "versionId", "_versionId", "lastUpdated", "_lastUpdated", "security":
			continue
		case "tag":
			if v.kind != Array {
				return nil, faultAt(v, CodeMeta, IssueStructure)
			}
			tagged = true
			comma()
			b = append(append(b, `"tag":`...), stampTags(v, m.Tag)...)
			continue
		}
		comma()
		b = append(b, v.doc.body[v.key:v.end]...)
	}
	if len(m.Security) > 0 {
		comma()
		b = appendCodings(append(b, `"security":`...), m.Security)
	}
	if !tagged && len(m.Tag) > 0 {
		comma()
		b = appendCodings(append(b, `"tag":`...), m.Tag)
	}
	return append(b, '}'), nil
}

// stampExtensions gives the client's extensions less any custodian, with the server's; nil when none is left.
func stampExtensions(list *Value, custodian Reference) ([]byte, error) {
	if list != nil && list.kind != Array {
		return nil, faultAt(list, CodeMeta, IssueStructure)
	}
	var b []byte
	for _, x := range list.Items() {
		if x.Get("url").Text() == ExtensionCustodian {
			continue
		}
		b = append(append(b, ','), x.Raw()...)
	}
	if !custodian.IsZero() {
		b = append(b, `,{"url":"`+ExtensionCustodian+`","valueReference":{"reference":`...)
		b = append(appendString(b, custodian.String()), "}}"...)
	}
	if b == nil {
		return nil, nil
	}
	b[0] = '['
	return append(b, ']'), nil
}

// stampTags gives the client's tags literally, with those of the server's that are missing.
func stampTags(list *Value, tags []Coding) []byte {
	have := codings(list)
	var missing []Coding
next:
	for _, t := range tags {
		for _, h := range have {
			if h.System == t.System && h.Code == t.Code {
				continue next
			}
		}
		missing = append(missing, t)
	}
	raw := list.Raw()
	if len(missing) == 0 {
		return raw
	}
	b := bytes.TrimRight(raw[:len(raw)-1], " \t\r\n")
	b = append([]byte(nil), b...)
	if len(list.items) > 0 {
		b = append(b, ',')
	}
	return append(b, appendCodings(nil, missing)[1:]...)
}

func appendCodings(b []byte, list []Coding) []byte {
	b = append(b, '[')
	for i, c := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCoding(b, c)
	}
	return append(b, ']')
}

func appendCoding(b []byte, c Coding) []byte {
	b = append(b, '{')
	for _, f := range [...]struct{ name, value string }{{"system", c.System}, {"code", c.Code}, {"display", c.Display}} {
		if f.value == "" {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = appendString(append(appendString(b, f.name), ':'), f.value)
	}
	return append(b, '}')
}
