package gateway

import (
	"context"
	"errors"
	"slices"

	"github.com/sluse/sluse/gateway/fhir"
)

// Amendment is a patch that has been read: JSON Patch (RFC 6902) or FHIRPath Patch (R4
// fhirpatch.html). Apply gives the changed bytes; an error means that it does not fit the resource
// (R4 http.html#patch: 422).
type Amendment interface {
	Apply(*fhir.Resource) ([]byte, error)
}

// amend changes an own record as it is now. What comes of it is checked, labelled and kept as if it
// had been sent whole.
func (g *Gateway) amend(ctx context.Context, tx Tx, s step) (Outcome, error) {
	const op = "gateway.patch"
	current, err := g.writable(ctx, tx, s)
	if err != nil {
		return Outcome{}, err
	}
	stored, err := fhir.ParseLimits(current.Body, storedLimits)
	if err != nil {
		return Outcome{}, Failed(op, Internal, err)
	}
	body, err := s.in.Patch.Apply(stored)
	if err != nil {
		return Outcome{}, contentFault(op, err)
	}
	res, err := fhir.Parse(body)
	if err != nil {
		return Outcome{}, contentFault(op, err)
	}
	if res.Type() != stored.Type() || res.ID() != stored.ID() {
		return Outcome{}, Fault(op, Invalid, fhir.Issue{
			Severity: "error", Type: "business-rule", Code: "patch.identity", Expression: string(stored.Type()) + ".id",
		})
	}
	if s.in.Body, err = unstamped(res, current); err != nil {
		return Outcome{}, err
	}
	w, err := g.prepared(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	return g.keepVersion(ctx, tx, s, w, current, false)
}

// unstamped takes out of a patched body the labels that the server itself had put there by rule, so
// that they do not count as named by the custodian. What the patch names stays, also when it is a
// label that was there already.
func unstamped(res *fhir.Resource, current Record) (*fhir.Resource, error) {
	if IsDirectory(res.Type()) {
		return res, nil
	}
	byRule := (current.Labels &^ current.Added).Codes()
	e, changed := res.Edit(), false
	for _, c := range res.Root().Get("meta", "security").Items() {
		if c.Get("system").Text() != LabelSystem {
			continue
		}
		if at := slices.Index(byRule, c.Get("code").Text()); at >= 0 {
			byRule = slices.Delete(byRule, at, at+1)
			e.Remove(c)
			changed = true
		}
	}
	if !changed {
		return res, nil
	}
	body, err := e.Bytes()
	if err != nil {
		return nil, Failed("gateway.patch", Internal, err)
	}
	plain, err := fhir.Parse(body)
	if err != nil {
		return nil, Failed("gateway.patch", Internal, err)
	}
	return plain, nil
}

// contentFault is an error of package fhir about content that could be read.
func contentFault(op string, err error) error {
	var broken *fhir.Error
	if errors.As(err, &broken) {
		return Fault(op, Invalid, broken.Issues...)
	}
	return Failed(op, Invalid, err)
}
