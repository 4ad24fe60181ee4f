package fhir

import (
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits bound what the reader accepts; a zero field takes its default.
type Limits struct {
	// Bytes is the size of the body in bytes. Defaults to 2 MiB.
	Bytes int
	// Depth is the nesting of objects and arrays. Defaults to 100.
	Depth int
	// Nodes is the number of values in the document. Defaults to one per 16 bytes of Bytes, 4096 at least.
	Nodes int
}

// orDefaults fills the zero fields.
func (l Limits) orDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = DefaultBytes
	}
	if l.Depth <= 0 {
		l.Depth = 100
	}
	if l.Nodes <= 0 {
		l.Nodes = max(l.Bytes/16, 4096)
	}
	return l
}

// DefaultBytes is the size limit of a resource that Parse applies, in bytes.
const DefaultBytes = 2 << 20

// BundleBytes is the size limit of a Bundle that ParseBundle applies, in bytes.
const BundleBytes = 10 << 20

// maxParseIssues is the number of faults after which reading stops.
const maxParseIssues = 20

// document is the source that the values point into.
type document struct {
	body    []byte
	decoded int       // strings that had to be decoded
	source  []byte    // the XML that body was made from; nil when it came as JSON
	marks   []xmlMark // where in source each part of body comes from
}

// position gives line and column of an offset, both from 1, the column in characters: those in
// the bytes that were received.
func (d *document) position(offset int) (line, col int) {
	received := d.body
	if d.source != nil {
		received, offset = d.source, origin(d.marks, offset)
	}
	offset = min(offset, len(received))
	line, start := 1, 0
	for i := 0; i < offset; i++ {
		if received[i] == '\n' {
			line, start = line+1, i+1
		}
	}
	return line, utf8.RuneCount(received[start:offset]) + 1
}

// scanner reads one document in one pass into slabs of nodes.
type scanner struct {
	doc    *document
	src    string
	pos    int
	depth  int
	nodes  int
	limits Limits
	issues []Issue
	slab   []Value
	refs   []*Value // slab behind Value.items
	pairs  []Member // slab behind Value.members
	stack  []*Value // elements of the arrays being read
	fields []Member // members of the objects being read
}

// scan reads body. The error is *Error; the document is valid only when it is nil.
func scan(body []byte, limits Limits) (*Value, error) {
	limits = limits.orDefaults()
	s := &scanner{doc: &document{body: body}, limits: limits}
	if len(body) > limits.Bytes {
		s.fault(0, CodeParseSize, IssueTooLong, nil, itoa(limits.Bytes))
		return nil, &Error{Issues: s.issues}
	}
	s.src = string(body)
	if strings.HasPrefix(s.src, "\ufeff") {
		s.fault(0, CodeParseBOM, IssueStructure, nil)
		return nil, &Error{Issues: s.issues}
	}
	if !utf8.ValidString(s.src) {
		s.fault(invalidUTF8(s.src), CodeParseUTF8, IssueStructure, nil)
		return nil, &Error{Issues: s.issues}
	}
	estimate := len(body)/20 + 4
	s.slab = make([]Value, 0, min(estimate, 4096))
	s.pairs = make([]Member, 0, min(estimate, 4096))
	s.refs = make([]*Value, 0, min(estimate/8+4, 1024))
	room := scanRooms.Get().(*scanRoom) //nolint:forcetypeassert // nothing else is put there
	s.stack, s.fields = room.stack, room.fields
	root, ok := s.document()
	if !ok || len(s.issues) > 0 {
		return nil, &Error{Issues: s.issues}
	}
	room.take(s)
	return root, nil
}

// scanRoom is where members and items stand until the object or array that they are of has been read.
type scanRoom struct {
	stack  []*Value
	fields []Member
}

var scanRooms = sync.Pool{New: func() any { return &scanRoom{make([]*Value, 0, 16), make([]Member, 0, 64)} }}

// take takes the room of a document that has been read back, with nothing of it left there.
func (r *scanRoom) take(s *scanner) {
	if cap(s.fields) > 1024 || cap(s.stack) > 1024 {
		return
	}
	clear(s.fields[:cap(s.fields)])
	clear(s.stack[:cap(s.stack)])
	r.stack, r.fields = s.stack[:0], s.fields[:0]
	scanRooms.Put(r)
}

// invalidUTF8 gives the offset of the first byte that is not part of valid UTF-8.
func invalidUTF8(s string) int {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(s)
}

// fault records a fault at an offset, inside the value at (nil: unknown place).
func (s *scanner) fault(offset int, code string, t IssueType, at *Value, args ...string) bool {
	i := newIssue(code, t, args...)
	i.Line, i.Col = s.doc.position(offset)
	if at != nil {
		i.Expression = s.expression(at)
	}
	s.issues = append(s.issues, i)
	return false
}

// expression names the place of a value whose parents are still being read, so that their
// members are not there yet: names are read from the source. The type is known only when it
// stood before the fault.
func (s *scanner) expression(at *Value) string {
	var steps []string
	root := at
	for v := at; v.parent != nil; v = v.parent {
		root = v.parent
		if v.key < 0 {
			steps = append(steps, "["+itoa(int(-1-v.key))+"]")
			continue
		}
		end := strings.IndexByte(s.src[v.key+1:], '"')
		steps = append(steps, "."+safeName(s.src[v.key+1:int(v.key)+1+max(end, 0)]))
	}
	b := []byte("Resource")
	for _, f := range s.fields {
		if f.Name == "resourceType" && f.Value.parent == root && validTypeName(f.Value.text) {
			b = []byte(f.Value.text)
			break
		}
	}
	for i := len(steps) - 1; i >= 0; i-- {
		b = append(b, steps[i]...)
	}
	return string(b)
}

func (s *scanner) document() (*Value, bool) {
	s.space()
	root, ok := s.value(nil, 0)
	if !ok {
		return nil, false
	}
	s.space()
	if s.pos != len(s.src) {
		return nil, s.fault(s.pos, CodeParseTrailing, IssueStructure, nil)
	}
	return root, true
}

func (s *scanner) space() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// node takes the next Value of the slab.
func (s *scanner) node(parent *Value, key int, kind Kind) *Value {
	if len(s.slab) == cap(s.slab) {
		s.slab = make([]Value, 0, 1024)
	}
	s.slab = append(s.slab, Value{doc: s.doc, parent: parent, key: int32(key), start: int32(s.pos), kind: kind})
	return &s.slab[len(s.slab)-1]
}

func (s *scanner) value(parent *Value, key int) (*Value, bool) {
	if s.nodes++; s.nodes > s.limits.Nodes {
		return nil, s.fault(s.pos, CodeParseNodes, IssueTooCostly, parent, itoa(s.limits.Nodes))
	}
	if s.pos >= len(s.src) {
		return nil, s.fault(s.pos, CodeParseEnd, IssueStructure, parent)
	}
	switch c := s.src[s.pos]; {
	case c == '"':
		v := s.node(parent, key, String)
		text, ok := s.text(v)
		v.text, v.end = text, int32(s.pos)
		return v, ok
	case c == '{':
		return s.object(s.node(parent, key, Object))
	case c == '[':
		return s.array(s.node(parent, key, Array))
	case c == '-' || isDigit(c):
		return s.number(s.node(parent, key, Number))
	case c == 't':
		return s.literal(s.node(parent, key, Bool), "true")
	case c == 'f':
		return s.literal(s.node(parent, key, Bool), "false")
	case c == 'n':
		return s.literal(s.node(parent, key, Null), "null")
	}
	return nil, s.fault(s.pos, CodeParseSyntax, IssueStructure, parent)
}

func (s *scanner) literal(v *Value, word string) (*Value, bool) {
	if !strings.HasPrefix(s.src[s.pos:], word) {
		return nil, s.fault(s.pos, CodeParseSyntax, IssueStructure, v)
	}
	s.pos += len(word)
	v.end = int32(s.pos)
	if v.kind == Bool {
		v.text = word
	}
	return v, true
}

// number reads a number by the grammar of RFC 8259 and keeps it literally.
func (s *scanner) number(v *Value) (*Value, bool) {
	i, src := s.pos, s.src
	if src[i] == '-' {
		i++
	}
	digits := func() bool {
		from := i
		for i < len(src) && isDigit(src[i]) {
			i++
		}
		return i > from
	}
	first := i
	ok := digits() && (src[first] != '0' || i == first+1)
	if ok && i < len(src) && src[i] == '.' {
		i++
		ok = digits()
	}
	if ok && i < len(src) && src[i]|0x20 == 'e' {
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		ok = digits()
	}
	if !ok {
		return nil, s.fault(i, CodeParseNumber, IssueStructure, v)
	}
	v.text = src[s.pos:i]
	s.pos, v.end = i, int32(i)
	return v, true
}

// plain marks the bytes that stand for themselves inside a string.
var plain = func() (t [256]bool) {
	for i := range t {
		t[i] = i >= 0x20 && i != '"' && i != '\\'
	}
	return t
}()

// text reads a string; at names the place for faults.
func (s *scanner) text(at *Value) (string, bool) {
	from := s.pos + 1
	i := from
	for i < len(s.src) && plain[s.src[i]] {
		i++
	}
	if i < len(s.src) && s.src[i] == '"' {
		s.pos = i + 1
		return s.src[from:i], true
	}
	return s.escaped(at, from, i)
}

// escaped reads the rest of a string whose first byte in need of care stands at i.
func (s *scanner) escaped(at *Value, from, i int) (string, bool) {
	s.doc.decoded++
	b := append(make([]byte, 0, i-from+32), s.src[from:i]...)
	for i < len(s.src) {
		c := s.src[i]
		switch {
		case c == '"':
			s.pos = i + 1
			return string(b), true
		case plain[c]:
			b = append(b, c)
			i++
			continue
		case c < 0x20:
			s.pos = i
			return "", s.fault(i, CodeParseControl, IssueStructure, at)
		}
		r, n, code := unescape(s.src[i:])
		if code != "" {
			s.pos = i
			return "", s.fault(i, code, IssueStructure, at)
		}
		b = utf8.AppendRune(b, r)
		i += n
	}
	s.pos = len(s.src)
	return "", s.fault(s.pos, CodeParseEnd, IssueStructure, at)
}

// unescape reads one escape sequence: the character, its length in the source, and a fault code.
// Characters below 32 other than tab, line feed and carriage return are no part of an R4
// string (datatypes.html#string), escaped or not.
func unescape(s string) (rune, int, string) {
	if len(s) < 2 {
		return 0, 0, CodeParseEnd
	}
	switch s[1] {
	case '"', '\\', '/':
		return rune(s[1]), 2, ""
	case 'n':
		return '\n', 2, ""
	case 'r':
		return '\r', 2, ""
	case 't':
		return '\t', 2, ""
	case 'b', 'f':
		return 0, 0, CodeParseControl
	case 'u':
	default:
		return 0, 0, CodeParseEscape
	}
	r, ok := hex4(s, 2)
	if !ok {
		return 0, 0, CodeParseEscape
	}
	if utf16.IsSurrogate(r) {
		low, ok := rune(0), false
		if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
			low, ok = hex4(s, 8)
		}
		if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
			return 0, 0, CodeParseSurrogate
		}
		return r, 12, ""
	}
	if r < 0x20 && r != '\t' && r != '\n' && r != '\r' {
		return 0, 0, CodeParseControl
	}
	return r, 6, ""
}

func hex4(s string, at int) (rune, bool) {
	if len(s) < at+4 {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[at : at+4]) {
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// enter counts one level of nesting.
func (s *scanner) enter(v *Value) bool {
	if s.depth++; s.depth > s.limits.Depth {
		return s.fault(s.pos, CodeParseDepth, IssueTooCostly, v, itoa(s.limits.Depth))
	}
	return true
}

func (s *scanner) array(v *Value) (*Value, bool) {
	if !s.enter(v) {
		return nil, false
	}
	base := len(s.stack)
	s.pos++
	s.space()
	if s.pos < len(s.src) && s.src[s.pos] == ']' {
		s.pos++
	} else {
		for {
			item, ok := s.value(v, -1-(len(s.stack)-base))
			if !ok {
				return nil, false
			}
			s.stack = append(s.stack, item)
			more, ok := s.next(v, ']')
			if !ok {
				return nil, false
			}
			if !more {
				break
			}
		}
	}
	s.depth--
	v.end = int32(s.pos)
	v.items = s.takeItems(base)
	return v, true
}

// takeItems moves the elements read since base into the slab.
func (s *scanner) takeItems(base int) []*Value {
	n := len(s.stack) - base
	if n == 0 {
		return nil
	}
	if len(s.refs)+n > cap(s.refs) {
		s.refs = make([]*Value, 0, max(n, 256))
	}
	from := len(s.refs)
	s.refs = append(s.refs, s.stack[base:]...)
	s.stack = s.stack[:base]
	return s.refs[from:len(s.refs):len(s.refs)]
}

// takeMembers moves the members read since base into the slab.
func (s *scanner) takeMembers(base int) []Member {
	n := len(s.fields) - base
	if n == 0 {
		return nil
	}
	if len(s.pairs)+n > cap(s.pairs) {
		s.pairs = make([]Member, 0, max(n, 512))
	}
	from := len(s.pairs)
	s.pairs = append(s.pairs, s.fields[base:]...)
	s.fields = s.fields[:base]
	return s.pairs[from:len(s.pairs):len(s.pairs)]
}

// next reads the comma or the closing bracket after an element or member.
func (s *scanner) next(v *Value, closing byte) (more, ok bool) {
	s.space()
	if s.pos >= len(s.src) {
		return false, s.fault(s.pos, CodeParseEnd, IssueStructure, v)
	}
	switch s.src[s.pos] {
	case closing:
		s.pos++
		return false, true
	case ',':
		s.pos++
		s.space()
		return true, true
	}
	return false, s.fault(s.pos, CodeParseSyntax, IssueStructure, v)
}

func (s *scanner) object(v *Value) (*Value, bool) {
	if !s.enter(v) {
		return nil, false
	}
	base := len(s.fields)
	s.pos++
	s.space()
	if s.pos < len(s.src) && s.src[s.pos] == '}' {
		s.pos++
	} else {
		for {
			if !s.member(v) {
				return nil, false
			}
			more, ok := s.next(v, '}')
			if !ok {
				return nil, false
			}
			if !more {
				break
			}
		}
	}
	s.depth--
	v.end = int32(s.pos)
	if !s.distinct(s.fields[base:]) {
		return nil, false
	}
	v.members = s.takeMembers(base)
	return v, true
}

// member reads one name, colon and value onto the field stack.
func (s *scanner) member(v *Value) bool {
	if s.pos >= len(s.src) {
		return s.fault(s.pos, CodeParseEnd, IssueStructure, v)
	}
	if s.src[s.pos] != '"' {
		return s.fault(s.pos, CodeParseSyntax, IssueStructure, v)
	}
	key := s.pos
	name, ok := s.text(v)
	if !ok {
		return false
	}
	s.space()
	if s.pos >= len(s.src) || s.src[s.pos] != ':' {
		return s.fault(s.pos, CodeParseSyntax, IssueStructure, v)
	}
	s.pos++
	s.space()
	value, ok := s.value(v, key)
	if !ok {
		return false
	}
	if value.kind == Null {
		s.fault(int(value.start), CodeParseNull, IssueStructure, value)
		if len(s.issues) >= maxParseIssues { // each costs a look at all that stands before it
			return false
		}
	}
	s.fields = append(s.fields, Member{Name: name, Value: value})
	return true
}

// distinct refuses names that are equal, or equal but for letter case: readers differ in
// which of the two they take, and a filter that sees one must not let the other through.
func (s *scanner) distinct(fields []Member) bool {
	if len(fields) > 24 {
		seen := make(map[string]string, len(fields))
		for _, f := range fields {
			folded := foldName(f.Name)
			if first, ok := seen[folded]; ok && !s.same(f, first) {
				return false
			}
			seen[folded] = f.Name
		}
		return true
	}
	for i := 1; i < len(fields); i++ {
		for j := 0; j < i; j++ {
			if equalFold(fields[i].Name, fields[j].Name) && !s.same(fields[i], fields[j].Name) {
				return false
			}
		}
	}
	return true
}

// same records that f repeats the name first, and reports whether reading may go on.
func (s *scanner) same(f Member, first string) bool {
	code := CodeParseCase
	if f.Name == first {
		code = CodeParseDuplicate
	}
	s.fault(int(f.Value.key), code, IssueStructure, f.Value, safeName(f.Name))
	return len(s.issues) < maxParseIssues
}

// equalFold is strings.EqualFold with a quick no for ordinary element names.
func equalFold(a, b string) bool {
	if a != "" && b != "" && a[0] < utf8.RuneSelf && b[0] < utf8.RuneSelf && a[0]|0x20 != b[0]|0x20 {
		// Only k and s fold to letters outside ASCII; those start with a byte ≥ 0x80.
		return false
	}
	return strings.EqualFold(a, b)
}

// foldName gives the smallest form of a name under simple Unicode case folding.
func foldName(name string) string {
	return strings.Map(foldRune, name)
}
