package rest

import (
	"net/http"

	"github.com/sluse/sluse/gateway"
)

// metadata tells what the server can do (R4 http.html#capabilities). It needs no token.
func (a *api) metadata(r *request) (answer, error) {
	params, err := a.parameters(r, false)
	if err != nil {
		return answer{}, err
	}
	for _, p := range params {
		if p.name != "mode" || p.value != "full" {
			return answer{}, fault(gateway.BadQuery, "search.parameter-unknown", p.expression())
		}
	}
	return answer{status: http.StatusOK, statement: a.statement}, nil
}

func (a *api) read(r *request) (answer, error) { return a.get(r, gateway.Read) }

func (a *api) vread(r *request) (answer, error) { return a.get(r, gateway.VRead) }

// get reads one record; what the client has already it gets as 304 without content (R4
// http.html#cread). Hidden is absent before anything is compared.
func (a *api) get(r *request, code gateway.InteractionCode) (answer, error) {
	p, err := a.plan(r.call(code))
	if err != nil {
		return answer{}, err
	}
	out, err := a.interact(r, p.in)
	if err != nil {
		return answer{}, err
	}
	return p.answer(out, a.Base), nil
}

func (a *api) create(r *request) (answer, error) { return a.store(r, gateway.Create) }

// update stores a new version. Without If-Match the newest write wins, as R4 allows.
func (a *api) update(r *request) (answer, error) { return a.store(r, gateway.Update) }

func (a *api) store(r *request, code gateway.InteractionCode) (answer, error) {
	p, err := a.plan(r.call(code))
	if err != nil {
		return answer{}, err
	}
	body, err := a.resource(r)
	if err != nil {
		return answer{}, err
	}
	if err := p.holds(body); err != nil {
		return answer{}, err
	}
	out, err := a.interact(r, p.in)
	if err != nil {
		return answer{}, err
	}
	return p.answer(out, a.Base), nil
}

// patch changes a record as it is now (R4 http.html#patch).
func (a *api) patch(r *request) (answer, error) {
	p, err := a.plan(r.call(gateway.Patch))
	if err != nil {
		return answer{}, err
	}
	if p.in.Patch, err = a.amendment(r); err != nil {
		return answer{}, err
	}
	out, err := a.interact(r, p.in)
	if err != nil {
		return answer{}, err
	}
	return p.answer(out, a.Base), nil
}

func (a *api) delete(r *request) (answer, error) {
	p, err := a.plan(r.call(gateway.Delete))
	if err != nil {
		return answer{}, err
	}
	out, err := a.interact(r, p.in)
	if err != nil {
		return answer{}, err
	}
	return p.answer(out, a.Base), nil
}

// history lists the versions of a record, of a type or of all types.
func (a *api) history(r *request) (answer, error) {
	code := gateway.History
	switch {
	case r.target.Type == "":
		code = gateway.HistorySystem
	case r.target.ID == "":
		code = gateway.HistoryType
	}
	p, err := a.plan(r.call(code))
	if err != nil {
		return answer{}, err
	}
	out, err := a.interact(r, p.in)
	return answerOf(out), err
}

// search finds records of one type. Parameters of the URL and of the body are joined; national
// identifiers are taken from the body only.
func (a *api) search(r *request) (answer, error) { return a.find(r, r.call(gateway.Find)) }

// searchSystem finds resources of the types in _type.
func (a *api) searchSystem(r *request) (answer, error) { return a.find(r, r.call(gateway.FindSystem)) }

// searchWithin finds what is in the compartment of a Patient.
func (a *api) searchWithin(r *request) (answer, error) {
	c := r.call(gateway.Find)
	c.within = r.within
	return a.find(r, c)
}

func (a *api) find(r *request, c call) (answer, error) {
	if r.http.Method == http.MethodPost {
		params, err := a.parameters(r, true)
		if err != nil {
			return answer{}, err
		}
		c.params = append([]parameter{}, params...)
	}
	p, err := a.plan(c)
	if err != nil {
		return answer{}, err
	}
	out, err := a.interact(r, p.in)
	ans := answerOf(out)
	ans.left = p.left
	return ans, err
}

// interact does one interaction for the requester, in the language that was asked for.
func (a *api) interact(r *request, in gateway.Interaction) (gateway.Outcome, error) {
	in.Search.English = r.english()
	out, err := a.Gateway.Do(r.ctx, r.actor, in)
	r.bare = r.bare || err != nil || out.Bare
	return out, err
}

func (r *request) english() bool { return language(r.http.Header) == "en" }
