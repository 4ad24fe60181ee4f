package fhir

import (
	"io/fs"
	"strings"
	"sync"

	"github.com/sluse/sluse/conformance/definitions"
)

const (
	ownCanonical  = "http://sluse.no/fhir/StructureDefinition/"
	baseCanonical = "http://hl7.org/fhir/StructureDefinition/"
)

// profile is one of our StructureDefinitions as an overlay of R4: only what it adds.
type profile struct {
	url, version, name string
	kind               string // the type that it constrains
	other              string // canonical of the foreign profile whose rules it states in our words, "" when none
	root               *node
}

// node is what a profile says about one element, or about the items of one slice of it.
type node struct {
	name     string // as in the path: "coding", "value" of value[x]; of a slice its sliceName
	shown    string // what a message calls it: "value[x]"
	choice   bool
	min, max int // max -1: unbounded
	fixed    *Value
	pattern  *Value
	types    []string // of a choice; nil: as in R4
	targets  []string // of a reference; nil: as in R4
	typed    []string // canonicals of data type profiles
	codes    *codeSet // a binding of strength required
	rules    []string
	children []*node
	keys     []key // of a slice: what selects its items
	slices   []*node
	by       [][]string // discriminators, as paths
	closed   bool
}

// key is what the value at a path must be for an item to belong to a slice.
type key struct {
	path           []string
	fixed, pattern *Value
}

// Profiles lists the canonical URLs of the profiles of resource types that Sluse checks, sorted by
// file name. Where one states the rules of a foreign profile, the foreign URL stands before ours.
func Profiles(t Type) []string {
	var list []string
	for _, p := range overlays().list {
		if p.kind != string(t) {
			continue
		}
		if p.other != "" {
			list = append(list, p.other)
		}
		list = append(list, p.url)
	}
	return list
}

// KnownProfile reports whether Sluse can check a resource against a canonical URL: a profile of
// ours, one of no-basis whose rules we state, or an R4 type.
func KnownProfile(canonical string) bool {
	if overlays().find(canonical) != nil {
		return true
	}
	name, ok := strings.CutPrefix(canonical, baseCanonical)
	return ok && tables().structures[name] != nil
}

// catalogue holds every profile by its canonical URL.
type catalogue struct {
	list []*profile
	by   map[string]*profile
}

// find gives the profile of a canonical URL. A version must be that of the profile; of a foreign
// profile it is passed over, since the files of no-basis 2.2.0 carry versions of their own.
func (k *catalogue) find(canonical string) *profile {
	url, version, pinned := strings.Cut(canonical, "|")
	p := k.by[url]
	if p != nil && pinned && url == p.url && version != p.version {
		return nil
	}
	return p
}

// overlays compiles our StructureDefinitions once. They are embedded and tested: a fault in one
// cannot occur, and panics.
var overlays = sync.OnceValue(func() *catalogue {
	k := &catalogue{by: map[string]*profile{}}
	for _, r := range ownResources("StructureDefinition") {
		p := compileProfile(r)
		k.list = append(k.list, p)
		k.by[p.url] = p
		if p.other != "" {
			k.by[p.other] = p
		}
	}
	for _, p := range k.list {
		k.check(p.root)
	}
	return k
})

// check panics where a node names a data type profile that is not there.
func (k *catalogue) check(n *node) {
	for _, url := range n.typed {
		if k.find(url) == nil {
			panic("fhir: profile " + url + " is not there")
		}
	}
	for _, list := range [][]*node{n.children, n.slices} {
		for _, child := range list {
			k.check(child)
		}
	}
}

// ownResources reads the embedded definitions of one type.
func ownResources(kind string) []*Resource {
	names, err := fs.Glob(definitions.Own(), kind+"-*.json")
	if err != nil {
		panic("fhir: " + err.Error())
	}
	var list []*Resource
	for _, name := range names {
		body, err := fs.ReadFile(definitions.Own(), name)
		if err != nil {
			panic("fhir: " + err.Error())
		}
		r, err := Parse(body)
		if err != nil {
			panic("fhir: " + name + ": " + err.Error())
		}
		list = append(list, r)
	}
	return list
}

// ownCodes gives the codes of our own complete code systems, by system.
var ownCodes = sync.OnceValue(func() map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for _, r := range ownResources("CodeSystem") {
		codes := map[string]bool{}
		var collect func(v *Value)
		collect = func(v *Value) {
			for _, c := range v.Get("concept").Items() {
				codes[c.Get("code").Text()] = true
				collect(c)
			}
		}
		collect(r.root)
		all[r.root.Get("url").Text()] = codes
	}
	return all
})

// ownSets holds our own value sets by URL.
var ownSets = sync.OnceValue(func() map[string]*codeSet {
	all := map[string]*codeSet{}
	for _, r := range ownResources("ValueSet") {
		all[r.root.Get("url").Text()] = newCodeSet(r.root)
	}
	return all
})

// knownSet gives a value set of ours or one that R4 requires somewhere; nil when neither has it.
func knownSet(canonical string) *codeSet {
	url, _, _ := strings.Cut(canonical, "|")
	if set := ownSets()[url]; set != nil {
		return set
	}
	return baseSets()[url]
}

// baseSets holds the value sets of R4's required bindings by URL.
var baseSets = sync.OnceValue(func() map[string]*codeSet {
	all := map[string]*codeSet{}
	for i := range definitions.R4().Structures {
		d := &definitions.R4().Structures[i]
		for _, at := range tables().structures[d.Name].slots {
			if at.element.codes != nil {
				all[d.Elements[at.element.index].ValueSet] = at.element.codes
			}
		}
	}
	return all
})

// newCodeSet reads a ValueSet that lists its codes, in compose or expansion, or takes whole code
// systems of ours. What cannot be enumerated makes it open.
func newCodeSet(v *Value) *codeSet {
	url := v.Get("url").Text()
	set := &codeSet{name: url[strings.LastIndexByte(url, '/')+1:], codes: map[string]bool{}, system: map[string]map[string]bool{}}
	put := func(system, code string) {
		if set.system[system] == nil {
			set.system[system] = map[string]bool{}
		}
		set.system[system][code], set.codes[code] = true, true
	}
	var expand func(list []*Value)
	expand = func(list []*Value) {
		for _, c := range list {
			if code := c.Get("code").Text(); code != "" && c.Get("abstract").Text() != "true" {
				put(c.Get("system").Text(), code)
			}
			expand(c.Get("contains").Items())
		}
	}
	if expansion := v.Get("expansion", "contains").Items(); len(expansion) > 0 {
		expand(expansion)
		return set
	}
	for _, include := range v.Get("compose", "include").Items() {
		system := include.Get("system").Text()
		concepts := include.Get("concept").Items()
		for _, c := range concepts {
			put(system, c.Get("code").Text())
		}
		whole := ownCodes()[system]
		for code := range whole {
			if len(concepts) == 0 && include.Get("filter") == nil {
				put(system, code)
			}
		}
		if include.Get("filter") != nil || include.Get("valueSet") != nil || len(concepts) == 0 && whole == nil {
			set.open = true
		}
	}
	if v.Get("compose", "exclude") != nil || len(set.codes) == 0 {
		set.open = true
	}
	return set
}
