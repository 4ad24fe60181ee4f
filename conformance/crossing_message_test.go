package conformance_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/beevik/etree"
)

// crossingKinds are the documents that messages are made from: goldens of package mapping, of every type and version.
// whole: epikrise and henvisning, all or nothing.
var crossingKinds = []struct {
	golden string
	whole  bool
}{
	{golden: "medisinske-alt"}, {golden: "medisinske-opplysninger"}, {golden: "helseopplysninger-lege"}, {golden: "helseopplysninger-soknad"},
	{golden: "innleggelsesrapport"}, {golden: "utskrivningsrapport"}, {golden: "orientering-tjenestetilbud"}, {golden: "legemiddelhandtering"},
	{golden: "epj-ekstrakt"}, {golden: "log-innlagt"}, {golden: "log-utskrevet"}, {golden: "log-utskrivningsklar"}, {golden: "log-fritekst"},
	{golden: "log-1.5-utskrevet"}, {golden: "v1.5-helseopplysninger-soknad"}, {golden: "v1.5-innleggelsesrapport"}, {golden: "v1.5-konsultasjon"},
	{golden: "v1.5-medisinske-opplysninger"}, {golden: "v1.5-orientering-tjenestetilbud"}, {golden: "v1.5-tverrfaglig-epikrise"},
	{golden: "dialog-1.0-foresporsel"}, {golden: "dialog-1.1-foresporsel"}, {golden: "dialog-1.1-notat"},
	{golden: "henvisning-1.1", whole: true}, {golden: "henvisning-2.0", whole: true}, {golden: "epikrise-1.2", whole: true},
}

// leaf is a marked text of a message.
type leaf struct {
	n      int
	path   string   // names from the root of the payload
	labels []string // what must be covered at least (crossingSections)
	kept   bool     // it stands in the original only: no record is made of it
	lost   bool     // free text of LOG_
	home   bool     // the address of the person
	inside string   // of a section with texts that have labels of their own: which of them
}

// crossingMessage is one generated document, but for whom it is about and to.
type crossingMessage struct {
	golden string
	whole  bool
	doc    *etree.Document
	leaves []leaf
	texts  map[int]string // of each mark, as it stood
	named  bool           // its receiver is named as a person
}

// crossingForm is what of a message is not left to chance.
type crossingForm struct {
	named   bool // the receiver is named as a person
	limited bool // the consents are for some types or periods, which nothing tells of a CareTeam
	full    bool // every section is there
}

// addressLeaf is the number of the mark of the address, the same in all messages about a person; probeLeaf that of the
// record which kept texts are held against.
const (
	addressLeaf = 998
	probeLeaf   = 999
)

// mark is what the text of a leaf ends with, in the copy of a message.
func mark(copied, n int) string { return fmt.Sprintf("zk%06d%03dq", copied, n) }

var markForm = regexp.MustCompile(`zk(\d{6})(\d{3})q`)

// diagnosisCodes are ICD-10 codes with what they say (DESIGN § 3, Labels), at least.
var diagnosisCodes = map[string]string{"F10.2": "rus", "F32.1": "psykisk", "K70.3": "somatisk", "I10": "somatisk", "F11.2": "rus", "J45": "somatisk"}

// newCrossingMessage takes sections out of a golden by chance, changes diagnoses, and notes what is to be marked.
func newCrossingMessage(t testing.TB, r *rand.Rand, kind int, form crossingForm) *crossingMessage {
	t.Helper()
	c := crossingKinds[kind]
	m := &crossingMessage{golden: c.golden, whole: c.whole, named: form.named}
	m.read(t)
	keep := 0.25 + r.Float64()*0.5
	if form.full {
		keep = 1
	}
	root := m.payload()
	m.thin(r, root, keep)
	for _, e := range all(root) {
		if form.limited && slices.Contains(contacts, e.Tag) || c.whole && slices.Contains(wordless, e.Tag) {
			e.Parent().RemoveChild(e)
		}
	}
	for _, e := range all(root) {
		if strings.HasSuffix(e.SelectAttrValue("S", ""), ".7110") {
			code := slices.Sorted(maps.Keys(diagnosisCodes))[r.IntN(len(diagnosisCodes))]
			e.CreateAttr("V", code)
			e.CreateAttr("DN", "Diagnose "+code)
		}
		if e.Tag == "Forsendelsesstatus" {
			e.CreateAttr("V", "N")
		}
	}
	m.address(form.full || r.IntN(2) == 0)
	for _, e := range all(root) {
		m.note(e)
	}
	m.leaves = slices.DeleteFunc(m.leaves, func(l leaf) bool { // nothing tells what became of the section that it stands in
		return l.kept && l.inside != "" && !slices.ContainsFunc(m.leaves, func(o leaf) bool { return o.inside == l.inside && !o.kept })
	})
	return m
}

// read reads the golden.
func (m *crossingMessage) read(t testing.TB) {
	t.Helper()
	m.doc, m.texts = etree.NewDocument(), map[int]string{}
	if err := m.doc.ReadFromFile(filepath.Join("..", "mapping", "testdata", m.golden, "in.xml")); err != nil {
		t.Fatal(err)
	}
}

// payload is the root of what the message carries.
func (m *crossingMessage) payload() *etree.Element {
	if content := m.doc.FindElement("//RefDoc/Content"); content != nil && m.doc.Root().Tag == "MsgHead" {
		if kids := content.ChildElements(); len(kids) == 1 {
			return kids[0]
		}
		return content
	}
	return m.doc.Root().ChildElements()[len(m.doc.Root().ChildElements())-1]
}

func all(e *etree.Element) (list []*etree.Element) {
	for _, k := range e.ChildElements() {
		list = append(append(list, k), all(k)...)
	}
	return list
}

// sorted are elements that hold sections of different labels: each may be missing by itself.
var sorted = []string{"MedisinskfagligeOpplysninger", "Sykepleierdokumentasjon", "OpplysningerAndreFaggrupper", "InfoAndreViktigeOpplysninger", "Notater"}

// contacts are the elements that become a CareTeam.
var contacts = []string{"TilknyttetEnhet", "KontaktpersonHelsepersonell", "AnsvarForRapport"}

// wordless are sections of messages that cross whole, of which nothing with a mark tells what became.
var wordless = []string{"PatRelHCP", "BasisForHealthServices", "Modifier"}

// enclosing are sections that hold a text with labels of its own.
var enclosing = []string{"InfoKontaktepisode", "InfoKontrolltime"}

// constant elements are always there; a statement of samtykke would be a consent of its own.
var constant = regexp.MustCompile(`^(InformasjonOmForsendelsen|Forsendelsesstatus|.*MeldingOm?.*|MeldingInnlagtPasient|MeldingUtskrivningsklarPasient|OrienteringOmDod|Dialogmelding|Foresporsel|Notat|SakstypeKodet|ServType|IssueDate|Id|MsgDescr|ReqServ|ServProvider|Requester|Patient|Event|ServReq|Status|ApprDate|Ack|Diagnosis)$`)

func (m *crossingMessage) thin(r *rand.Rand, root *etree.Element, keep float64) {
	kids := root.ChildElements()
	for _, k := range kids {
		switch {
		case constant.MatchString(k.Tag):
		case slices.Contains(sorted, k.Tag):
			m.thin(r, k, keep)
			if len(k.ChildElements()) == 0 {
				root.RemoveChild(k)
			}
		case r.Float64() > keep:
			root.RemoveChild(k)
		}
	}
	if len(root.ChildElements()) == 0 { // a message says something
		root.AddChild(kids[r.IntN(len(kids))])
	}
	for _, k := range m.doc.FindElements("//Consent") {
		k.Parent().RemoveChild(k)
	}
}

// address gives the person of a MsgHead the address that is known, or none.
func (m *crossingMessage) address(known bool) {
	p := m.doc.FindElement("/MsgHead/MsgInfo/Patient")
	if p == nil {
		if p = m.doc.FindElement("//Patient/Address"); p != nil {
			p.Parent().RemoveChild(p)
		}
		return
	}
	for _, name := range []string{"Address", "TeleCom"} {
		for _, a := range p.SelectElements(name) {
			p.RemoveChild(a)
		}
	}
	if !known {
		return
	}
	a := p.CreateElement("Address")
	a.CreateElement("Type").CreateAttr("V", "H")
	a.CreateElement("StreetAdr")
	m.leaves = append(m.leaves, leaf{n: addressLeaf, path: "Patient/Address", labels: []string{"demografi"}, home: true})
}

// unmarked are texts that FHIR has only as the display of somebody, or that are no text.
var unmarked = []string{"FamilyName", "GivenName", "MiddleName", "OrganisationName", "Name", "Id", "OffId", "Base64Container", "MsgId", "StreetAdr", "City", "MimeType", "NavnMottaker"}

// note notes an element whose text is to be marked.
func (m *crossingMessage) note(e *etree.Element) {
	text := strings.TrimSpace(e.Text())
	if len(e.ChildElements()) > 0 || slices.Contains(unmarked, e.Tag) || !strings.ContainsAny(text, " k") || len(text) < 5 || text == "ukjent" {
		return
	}
	var path []string
	inside := ""
	for up := e; up != nil; up = up.Parent() {
		if slices.Contains(enclosing, up.Tag) {
			inside = fmt.Sprint(up.Tag, up.Index())
		}
	}
	for up := e; up != nil && up.Tag != "" && up.Tag != "Content"; up = up.Parent() {
		path = append([]string{up.Tag}, path...)
	}
	l := leaf{n: len(m.texts), path: strings.Join(path, "/"), inside: inside}
	rule := sectionOf(l.path)
	if rule == nil {
		l.path = "?" + l.path // told by the test: no rule knows it
	} else {
		l.labels, l.kept = strings.Fields(rule.labels), rule.kept
	}
	l.lost = strings.HasPrefix(m.golden, "log-") // when no record is made of it
	if diagnosis := e.Parent().SelectElement("Diagnosekode"); diagnosis != nil {
		if label := diagnosisCodes[diagnosis.SelectAttrValue("V", "")]; label != "" {
			l.labels = append(l.labels, label)
		}
	}
	m.texts[l.n] = e.Text()
	e.CreateAttr("zk-mark", fmt.Sprint(l.n)) // taken off when it is written
	m.leaves = append(m.leaves, l)
}

// to is one copy of the message: about whom, to whom, and with the marks of the copy.
func (m *crossingMessage) to(copied, person int, msgID, nin, from, to string) string {
	doc := m.doc.Copy()
	set := func(path, text string) {
		for _, e := range doc.FindElements(path) {
			e.SetText(text)
		}
	}
	if doc.Root().Tag == "MsgHead" {
		for side, id := range map[string]string{"Sender": from, "Receiver": to} {
			organisation := doc.FindElement("/MsgHead/MsgInfo/" + side + "/Organisation")
			for _, k := range organisation.ChildElements() {
				if k.Tag != "OrganisationName" {
					organisation.RemoveChild(k)
				}
			}
			set("/MsgHead/MsgInfo/"+side+"/Organisation/OrganisationName", side+" i prøven")
			identify(organisation, id, "HER", "2.16.578.1.12.4.1.1.9051")
			if side == "Receiver" && m.named {
				person := organisation.CreateElement("HealthcareProfessional")
				person.CreateElement("FamilyName").SetText("Berg")
				person.CreateElement("GivenName").SetText("Jon")
				identify(person, receiverHPR, "HPR", "2.16.578.1.12.4.1.1.8116")
			}
		}
		info := doc.FindElement("/MsgHead/MsgInfo")
		if ref := info.SelectElement("ConversationRef"); ref != nil {
			info.RemoveChild(ref)
		}
		set("/MsgHead/MsgInfo/MsgId", msgID)
		set("/MsgHead/MsgInfo/Patient/Ident/Id", nin)
		set("/MsgHead/MsgInfo/Patient/Address/StreetAdr", "Prøveveien 1 "+mark(person, addressLeaf))
	} else {
		set("/Message/MsgId", msgID)
		set("//Patient/OffId", nin)
		for side, id := range map[string]string{"Requester": from, "ServProvider": to} {
			if m.golden == "epikrise-1.2" {
				id = map[string]string{"Requester": to, "ServProvider": from}[side]
			}
			inst := doc.FindElement("/Message/*/" + side + "/HCP/Inst")
			for _, k := range inst.ChildElements() {
				if k.Tag == "Dept" || k.Tag == "HCPerson" {
					inst.RemoveChild(k)
				}
			}
			inst.SelectElement("Name").SetText(side + " i prøven")
			inst.SelectElement("Id").SetText(id)
			if id == to && m.named {
				person := inst.CreateElement("HCPerson")
				person.CreateElement("Name").SetText("Jon Berg")
				person.CreateElement("Id").SetText(receiverHPR)
				kind := person.CreateElement("TypeId")
				kind.CreateAttr("V", "HPR")
				kind.CreateAttr("DN", "HPR-nummer")
			}
		}
	}
	for _, e := range all(doc.Root()) {
		if n := e.SelectAttr("zk-mark"); n != nil {
			if at := markNumber(n.Value); slices.ContainsFunc(m.leaves, func(l leaf) bool { return l.n == at }) {
				e.SetText(strings.TrimRight(e.Text(), " \n") + " " + mark(copied, at))
			}
			e.RemoveAttr("zk-mark")
		}
	}
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	s, err := doc.WriteToString()
	if err != nil {
		return err.Error()
	}
	_, s, _ = strings.Cut(s, "?>")
	return `<?xml version="1.0" encoding="UTF-8"?>` + s
}

func markNumber(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func identify(e *etree.Element, id, kind, list string) {
	ident := e.CreateElement("Ident")
	ident.CreateElement("Id").SetText(id)
	typed := ident.CreateElement("TypeId")
	typed.CreateAttr("V", kind)
	typed.CreateAttr("S", list)
	typed.CreateAttr("DN", kind)
}

// TestCrossingRulesCoverTheTables: each section that the tables print has its labels in the rules of these tests, so
// that one which loses a label, or is new, is seen.
func TestCrossingRulesCoverTheTables(t *testing.T) {
	t.Parallel()
	for _, c := range crossingKinds {
		if _, err := os.Stat(filepath.Join("..", "mapping", "testdata", c.golden, "in.xml")); err != nil {
			t.Error(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // a test
	for kind := range crossingKinds {
		for range 20 {
			for _, l := range newCrossingMessage(t, r, kind, crossingForm{}).leaves {
				if strings.HasPrefix(l.path, "?") {
					t.Errorf("%s: no rule for %s", crossingKinds[kind].golden, l.path)
				}
			}
		}
	}
}
