package rest

import (
	"strconv"

	"github.com/sluse/sluse/gateway"
)

// planDisclosures reads which page of the registry is asked for.
func (a *api) planDisclosures(g *given, in *gateway.Interaction) error {
	if err := g.paged(in); err != nil {
		return err
	}
	in.Search.Self += "?_count=" + strconv.Itoa(in.Search.Count)
	return nil
}

// paged reads how much of an answer of pages is asked for, and which page.
func (g *given) paged(in *gateway.Interaction) error {
	if text := g.one("_count"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return g.wrong("_count", "search.count")
		}
		in.Search.Count = min(n, maxCount)
	}
	if in.Search.Page = g.one("_page"); in.Search.Page != "" && !pageToken(in.Search.Page) {
		return g.wrong("_page", "page-unknown")
	}
	return nil
}
