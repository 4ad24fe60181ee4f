package exchange

import (
	"slices"
	"strings"

	"github.com/sluse/sluse/mapping"
)

// unclassified is the label of what no rule knows.
const unclassified = "uklassifisert"

// unknownNames are the sections of package mapping that hold what neither the schemas nor the tables know.
var unknownNames = []string{"Ukjent element", "Ukjent attributt", "Tekst utenfor elementene"}

// unknownSections gives the paths of sections that are uklassifisert for what no schema knows, not for
// what their codes say: the sender is told of a fault, not of lack of samtykke. A section that is
// decided as one is among them when it would be known without what stands in the original only.
func unknownSections(in *mapping.Incoming, document []byte) []string {
	var found []string
	for _, s := range in.Sections {
		switch {
		case !slices.Contains(s.Labels, unclassified):
		case slices.Contains(unknownNames, s.Name):
			found = append(found, s.Path)
		case strings.Contains(s.Path, "/Content/") && knownWithout(document, s.Path, keptIn(in, s.Path)):
			found = append(found, s.Path)
		}
	}
	return found
}

// keptIn lists the elements of a section that became nothing in FHIR.
func keptIn(in *mapping.Incoming, section string) []string {
	var paths []string
	for _, f := range in.Report {
		element, _, _ := strings.Cut(f.Path, "/@")
		if f.Outcome == mapping.Kept && strings.HasPrefix(element, section+"/") && !slices.Contains(paths, element) {
			paths = append(paths, element)
		}
	}
	return paths
}

func knownWithout(document []byte, section string, paths []string) bool {
	if len(paths) == 0 {
		return false
	}
	less, err := mapping.Withhold(document, paths)
	if err != nil {
		return false
	}
	in, err := mapping.Read(less, func(key string) string { return key })
	if err != nil {
		return false
	}
	return slices.ContainsFunc(in.Sections, func(s mapping.Section) bool {
		return s.Path == section && !slices.Contains(s.Labels, unclassified)
	})
}
