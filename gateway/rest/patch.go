package rest

import (
	"errors"
	"mime"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// jsonPatch is the media type of JSON Patch (RFC 6902 § 6).
const jsonPatch = "application/json-patch+json"

// amendment reads the body of a patch: JSON Patch, or a Parameters that is a FHIRPath Patch (R4
// http.html#patch).
func (a *api) amendment(r *request) (gateway.Amendment, error) {
	if name, _, err := mime.ParseMediaType(r.http.Header.Get("Content-Type")); err != nil || name != jsonPatch {
		res, err := a.resource(r)
		if err != nil {
			return nil, err
		}
		return pathPatch(res)
	}
	if err := contentIs(r.http.Header, jsonPatch); err != nil {
		return nil, err
	}
	body, err := a.body(r, maxBody)
	if err != nil {
		return nil, err
	}
	return textPatch(body)
}

func textPatch(body []byte) (gateway.Amendment, error) {
	p, err := fhir.ReadJSONPatch(body)
	if err != nil {
		return nil, unreadable(err)
	}
	return p, nil
}

func pathPatch(parameters *fhir.Resource) (gateway.Amendment, error) {
	if parameters.Type() != "Parameters" {
		return nil, fault(gateway.Malformed, "patch.parameters", string(parameters.Type()))
	}
	p, err := fhir.ReadFHIRPathPatch(parameters)
	if err != nil {
		return nil, unreadable(err)
	}
	return p, nil
}

// unreadable is a fault of the strict readers.
func unreadable(err error) error {
	var broken *fhir.Error
	if errors.As(err, &broken) {
		return gateway.Fault("rest.parse", gateway.Malformed, broken.Issues...)
	}
	return gateway.Failed("rest.parse", gateway.Malformed, err)
}
