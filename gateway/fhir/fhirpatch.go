package fhir

import (
	"errors"
	"slices"
	"strings"
)

// PathPatch is a patch as R4 fhirpatch.html describes it, read and checked once from a
// Parameters resource, to be applied any number of times.
type PathPatch struct {
	operations []pathOperation
}

// pathOperation is one parameter named "operation".
type pathOperation struct {
	number int    // from 1
	typ    string // add insert delete replace move
	path   *Path
	name   string
	value  *Value // the part that holds the value
	index  int    // insert; the source of a move
	to     int    // the destination of a move
	at     *Value // what a fault points at
}

// pathOperations are the operations of R4 fhirpatch.html: the parts of each beside type.
var pathOperations = map[string][]string{
	"add":     {"path", "name", "value"},
	"insert":  {"path", "index", "value"},
	"delete":  {"path"},
	"replace": {"path", "value"},
	"move":    {"path", "source", "destination"},
}

// pathParts are the parts that are one value: the member that holds it.
var pathParts = map[string]string{
	"type": "valueCode", "path": "valueString", "name": "valueString",
	"index": "valueInteger", "source": "valueInteger", "destination": "valueInteger",
}

// ApplyFHIRPathPatch reads a Parameters resource as a patch and applies it: ReadFHIRPathPatch and
// Apply in one. Who must tell a malformed patch (400) from one that does not fit the resource (422)
// calls the two.
func ApplyFHIRPathPatch(r, parameters *Resource) ([]byte, error) {
	p, err := ReadFHIRPathPatch(parameters)
	if err != nil {
		return nil, err
	}
	return p.Apply(r)
}

// ReadFHIRPathPatch reads a patch: a valid Parameters of at most 1,000 parameters named
// "operation", each with the parts of its type and no other, paths as Path describes. The error is
// *Error with expression and position in the Parameters (HTTP 400).
func ReadFHIRPathPatch(parameters *Resource) (*PathPatch, error) {
	if parameters.kind != "Parameters" {
		return nil, faultWith(parameters.root.member("resourceType"), CodePatchFormat, IssueStructure, "Parameters")
	}
	if issues := Validate(parameters); len(issues) > 0 {
		return nil, &Error{Issues: issues}
	}
	list := parameters.root.member("parameter").Items()
	if len(list) > MaxPatchOperations {
		return nil, faultWith(list[MaxPatchOperations], CodePatchTooMany, IssueTooCostly, itoa(MaxPatchOperations))
	}
	p := &PathPatch{operations: make([]pathOperation, 0, len(list))}
	for i, item := range list {
		o, err := readPathOperation(item, i+1)
		if err != nil {
			return nil, err
		}
		p.operations = append(p.operations, *o)
	}
	return p, nil
}

// faultWith gives an *Error with one issue at a value.
func faultWith(v *Value, code string, t IssueType, args ...string) *Error {
	return &Error{Issues: []Issue{issueAt(v, code, t, args...)}}
}

func readPathOperation(v *Value, number int) (*pathOperation, error) {
	if name := v.member("name"); name.Text() != "operation" {
		return nil, faultWith(name, CodePatchFormat, IssueStructure, "parameter.name = operation")
	}
	parts := map[string]*Value{}
	for _, part := range v.Get("part").Items() {
		name := part.Get("name").Text()
		if _, known := pathParts[name]; !known && name != "value" || parts[name] != nil {
			return nil, faultWith(part, CodePatchPart, IssueStructure, itoa(number), safeName(name), partType(name))
		}
		parts[name] = part
	}
	o := &pathOperation{number: number, at: v}
	fault := func(name string) error {
		at := v
		if parts[name] != nil {
			at = parts[name]
		}
		return faultWith(at, CodePatchPart, IssueStructure, itoa(number), name, partType(name))
	}
	if o.typ = parts["type"].Get("valueCode").Text(); o.typ == "" {
		return nil, fault("type")
	}
	needs, known := pathOperations[o.typ]
	if !known {
		return nil, faultWith(parts["type"], CodePatchOperation, IssueValue, itoa(number), "add, insert, delete, replace, move")
	}
	for _, name := range needs {
		if member := pathParts[name]; parts[name] == nil || member != "" && parts[name].Get(member) == nil {
			return nil, fault(name)
		}
	}
	for _, part := range v.Get("part").Items() {
		if name := part.Get("name").Text(); name != "type" && !slices.Contains(needs, name) {
			return nil, fault(name)
		}
	}
	return o, o.read(parts, fault)
}

// partType gives the type that a part has in a message.
func partType(name string) string {
	if member := pathParts[name]; member != "" {
		return strings.ToLower(strings.TrimPrefix(member, "value"))
	}
	return "value[x]"
}

// read takes the values of the parts.
func (o *pathOperation) read(parts map[string]*Value, fault func(string) error) error {
	path := parts["path"].member("valueString")
	var err error
	if o.path, err = CompilePath(path.text); err != nil {
		return placeError(err, path)
	}
	o.name, o.value = parts["name"].Get("valueString").Text(), parts["value"]
	for _, number := range [...]struct {
		name   string
		target *int
	}{{"index", &o.index}, {"source", &o.index}, {"destination", &o.to}} {
		if parts[number.name] == nil {
			continue
		}
		n, ok := arrayIndex(parts[number.name].Get("valueInteger").Text(), maxArrayIndex)
		if !ok {
			return fault(number.name)
		}
		*number.target = n
	}
	return nil
}

// placeError gives the issues of an error the place of a value.
func placeError(err error, v *Value) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	for i := range e.Issues {
		at := issueAt(v, "", "")
		e.Issues[i].Expression, e.Issues[i].Line, e.Issues[i].Col = at.Expression, at.Line, at.Col
	}
	return e
}

// Apply applies the operations in order, all or none, and gives the new bytes. They hold by bytes
// what no operation changed, and Parse reads them; whether they are valid R4 is the question of
// Validate. Each path is evaluated on what the operations before made.
//
//   - add: path gives exactly one element, which takes the value under name: at the end when the
//     element repeats; otherwise it must not be there yet.
//   - insert, move: path ends in the name of an element that repeats.
//   - delete: nothing happens when path gives nothing; what becomes empty goes as well.
//   - replace: path gives exactly one element, which is replaced with its id and extensions.
//
// A primitive and its "_" sibling are one element. The value is taken literally; its type must be that
// of the element, for a choice one of its types; a primitive written as another text, date or integer
// type is accepted, since JSON does not tell them apart. Types that Parameters cannot hold, and
// elements without a type of their own, are given as parts. The error is *Error with expression and
// position of the operation in the Parameters (HTTP 422).
func (p *PathPatch) Apply(r *Resource) ([]byte, error) {
	t := newPatching(r)
	e := &pathEvaluator[*patchNode]{tables: tables()}
	e.root = pathPlace[*patchNode]{value: t.root, index: -1, typ: e.tables.structures[string(r.kind)]}
	if e.root.typ == nil {
		return nil, faultAt(r.root, CodeUnknownType, IssueNotSupported)
	}
	for i := range p.operations {
		a := &pathApplication{o: &p.operations[i], t: t, e: e}
		err := a.apply()
		if err == nil && t.root.size > DefaultBytes {
			err = a.fault(CodePatchSize, itoa(DefaultBytes))
		}
		if err == nil && !t.intact() {
			err = a.fault(CodePatchProtected)
		}
		if err != nil {
			return nil, placeError(err, a.o.at)
		}
	}
	return t.bytes()
}
