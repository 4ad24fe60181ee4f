package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"html"
	"slices"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// documentAt puts a CarePlan and what it names into a document (R4 bundle.html#document,
// composition-operation-document.html), each resource as it is released to who asks. What is hidden is
// not in it and leaves no trace in it. The same resources give the same bytes: identifier and times
// come from what is in the document.
func (g *Gateway) documentAt(ctx context.Context, v View, who asked, in Interaction) (looked, error) {
	seen, err := g.look(ctx, v, who, in)
	if err != nil || seen.refusal != nil {
		return seen, err
	}
	plan, err := seen.out.Release.parsed()
	if err != nil {
		return looked{}, err
	}
	d := &composed{Gateway: g, view: v, who: who, in: in, seen: seen, base: in.Search.Base, newest: seen.out.Updated}
	d.add(plan)
	if err := d.gather(ctx, plan); err != nil {
		return looked{}, err
	}
	if err := d.addDirectory(ctx, plan); err != nil {
		return looked{}, err
	}
	d.seen.out = Outcome{Release: Release{body: d.bytes(plan)}}
	return d.seen, nil
}

// composed is a document on its way.
type composed struct {
	*Gateway
	view      View
	who       asked
	in        Interaction
	base      string
	seen      looked
	resources []*fhir.Resource // the plan first, then what it names
	names     []fhir.Reference
	newest    time.Time
}

func (d *composed) add(res *fhir.Resource) {
	d.resources = append(d.resources, res)
	d.names = append(d.names, fhir.Reference{Type: res.Type(), ID: res.ID()})
}

// gather reads the records that the released plan names, in its order. One that cannot be read is
// absent from the document, and from the ledger.
func (d *composed) gather(ctx context.Context, plan *fhir.Resource) error {
	root := plan.Root()
	named := []*fhir.Value{root.Get("subject")}
	for _, name := range []string{"goal", "careTeam", "addresses"} {
		named = append(named, root.Get(name).Items()...)
	}
	for _, activity := range root.Get("activity").Items() {
		named = append(named, activity.Get("reference"))
	}
	for _, value := range named {
		ref, err := fhir.ParseReference(value.Get("reference").Text())
		if err != nil || ref.Version != "" || IsDirectory(ref.Type) || ref.Type == "AuditEvent" || slices.Contains(d.names, ref) {
			continue
		}
		if err := d.read(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

func (d *composed) read(ctx context.Context, ref fhir.Reference) error {
	in := Interaction{Code: Operate, Target: ref, Search: d.in.Search}
	one, err := d.look(ctx, d.view, d.who, in)
	if err != nil || one.refusal != nil {
		return err
	}
	res, err := one.out.Release.parsed()
	if err != nil {
		return err
	}
	d.add(res)
	d.seen.entries = append(d.seen.entries, one.entries...)
	d.seen.fetched = append(d.seen.fetched, one.fetched...)
	if one.out.Updated.After(d.newest) {
		d.newest = one.out.Updated
	}
	return nil
}

// addDirectory adds who the document speaks of: the custodian, and whom its resources name.
func (d *composed) addDirectory(ctx context.Context, plan *fhir.Resource) error {
	types := []fhir.Type{"Endpoint", "HealthcareService", "Location", "Organization", "Practitioner", "PractitionerRole"}
	bodies := d.resources
	if custodian := plan.Meta().Custodian; !custodian.IsZero() {
		keeper, err := fhir.Parse([]byte(`{"resourceType":"Basic","subject":{"reference":"` + custodian.String() + `"}}`))
		if err != nil {
			return Failed("gateway.document", Internal, err)
		}
		bodies = append(slices.Clone(bodies), keeper)
	}
	found, err := d.alongside(ctx, d.view, d.who, bodies, types)
	if err != nil {
		return err
	}
	for _, r := range found {
		res, err := Release{body: r.Body}.parsed()
		if err != nil {
			return err
		}
		d.add(res)
		if r.Updated.After(d.newest) {
			d.newest = r.Updated
		}
	}
	return nil
}

// bytes writes the Bundle: the Composition first, as a document begins.
func (d *composed) bytes(plan *fhir.Resource) []byte {
	sum := sha256.New()
	sum.Write([]byte("sluse document\x00" + d.base + "\x00" + string(d.who.party.ID)))
	for _, res := range d.resources {
		sum.Write([]byte{0})
		sum.Write(res.Bytes())
	}
	id := namedID(sum.Sum(nil))
	at := d.newest.UTC().Format("2006-01-02T15:04:05.000Z")
	b := []byte(`{"resourceType":"Bundle","type":"document","identifier":{"system":"urn:ietf:rfc:3986","value":"urn:uuid:` + id +
		`"},"timestamp":"` + at + `","entry":[{"fullUrl":`)
	b = fhir.AppendString(b, d.base+"/Composition/"+id)
	b = append(b, `,"resource":`...)
	b = append(b, d.composition(plan, id, at)...)
	b = append(b, '}')
	for i, res := range d.resources {
		b = append(b, `,{"fullUrl":`...)
		b = fhir.AppendString(b, d.base+"/"+d.names[i].String())
		b = append(b, `,"resource":`...)
		b = append(append(b, res.Bytes()...), '}')
	}
	return append(b, `]}`...)
}

// namedID makes a UUID of a digest (RFC 9562 version 8): the same for the same content.
func namedID(digest []byte) string {
	var u [16]byte
	copy(u[:], digest)
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	s := hex.EncodeToString(u[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// composition is the head of the document: it says of the plan only what the released plan says.
func (d *composed) composition(plan *fhir.Resource, id, at string) []byte {
	root := plan.Root()
	title := root.Get("title").Text()
	if title == "" {
		title = "Plan"
	}
	status := "preliminary"
	switch root.Get("status").Text() {
	case "active", "on-hold", "revoked", "completed":
		status = "final"
	case "entered-in-error":
		status = "entered-in-error"
	}
	b := []byte(`{"resourceType":"Composition","id":"` + id + `"`)
	if meta := union(d.resources, "security", "tag"); meta != nil { // labels: of all that it holds
		b = append(append(b, `,"meta":`...), meta...)
	}
	b = append(b, `,"language":"nb","status":"`+status+`","type":{"coding":[{"system":"http://loinc.org","code":"18776-5","display":"Plan of care note"}]}`...)
	if subject := root.Get("subject"); subject != nil {
		b = append(append(b, `,"subject":`...), subject.Raw()...)
	}
	b = append(b, `,"date":"`+at+`","author":[`+d.author(plan)+`],"title":`...)
	b = fhir.AppendString(b, title)
	if custodian := plan.Meta().Custodian; !custodian.IsZero() {
		b = append(b, `,"custodian":{"reference":"`+custodian.String()+`"}`...)
	}
	b = append(b, `,"section":[`...)
	b = append(b, section("Plan", []string{title, root.Get("description").Text()}, d.names[0])...)
	var goals []fhir.Reference
	var lines []string
	for i, res := range d.resources {
		if res.Type() == "Goal" {
			goals = append(goals, d.names[i])
			lines = append(lines, res.Root().Get("description", "text").Text())
		}
	}
	if len(goals) > 0 {
		b = append(append(b, ','), section("Mål", lines, goals...)...)
	}
	if lines, done := d.activities(plan); len(lines)+len(done) > 0 {
		b = append(append(b, ','), section("Tiltak", lines, done...)...)
	}
	return append(b, `]}`...)
}

// author is who wrote the plan, as far as a Composition can name it, or else the custodian.
func (d *composed) author(plan *fhir.Resource) string {
	author := plan.Root().Get("author")
	ref, err := fhir.ParseReference(author.Get("reference").Text())
	if err == nil && slices.Contains([]fhir.Type{"Practitioner", "PractitionerRole", "Patient", "RelatedPerson", "Organization"}, ref.Type) {
		return string(author.Raw())
	}
	return `{"reference":"` + plan.Meta().Custodian.String() + `"}`
}

// activities are what the released plan says is to be done, and the records of it in the document.
func (d *composed) activities(plan *fhir.Resource) (lines []string, done []fhir.Reference) {
	for _, a := range plan.Root().Get("activity").Items() {
		text := a.Get("detail", "description").Text()
		if text == "" {
			text = a.Get("detail", "code", "text").Text()
		}
		if text != "" {
			lines = append(lines, text)
		}
		ref, err := fhir.ParseReference(a.Get("reference", "reference").Text())
		if err == nil && slices.Contains(d.names, ref) && !slices.Contains(done, ref) {
			done = append(done, ref)
		}
	}
	return lines, done
}

// section is a section with a narrative of the lines.
func section(title string, lines []string, entries ...fhir.Reference) []byte {
	var div strings.Builder
	div.WriteString(`<div xmlns="http://www.w3.org/1999/xhtml"><ul>`)
	for _, line := range lines {
		if strings.TrimSpace(line) != "" {
			div.WriteString("<li>" + html.EscapeString(line) + "</li>")
		}
	}
	div.WriteString("</ul></div>")
	b := []byte(`{"title":`)
	b = fhir.AppendString(b, title)
	if text := div.String(); strings.Contains(text, "<li>") {
		b = append(b, `,"text":{"status":"generated","div":`...)
		b = append(fhir.AppendString(b, text), '}')
	}
	for i, ref := range entries {
		if i == 0 {
			b = append(b, `,"entry":[`...)
		} else {
			b = append(b, ',')
		}
		b = append(b, `{"reference":"`+ref.String()+`"}`...)
	}
	if len(entries) > 0 {
		b = append(b, ']')
	}
	return append(b, '}')
}
