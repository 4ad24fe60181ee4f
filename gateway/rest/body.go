package rest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/klauspost/compress/gzip"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Limits of a request (DESIGN § 5).
const (
	maxBody      = 2 << 20  // bytes of a resource or of a search form
	maxBundle    = 10 << 20 // bytes of a batch or transaction
	smallBody    = 32 << 10 // bytes that every body may take
	largeBodies  = 4        // larger ones that are read at a time
	heavyBundles = 2        // Bundles larger than a resource that are worked on at a time
	maxDrained   = 8 << 20  // bytes of a body too large that are read and thrown away
	maxHeader    = 16 << 10 // bytes of request line and header fields
	maxURL       = 8 << 10  // bytes of path and query
)

// resource reads the body as one strictly parsed resource.
func (a *api) resource(r *request) (*fhir.Resource, error) { return a.parsed(r, maxBody) }

// parsed reads a body of at most limit bytes, in JSON or XML, as one strictly parsed resource. What
// comes as XML is kept as the JSON that it means.
func (a *api) parsed(r *request, limit int64) (*fhir.Resource, error) {
	if err := contentIs(r.http.Header, fhirJSON, plainJSON, fhirXML, plainXML, textXML); err != nil {
		return nil, err
	}
	body, err := a.body(r, limit)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return nil, fault(gateway.Malformed, "http.body-empty")
	}
	read := fhir.ParseLimits
	if isXML(r.http.Header.Get("Content-Type")) {
		read = fhir.ParseXML
	}
	res, err := read(body, fhir.Limits{Bytes: int(limit)})
	if err != nil {
		return nil, unreadable(err)
	}
	return res, nil
}

// drain throws away what a client is still sending, within limits of size and pace: one that sends
// everything before it reads would otherwise see a broken connection instead of the answer.
func drain(r *request) { _, _ = io.CopyN(io.Discard, r.http.Body, maxDrained) }

// body reads the whole body, unpacked, within the limit. What declares too much is thrown away; what
// is large waits for one of a few places, so that many large bodies at once do not fill the memory.
func (a *api) body(r *request, limit int64) ([]byte, error) {
	packed := isPacked(r.http.Header)
	if r.http.ContentLength > limit {
		drain(r)
		return nil, tooLarge(limit)
	}
	length := r.http.ContentLength
	if length < 0 {
		length = limit
	}
	var buf bytes.Buffer
	buf.Grow(int(min(length, smallBody)) + bytes.MinRead)
	body := http.MaxBytesReader(r.writer, r.http.Body, limit)
	_, err := io.CopyN(&buf, body, smallBody)
	if err == nil || packed && errors.Is(err, io.EOF) {
		select {
		case a.large <- struct{}{}:
			defer func() { <-a.large }()
		case <-r.ctx.Done():
			return nil, gateway.Failed("rest.body", gateway.Unavailable, r.ctx.Err())
		}
	}
	if err == nil {
		buf.Grow(int(max(length-smallBody, 0)) + bytes.MinRead) // once: growing by doubling costs twice
		_, err = buf.ReadFrom(body)
	}
	var over *http.MaxBytesError
	switch {
	case err == nil, errors.Is(err, io.EOF):
	case errors.As(err, &over):
		drain(r)
		return nil, tooLarge(limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refuse(http.StatusRequestTimeout, gateway.Malformed, "http.body-slow")
	default:
		return nil, fault(gateway.Malformed, "http.body-broken")
	}
	if packed {
		return unpacked(buf.Bytes(), limit)
	}
	return buf.Bytes(), nil
}

// unpacked inflates a body, and stops at the limit: what a few bytes may become is not theirs to say.
func unpacked(body []byte, limit int64) ([]byte, error) {
	packed, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fault(gateway.Malformed, "http.gzip-broken", "http.Content-Encoding")
	}
	var buf bytes.Buffer
	n, err := buf.ReadFrom(io.LimitReader(packed, limit+1))
	switch {
	case n > limit:
		return nil, tooLarge(limit)
	case err != nil:
		return nil, fault(gateway.Malformed, "http.gzip-broken", "http.Content-Encoding")
	}
	return buf.Bytes(), nil
}

func tooLarge(limit int64) error {
	if limit > maxBody {
		return fault(gateway.TooLarge, "http.bundle-too-large")
	}
	return fault(gateway.TooLarge, "http.body-too-large")
}
