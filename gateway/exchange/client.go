package exchange

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway"
)

// ClientConfig wires a Client. Base and Authorize are required.
type ClientConfig struct {
	Base      string                                        // absolute address above /Messages: that of NHN's service, or of another Sluse with /edi
	Authorize func(r *http.Request, as gateway.HERID) error // sets the token, and its proof, of the party with that HER-id
	Mailboxes []gateway.HERID                               // our HER-ids whose mailboxes lie there
	Source    string                                        // header nhn-source-system; "Sluse" when empty
	HTTP      *http.Client                                  // nil: one that follows no redirect and waits a minute
}

// Client is a Transport by a message service in the shape of NHN's MSH API v2: it hands in what is for
// parties that the service reaches, and fetches what lies there for ours.
type Client struct{ ClientConfig }

var _ Transport = (*Client)(nil)

// NewClient checks the wiring.
func NewClient(c ClientConfig) (*Client, error) {
	u, err := url.Parse(c.Base)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.RawQuery != "" {
		return nil, errors.New("exchange: the base of a message service must be absolute")
	}
	if c.Authorize == nil {
		return nil, errors.New("exchange: missing configuration: Authorize")
	}
	for _, id := range c.Mailboxes {
		if !herForm.MatchString(string(id)) {
			return nil, errors.New("exchange: a mailbox is not a HER-id")
		}
	}
	c.Base = strings.TrimSuffix(c.Base, "/")
	if c.Source == "" {
		c.Source = "Sluse"
	}
	if c.HTTP == nil {
		c.HTTP = &http.Client{
			Timeout:       time.Minute,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &Client{c}, nil
}

// Send posts the document, or the AppRec to the message that it answers.
func (c *Client) Send(ctx context.Context, p gateway.Parcel) (reference string, err error) {
	const op = "exchange.client.send"
	var document bytes.Buffer
	if _, err := p.Document.WriteTo(&document); err != nil {
		return "", gateway.Failed(op, gateway.Internal, err)
	}
	if p.AppRec() && guid.MatchString(p.Answers) {
		return c.answer(ctx, p, document.Bytes())
	}
	receiver, err := strconv.ParseInt(string(p.Receiver), 10, 64)
	if err != nil {
		return "", gateway.Failed(op, gateway.Internal, err)
	}
	text := base64.StdEncoding.EncodeToString(document.Bytes())
	in := postMessageRequest{
		BusinessDocument: &text, ContentType: "application/xml", ContentTransferEncoding: "base64", ReceiverHerIDsSubset: []int64{receiver},
	}
	_, err = c.ask(ctx, p.Sender, http.MethodPost, "/Messages", p.Whole, in, &reference)
	return reference, err
}

// answer posts an AppRec as values: the service writes the document.
func (c *Client) answer(ctx context.Context, p gateway.Parcel, document []byte) (reference string, err error) {
	a, err := Translator{}.ReadAppRec(document)
	if err != nil {
		return "", gateway.Failed("exchange.client.answer", gateway.Internal, err)
	}
	return c.receipt(ctx, p.Answers, p.Sender, a.Status, a.Errors)
}

func (c *Client) receipt(ctx context.Context, id string, from gateway.HERID, status gateway.AppRecStatus, errs []gateway.AppRecError) (reference string, err error) {
	in := postAppRecRequest{AppRecStatus: appRecStatus(status), AppRecErrorList: []appRecError{}}
	for _, e := range errs {
		in.AppRecErrorList = append(in.AppRecErrorList, appRecError{ErrorCode: e.Code, Details: e.Text})
	}
	err = c.call(ctx, from, http.MethodPost, "/Messages/"+id+"/apprec/"+string(from), in, &reference)
	if gateway.CodeOf(err) == gateway.NotFound && err != nil { // the service no longer has what it answers
		err = gateway.Failed("exchange.client.answer", gateway.Invalid, err)
	}
	return reference, err
}

// fetched is how many messages one look at a mailbox lists: the most that the API gives.
const fetched = 100

// Receive empties our mailboxes there, oldest first. What may not be taken in is answered by a negative
// AppRec, what cannot be fetched is left.
func (c *Client) Receive(ctx context.Context, take func(context.Context, gateway.Arrival) error) error {
	var failed []error
	for _, mine := range c.Mailboxes {
		for {
			var list []message
			err := c.call(ctx, mine, http.MethodGet,
				"/Messages?IncludeMetadata=true&OrderBy=Ascending&MessagesToFetch="+itoa(fetched)+"&ReceiverHerIds="+string(mine), nil, &list)
			if err != nil {
				failed = append(failed, err)
				break
			}
			left := 0
			for _, m := range list {
				if err := c.fetch(ctx, mine, m, take); err != nil {
					failed = append(failed, err)
					left++
				}
			}
			if len(list) < fetched || left > 0 || ctx.Err() != nil {
				break
			}
		}
	}
	return errors.Join(failed...)
}

// fetch takes in one message and marks it as read after that.
func (c *Client) fetch(ctx context.Context, mine gateway.HERID, m message, take func(context.Context, gateway.Arrival) error) error {
	const op = "exchange.client.fetch"
	id := string(m.ID)
	if !guid.MatchString(id) {
		return gateway.Failed(op, gateway.Internal, errAnswer)
	}
	var document businessDocument
	partial, err := c.ask(ctx, mine, http.MethodGet, "/Messages/"+id+"/business-document", false, nil, &document)
	if gateway.CodeOf(err) == gateway.NotFound && err != nil {
		return nil // it may not be had any more
	}
	if err != nil {
		return err
	}
	err = take(ctx, gateway.Arrival{
		Document: document.bytes, Sender: gateway.HERID(m.SenderHerID), Reference: id, Whole: saidWhole(partial),
	})
	switch {
	case refused(err):
		if m.IsAppRec == nil || !*m.IsAppRec { // an AppRec is never answered by one (HIS 80415)
			status, e := refusal(err)
			if _, err := c.receipt(ctx, id, mine, status, []gateway.AppRecError{e}); err != nil && !refused(err) {
				return err
			}
		}
	case err != nil:
		return err
	}
	return c.call(ctx, mine, http.MethodPut, "/Messages/"+id+"/read/"+string(mine), nil, nil)
}

// refusal is the AppRec for a document that is not taken in. Who may not send says nothing of samtykke.
func refusal(err error) (gateway.AppRecStatus, gateway.AppRecError) {
	code := gateway.CodeOf(err)
	if code == gateway.Forbidden {
		code = gateway.Conflict
	}
	return AppRecOf(code)
}

// businessDocument is GetBusinessDocumentResponse of the MSH API v2.
type businessDocument struct{ bytes []byte }

// UnmarshalJSON decodes the document.
func (d *businessDocument) UnmarshalJSON(b []byte) error {
	var in struct {
		BusinessDocument        string `json:"businessDocument"`
		ContentTransferEncoding string `json:"contentTransferEncoding"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return errAnswer
	}
	if !strings.EqualFold(in.ContentTransferEncoding, "base64") {
		return errAnswer
	}
	var err error
	if d.bytes, err = base64.StdEncoding.DecodeString(in.BusinessDocument); err != nil || len(d.bytes) == 0 {
		return errAnswer
	}
	return nil
}

var errAnswer = errors.New("the message service answers in another shape")

// call asks the service on behalf of one of its HER-ids.
func (c *Client) call(ctx context.Context, as gateway.HERID, method, path string, in, out any) error {
	_, err := c.ask(ctx, as, method, path, false, in, out)
	return err
}

// ask does so, and tells that a message goes whole or not at all; it gives what the service says of that. A service that is
// no Sluse reads over it, and says nothing. Errors hold status and code, never content.
func (c *Client) ask(ctx context.Context, as gateway.HERID, method, path string, whole bool, in, out any) (partial string, err error) {
	const op = "exchange.client"
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return "", gateway.Failed(op, gateway.Internal, err)
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.Base+path, body)
	if err != nil {
		return "", gateway.Failed(op, gateway.Internal, err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Api-Version", "2")
	r.Header.Set("Nhn-Source-System", c.Source)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if whole {
		r.Header.Set(partialHeader, undivided)
	}
	if err := c.Authorize(r, as); err != nil {
		return "", gateway.Failed(op, gateway.Unavailable, err)
	}
	res, err := c.HTTP.Do(r)
	if err != nil {
		return "", gateway.Failed(op, gateway.Unavailable, err)
	}
	defer res.Body.Close() //nolint:errcheck // read as far as it is needed
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return "", gateway.Failed(op, gateway.Unavailable, err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return "", declined(res.StatusCode, raw)
	}
	if len(raw) > maxBody {
		return "", gateway.Failed(op, gateway.Internal, errAnswer)
	}
	partial = strings.Join(res.Header.Values(partialHeader), ",")
	if out == nil {
		return partial, nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return "", gateway.Failed(op, gateway.Internal, errAnswer)
	}
	return partial, nil
}

// answered gives the statuses that are a no to the document itself. A token, an address or a right that
// is wrong is mended by people, and the document waits for them.
var answered = map[int]gateway.Code{
	http.StatusBadRequest: gateway.Invalid, http.StatusNotFound: gateway.NotFound, http.StatusConflict: gateway.Conflict,
	http.StatusRequestEntityTooLarge: gateway.TooLarge, http.StatusUnsupportedMediaType: gateway.NotSupported,
	http.StatusUnprocessableEntity: gateway.Invalid,
}

func declined(status int, body []byte) error {
	var m errorMessage
	_ = json.Unmarshal(body, &m) // what is not in that shape has no code
	code, ok := answered[status]
	if !ok {
		code = gateway.Unavailable
	}
	return gateway.Failed("exchange.client", code, fmt.Errorf("the message service answers %d, code %d", status, m.ErrorCode))
}
