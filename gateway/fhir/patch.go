package fhir

import (
	"strconv"
	"strings"
)

// MaxPatchOperations is the number of operations that one patch may hold.
const MaxPatchOperations = 1000

// maxPointerTokens is the depth that a JSON Pointer may name; no resource is deeper.
const maxPointerTokens = 100

// JSONPatch is a patch document of RFC 6902, read and checked once, to be applied any number of times.
//
// It is our own since github.com/evanphx/json-patch/v5 v5.9.11, measured, keeps numbers and the
// order of members but drops all white space, writes < > & in other strings as escapes, lets both of
// two equal names stand, compares numbers by their text (1.5 fails against 1.50), accepts negative
// indexes, leading zeros, malformed pointers and two "op" members. Here all that no operation changes
// stays byte-identical, and both documents are read strictly.
type JSONPatch struct {
	operations []jsonOperation
}

// jsonOperation is one operation, its pointers taken apart.
type jsonOperation struct {
	number int    // from 1
	name   string // add remove replace move copy test
	path   []string
	from   []string
	value  *Value
	at     *Value // what a fault points at: the path in the patch document
}

// jsonOperations are the operations of RFC 6902 § 4: what each needs beside path.
var jsonOperations = map[string]struct{ value, from bool }{
	"add": {value: true}, "remove": {}, "replace": {value: true},
	"move": {from: true}, "copy": {from: true}, "test": {value: true},
}

// ApplyJSONPatch reads a patch document and applies it: ReadJSONPatch and Apply in one. Who must
// tell a malformed patch (400) from one that does not fit the resource (422) calls the two.
func ApplyJSONPatch(r *Resource, patch []byte) ([]byte, error) {
	p, err := ReadJSONPatch(patch)
	if err != nil {
		return nil, err
	}
	return p.Apply(r)
}

// ReadJSONPatch reads a patch document strictly (RFC 6902 § 3–4): at most 2 MiB and 1,000
// operations, no name twice. Members that an operation does not define are ignored, as the RFC asks.
// null is read as the value of an operation only, not inside a value: no resource can hold it there.
// The error is *Error with positions in the patch document (HTTP 400).
func ReadJSONPatch(body []byte) (*JSONPatch, error) {
	nulls, source := blankNulls(body)
	root, err := scan(source, Limits{})
	if err != nil {
		return nil, err
	}
	if root.kind != Array {
		return nil, patchFormat(root, "[…]")
	}
	if len(root.items) > MaxPatchOperations {
		i := issueAt(root.items[MaxPatchOperations], CodePatchTooMany, IssueTooCostly, itoa(MaxPatchOperations))
		i.Expression = ""
		return nil, &Error{Issues: []Issue{i}}
	}
	p := &JSONPatch{operations: make([]jsonOperation, 0, len(root.items))}
	for i, item := range root.items {
		o, err := readJSONOperation(item, i+1, nulls)
		if err != nil {
			return nil, err
		}
		p.operations = append(p.operations, *o)
	}
	return p, nil
}

// blankNulls gives the document with each null that is the value of an operation's member written
// as "[]  ", since the reader refuses null there, and the offsets where it did so. What is no JSON
// stays none, and no offset moves.
func blankNulls(body []byte) (map[int]bool, []byte) {
	var nulls map[int]bool
	depth, colon := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; c {
		case ' ', '\t', '\n', '\r':
			continue
		case '"':
			for i++; i < len(body) && body[i] != '"'; i++ {
				if body[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case 'n':
			if depth == 2 && colon && strings.HasPrefix(string(body[i:min(i+4, len(body))]), "null") {
				if nulls == nil {
					nulls, body = map[int]bool{}, append([]byte(nil), body...)
				}
				copy(body[i:], "[]  ")
				nulls[i] = true
				i += 3
			}
		}
		colon = i < len(body) && body[i] == ':'
	}
	return nulls, body
}

// patchFormat is the fault of a patch document of another form than what is named.
func patchFormat(v *Value, expected string) *Error {
	return patchFault(v, CodePatchFormat, IssueStructure, expected)
}

// patchFault gives an *Error at a place of the patch document. A JSON Patch has no FHIRPath.
func patchFault(v *Value, code string, t IssueType, args ...string) *Error {
	i := newIssue(code, t, args...)
	if v != nil {
		i.Line, i.Col = v.Position()
	}
	return &Error{Issues: []Issue{i}}
}

func readJSONOperation(v *Value, number int, nulls map[int]bool) (*jsonOperation, error) {
	if v.kind != Object {
		return nil, patchFormat(v, "[{…}]")
	}
	o := &jsonOperation{number: number}
	name := v.member("op")
	if name.Kind() != String || nulls[int(name.start)] {
		return nil, patchFormat(v, "op")
	}
	needs, known := jsonOperations[name.text]
	if !known {
		return nil, patchFault(name, CodePatchOperation, IssueValue, itoa(number), "add, remove, replace, move, copy, test")
	}
	o.name = name.text
	var err error
	if o.at, o.path, err = readPointer(v, "path", number); err != nil {
		return nil, err
	}
	if needs.from {
		if _, o.from, err = readPointer(v, "from", number); err != nil {
			return nil, err
		}
		if o.name == "move" && len(o.from) < len(o.path) && prefixes(o.from, o.path) {
			return nil, patchFault(o.at, CodePatchMoveInto, IssueStructure, itoa(number))
		}
	}
	if needs.value {
		if o.value = v.member("value"); o.value == nil {
			return nil, patchFormat(v, "value")
		}
		if nulls[int(o.value.start)] {
			o.value = nullLiteral
		}
	}
	return o, nil
}

func prefixes(short, long []string) bool {
	for i := range short {
		if short[i] != long[i] {
			return false
		}
	}
	return true
}

// readPointer reads a member that is a JSON Pointer (RFC 6901 § 3–4).
func readPointer(v *Value, name string, number int) (*Value, []string, error) {
	m := v.member(name)
	if m.Kind() != String {
		return nil, nil, patchFormat(v, name)
	}
	if m.text == "" {
		return m, nil, nil
	}
	fault := patchFault(m, CodePatchPointer, IssueStructure, itoa(number), name)
	if m.text[0] != '/' {
		return nil, nil, fault
	}
	tokens := strings.Split(m.text[1:], "/")
	for i, t := range tokens {
		if !strings.Contains(t, "~") {
			continue
		}
		if !validEscapes(t) {
			return nil, nil, fault
		}
		tokens[i] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
	}
	return m, tokens, nil
}

// validEscapes reports whether 0 or 1 follows each tilde.
func validEscapes(token string) bool {
	for i := 0; i < len(token); i++ {
		if token[i] == '~' && (i+1 == len(token) || token[i+1] != '0' && token[i+1] != '1') {
			return false
		}
	}
	return true
}

// Apply applies the operations in order, all or none, and gives the new bytes. They hold by bytes
// what no operation changed, and Parse reads them; whether they are valid R4 is the question of
// Validate: an array that a patch empties stays as [], as the RFC says. The error is *Error with the
// place in the resource as expression and the position in the patch document (HTTP 422).
func (p *JSONPatch) Apply(r *Resource) ([]byte, error) {
	t := newPatching(r)
	for i := range p.operations {
		o := &p.operations[i]
		code, args := o.apply(t)
		if code == "" && t.root.size > DefaultBytes {
			code, args = CodePatchSize, []string{itoa(DefaultBytes)}
		}
		if code == "" && !t.intact() {
			code = CodePatchProtected
		}
		if code == "" {
			continue
		}
		if args == nil {
			args = []string{itoa(o.number)}
		}
		e := patchFault(o.at, code, patchIssueTypes[code], args...)
		e.Issues[0].Expression = pointerExpression(r, o.path)
		return nil, e
	}
	return t.bytes()
}

// patchIssueTypes are the issue types of the codes that applying gives.
var patchIssueTypes = map[string]IssueType{
	CodePatchAbsent: IssueNotFound, CodePatchIndex: IssueValue, CodePatchTest: IssueConflict,
	CodePatchProtected: IssueBusinessRule, CodePatchSize: IssueTooLong, CodePatchCostly: IssueTooCostly,
	CodePatchMultiple: IssueMultipleMatches, CodePatchExists: IssueDuplicate, CodePatchList: IssueStructure,
	CodePatchValue: IssueValue,
}

// pointerExpression gives the place that a pointer names as FHIRPath.
func pointerExpression(r *Resource, tokens []string) string {
	b := []byte(r.kind)
	for _, t := range tokens {
		if _, ok := arrayIndex(t, maxArrayIndex); ok {
			b = append(append(append(b, '['), t...), ']')
		} else if t != "-" {
			b = appendElementName(append(b, '.'), t)
		}
	}
	return string(b)
}

// maxArrayIndex is above every position that an array within the limits can have.
const maxArrayIndex = 1 << 24

// arrayIndex reads an array index of RFC 6901 § 4: digits without a leading zero, at most highest.
func arrayIndex(token string, highest int) (int, bool) {
	if len(token) == 0 || len(token) > 8 || token[0] == '0' && len(token) > 1 {
		return 0, false
	}
	for i := 0; i < len(token); i++ {
		if !isDigit(token[i]) {
			return 0, false
		}
	}
	n, err := strconv.Atoi(token)
	return n, err == nil && n <= highest
}

// apply applies one operation and gives the code of its fault, "" when it succeeds.
func (o *jsonOperation) apply(t *patching) (string, []string) {
	switch o.name {
	case "test":
		n, code, _ := t.find(o.path)
		if code != "" || !equalNode(n, o.value) {
			return CodePatchTest, nil
		}
		return "", nil
	case "add":
		return t.add(o.path, newPatchNode(o.value), o.number)
	case "remove":
		n, code, args := t.findTarget(o.path, o.number)
		if code == "" {
			n.detach()
		}
		return code, args
	case "replace":
		if len(o.path) == 0 {
			return t.add(o.path, newPatchNode(o.value), o.number)
		}
		n, code, args := t.findTarget(o.path, o.number)
		if code == "" {
			n.become(newPatchNode(o.value))
		}
		return code, args
	case "copy":
		n, code, args := t.find(o.from)
		if code != "" {
			return code, withNumber(args, o.number)
		}
		c := t.clone(n)
		if c == nil {
			return CodePatchCostly, nil
		}
		return t.add(o.path, c, o.number)
	}
	return o.move(t)
}

func (o *jsonOperation) move(t *patching) (string, []string) {
	n, code, args := t.findTarget(o.from, o.number)
	if code != "" || len(o.from) == len(o.path) && prefixes(o.from, o.path) {
		return code, args
	}
	n.detach()
	return t.add(o.path, n, o.number)
}

// withNumber puts the number of the operation before the arguments.
func withNumber(args []string, number int) []string { return append([]string{itoa(number)}, args...) }

// find gives the node at a pointer.
func (t *patching) find(tokens []string) (n *patchNode, code string, args []string) {
	if len(tokens) > maxPointerTokens {
		return nil, CodePatchAbsent, nil
	}
	n = t.root
	for _, token := range tokens {
		switch n.Kind() {
		case Object:
			n = n.member(token)
		case Array:
			items := n.Items()
			i, ok := arrayIndex(token, maxArrayIndex)
			if !ok {
				return nil, CodePatchIndex, []string{itoa(max(len(items)-1, 0))}
			}
			if n = nil; i < len(items) {
				n = items[i]
			}
		default:
			n = nil
		}
		if n == nil {
			return nil, CodePatchAbsent, nil
		}
	}
	return n, "", nil
}

// findTarget is find for a node that is to be taken away or replaced.
func (t *patching) findTarget(tokens []string, number int) (*patchNode, string, []string) {
	n, code, args := t.find(tokens)
	switch {
	case code != "":
		return nil, code, withNumber(args, number)
	case n.parent == nil || t.protected(n.parent, n.name):
		return nil, CodePatchProtected, nil
	}
	return n, "", nil
}

// add puts a node at a pointer as RFC 6902 § 4.1 says: into an array before what stands there, at the
// end for "-", into an object in place of a member of that name, or for the document itself.
func (t *patching) add(tokens []string, k *patchNode, number int) (string, []string) {
	if len(tokens) == 0 {
		t.protected(nil, "")
		k.parent, k.work, t.root = nil, &t.work, k
		return "", nil
	}
	last := tokens[len(tokens)-1]
	parent, code, args := t.find(tokens[:len(tokens)-1])
	if code != "" {
		return code, withNumber(args, number)
	}
	switch parent.Kind() {
	case Array:
		items := parent.Items()
		i, ok := arrayIndex(last, len(items))
		if last == "-" {
			i, ok = len(items), true
		}
		if !ok {
			return CodePatchIndex, []string{itoa(number), itoa(len(items))}
		}
		if t.protected(parent, "") {
			return CodePatchProtected, nil
		}
		parent.insert(i, "", k)
		return "", nil
	case Object:
		if t.protected(parent, last) {
			return CodePatchProtected, nil
		}
		if old := parent.member(last); old != nil {
			old.become(k)
		} else {
			parent.put(last, k)
		}
		return "", nil
	}
	return CodePatchAbsent, nil
}
