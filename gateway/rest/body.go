package rest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Limits of a request (DESIGN § 5).
const (
	maxBody     = 2 << 20  // bytes of a resource or of a search form
	smallBody   = 32 << 10 // bytes that every body may take
	largeBodies = 4        // larger ones that are read at a time
	maxDrained  = 8 << 20  // bytes of a body too large that are read and thrown away
	maxHeader   = 16 << 10 // bytes of request line and header fields
	maxURL      = 8 << 10  // bytes of path and query
)

// resource reads the body as one strictly parsed resource.
func (a *api) resource(r *request) (*fhir.Resource, error) {
	if err := contentIs(r.http.Header, fhirJSON, plainJSON); err != nil {
		return nil, err
	}
	body, err := a.body(r)
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

// drain throws away what a client is still sending, within limits of size and pace: one that sends
// everything before it reads would otherwise see a broken connection instead of the answer.
func drain(r *request) { _, _ = io.CopyN(io.Discard, r.http.Body, maxDrained) }

// body reads the whole body within the limit. What declares too much is thrown away; what is
// large waits for one of a few places, so that many large bodies at once do not fill the memory.
func (a *api) body(r *request) ([]byte, error) {
	if r.http.ContentLength > maxBody {
		drain(r)
		return nil, fault(gateway.TooLarge, "http.body-too-large")
	}
	length := r.http.ContentLength
	if length < 0 {
		length = maxBody
	}
	var buf bytes.Buffer
	buf.Grow(int(min(length, smallBody)) + bytes.MinRead)
	body := http.MaxBytesReader(r.writer, r.http.Body, maxBody)
	_, err := io.CopyN(&buf, body, smallBody)
	if err == nil {
		select {
		case a.large <- struct{}{}:
			defer func() { <-a.large }()
		case <-r.ctx.Done():
			return nil, gateway.Failed("rest.body", gateway.Unavailable, r.ctx.Err())
		}
		buf.Grow(int(max(length-smallBody, 0)) + bytes.MinRead) // once: growing by doubling costs twice
		_, err = buf.ReadFrom(body)
	}
	var over *http.MaxBytesError
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return buf.Bytes(), nil
	case errors.As(err, &over):
		drain(r)
		return nil, fault(gateway.TooLarge, "http.body-too-large")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refuse(http.StatusRequestTimeout, gateway.Malformed, "http.body-slow")
	default:
		return nil, fault(gateway.Malformed, "http.body-broken")
	}
}
