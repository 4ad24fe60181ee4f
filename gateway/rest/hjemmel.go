package rest

import "github.com/sluse/sluse/gateway"

// planHjemmel wants the name of a legal basis, whether it is to be on, and why.
func (a *api) planHjemmel(g *given, in *gateway.Interaction) error {
	active := g.one("active")
	switch {
	case g.one("id") == "":
		return g.wrong("id", "operation.parameter-value")
	case active != "true" && active != "false":
		return g.wrong("active", "operation.parameter-value")
	}
	in.Operation.Code, in.Operation.Active, in.Operation.Reason = g.one("id"), active == "true", g.one("reason")
	return nil
}
