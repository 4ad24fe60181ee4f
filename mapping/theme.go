package mapping

import (
	"maps"
	"slices"
	"strings"
)

// Theme is a code of a Norwegian code list, with its FHIR system.
type Theme struct{ System, Code string }

// Themes are all codes by which a message, or a part of one, says in Communication.topic or Communication.category what its
// words are about: whoever labels those words must know each of them. In order.
func Themes() []Theme {
	t := theTable()
	lists := map[string]bool{}
	for _, c := range t.classes {
		for _, f := range c.fields {
			for _, g := range f.targets {
				if strings.HasPrefix(g.name, "topic") {
					for _, list := range f.lists {
						lists[list] = true
					}
				}
			}
		}
	}
	var all []Theme
	for _, list := range slices.Sorted(maps.Keys(lists)) {
		for _, code := range slices.Sorted(maps.Keys(t.codes[list])) {
			all = append(all, Theme{"urn:oid:" + volven + list, code})
		}
	}
	for _, kind := range Kinds() {
		all = append(all, Theme{kindSystem, string(kind)})
	}
	return all
}
