package rest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// This file is the only one in which a body is written. What may be written is a Release, an
// OperationOutcome of issues, the CapabilityStatement, and what the admin listener tells of the
// server itself; a test reads the other files for writes.

// answer is what an interaction says back.
type answer struct {
	status    int
	release   gateway.Release
	issues    []fhir.Issue // an OperationOutcome instead of a release
	statement []byte       // the CapabilityStatement
	left      []fhir.Issue // told inside a searchset: parameters left out because the client asked for leniency
	bundle    []byte       // the answers of a batch or transaction, of their releases
	one       bool         // about one resource
	version   string
	updated   time.Time
	location  string
	header    map[string]string                       // further header fields
	media     string                                  // of the statement or the lines, when it is not the format asked for
	lines     func(func(gateway.Release) error) error // a file, part by part
}

func answerOf(out gateway.Outcome) answer {
	return answer{status: http.StatusOK, release: out.Release, version: out.Version, updated: out.Updated}
}

// respond writes the answer, or the refusal when err is not nil. Status, header fields and body
// of a refusal depend on nothing but its code, its issues and the language asked for.
func (a *api) respond(c *gin.Context, r *request, ans answer, err error) {
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	lang := language(r.http.Header)
	if err != nil {
		status, code, issues := rendered(err)
		switch code {
		case gateway.Unauthorized:
			h.Set("WWW-Authenticate", challenge(r.http.Header))
		case gateway.Unavailable:
			h.Set("Retry-After", "1")
		}
		if status == http.StatusTooManyRequests {
			h.Set("Retry-After", "60")
		}
		if status == http.StatusRequestTimeout || status == http.StatusRequestEntityTooLarge || status == http.StatusRequestHeaderFieldsTooLarge {
			h.Set("Connection", "close")
		}
		send(c, r.format, status, outcome(issues, lang))
		return
	}
	for name, value := range ans.header {
		h.Set(name, value)
	}
	if ans.version != "" {
		h.Set("ETag", `W/"`+ans.version+`"`)
	}
	if !ans.updated.IsZero() {
		h.Set("Last-Modified", ans.updated.UTC().Format(http.TimeFormat))
	}
	if ans.location != "" {
		h.Set("Location", ans.location)
	}
	switch {
	case ans.lines != nil:
		a.pour(c, r, ans)
	case ans.statement != nil:
		send(c, cmp.Or(ans.media, r.format), ans.status, ans.statement)
	case ans.bundle != nil:
		send(c, r.format, ans.status, ans.bundle)
	case len(ans.issues) > 0:
		send(c, r.format, ans.status, outcome(ans.issues, lang))
	case len(ans.left) > 0:
		body, err := withOutcome(ans.release, outcome(ans.left, lang))
		if err != nil {
			a.respond(c, r, answer{}, gateway.Failed("rest.respond", gateway.Internal, err))
			return
		}
		send(c, r.format, ans.status, body)
	case ans.release.Len() > 0:
		begin(c, r.format, ans.status, ans.release.Len())
		if _, err := ans.release.WriteTo(c.Writer); err != nil {
			note(c, r, gateway.Failed("rest.respond", gateway.Unavailable, err))
		}
	default:
		c.Status(ans.status)
		c.Writer.WriteHeaderNow()
	}
}

// pour writes lines as they are decided. What fails before the first of them is answered like anything
// else; after that the connection is cut, so that nobody takes a part for the whole.
func (a *api) pour(c *gin.Context, r *request, ans answer) {
	begun := false
	err := ans.lines(func(part gateway.Release) error {
		if !begun {
			begun = true
			c.Writer.Header().Set("Content-Type", ans.media)
			c.Status(ans.status)
			c.Writer.WriteHeaderNow()
		}
		_ = http.NewResponseController(c.Writer).SetWriteDeadline(a.Clock().Add(answerTime)) // a connection without deadlines has none
		_, err := part.WriteTo(c.Writer)
		return err
	})
	switch {
	case err != nil && !begun:
		note(c, r, err)
		a.respond(c, r, answer{}, err)
	case err != nil:
		note(c, r, gateway.Failed("rest.respond", gateway.Unavailable, err))
		panic(http.ErrAbortHandler)
	}
}

func begin(c *gin.Context, format string, status, length int) {
	h := c.Writer.Header()
	h.Set("Content-Type", format+"; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(length))
	c.Status(status)
	c.Writer.WriteHeaderNow()
}

func send(c *gin.Context, format string, status int, body []byte) {
	begin(c, format, status, len(body))
	_, _ = c.Writer.Write(body) // the client has gone: nothing is left to tell
}

// challenge says how to authenticate (RFC 6750 § 3); without credentials it names no error.
func challenge(h http.Header) string {
	if h.Get("Authorization") == "" {
		return `Bearer realm="sluse"`
	}
	return `Bearer realm="sluse", error="invalid_token"`
}

var errNoBundle = errors.New("the searchset could not be added to")

// withOutcome adds an OperationOutcome as the last entry of a searchset (R4 search.html#errors).
// Every other byte stays.
func withOutcome(release gateway.Release, told []byte) ([]byte, error) {
	var body bytes.Buffer
	if _, err := release.WriteTo(&body); err != nil {
		return nil, err
	}
	bundle, err := fhir.ParseLimits(body.Bytes(), fhir.Limits{Bytes: body.Len(), Nodes: body.Len()})
	if err != nil {
		return nil, err
	}
	entry := append(append([]byte(`{"resource":`), told...), `,"search":{"mode":"outcome"}}`...)
	before, after := "", ""
	entries := bundle.Root().Get("entry")
	_, end := entries.Span()
	switch {
	case entries == nil:
		_, end = bundle.Root().Span()
		before, after = `,"entry":[`, "]"
	case len(entries.Items()) > 0:
		before = ","
	}
	if end == 0 {
		return nil, errNoBundle
	}
	at := end - 1 // before the closing bracket of the array or of the Bundle
	out := make([]byte, 0, body.Len()+len(entry)+16)
	out = append(append(out, body.Bytes()[:at]...), before...)
	out = append(append(out, entry...), after...)
	return append(out, body.Bytes()[at:]...), nil
}

// rawRefusal turns the head that net/http wrote by itself into one with an OperationOutcome.
func rawRefusal(plain []byte) []byte {
	status := http.StatusBadRequest
	if len(plain) > len("HTTP/1.1 400") {
		if n, err := strconv.Atoi(string(plain[len("HTTP/1.1 "):len("HTTP/1.1 400")])); err == nil {
			status = n
		}
	}
	code, text := gateway.Malformed, "http.malformed"
	if status == http.StatusRequestHeaderFieldsTooLarge {
		code, text = gateway.TooLarge, "http.header-too-large"
	}
	body := outcome([]fhir.Issue{problem(code, text)}, "nb")
	return append([]byte("HTTP/1.1 "+strconv.Itoa(status)+" "+http.StatusText(status)+
		"\r\nContent-Type: "+fhirJSON+"; charset=utf-8\r\nContent-Length: "+strconv.Itoa(len(body))+
		"\r\nConnection: close\r\n\r\n"), body...)
}

// pass hands the request on to the handler that a Server was made for.
func pass(next http.Handler, w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) }

// tell writes what the admin listener says of the server: words and booleans.
func tell(w http.ResponseWriter, status int, v map[string]any) {
	body, err := json.Marshal(v)
	if err != nil { // booleans and strings always marshal
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", plainJSON)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// shaper holds an answer back that goes out in another shape than it was written in: as XML, indented,
// or packed. Everything in Sluse is written as JSON; what is not to be reshaped passes by untouched.
type shaper struct {
	gin.ResponseWriter
	c      *gin.Context
	pretty bool
	gzip   bool // the client takes it
	body   bytes.Buffer
	held   bool
}

// shape lets the answer be reshaped if the request can want it.
func (a *api) shape(c *gin.Context) {
	pretty := prettyWanted(c.Request)
	packed := takesGzip(c.Request.Header)
	if !pretty && !packed && !strings.Contains(c.Request.URL.RawQuery, "_format") && !strings.Contains(strings.Join(c.Request.Header.Values("Accept"), ","), "xml") {
		return
	}
	s := &shaper{ResponseWriter: c.Writer, c: c, pretty: pretty, gzip: packed}
	c.Writer = s
	c.Next()
	if s.held {
		c.Writer = s.ResponseWriter
		s.send()
	}
}

// WriteHeaderNow decides by the header fields: whatever needs no other shape goes out at once.
func (s *shaper) WriteHeaderNow() {
	if s.pretty || s.packs() || isXML(s.Header().Get("Content-Type")) {
		s.held = true
		return
	}
	s.c.Writer = s.ResponseWriter
	s.ResponseWriter.WriteHeaderNow()
}

// Write keeps what is to be reshaped.
func (s *shaper) Write(p []byte) (int, error) {
	s.held = true
	return s.body.Write(p)
}

// WriteString keeps what is to be reshaped.
func (s *shaper) WriteString(text string) (int, error) { return s.Write([]byte(text)) }

// Written tells whether an answer has begun.
func (s *shaper) Written() bool { return s.held || s.ResponseWriter.Written() }

// Size is that of the answer before it is reshaped.
func (s *shaper) Size() int {
	if s.held {
		return s.body.Len()
	}
	return s.ResponseWriter.Size()
}

// send gives the answer its shape. The content type is always that of the body: what cannot be
// written as XML is an error in JSON.
func (s *shaper) send() {
	h, status := s.Header(), s.Status()
	body := s.body.Bytes()
	if len(body) == 0 {
		s.ResponseWriter.WriteHeaderNow()
		return
	}
	format, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		format = fhirJSON
	}
	switch {
	case isXML(format):
		out, err := asXML(body, s.pretty)
		if err != nil {
			format, status = fhirJSON, http.StatusInternalServerError
			out = outcome([]fhir.Issue{problem(gateway.Internal, textOf[gateway.Internal])}, language(s.c.Request.Header))
		}
		body = out
	case s.pretty:
		var out bytes.Buffer
		if json.Indent(&out, body, "", "  ") == nil {
			body = out.Bytes()
		}
	}
	if s.packs() {
		if out, err := asGzip(body); err == nil {
			body = out
			h.Set("Content-Encoding", "gzip")
			h.Add("Vary", "Accept-Encoding")
		}
	}
	send(s.c, format, status, body)
}
