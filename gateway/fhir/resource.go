package fhir

import (
	"strconv"
	"strings"
)

// Resource is a strictly parsed R4 resource: the received bytes and the tree over them.
type Resource struct {
	root *Value
	kind Type
}

// Parse reads one resource strictly (R4 json.html): UTF-8 without BOM, no duplicate or
// case-variant names, no lone surrogates, no control characters, no null but in arrays, nothing
// after the object, at most 2 MiB and 100 levels, and a resourceType. The error is *Error with the
// faults and their positions (HTTP 400). Parse keeps body, which must not be changed afterwards,
// and never panics. Whether the content is valid R4 is the question of Validate.
func Parse(body []byte) (*Resource, error) { return ParseLimits(body, Limits{}) }

// ParseBundle is Parse with the size limit of a Bundle, 10 MiB.
func ParseBundle(body []byte) (*Resource, error) {
	return ParseLimits(body, Limits{Bytes: BundleBytes})
}

// ParseLimits is Parse with limits of the caller's.
func ParseLimits(body []byte, limits Limits) (*Resource, error) {
	root, err := scan(body, limits)
	if err != nil {
		return nil, err
	}
	if root.kind != Object {
		return nil, faultAt(root, CodeParseObject, IssueStructure)
	}
	t := root.member("resourceType")
	if t == nil {
		return nil, faultAt(root, CodeParseResourceType, IssueStructure)
	}
	if t.kind != String || !validTypeName(t.text) {
		return nil, faultAt(t, CodeParseResourceType, IssueStructure)
	}
	return &Resource{root: root, kind: Type(t.text)}, nil
}

// faultAt gives an *Error with one issue at a value.
func faultAt(v *Value, code string, t IssueType) *Error {
	return &Error{Issues: []Issue{issueAt(v, code, t)}}
}

// issueAt gives an issue with the expression and position of a value.
func issueAt(v *Value, code string, t IssueType, args ...string) Issue {
	i := newIssue(code, t, args...)
	if v != nil {
		i.Expression = v.Expression()
		i.Line, i.Col = v.Position()
	}
	return i
}

// Type gives the resource type.
func (r *Resource) Type() Type { return r.kind }

// ID gives the logical id that the body carries, "" when none or malformed.
func (r *Resource) ID() ID {
	if id := r.root.member("id"); id != nil && id.kind == String && validID(id.text) {
		return ID(id.text)
	}
	return ""
}

// Root gives the resource object.
func (r *Resource) Root() *Value { return r.root }

// Bytes gives the received bytes. The slice must not be changed.
func (r *Resource) Bytes() []byte { return r.root.doc.body }

// At gives the value at an expression of names and positions, such as
// "CarePlan.activity[2].detail"; nil when it is absent or the expression is of another form.
// The leading type name may be left out.
func (r *Resource) At(expression string) *Value {
	rest, ok := strings.CutPrefix(expression, string(r.kind))
	if ok && (rest == "" || rest[0] == '.') {
		expression = strings.TrimPrefix(rest, ".")
	}
	v := r.root
	for expression != "" && v != nil {
		var step string
		step, expression, _ = strings.Cut(expression, ".")
		name, index, indexed := strings.Cut(step, "[")
		v = v.Get(name)
		for indexed && v != nil {
			var number string
			if number, index, ok = strings.Cut(index, "]"); !ok {
				return nil
			}
			n, err := strconv.Atoi(number)
			if err != nil || n < 0 || n >= len(v.Items()) {
				return nil
			}
			v = v.items[n]
			if indexed = strings.HasPrefix(index, "["); indexed {
				index = index[1:]
			} else if index != "" {
				return nil
			}
		}
	}
	return v
}

func itoa(n int) string { return strconv.Itoa(n) }
