package mapping

import "slices"

// Kinds are the message types (kodeverk 8279) that the tables know, in alphabetical order; APPREC is none of them.
func Kinds() []Kind {
	var list []Kind
	for _, m := range theTable().messages {
		if !slices.Contains(list, m.kind) {
			list = append(list, m.kind)
		}
	}
	slices.Sort(list)
	return list
}
