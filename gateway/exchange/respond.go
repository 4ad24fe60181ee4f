package exchange

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// errorMessage is ErrorMessage of the MSH API v2.
type errorMessage struct {
	Error            string   `json:"error"`
	ErrorCode        int      `json:"errorCode"`
	ValidationErrors []string `json:"validationErrors,omitempty"`
	RequestID        string   `json:"requestId"`
}

// failure is how a Code is told by the message API.
type failure struct {
	status int
	code   int // ErrorMessage.errorCode, ours
	text   string
}

var failures = map[gateway.Code]failure{
	gateway.Malformed:    {http.StatusBadRequest, 1000, "Forespørselen kan ikke leses."},
	gateway.Invalid:      {http.StatusBadRequest, 1001, "Innholdet er ikke gyldig."},
	gateway.BadQuery:     {http.StatusBadRequest, 1002, "En parameter er ukjent eller har feil form."},
	gateway.NotSupported: {http.StatusBadRequest, 1003, "Dokumentet er ikke en melding som kan tas imot."},
	gateway.Unauthorized: {http.StatusUnauthorized, 1004, "Gyldig token mangler."},
	gateway.Forbidden:    {http.StatusForbidden, 1005, "HER-id eller handling hører ikke til virksomheten i tokenet."},
	gateway.NotFound:     {http.StatusNotFound, 1006, "Finnes ikke, eller er ikke delt med deg."},
	gateway.Gone:         {http.StatusNotFound, 1006, "Finnes ikke, eller er ikke delt med deg."},
	gateway.Conflict:     {http.StatusConflict, 1007, "Forespørselen strider mot noe som er mottatt før."},
	gateway.Precondition: {http.StatusPreconditionFailed, 1008, "Versjonen er ikke den gjeldende."},
	gateway.TooLarge:     {http.StatusRequestEntityTooLarge, 1009, "Forespørselen er større enn tillatt."},
	gateway.MediaType:    {http.StatusUnsupportedMediaType, 1010, "Innholdstypen er ikke støttet."},
	gateway.TooCostly:    {http.StatusBadRequest, 1011, "Forespørselen krever mer arbeid enn tillatt."},
	gateway.Unavailable:  {http.StatusServiceUnavailable, 1012, "Tjenesten er ikke tilgjengelig nå."},
	gateway.Internal:     {http.StatusInternalServerError, 1013, "Intern feil."},
}

// wire are the faults of HTTP itself that have a status of their own.
var wire = map[string]failure{
	"body-slow": {http.StatusRequestTimeout, 1014, "Innholdet kom for sakte."},
	"method":    {http.StatusMethodNotAllowed, 1015, "Metoden er ikke tillatt her."},
}

// fail answers with the ErrorMessage of an error. It tells codes and places, never content.
func fail(c *call, err error) {
	f, ok := failures[gateway.CodeOf(err)]
	if !ok {
		f = failures[gateway.Internal]
	}
	found := issues(err)
	for _, i := range found {
		if s, ok := wire[i.Code]; ok {
			f = s
		}
	}
	m := errorMessage{Error: f.text, ErrorCode: f.code, RequestID: c.request}
	for _, i := range found {
		m.ValidationErrors = append(m.ValidationErrors, explained(i, f.text))
	}
	if f.status == http.StatusUnauthorized {
		c.w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if f.status == http.StatusServiceUnavailable {
		c.w.Header().Set("Retry-After", "2")
	}
	respond(c, f.status, m)
}

// issues gives what the caller may learn of an error.
func issues(err error) []fhir.Issue {
	if e, ok := asError(err); ok && e.Code != gateway.NotFound && e.Code != gateway.Internal && e.Code != gateway.Unavailable {
		return e.Issues
	}
	return nil
}

// respond writes values that hold no health information.
func respond(c *call, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"requestId":"`+c.request+`"}`)
	}
	header(c, len(body)+1)
	c.w.WriteHeader(status)
	_, _ = c.w.Write(append(body, '\n')) // a client that is gone gets no answer
}

// created answers with the id of what was taken in.
func created(c *call, id gateway.MessageID) {
	c.w.Header().Set("Location", "/edi/Messages/"+string(id))
	respond(c, http.StatusCreated, id)
}

// nothing answers that it is done.
func nothing(c *call) { c.w.WriteHeader(http.StatusNoContent) }

// release writes a document that the Gateway has released: the one way bytes of a message leave.
func release(c *call, r gateway.Release) {
	const before, after = `{"businessDocument":"`, `","contentType":"application/xml","contentTransferEncoding":"base64"}`
	header(c, len(before)+base64.StdEncoding.EncodedLen(r.Len())+len(after))
	if r.Whole() {
		c.w.Header().Set(partialHeader, undivided)
	}
	c.w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(c.w, before)
	e := base64.NewEncoder(base64.StdEncoding, c.w)
	_, _ = r.WriteTo(e)
	_ = e.Close()
	_, _ = io.WriteString(c.w, after)
}

func header(c *call, length int) {
	h := c.w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", itoa(length))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// requestID names a request in answers and logs; it tells nothing.
func requestID(random io.Reader) string {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "-"
	}
	return hex.EncodeToString(b[:])
}

func unescaped(query string) string {
	s, err := url.QueryUnescape(query)
	if err != nil {
		return query
	}
	return s
}
