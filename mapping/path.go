package mapping

import "strings"

// put sets a value at a FHIR path and builds what lies between.
func (n *node) put(path []step, v *node) { (*forge)(nil).put(n, path, v) }

func (f *forge) put(n *node, path []step, v *node) {
	for i, st := range path {
		last := i == len(path)-1
		child := n.get(st.name)
		if !st.array && !st.append && st.find == "" {
			switch {
			case last && child != nil && child.kind == 'o' && v.kind == 'o':
				for j, name := range v.names {
					child.set(name, v.kids[j])
				}
				return
			case last:
				n.set(st.name, v)
				return
			case child == nil:
				child = f.object()
				n.set(st.name, child)
			}
			n = child
			continue
		}
		if child == nil {
			child = f.array()
			n.set(st.name, child)
		}
		item := child.pick(st)
		if last {
			if st.find != "" && v.kind == 'o' {
				v.names, v.kids = append([]string{"url"}, v.names...), append([]*node{f.str(st.url)}, v.kids...)
			}
			if item != nil {
				*item = *v
			} else {
				child.kids = append(child.kids, v)
			}
			return
		}
		if item == nil {
			item = f.item(st)
			child.kids = append(child.kids, item)
		}
		n = item
	}
}

// item begins an item of an array as its step tells it.
func (f *forge) item(st step) *node {
	n := f.object()
	switch {
	case st.find == "":
	case st.name == "extension":
		f.with(n, "url", st.url)
	default: // Observation.component
		code := f.object()
		f.with(code, "text", st.find)
		n.set("code", code)
	}
	return n
}

// pick finds the item of an array that a step means, nil when it is to be made.
func (n *node) pick(st step) *node {
	switch {
	case st.append:
		return nil
	case st.array:
		return n.first()
	}
	for _, k := range n.items() {
		if st.matches(k) {
			return k
		}
	}
	return nil
}

func (st step) matches(item *node) bool {
	if st.name == "extension" {
		return item.get("url").string() == st.url
	}
	return item.dig("code", "text").string() == st.find
}

// find returns the values at a path in order; writing walks the same paths as reading, the other way.
func (n *node) find(path []step) []*node {
	if n == nil {
		return nil
	}
	if len(path) == 0 {
		return []*node{n}
	}
	st := path[0]
	child := n.get(st.name)
	if child == nil {
		return nil
	}
	if !st.array && !st.append && st.find == "" {
		return child.find(path[1:])
	}
	var out []*node
	for i, item := range child.items() {
		switch {
		case st.array && i > 0:
			return out
		case st.find != "" && !st.matches(item):
			continue
		}
		out = append(out, item.find(path[1:])...)
	}
	return out
}

// pathName is the path as the report writes it.
func pathName(path []step) string {
	if len(path) == 1 && path[0].find == "" {
		return path[0].name
	}
	var b strings.Builder
	for i, st := range path {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(st.name)
		if st.find != "" {
			b.WriteString("(" + st.find + ")")
		}
	}
	return b.String()
}
