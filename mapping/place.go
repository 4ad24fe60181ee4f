package mapping

import (
	"slices"
	"strings"
)

// placeExtension names the element that a resource came from, where nothing else in it would bring it back there:
// one of several places for its kind, or one of several elements of a name around it.
const placeExtension = extensionBase + "plass"

// home is an element that becomes a resource, and the class it is read by.
type home struct {
	path  string // below the root, local names without [n]
	class *class
}

// homesOf lists the homes below a root in the table's order.
func homesOf(root *class) []home {
	all := []home{}
	var walk func(c *class, path string, depth int)
	walk = func(c *class, path string, depth int) {
		for _, f := range c.fields {
			for _, k := range f.classes() {
				if k.resource != "" && !k.single {
					all = append(all, home{path + "/" + f.name, k})
				}
				if depth < 12 {
					walk(k, path+"/"+f.name, depth+1)
				}
			}
		}
	}
	walk(root, "", 0)
	return all
}

// isEvent tells whether an element is one that makes a message of logistics what it is.
func (t *table) isEvent(name string) bool {
	return slices.ContainsFunc(t.events, func(ev event) bool { return ev.element == name })
}

// home gives where a resource of a type goes when it does not say: the first home whose class takes it.
func (r *reader) home(homes []home, typ string, body *node) string {
	t := r.t
	for _, h := range homes {
		if r.log && !strings.HasPrefix(h.path, "/"+r.event+"/") && t.isEvent(strings.Split(h.path, "/")[1]) {
			continue // another message's
		}
		if h.class.resource == typ && h.class.wants(body, t) {
			return h.path
		}
	}
	return ""
}

// wants tells whether the class takes a resource that does not say where it came from.
func (c *class) wants(body *node, t *table) bool {
	return body.fits(c.when, t) && !(len(c.skip) > 0 && body.fits(c.skip, t))
}

// withoutIndexes takes [n] from a path.
func withoutIndexes(path string) string {
	if !strings.Contains(path, "[") {
		return path
	}
	var b strings.Builder
	for path != "" {
		before, after, ok := strings.Cut(path, "[")
		b.WriteString(before)
		if !ok {
			break
		}
		_, path, _ = strings.Cut(after, "]")
	}
	return b.String()
}

// placed is the place that a resource tells of itself, "" when it tells none.
func (n *node) placed() string {
	for _, x := range n.get("extension").items() {
		if x.get("url").string() == placeExtension {
			return x.get("valueCode").string()
		}
	}
	return ""
}

// origin is where in the message a resource was read.
type origin struct {
	class *class
	place string // below the root, [n] where elements around it share a name
	box   *elem  // the innermost element around it that may stand more than once and holds one note each
}

// tellPlaces gives the resources their place where they need it.
func (r *reader) tellPlaces(root *class) {
	together := map[*elem]int{}
	for _, b := range r.builds {
		if b.from.box != nil && b.filled {
			together[b.from.box]++
		}
	}
	for _, b := range r.builds {
		if b.from.class == nil || !b.filled {
			continue
		}
		if !strings.Contains(b.from.place, "[") && together[b.from.box] < 2 && r.home(root.homes, b.typ, b.body) == b.from.place {
			continue
		}
		x := r.object()
		r.with(x, "url", placeExtension)
		r.with(x, "valueCode", b.from.place)
		list := b.body.get("extension")
		if list == nil {
			list = array()
			b.body.set("extension", list)
		}
		list.kids = append(list.kids, x)
	}
}
