package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/mapping"
)

// addressFile is who can be written to: communication parties with the names that Adresseregisteret gives what it tells
// of each, in YAML or JSON. What Adresseregisteret does not tell has names of its own: Sector and Lovgrunnlag (which
// parties are Sluse's, and what kind each is), MessageTypes, and Routing.
type addressFile struct {
	path    string
	parties []*communicationParty
	// routing tells which services receive a message type, by municipality (kodeverk 3402) and type (kodeverk 8279):
	// codes "8663:KP02". "*" is every municipality that says nothing else of the type.
	routing map[string]map[string][]string
}

// Types of communication parties (CommunicationPartyType of Adresseregisteret).
const (
	organizationType = "Organization"
	departmentType   = "Department"
	serviceType      = "Service"
	personType       = "Person"
)

// communicationParty is one of them.
type communicationParty struct {
	node *yaml.Node
	path string // of the element in the file

	her, above   gateway.HERID // HerId, ParentHerId
	kind, name   string        // Type, Name
	orgnr        gateway.OrgNumber
	active       bool
	from, to     string // Valid: dates of FHIR
	municipality string // kodeverk 3402
	code         serviceCode
	sector       gateway.Sector
	law          gateway.Lovgrunnlag
	types        []string // MessageTypes; typed tells that the element is there
	typed        bool
	addresses    []electronicAddress
	thumbprint   string // of the certificate that what is sent is encrypted for
	was          former
}

// former is what the file says that a HER-id was until now (Was): by it, and not else, it becomes another party's, or its party
// another kind of party.
type former struct {
	party  gateway.HERID
	orgnr  gateway.OrgNumber
	sector gateway.Sector
	law    gateway.Lovgrunnlag
}

// serviceCode is what a service is: OID of the list, or its number, and code.
type serviceCode struct{ list, code, text string }

func (c serviceCode) key() string { return c.list + ":" + c.code }

// electronicAddress is one of a party: kind of kodeverk "type elektronisk adresse".
type electronicAddress struct{ kind, address string }

// addresses reads the address file; one without parties when there is none.
func (c configuration) addresses() (*addressFile, error) {
	if c.Addresses == "" {
		return &addressFile{}, nil
	}
	return readAddresses(c.Addresses)
}

// addressReader reads the file and remembers all that is wrong with it.
type addressReader struct {
	file   string
	faults []error
}

// readAddresses reads the file and tells everything that is wrong with it at once, by line and element.
func readAddresses(path string) (*addressFile, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var root yaml.Node
	if err := yaml.Unmarshal(raw, &root); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(root.Content) != 1 {
		return nil, fmt.Errorf("%s: holds nothing", path)
	}
	r := &addressReader{file: path}
	f := &addressFile{path: path, routing: map[string]map[string][]string{}}
	top := r.members(root.Content[0], "", "CommunicationParties", "Routing")
	for i, n := range r.list(top["CommunicationParties"], "CommunicationParties") {
		f.parties = append(f.parties, r.party(n, fmt.Sprintf("CommunicationParties[%d]", i)))
	}
	r.routing(top["Routing"], f)
	r.check(f)
	if len(r.faults) > 0 {
		return nil, errors.Join(r.faults...)
	}
	return f, nil
}

func (r *addressReader) fault(n *yaml.Node, path, format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s: line %d: %s: %s", r.file, n.Line, path, fmt.Sprintf(format, args...)))
}

// members gives the elements of an object; one that is not known, and one that stands there twice, is a fault. null
// is as if it were not there.
func (r *addressReader) members(n *yaml.Node, path string, known ...string) map[string]*yaml.Node {
	found := map[string]*yaml.Node{}
	if n == nil {
		return found
	}
	if n.Kind != yaml.MappingNode {
		r.fault(n, path, "must be an object")
		return found
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		switch {
		case len(known) > 0 && !slices.Contains(known, key.Value):
			r.fault(key, at, "is not an element of it; they are %s", strings.Join(known, ", "))
		case found[key.Value] != nil:
			r.fault(key, at, "stands there twice")
		case value.Tag != "!!null":
			found[key.Value] = value
		}
	}
	return found
}

func (r *addressReader) list(n *yaml.Node, path string) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.fault(n, path, "must be a list")
		return nil
	}
	return n.Content
}

// text reads a text or a number; "" when it is not there.
func (r *addressReader) text(n *yaml.Node, path string) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode {
		r.fault(n, path, "must be a text or a number")
		return ""
	}
	return strings.TrimSpace(n.Value)
}

func (r *addressReader) texts(n *yaml.Node, path string) (out []string) {
	for i, item := range r.list(n, path) {
		out = append(out, r.text(item, path+"["+strconv.Itoa(i)+"]"))
	}
	return out
}

var partyElements = []string{
	"HerId", "ParentHerId", "Type", "Name", "OrganizationNumber", "Active", "Valid", "Municipality", "Code",
	"ElectronicAddresses", "CertificateThumbprint", "MessageTypes", "Sector", "Lovgrunnlag", "Was",
}

var (
	herIDForm      = regexp.MustCompile(`^[1-9][0-9]{0,9}$`)
	municipalForm  = regexp.MustCompile(`^[0-9]{4}$`)
	thumbprintForm = regexp.MustCompile(`^([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$`)
	codeForm       = regexp.MustCompile(`^[0-9]{4}:[A-Za-z0-9]+$`)
)

// party reads one communication party, and checks what concerns it alone.
func (r *addressReader) party(n *yaml.Node, path string) *communicationParty {
	m := r.members(n, path, partyElements...)
	read := func(name string) string { return r.text(m[name], path+"."+name) }
	p := &communicationParty{
		node: n, path: path, kind: read("Type"), name: read("Name"), active: true,
		her: gateway.HERID(read("HerId")), above: gateway.HERID(read("ParentHerId")), orgnr: gateway.OrgNumber(read("OrganizationNumber")),
		sector: gateway.Sector(read("Sector")), law: gateway.Lovgrunnlag(read("Lovgrunnlag")), thumbprint: read("CertificateThumbprint"),
		types: r.texts(m["MessageTypes"], path+".MessageTypes"), typed: m["MessageTypes"] != nil,
	}
	if active := m["Active"]; active != nil && active.Decode(&p.active) != nil {
		r.fault(active, path+".Active", "must be true or false")
	}
	was := r.members(m["Was"], path+".Was", "Party", "OrganizationNumber", "Sector", "Lovgrunnlag")
	p.was = former{
		gateway.HERID(r.text(was["Party"], path+".Was.Party")), gateway.OrgNumber(r.text(was["OrganizationNumber"], path+".Was.OrganizationNumber")),
		gateway.Sector(r.text(was["Sector"], path+".Was.Sector")), gateway.Lovgrunnlag(r.text(was["Lovgrunnlag"], path+".Was.Lovgrunnlag")),
	}
	valid := r.members(m["Valid"], path+".Valid", "From", "To")
	p.from, p.to = r.date(valid["From"], path+".Valid.From"), r.date(valid["To"], path+".Valid.To")
	p.municipality = r.municipality(m["Municipality"], path+".Municipality")
	if code := m["Code"]; code != nil {
		c := r.members(code, path+".Code", "OID", "CodeValue", "CodeText")
		list := r.text(c["OID"], path+".Code.OID")
		p.code = serviceCode{list[strings.LastIndexByte(list, '.')+1:], r.text(c["CodeValue"], path+".Code.CodeValue"), r.text(c["CodeText"], path+".Code.CodeText")}
		if !codeForm.MatchString(p.code.key()) {
			r.fault(code, path+".Code", "needs OID (a list such as 8663) and CodeValue")
		}
	}
	for i, a := range r.list(m["ElectronicAddresses"], path+".ElectronicAddresses") {
		p.addresses = append(p.addresses, r.address(a, fmt.Sprintf("%s.ElectronicAddresses[%d]", path, i)))
	}
	at := func(name string) *yaml.Node {
		if m[name] != nil {
			return m[name]
		}
		return n
	}
	if !herIDForm.MatchString(string(p.her)) {
		r.fault(at("HerId"), path+".HerId", "must be a number of at most ten digits")
	}
	if p.name == "" || fhir.ContainsNIN(p.name) {
		r.fault(at("Name"), path+".Name", "must be there, and hold no national identity number")
	}
	if p.thumbprint != "" && !thumbprintForm.MatchString(p.thumbprint) {
		r.fault(at("CertificateThumbprint"), path+".CertificateThumbprint", "must be 40 or 64 hexadecimal digits")
	}
	r.kinds(m["MessageTypes"], path+".MessageTypes", p.types)
	r.ofType(p, at)
	return p
}

// Sectors and lovgrunnlag that a party may have (DESIGN § 2).
var (
	sectors = strings.Fields("bydel-helse bydel-sosial nav-stat velferdsetaten fastlege hf privat-tsb legevakt fengselshelse tannhelse " +
		"barnevern kriminalomsorg politi helfo ideell parorende pasient")
	lovgrunnlag = strings.Fields("helse-kommune helse-spesialist sosial nav-stat barnevern kriminalomsorg politi helfo privat")
)

// ofType checks what each type of party must have and may not have.
func (r *addressReader) ofType(p *communicationParty, at func(string) *yaml.Node) {
	needs := func(name string, missing bool, why string) {
		if missing {
			r.fault(at(name), p.path+"."+name, "%s", why)
		}
	}
	switch p.kind {
	case organizationType, departmentType:
		needs("OrganizationNumber", p.kind == organizationType && p.orgnr == "" || p.orgnr != "" && !fhir.ValidOrgnr(string(p.orgnr)),
			"must be an organisation number of nine digits with the right check digit")
		needs("Code", p.code.code != "", "belongs to a Service")
		needs("Lovgrunnlag", (p.sector == "") != (p.law == ""), "Sector and Lovgrunnlag go together")
	case serviceType, personType:
		needs("OrganizationNumber", p.orgnr != "", "belongs to an Organization")
		needs("Code", p.kind == serviceType && p.code.code == "", "must tell what the service is")
		needs("Sector", p.sector != "" || p.law != "", "Sector and Lovgrunnlag belong to an Organization")
	default:
		needs("Type", true, "must be Organization, Department, Service or Person")
	}
	if p.kind != organizationType && p.kind != "" {
		needs("ParentHerId", p.above == "", "must name the communication party that it belongs to")
	}
	needs("Sector", p.sector != "" && !slices.Contains(sectors, string(p.sector)), "is no sector that Sluse knows")
	needs("Lovgrunnlag", p.law != "" && !slices.Contains(lovgrunnlag, string(p.law)), "is no lovgrunnlag that Sluse knows")
}

// date reads a date or a time as FHIR has them; Adresseregisteret's form has no zone, which is Oslo's.
func (r *addressReader) date(n *yaml.Node, path string) string {
	s := r.text(n, path)
	if s == "" {
		return ""
	}
	low, _, err := fhir.ParseDate(s)
	if err != nil {
		r.fault(n, path, "must be a date: 2026-12-31, or with a time")
		return ""
	}
	if strings.Contains(s, "T") {
		return low.Format("2006-01-02T15:04:05Z07:00")
	}
	return s
}

// municipality reads a code of kodeverk 3402: as Adresseregisteret has it, or the number alone.
func (r *addressReader) municipality(n *yaml.Node, path string) string {
	if n == nil {
		return ""
	}
	if n.Kind == yaml.MappingNode {
		m := r.members(n, path, "OID", "CodeValue", "CodeText")
		n, path = m["CodeValue"], path+".CodeValue"
	}
	s := r.text(n, path)
	if n != nil && !municipalForm.MatchString(s) {
		r.fault(n, path, "must be a municipality of four digits (kodeverk 3402)")
	}
	return s
}

// electronicAddresses are the types that messages go by, and those that are read over.
var electronicAddresses = []string{"E_EDI", "E_SB_ASYNC", "E_SB_SYNC", "E_SB_SYNCREPLY", "E_SB_ERROR", "E_DS"}

func (r *addressReader) address(n *yaml.Node, path string) electronicAddress {
	m := r.members(n, path, "Address", "Type", "TypeCodeValue", "Inherited", "LastChanged")
	a := electronicAddress{address: r.text(m["Address"], path+".Address"), kind: r.text(m["TypeCodeValue"], path+".TypeCodeValue")}
	if m["Type"] != nil {
		a.kind = r.text(r.members(m["Type"], path+".Type", "OID", "CodeValue", "CodeText")["CodeValue"], path+".Type.CodeValue")
	}
	if a.address == "" || strings.ContainsAny(a.address, " \t\n") || fhir.ContainsNIN(a.address) {
		r.fault(n, path+".Address", "must be an address without spaces")
	}
	if !slices.Contains(electronicAddresses, a.kind) {
		r.fault(n, path+".Type", "must be one of %s", strings.Join(electronicAddresses, ", "))
	}
	return a
}

// kinds refuses a message type that nothing here could read: most likely it is misspelt.
func (r *addressReader) kinds(n *yaml.Node, path string, kinds []string) {
	for i, k := range kinds {
		if !slices.Contains(mapping.Kinds(), mapping.Kind(k)) {
			r.fault(n.Content[i], fmt.Sprintf("%s[%d]", path, i), "%q is no message type that is known here (kodeverk 8279)", k)
		}
	}
}

func (r *addressReader) routing(n *yaml.Node, f *addressFile) {
	byMunicipality := r.members(n, "Routing")
	for _, place := range slices.Sorted(maps.Keys(byMunicipality)) {
		path := "Routing." + place
		if place != "*" && !municipalForm.MatchString(place) {
			r.fault(byMunicipality[place], path, "must be a municipality of four digits (kodeverk 3402), or *")
		}
		f.routing[place] = map[string][]string{}
		byKind := r.members(byMunicipality[place], path)
		for _, kind := range slices.Sorted(maps.Keys(byKind)) {
			at := path + "." + kind
			if !slices.Contains(mapping.Kinds(), mapping.Kind(kind)) {
				r.fault(byKind[kind], at, "is no message type that is known here (kodeverk 8279)")
			}
			codes := r.texts(byKind[kind], at)
			for i, c := range codes {
				if !codeForm.MatchString(c) {
					r.fault(byKind[kind].Content[i], fmt.Sprintf("%s[%d]", at, i), "must be list and code of a service: 8663:KP02")
				}
			}
			f.routing[place][kind] = codes
		}
	}
}

// check looks at how the parties hang together: each HER-id once, below an organisation that is there.
func (r *addressReader) check(f *addressFile) {
	byHER := map[gateway.HERID]*communicationParty{}
	for _, p := range f.parties {
		if first := byHER[p.her]; first != nil {
			r.fault(p.node, p.path+".HerId", "%s stands at line %d already", p.her, first.node.Line)
			continue
		}
		byHER[p.her] = p
	}
	for _, p := range f.parties {
		if p.above == "" {
			continue
		}
		up := byHER[p.above]
		switch {
		case up == nil:
			r.fault(p.node, p.path+".ParentHerId", "%s is not in the file", p.above)
		case up.kind != organizationType && up.kind != departmentType:
			r.fault(p.node, p.path+".ParentHerId", "%s is no Organization or Department", p.above)
		}
		for n := 0; up != nil && up != p && n < len(f.parties); n++ {
			up = byHER[up.above]
		}
		if up == p {
			r.fault(p.node, p.path+".ParentHerId", "goes in a circle")
		}
	}
	for _, p := range f.parties { // the municipality of what a party belongs to is its own, unless it names another
		for up, n := byHER[p.above], 0; p.municipality == "" && up != nil && n < len(f.parties); up, n = byHER[up.above], n+1 {
			p.municipality = up.municipality
		}
	}
}

// receives lists the message types that a party takes: those that it names, else those that its municipality sends to
// services of its kind. none: nothing is said of it.
func (f *addressFile) receives(p *communicationParty) []string {
	if p.typed {
		return p.types
	}
	var list []string
	for _, k := range mapping.Kinds() {
		codes, own := f.routing[p.municipality][string(k)]
		if !own {
			codes = f.routing["*"][string(k)]
		}
		if p.code.code != "" && slices.Contains(codes, p.code.key()) {
			list = append(list, string(k))
		}
	}
	return list
}
