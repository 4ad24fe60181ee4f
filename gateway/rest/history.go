package rest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// parseWindow reads the parameters of a history (R4 http.html#history): _since and _at, each an instant
// or a date of any precision, _count and _page, each at most once.
func (a *api) parseWindow(in *gateway.Interaction, query string) error {
	params, err := split(nil, query, true)
	if err != nil {
		return err
	}
	in.Search = gateway.Search{Count: defaultCount, Base: a.Base}
	if in.Code == gateway.HistorySystem {
		in.Window.Types = withHistory()
	}
	var (
		issues []fhir.Issue
		canon  []string
		seen   = make(map[string]bool)
	)
	for _, one := range params {
		var text string
		switch {
		case one.modifier != "":
			text = "search.modifier-unknown"
		case seen[one.name]:
			text = "search.repeated"
		default:
			text = window(in, one)
		}
		seen[one.name] = true
		if text != "" {
			issues = append(issues, one.issue(text))
			continue
		}
		if one.name == "_since" || one.name == "_at" {
			canon = append(canon, one.name+"="+escapeQuery(one.value))
		}
	}
	if len(issues) > 0 {
		return gateway.Fault("rest.history", gateway.BadQuery, issues...)
	}
	slices.Sort(canon)
	path := "_history"
	switch in.Code {
	case gateway.History:
		path = in.Target.String() + "/_history"
	case gateway.HistoryType:
		path = string(in.Target.Type) + "/_history"
	}
	in.Search.Canonical = path + "?" + strings.Join(canon, "&")
	in.Search.Self = a.Base + "/" + path + "?" + strings.Join(append(canon, "_count="+strconv.Itoa(in.Search.Count)), "&")
	return nil
}

// window reads one parameter, and gives the text that says what is wrong with it.
func window(in *gateway.Interaction, one parameter) string {
	switch one.name {
	case "_count":
		n, err := strconv.Atoi(one.value)
		if err != nil || n < 1 {
			return "search.count"
		}
		in.Search.Count = min(n, maxCount)
	case "_page":
		if !pageToken(one.value) {
			return "page-unknown"
		}
		in.Search.Page = one.value
	case "_since", "_at":
		low, high, err := fhir.ParseDate(one.value)
		if err != nil {
			return "search.date"
		}
		if one.name == "_since" {
			in.Window.Since = low
		} else {
			in.Window.Low, in.Window.High = low, high
		}
	default:
		return "search.parameter-unknown"
	}
	return ""
}
