package exchange

import (
	"strings"

	"github.com/sluse/sluse/gateway"
)

// maxInstead is how many addresses an AppRec names that take what another does not.
const maxInstead = 3

// instead tells a sender where a message goes that the address does not take.
func instead(list []gateway.Addressee) string {
	if len(list) == 0 {
		return " Ingen adresse hos mottakeren gjør det."
	}
	var names []string
	for _, a := range list[:min(len(list), maxInstead)] {
		name := string(a.HERID)
		if a.Name != "" {
			name += " (" + a.Name + ")"
		}
		names = append(names, name)
	}
	return " Send til " + strings.Join(names, " eller ") + "."
}
