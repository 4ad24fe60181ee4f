package mapping

import (
	"slices"
	"strings"
)

// leaf maps one element without a class, by its kind.
func (r *reader) leaf(e *elem, f *field, cur *building, base *node, sec int) {
	if r.ownLeaf(e, f, cur, base, sec) {
		return
	}
	if len(f.targets) == 0 && f.kind != "CONTACT" {
		if r.log && f.kind == "NOTE" {
			r.drop(e, "Fritekst")
			return
		}
		if e.form == formParty {
			r.keep(e, sec)
			return
		}
		for _, child := range e.kids {
			r.unknown(child, sec)
		}
		r.leafReport(e, nil, Kept, "", "")
		return
	}
	if f.kind != "RICH" && e.form != formParty {
		for _, child := range e.kids {
			r.unknown(child, sec)
		}
	}
	switch f.kind {
	case "TEXT", "NOTE", "RICH", "PLACE", "WHERE":
		r.textLeaf(e, f, cur, base, sec)
	case "BOOL", "INT", "DATE", "DAY":
		r.typedText(e, f, cur, base)
	case "TS":
		m, ok := parseMoment(e.attr("V"))
		if !ok || !holdsAsPeriod(base, f.targets[0].path, m) {
			r.attribute(e, "V", Invalid, cur, "")
			return
		}
		r.put(base, f.targets[0].path, r.str(m.text))
		r.attribute(e, "V", Mapped, cur, f.targets[0].name)
		r.literals(f, base)
	case "CS", "CV", "CODE", "ANY":
		r.coded(e, f, cur, base, sec)
	case "PQ":
		r.quantity(e, f, cur, base)
	case "HCP", "ORG", "PERSON":
		if !r.revealingUnit(e, sec) {
			r.party(e, f, cur, base)
		}
	case "CONTACT":
		r.contact(e, cur, base)
	}
}

// literals sets what a target "x!JSON" says when the element is there.
func (r *reader) literals(f *field, base *node) {
	for i := range f.targets {
		if g := &f.targets[i]; g.literal != nil {
			r.put(base, g.path, r.clone(g.literal))
		}
	}
}

func (r *reader) textLeaf(e *elem, f *field, cur *building, base *node, sec int) {
	if r.log && (f.kind == "NOTE" || f.kind == "RICH" || f.places() && reveals(e.text)) {
		if f.places() {
			r.report(Finding{Path: e.path(), Outcome: Reveals, Target: "Section.Drop"})
			r.drop(e, "Stedsnavn som røper rusbehandling")
		} else {
			r.drop(e, "Fritekst")
		}
		return
	}
	if f.places() && reveals(e.text) {
		r.report(Finding{Path: e.path(), Outcome: Reveals, Target: "rus"})
		r.label(sec, "rus")
	}
	text := e.text
	if f.kind == "RICH" && len(e.kids) > 0 {
		var b strings.Builder
		r.flatten(e, &b, cur, f.targets[0].path, sec)
		text = strings.Trim(b.String(), "\n")
		for _, k := range e.kids {
			r.keep(k, sec) // the markup goes with the text
		}
	}
	if strings.TrimSpace(text) == "" {
		return
	}
	if f.kind == "WHERE" && !r.indivisible(sec) { // also when it cannot be mapped: it stands in the document all the same
		r.addSection(Section{Path: e.path(), Name: "Sted", Labels: slices.Clone(r.in.Sections[sec].Labels), Where: f.targets[0].path[0].name}, "")
	}
	if !clean(text) {
		r.text(e, Invalid, cur, nil)
		return
	}
	r.put(base, f.targets[0].path, r.str(text))
	r.mappedText(e, cur, f.targets[0].name)
	r.literals(f, base)
}

// clean refuses the C1 control characters, which XML allows and a FHIR string does not.
func clean(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c >= 0x7F && c < 0xA0 && c != 0x85 })
}

// blocks are the XHTML elements that begin a line.
var blocks = []string{"p", "br", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "pre", "blockquote"}

// markup is XHTML that senders forget the namespace of.
var markup = append([]string{"b", "i", "u", "em", "strong", "span", "a", "sub", "sup", "td", "th", "tbody", "thead", "dl", "dt", "dd", "hr"}, blocks...)

// flatten writes the text of XHTML without its markup; scripts and styles stay in the original.
func (r *reader) flatten(e *elem, b *strings.Builder, cur *building, path []step, sec int) {
	if e.name == "script" || e.name == "style" {
		return
	}
	if slices.Contains(blocks, e.name) && b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
		b.WriteByte('\n')
	}
	switch {
	case e.more != nil && e.more.mixed != nil:
		for _, p := range e.more.mixed {
			if p.kid == nil {
				r.flattenText(e, p.text, b, cur, path)
			} else {
				r.flattenKid(e, p.kid, b, cur, path, sec)
			}
		}
	case len(e.kids) == 0:
		r.flattenText(e, e.text, b, cur, path)
	default:
		for _, k := range e.kids {
			r.flattenKid(e, k, b, cur, path, sec)
		}
	}
	if slices.Contains(blocks, e.name) && e.name != "br" {
		b.WriteByte('\n')
	}
}

func (r *reader) flattenText(e *elem, data string, b *strings.Builder, cur *building, path []step) {
	if strings.TrimSpace(data) == "" {
		return
	}
	if b.Len() > 0 && strings.TrimLeft(data, " \t\r\n") != data && !strings.HasSuffix(b.String(), " ") && !strings.HasSuffix(b.String(), "\n") {
		b.WriteByte(' ')
	}
	b.WriteString(strings.Join(strings.Fields(data), " "))
	if strings.TrimRight(data, " \t\r\n") != data {
		b.WriteByte(' ')
	}
	r.text(e, Mapped, cur, path)
}

func (r *reader) flattenKid(e, kid *elem, b *strings.Builder, cur *building, path []step, sec int) {
	if kid.ns == nsXHTML || kid.ns == e.ns && slices.Contains(markup, kid.name) {
		r.flatten(kid, b, cur, path, sec)
	} else {
		r.unknown(kid, sec)
	}
}

// holdsAsPeriod refuses the second end of a period that would end before it begins (R4 per-1).
func holdsAsPeriod(base *node, path []step, m moment) bool {
	last := path[len(path)-1].name
	other := map[string]string{"start": "end", "end": "start"}[last]
	if other == "" {
		return true
	}
	for _, period := range base.find(path[:len(path)-1]) {
		if n, ok := parseMoment(period.get(other).string()); ok && (last == "end" && m.at.Before(n.at) || last == "start" && n.at.Before(m.at)) {
			return false
		}
	}
	return true
}

func (r *reader) typedText(e *elem, f *field, cur *building, base *node) {
	var v *node
	text := e.value()
	switch f.kind {
	case "BOOL":
		if s, ok := parseBool(text); ok {
			v = r.scalar('t', s)
		}
	case "INT":
		if integerForm.MatchString(text) {
			v = r.scalar('n', text)
		}
	case "DATE":
		if m, ok := parseMoment(text); ok && holdsAsPeriod(base, f.targets[0].path, m) {
			v = r.str(m.text)
		}
	case "DAY":
		if day, ok := birthDate(text); ok {
			v = r.str(day)
		}
	}
	if v == nil {
		r.text(e, Invalid, cur, nil)
		return
	}
	r.put(base, f.targets[0].path, v)
	r.mappedText(e, cur, f.targets[0].name)
	r.literals(f, base)
}

// coded maps a CS or CV: V, S, DN, OT.
func (r *reader) coded(e *elem, f *field, cur *building, base *node, sec int) {
	code := e.attr("V")
	if strings.ContainsAny(code, " \t\r\n") {
		code = strings.Join(strings.Fields(code), " ") // xs:token
	}
	system, list := r.system(e, f)
	if r.log && code != "" && !logCode.MatchString(code) {
		r.dropAttribute(e, "V")
		code = ""
	}
	if r.log && slices.Contains(r.t.reveals[list], code) {
		r.report(Finding{Path: e.path(), Outcome: Reveals, Target: "Section.Drop"})
		r.drop(e, "Kode som røper helseopplysninger")
		return
	}
	display, other := e.attr("DN"), e.attr("OT")
	worded := f.kind == "ANY" && code == "" && other == "" && display == "" && strings.TrimSpace(e.text) != "" && clean(e.text)
	if worded {
		other = e.text
	}
	outcome := Mapped
	if texts := r.t.codes[list]; code != "" && (texts != nil && texts[code] == "" || len(f.lists) > 0 && list != "" && !slices.Contains(f.lists, list)) {
		outcome = UnknownCode
	}
	if code == "" && system != "" {
		system = ""
		r.attribute(e, "S", Kept, cur, "")
	}
	if r.log {
		display, other = r.official(e, list, code)
	}
	r.labelByCode(e, sec)
	if (outcome == UnknownCode || code == "") && slices.ContainsFunc(f.lists, func(l string) bool { return r.t.labels[l] != nil }) {
		r.label(sec, "uklassifisert") // the code would have told what the text is about
	}
	path, parts := f.targets[0].path, &f.targets[0].parts
	coding := r.object()
	r.with(coding, "system", system)
	r.with(coding, "code", code)
	r.with(coding, "display", display)
	var v *node
	switch {
	case f.kind == "CODE":
		if v = coding; other != "" {
			r.attribute(e, "OT", Kept, cur, "")
		}
	case code == "" && other == "":
		v = r.object() // a name without a code
		r.with(v, "text", display)
	default:
		v = r.object()
		r.with(v, "text", other)
		if len(coding.names) > 0 {
			v.set("coding", r.array(coding))
		}
	}
	if len(v.names) == 0 {
		return
	}
	switch {
	case worded:
		r.mappedText(e, cur, parts.text)
	case f.kind != "CODE" && other != "":
		r.attribute(e, "OT", Mapped, cur, parts.text)
	}
	r.put(base, path, v)
	r.attribute(e, "V", outcome, cur, parts.code)
	r.attribute(e, "S", Mapped, cur, parts.system)
	r.attribute(e, "DN", Mapped, cur, parts.display)
	for i := range f.targets[1:] {
		g := &f.targets[1+i]
		for _, pair := range r.t.maps[g.through] {
			if pair[0] == code {
				r.put(base, g.path, r.str(pair[1]))
				break
			}
		}
	}
	r.literals(f, base)
}

// system resolves @S. A CS has none, and a CV may lack it: when the table names one list only, that is meant.
func (r *reader) system(e *elem, f *field) (uri, list string) {
	oid := strings.TrimSpace(e.attr("S"))
	if oid == "" {
		if len(f.lists) != 1 {
			return "", ""
		}
		return r.t.system(volven + f.lists[0]), f.lists[0]
	}
	if strings.Trim(oid, "0123456789.") != "" {
		r.attribute(e, "S", Invalid, nil, "")
		return "", ""
	}
	uri, ok := r.systems[oid]
	if !ok {
		uri = r.t.system(oid)
		r.systems[oid] = uri
	}
	return uri, strings.TrimPrefix(oid, volven)
}

// official replaces the words beside a code in a LOG_ message by the list's own: DN and OT are free text channels.
func (r *reader) official(e *elem, list, code string) (display, other string) {
	display = r.t.codes[list][code]
	if dn := e.attr("DN"); dn != "" && !sameText(display, dn) {
		r.dropAttribute(e, "DN")
	}
	if e.attr("OT") != "" {
		r.dropAttribute(e, "OT")
	}
	return display, ""
}

func (r *reader) dropAttribute(e *elem, name string) {
	r.addSection(Section{Path: e.path() + "/@" + name, Name: "Fritekst", Labels: []string{"uklassifisert"}, Drop: true}, "")
	r.attribute(e, name, Dropped, nil, "")
}

func (r *reader) labelByCode(e *elem, sec int) {
	list := strings.TrimPrefix(strings.TrimSpace(e.attr("S")), volven)
	if labels := r.t.labels[list][e.attr("V")]; len(labels) > 0 {
		r.label(sec, labels...)
	}
}

func (r *reader) quantity(e *elem, f *field, cur *building, base *node) {
	value := strings.TrimSpace(e.attr("V"))
	if !decimalForm.MatchString(value) {
		r.attribute(e, "V", Invalid, cur, "")
		return
	}
	v := r.object()
	v.set("value", r.scalar('n', value))
	if unit := strings.TrimSpace(e.attr("U")); unit != "" {
		v.set("unit", r.str(unit))
		r.attribute(e, "U", Mapped, cur, f.targets[0].parts.unit)
	}
	r.put(base, f.targets[0].path, v)
	r.attribute(e, "V", Mapped, cur, f.targets[0].parts.value)
}

// party maps a fk1:HealthcareProfessional, Organisation or Person to a logical reference: identifier and name. National
// identifiers of persons are kept in the original only.
func (r *reader) party(e *elem, f *field, cur *building, base *node) {
	path, name := f.targets[0].path, f.targets[0].name
	ref := r.object()
	switch f.kind {
	case "HCP":
		ref.set("type", r.str("Practitioner"))
	case "ORG":
		ref.set("type", r.str("Organization"))
	}
	for _, point := range e.kidsNamed("TeleCom") {
		address := point.kid("TeleAddress")
		if v := contactPoint(address.attr("V"), point.kid("TypeTelecom").attr("V")); v != nil {
			r.put(ref, anyStep, obj("url", extensionBase+"telecom", "valueContactPoint", v))
			r.attribute(address, "V", Mapped, cur, name+".extension(telecom).valueContactPoint.value")
		}
	}
	if id := bestIdent(e, f.kind); id != nil {
		ref.set("identifier", obj("system", identifierSystems[id.kid("TypeId").attr("V")], "value", id.kid("Id").value()))
		r.mappedText(id.kid("Id"), cur, name+".identifier.value")
	}
	var names []string
	for _, n := range []string{"OrganisationName", "GivenName", "MiddleName", "FamilyName"} {
		if k := e.kid(n); k.value() != "" {
			names = append(names, k.value())
			r.mappedText(k, cur, name+".display")
		}
	}
	if len(names) > 0 {
		display := strings.Join(names, " ")
		ref.set("display", r.str(display))
		if name := nameOf(e, display); name != nil && f.kind != "ORG" {
			r.put(ref, anyStep, obj("url", extensionBase+"navn", "valueHumanName", name))
		}
	}
	if ref.get("identifier") == nil && ref.get("display") == nil {
		return
	}
	r.put(base, path, ref)
	if role := e.kid("RoleToPatient"); role != nil && len(f.targets) > 1 {
		r.coded(role, &field{kind: "CV", lists: []string{"9034"}, targets: f.targets[1:]}, cur, base, cur.section)
	}
}

// revealingUnit reports a unit whose name tells that substance-use care is given. Its section carries rus; in a LOG_
// message the unit is dropped, and true is the answer.
func (r *reader) revealingUnit(e *elem, sec int) bool {
	found := false
	for org := e; org != nil; org = org.kid("Organisation") {
		if name := org.kid("OrganisationName"); reveals(name.value()) {
			r.report(Finding{Path: name.path(), Outcome: Reveals, Target: "rus"})
			found = true
		}
	}
	switch {
	case found && r.log:
		r.drop(e, "Enhetsnavn som røper rusbehandling")
		return true
	case found:
		r.label(sec, "rus")
	}
	return false
}

// bestIdent chooses HPR before HER for a person, HER before ENH before RSH for an organisation.
func bestIdent(e *elem, kind string) *elem {
	order := map[string][]string{"HCP": {"HPR", "HER"}, "ORG": {"HER", "ENH", "RSH"}}[kind]
	for _, typ := range order {
		for _, id := range e.kidsNamed("Ident") {
			if id.kid("TypeId").attr("V") == typ && id.kid("Id").value() != "" {
				return id
			}
		}
	}
	return nil
}
