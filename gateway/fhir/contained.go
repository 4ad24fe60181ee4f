package fhir

import (
	"slices"
	"strings"
)

// scope is one resource with what it contains, and the fragments that point there. The maps
// keep the work linear, however many contained resources and references somebody sends.
type scope struct {
	resource  *Value
	contained []*Value
	ids       map[string]*Value // the first of each id
	mentions  map[string]bool   // ids that a "#id" names
	back      map[*Value]bool   // contained resources that hold a "#"
}

func newScope(v *Value) *scope {
	s := &scope{resource: v, contained: v.member("contained").Items()}
	if len(s.contained) == 0 {
		return s
	}
	s.ids = make(map[string]*Value, len(s.contained))
	s.mentions, s.back = map[string]bool{}, map[*Value]bool{}
	for _, r := range s.contained {
		if id := r.Get("id").Text(); id != "" && s.ids[id] == nil {
			s.ids[id] = r
		}
	}
	return s
}

// mention records a fragment that may point at a contained resource, or from one to its container.
func (s *scope) mention(v *Value) {
	if len(s.contained) == 0 {
		return
	}
	if v.text != "#" {
		s.mentions[v.text[1:]] = true
		return
	}
	list := s.resource.member("contained")
	for ; v != nil; v = v.parent {
		if v.parent == list {
			s.back[v] = true
			return
		}
	}
}

// find gives the contained resource with an id.
func (s *scope) find(id string) *Value { return s.ids[id] }

// contained checks what only a contained resource must keep to (R4 dom-2, dom-4, dom-5).
func (c *checker) contained(v *Value) {
	id := v.member("id")
	if id == nil {
		c.addChild(v, "id", CodeCardinalityMin, "id", "1")
	} else if c.scope.find(id.text) != v && id.text != "" {
		c.add(id, CodeContained, IssueInvariant, "id ×2")
	}
	if nested := v.member("contained"); nested != nil {
		c.add(nested, CodeContained, IssueInvariant, "contained")
	}
	for _, name := range [...]string{"versionId", "lastUpdated", "security"} {
		if e := v.Get("meta", name); e != nil {
			c.add(e, CodeContained, IssueInvariant, "meta."+name)
		}
	}
}

// closeScope checks that each contained resource is referred to, or refers to its container (R4 dom-3).
func (c *checker) closeScope() {
	s := c.scope
	for _, r := range s.contained {
		id := r.Get("id").Text()
		if id != "" && r.kind == Object && !s.mentions[id] && !s.back[r] {
			c.add(r, CodeContainedOrphan, IssueInvariant)
		}
	}
}

// reference checks the form and the target of a Reference (R4 references.html, ref-1).
func (c *checker) reference(v *Value, s *slot) {
	r := v.member("reference")
	if r == nil {
		return
	}
	text := r.text
	var target string
	switch {
	case text[0] == '#':
		c.scope.mention(r)
		if text == "#" {
			target = c.scope.resource.member("resourceType").Text()
			break
		}
		found := c.scope.find(text[1:])
		if found == nil {
			c.add(r, CodeContainedMissing, IssueInvariant)
			return
		}
		target = found.Get("resourceType").Text()
	case absolute(text):
		target = urlType(text, c.tables)
		if target == "" {
			return
		}
	default:
		if ref, ok := parseReference(text); ok {
			target = string(ref.Type)
		} else if name, _, ok := strings.Cut(text, "?"); ok && c.bundled && validTypeName(name) {
			target = name
		} else {
			c.add(r, CodeReferenceFormat, IssueValue)
			return
		}
		if known := c.tables.structures[target]; known == nil || !known.resource {
			c.add(r, CodeUnknownType, IssueNotSupported)
			return
		}
	}
	if said := v.member("type"); said != nil && cutType(said.text) != target && target != "" {
		c.add(said, CodeReferenceType, IssueValue, safeName(cutType(said.text)), safeName(target))
		return
	}
	if s.targets != nil && !slices.Contains(s.targets, target) {
		c.add(r, CodeReferenceTarget, IssueValue, safeName(target), strings.Join(s.targets, ", "))
	}
}

// absolute reports whether s begins with a URI scheme.
func absolute(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == ':':
			return i > 1
		case !isAlphanumeric(c) && c != '+' && c != '-' && c != '.':
			return false
		}
	}
	return false
}

// urlType gives the resource type of a RESTful URL …/Type/id[/_history/v], "" when s is none.
func urlType(s string, t *compiled) string {
	if !strings.HasPrefix(s, "http://") && !strings.HasPrefix(s, "https://") {
		return ""
	}
	if head, version, ok := strings.Cut(s, "/_history/"); ok && validID(version) {
		s = head
	}
	head, id, ok := cutLast(s)
	if !ok || !validID(id) {
		return ""
	}
	_, name, ok := cutLast(head)
	if known := t.structures[name]; !ok || known == nil || !known.resource {
		return ""
	}
	return name
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
