package rest

import (
	"bytes"
	"errors"
	"net/http"
	"os"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Limits of a request (DESIGN § 5).
const (
	maxBody   = 2 << 20  // bytes of a resource or of a search form
	maxHeader = 16 << 10 // bytes of request line and header fields
	maxURL    = 8 << 10  // bytes of path and query
)

// resource reads the body as one strictly parsed resource.
func (a *api) resource(r *request) (*fhir.Resource, error) {
	if err := contentIs(r.http.Header, fhirJSON, plainJSON); err != nil {
		return nil, err
	}
	body, err := r.body()
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return nil, fault(gateway.Malformed, "http.body-empty")
	}
	res, err := fhir.Parse(body)
	if err != nil {
		var broken *fhir.Error
		if errors.As(err, &broken) {
			return nil, gateway.Fault("rest.parse", gateway.Malformed, broken.Issues...)
		}
		return nil, gateway.Failed("rest.parse", gateway.Malformed, err)
	}
	return res, nil
}

// body reads the whole body within the limit. What declares too much is refused unread.
func (r *request) body() ([]byte, error) {
	if r.http.ContentLength > maxBody {
		return nil, fault(gateway.TooLarge, "http.body-too-large")
	}
	var buf bytes.Buffer
	buf.Grow(int(min(max(r.http.ContentLength, 512), 64<<10)))
	_, err := buf.ReadFrom(http.MaxBytesReader(r.writer, r.http.Body, maxBody))
	var over *http.MaxBytesError
	switch {
	case err == nil:
		return buf.Bytes(), nil
	case errors.As(err, &over):
		return nil, fault(gateway.TooLarge, "http.body-too-large")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refuse(http.StatusRequestTimeout, gateway.Malformed, "http.body-slow")
	default:
		return nil, fault(gateway.Malformed, "http.body-broken")
	}
}
