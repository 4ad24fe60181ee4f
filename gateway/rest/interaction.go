package rest

import (
	"net/http"
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
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

func (a *api) get(r *request, code gateway.InteractionCode) (answer, error) {
	if err := a.noParameters(r); err != nil {
		return answer{}, err
	}
	out, err := a.Gateway.Do(r.ctx, r.actor, gateway.Interaction{Code: code, Target: r.target})
	if err != nil {
		return answer{}, err
	}
	ans := answerOf(out)
	if none := r.http.Header.Get("If-None-Match"); none != "" && namesVersion(none, out.Version) {
		ans.status, ans.release = http.StatusNotModified, gateway.Release{}
	}
	return ans, nil
}

// create stores a new record. If-None-Exist is refused, since to overlook it would make a second
// record where the client wanted one.
func (a *api) create(r *request) (answer, error) {
	if r.http.Header.Get("If-None-Exist") != "" {
		return answer{}, refuse(http.StatusPreconditionFailed, gateway.NotSupported, "http.if-none-exist")
	}
	return a.store(r, gateway.Create)
}

// update stores a new version. Without If-Match the newest write wins, as R4 allows.
func (a *api) update(r *request) (answer, error) { return a.store(r, gateway.Update) }

func (a *api) store(r *request, code gateway.InteractionCode) (answer, error) {
	if err := a.noParameters(r); err != nil {
		return answer{}, err
	}
	match, err := versionDemanded(r.http.Header)
	if err != nil {
		return answer{}, err
	}
	if code == gateway.Create && match != "" {
		return answer{}, fault(gateway.Malformed, "http.if-match", "http.If-Match")
	}
	body, err := a.resource(r)
	if err != nil {
		return answer{}, err
	}
	if body.Type() != r.target.Type {
		return answer{}, fault(gateway.Malformed, "http.type-differs", string(body.Type()))
	}
	if code == gateway.Update && body.ID() != r.target.ID {
		return answer{}, fault(gateway.Malformed, "http.id-differs", string(body.Type())+".id")
	}
	out, err := a.Gateway.Do(r.ctx, r.actor, gateway.Interaction{
		Code: code, Target: r.target, Body: body, IfMatch: match,
	})
	if err != nil {
		return answer{}, err
	}
	ans := answerOf(out)
	ans.location = a.Base + "/" + out.Location.String()
	if out.Created {
		ans.status = http.StatusCreated
	}
	switch r.prefer.answer {
	case "minimal":
		ans.release = gateway.Release{}
	case "OperationOutcome":
		ans.release = gateway.Release{}
		ans.issues = []fhir.Issue{{Severity: "information", Type: "informational", Code: "saved"}}
	}
	return ans, nil
}

func (a *api) delete(r *request) (answer, error) {
	if err := a.noParameters(r); err != nil {
		return answer{}, err
	}
	match, err := versionDemanded(r.http.Header)
	if err != nil {
		return answer{}, err
	}
	_, err = a.Gateway.Do(r.ctx, r.actor, gateway.Interaction{Code: gateway.Delete, Target: r.target, IfMatch: match})
	return answer{status: http.StatusNoContent}, err
}

func (a *api) history(r *request) (answer, error) {
	params, err := a.parameters(r, false)
	if err != nil {
		return answer{}, err
	}
	s, err := a.parseHistory(r.target, params)
	if err != nil {
		return answer{}, err
	}
	out, err := a.Gateway.Do(r.ctx, r.actor, gateway.Interaction{Code: gateway.History, Target: r.target, Search: s})
	return answerOf(out), err
}

// search finds records of one type. Parameters of the URL and of the body are joined; national
// identifiers are taken from the body only.
func (a *api) search(r *request) (answer, error) {
	params, err := a.parameters(r, r.http.Method == http.MethodPost)
	if err != nil {
		return answer{}, err
	}
	s, left, err := a.parseSearch(r.target.Type, params, r.prefer.lenient)
	if err != nil {
		return answer{}, err
	}
	out, err := a.Gateway.Do(r.ctx, r.actor, gateway.Interaction{Code: gateway.Find, Target: r.target, Search: s})
	ans := answerOf(out)
	ans.left = left
	return ans, err
}

// versionDemanded reads If-Match: one version in the form W/"v" that the server gives, or "v". A
// list or "*" names no version and is refused. If-None-Match on a write is no part of R4.
func versionDemanded(h http.Header) (string, error) {
	if h.Get("If-None-Match") != "" {
		return "", fault(gateway.NotSupported, "http.if-none-match", "http.If-None-Match")
	}
	values := h.Values("If-Match")
	if len(values) == 0 {
		return "", nil
	}
	v, ok := entityTag(values[0])
	if len(values) > 1 || !ok {
		return "", fault(gateway.Malformed, "http.if-match", "http.If-Match")
	}
	return v, nil
}

// entityTag reads one entity tag whose content can be a version (RFC 9110 § 8.8.3).
func entityTag(s string) (string, bool) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "W/")
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	v := s[1 : len(s)-1]
	return v, fhir.ID(v).Valid()
}

// namesVersion tells whether an If-None-Match names the version.
func namesVersion(header, version string) bool {
	for _, one := range strings.Split(header, ",") {
		if v, ok := entityTag(one); ok && v == version {
			return true
		}
	}
	return false
}
