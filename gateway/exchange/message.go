package exchange

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// postMessageRequest is PostMessageRequest of the MSH API v2. Overrides of the ebXML envelope are
// read over: there is no envelope here.
type postMessageRequest struct {
	BusinessDocument        *string `json:"businessDocument"`
	ContentType             string  `json:"contentType"`
	ContentTransferEncoding string  `json:"contentTransferEncoding"`
	ReceiverHerIDsSubset    []int64 `json:"receiverHerIdsSubset"`
}

// postMessage takes in a business document. 201 means that it is durable.
func (a *api) postMessage(c *call) error {
	const op = "exchange.post"
	var in postMessageRequest
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if in.BusinessDocument == nil || *in.BusinessDocument == "" {
		return malformed(op, "businessDocument")
	}
	if media, _, err := mime.ParseMediaType(in.ContentType); err != nil || (media != "application/xml" && media != "text/xml") {
		return malformed(op, "contentType")
	}
	if !strings.EqualFold(in.ContentTransferEncoding, "base64") {
		return malformed(op, "contentTransferEncoding")
	}
	document, err := base64.StdEncoding.DecodeString(*in.BusinessDocument)
	if err != nil {
		return malformed(op, "businessDocument")
	}
	if len(document) > maxDocument {
		return gateway.Fault(op, gateway.TooLarge, fhir.Issue{Severity: "error", Type: "too-long", Code: "document-size"})
	}
	s := gateway.Submission{Document: document}
	if s.Whole, err = whole(c.r.Header); err != nil {
		return err
	}
	for _, id := range in.ReceiverHerIDsSubset {
		s.Only = append(s.Only, gateway.HERID(strconv.FormatInt(id, 10)))
	}
	receipt, err := a.Gateway.Receive(c.r.Context(), c.actor, s, a.translator)
	if err != nil {
		return err
	}
	created(c, receipt.ID)
	return nil
}

// partialHeader says whether a message may be delivered in part: ja, which is meant when it is not there, or nei. It is
// Sluse's own: neither the MSH API v2 nor the message has a place for it.
const partialHeader = "Sluse-Delvis"

// whole reads it.
func whole(h http.Header) (bool, error) {
	switch values := h.Values(partialHeader); {
	case len(values) == 0 || len(values) == 1 && strings.EqualFold(values[0], "ja"):
		return false, nil
	case len(values) == 1 && strings.EqualFold(values[0], undivided):
		return true, nil
	}
	return false, malformed("exchange.post", partialHeader)
}

// undivided is what is said of a message that goes whole or not at all.
const undivided = "nei"

// saidWhole reads what another gateway or a broker says of a message: whatever it is but ja, it is read as the narrower.
func saidWhole(partial string) bool { return partial != "" && !strings.EqualFold(partial, "ja") }

// postAppRecRequest is PostAppRecRequest of the MSH API v2.
type postAppRecRequest struct {
	AppRecStatus    appRecStatus  `json:"appRecStatus"`
	AppRecErrorList []appRecError `json:"appRecErrorList"`
}

// postAppRec takes the receiver's AppRec as values; the document is written here.
func (a *api) postAppRec(c *call) error {
	const op = "exchange.apprec"
	id, err := c.messageID()
	if err != nil {
		return err
	}
	receiver, err := c.herID()
	if err != nil {
		return err
	}
	var in postAppRecRequest
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if in.AppRecStatus == 0 {
		return malformed(op, "appRecStatus")
	}
	if gateway.AppRecStatus(in.AppRecStatus) != gateway.AppRecOK && len(in.AppRecErrorList) == 0 {
		return malformed(op, "appRecErrorList")
	}
	var errs []gateway.AppRecError
	for _, e := range in.AppRecErrorList {
		if e.ErrorCode == "" || len(e.ErrorCode) > 20 || fhir.ContainsNIN(e.Details) || fhir.ContainsNIN(e.ErrorCode) {
			return malformed(op, "appRecErrorList")
		}
		errs = append(errs, gateway.AppRecError{Code: e.ErrorCode, Text: e.Details})
	}
	receipt, err := a.Gateway.Acknowledge(c.r.Context(), c.actor, id, receiver, gateway.AppRecStatus(in.AppRecStatus), errs, a.translator)
	if err != nil {
		return err
	}
	created(c, receipt)
	return nil
}

// readJSON reads a body of one JSON object within the limit.
func readJSON(c *call, v any) error {
	const op = "exchange.body"
	media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || (media != "application/json" && media != "text/json" && !strings.HasSuffix(media, "+json")) {
		return gateway.Fault(op, gateway.MediaType, fhir.Issue{Severity: "error", Type: "not-supported", Code: "media-type"})
	}
	d := json.NewDecoder(c.r.Body)
	err = d.Decode(v)
	if err == nil {
		if _, end := d.Token(); end != io.EOF {
			err = errors.New("text after the object")
			var large *http.MaxBytesError
			if errors.As(end, &large) {
				err = end
			}
		}
	}
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return gateway.Fault(op, gateway.Malformed, fhir.Issue{Severity: "error", Type: "timeout", Code: "body-slow"})
	case errors.As(err, &large):
		return gateway.Fault(op, gateway.TooLarge, fhir.Issue{Severity: "error", Type: "too-long", Code: "body-size"})
	case err != nil:
		return malformed(op, "body")
	}
	return nil
}

func malformed(op, place string) error {
	return gateway.Fault(op, gateway.Malformed, fhir.Issue{Severity: "error", Type: "structure", Code: "request", Expression: place})
}

func asError(err error) (*gateway.Error, bool) {
	var e *gateway.Error
	ok := errors.As(err, &e)
	return e, ok
}

func itoa(n int) string { return strconv.Itoa(n) }
