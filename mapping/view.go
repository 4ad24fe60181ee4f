package mapping

import (
	"slices"
	"strings"
)

// View renders a message or an AppRec as one HTML page, as its receiver reads it: who sends what to whom about whom, and
// each section under the heading that the tables give it, in the order of the message. The page is whole in itself: no
// script, nothing that is fetched from elsewhere, and all that comes from the message is text (never a tag, an attribute
// or an address of a link). What no table knows is shown as it stands, last, so that nothing is hidden. A type that no
// table knows is shown so too. Errors: as ReadHead gives them.
func View(raw []byte) ([]byte, error) {
	root, _, err := parseLean(raw)
	if err != nil {
		return nil, err
	}
	if root.name == "AppRec" {
		a, err := ReadAppRec(raw)
		if err != nil {
			return nil, err
		}
		return viewReceipt(a).html(), nil
	}
	head, err := readHead(root)
	if err != nil {
		return nil, err
	}
	v := &viewer{t: theTable(), page: &viewPage{title: kindText(head.Kind, head.KindDisplay)}}
	v.head(head)
	v.notes(root, head)
	payload, m, err := v.t.payload(root, head, true)
	switch {
	case err != nil:
		for _, doc := range root.kidsNamed("Document") {
			v.unknown(doc.at("RefDoc", "Content"))
		}
	default:
		if m.loose {
			payload.rename(payload.ns, m.rootNS, v.t.ns["po"])
		}
		v.class(payload, m.rootClass, nil)
	}
	v.attachments(root, payload)
	if len(v.strays.rows) > 0 {
		v.page.parts = append(v.page.parts, &viewPart{heading: "Opplysninger uten fast plass i meldingstypen", groups: []*viewGroup{&v.strays}})
	}
	return v.page.html(), nil
}

// viewPage is what a page shows.
type viewPage struct {
	title string
	notes []string // what the reader must know first
	parts []*viewPart
}

// viewPart stands under a heading of its own.
type viewPart struct {
	heading string
	groups  []*viewGroup
}

// viewGroup is one element of a part: values with their names, and what stands in it.
type viewGroup struct {
	name string
	rows []viewRow
	kids []*viewGroup
}

type viewRow struct{ name, value string }

func (g *viewGroup) row(name, value string) {
	if strings.TrimSpace(value) != "" {
		g.rows = append(g.rows, viewRow{name, value})
	}
}

// empty tells that there is nothing to show.
func (g *viewGroup) empty() bool {
	return len(g.rows) == 0 && !slices.ContainsFunc(g.kids, func(k *viewGroup) bool { return !k.empty() })
}

// viewer makes a page of a message.
type viewer struct {
	t      *table
	page   *viewPage
	strays viewGroup // what no table knows
}

// kindText names a type of message: the text of Volven 8279, else the message's own.
func kindText(k Kind, display string) string {
	if text := theTable().codes["8279"][string(k)]; text != "" {
		return text
	}
	if display != "" {
		return display
	}
	return "Melding"
}

// headHeading is the part that tells who sends what to whom.
const headHeading = "Om meldingen"

// part finds the part of a heading, or begins it. Sections of one heading stand together, where the first of them does.
func (v *viewer) part(heading string) *viewPart {
	for _, p := range v.page.parts {
		if p.heading == heading {
			return p
		}
	}
	p := &viewPart{heading: heading}
	v.page.parts = append(v.page.parts, p)
	return p
}

func (v *viewer) head(h *Head) {
	about := &viewGroup{}
	about.row("Type", v.page.title)
	about.row("Sendt", viewMoment(h.GeneratedValue))
	about.row("Fra", viewAddress(h.Sender))
	about.row("Til", viewAddress(h.Receiver))
	for _, c := range h.CopyReceivers {
		about.row("Kopi til", viewAddress(c))
	}
	if h.Status != StatusNew {
		about.row("Forsendelsesstatus", v.t.codes["7309"][string(h.Status)])
	}
	about.row("Meldingens id", h.MsgID)
	about.row("Svar på melding", h.RefToParent)
	if h.Signed {
		about.row("Signatur", "Meldingen har en elektronisk signatur. Den er ikke kontrollert her.")
	}
	v.part(headHeading).groups = []*viewGroup{about}
	if p := h.Patient; p.Present {
		who := &viewGroup{}
		who.row("Navn", strings.Join(strings.Fields(p.Given+" "+p.Middle+" "+p.Family), " "))
		who.row(viewIdentifier(p.NINType), p.NIN)
		for _, id := range p.OtherIdentifiers {
			who.row(viewIdentifier(id.Type), id.Value)
		}
		who.row("Født", viewMoment(p.BirthDate+p.BirthDateAsStated))
		who.row("Kjønn", v.t.codes["3101"][p.Sex])
		for _, a := range p.Addresses {
			who.row("Adresse", viewPostal(a))
		}
		for _, c := range p.Telecom {
			who.row("Telefon eller e-post", viewTelecom(c.URI))
		}
		v.part("Pasienten").groups = []*viewGroup{who}
	}
}

// notes tells first what changes how the rest is to be read.
func (v *viewer) notes(root *elem, h *Head) {
	for _, doc := range root.kidsNamed("Document") {
		if text := doc.kid("Annotation").value(); text != "" {
			v.page.notes = append(v.page.notes, text)
		}
		if said := doc.kid("Consent"); said != nil {
			v.part(headHeading).groups[0].row("Samtykke", viewJoin("\n", v.coded(said, []string{"9064"}), viewText(said)))
		}
	}
	switch h.Status {
	case StatusCancel:
		v.page.notes = append(v.page.notes, "Denne meldingen kansellerer en tidligere melding: innholdet gjelder ikke lenger.")
	case StatusChange:
		v.page.notes = append(v.page.notes, "Denne meldingen endrer en tidligere melding.")
	case StatusSupplement:
		v.page.notes = append(v.page.notes, "Denne meldingen er et tillegg til en tidligere melding.")
	}
	if h.Processing != "" && h.Processing != "P" {
		v.page.notes = append(v.page.notes, "Dette er en testmelding.")
	}
}

// class shows the children of an element by the table, in the group, or in the part of their own section.
func (v *viewer) class(e *elem, c *class, in *viewGroup) {
	if c.text != nil && in != nil {
		in.row("Tekst", strings.TrimSpace(e.text))
	}
	for _, k := range e.kids {
		f := c.field(k)
		switch {
		case f == nil && k.ns == nsXMLDSig:
		case f == nil:
			v.unknown(k)
		case f.kind == "DOC": // attachments
		case f.class == nil:
			v.leaf(k, f, in)
		default:
			v.inner(k, f, in)
		}
	}
}

// shownInHead are the elements of a root without MsgHead that the head shows already.
var shownInHead = []string{"Type", "MIGversion", "GenDate", "MsgId", "Name", "OffId", "TypeOffId", "Sex", "DateOfBirth", "ServProvider", "Requester"}

// leaf shows one value.
func (v *viewer) leaf(e *elem, f *field, in *viewGroup) {
	heading := f.section.heading
	if heading == "Meldingshode" {
		if slices.Contains(shownInHead, f.name) {
			return
		}
		heading = headHeading
	}
	name, value := viewWord(f.name), v.value(e, f)
	switch {
	case in != nil && (f.section.mode == "" || in.name != ""): // also a text with labels of its own, inside another section
		in.row(name, value)
	case heading == name || heading == "" && in == nil:
		v.alone(heading, "", value)
	default:
		v.alone(heading, name, value)
	}
}

// alone adds a value to a part, beside others that stand alone there.
func (v *viewer) alone(heading, name, value string) {
	if heading == "" {
		heading = headHeading
	}
	p := v.part(heading)
	if len(p.groups) == 0 || p.groups[len(p.groups)-1].name != "" {
		p.groups = append(p.groups, &viewGroup{})
	}
	if name == "" {
		name = "Tekst"
	}
	p.groups[len(p.groups)-1].row(name, value)
}

// inner shows an element that holds others.
func (v *viewer) inner(e *elem, f *field, in *viewGroup) {
	c := f.choice(e)
	name := viewWord(f.name)
	switch {
	case f.section.mode != "" && f.section.heading == "Meldingshode":
		if !slices.Contains(shownInHead, f.name) {
			g := &viewGroup{name: name}
			v.class(e, c, g)
			v.add(&v.part(headHeading).groups, g)
		}
	case f.section.mode != "" && (in == nil || in.name == ""):
		g := &viewGroup{name: name}
		v.class(e, c, g)
		v.add(&v.part(f.section.heading).groups, g)
	case in == nil: // sorts sections and is none
		v.class(e, c, nil)
	case c.resource == "" && !f.many && len(f.targets) == 0: // the values are those of what encloses it
		v.class(e, c, in)
	default:
		g := &viewGroup{name: name}
		v.class(e, c, g)
		v.add(&in.kids, g)
	}
}

func (v *viewer) add(to *[]*viewGroup, g *viewGroup) {
	if !g.empty() {
		*to = append(*to, g)
	}
}

// unknown shows what no table knows, each value under the names of the elements that it stands in.
func (v *viewer) unknown(e *elem) {
	if e == nil {
		return
	}
	e.leaves(func(l *elem, a *attr) {
		if l.ns == nsBase64 || a != nil && a.name == "S" {
			return
		}
		var names []string
		for up := l; up != nil && up.name != "Content" && len(names) < 3; up = up.parent {
			names = append(names, viewWord(up.name))
		}
		slices.Reverse(names)
		value := l.text
		if a != nil {
			value = a.value
		}
		v.strays.row(strings.Join(names, ", "), strings.TrimSpace(value))
	})
}

// attachments lists the documents that came with the message.
func (v *viewer) attachments(root, payload *elem) {
	p := &viewPart{heading: "Vedlegg"}
	add := func(ref *elem) {
		a, _ := readAttachment(ref)
		g := &viewGroup{name: "Vedlegg"}
		g.row("Navn", orDash(a.Name))
		g.row("Type", a.MimeType)
		switch {
		case a.FileRef != "":
			g.row("Innhold", "Ligger et annet sted: "+a.FileRef)
		case a.Problem != "":
			g.row("Innhold", "Kunne ikke leses")
		default:
			g.row("Innhold", viewSize(len(a.Bytes)))
		}
		p.groups = append(p.groups, g)
	}
	for _, doc := range root.kidsNamed("Document") {
		if payload == nil || !payload.within(doc) {
			add(doc.kid("RefDoc"))
		}
	}
	if payload == root {
		for _, ref := range viewDocuments(root) {
			add(ref)
		}
	}
	if len(p.groups) > 0 {
		v.page.parts = append(v.page.parts, p)
	}
}

// viewDocuments finds the attachments of a root without MsgHead.
func viewDocuments(e *elem) (list []*elem) {
	for _, k := range e.kids {
		if k.name == "RefDoc" {
			list = append(list, k)
		} else {
			list = append(list, viewDocuments(k)...)
		}
	}
	return list
}

// viewReceipt shows an application receipt.
func viewReceipt(a *AppRec) *viewPage {
	about := &viewGroup{}
	about.row("Status", appRecStatus[a.Status])
	about.row("Sendt", viewMoment(instant(a.Generated)))
	about.row("Fra", viewAddress(a.Sender))
	about.row("Til", viewAddress(a.Receiver))
	about.row("Svar på melding", a.RefID)
	about.row("Meldingens type", kindText(a.RefKind, a.RefKindDisplay))
	about.row("Meldingen ble sendt", viewMoment(instant(a.RefGenerated)))
	p := &viewPage{title: "Applikasjonskvittering", parts: []*viewPart{{heading: "Om kvitteringen", groups: []*viewGroup{about}}}}
	faults := &viewPart{heading: "Feil"}
	for _, e := range a.Errors {
		g := &viewGroup{name: "Feil"}
		g.row("Kode", e.Code)
		g.row("Hva som er galt", e.Text)
		g.row("Nærmere om feilen", e.OtherDetail)
		faults.groups = append(faults.groups, g)
	}
	if len(faults.groups) > 0 {
		p.parts = append(p.parts, faults)
	}
	return p
}
