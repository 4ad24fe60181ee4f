package exchange

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway"
)

// message is Message of the MSH API v2. Metadata is left out unless asked for.
type message struct {
	ID                      gateway.MessageID `json:"id"`
	ContentType             string            `json:"contentType,omitempty"`
	ReceiverHerID           json.Number       `json:"receiverHerId"`
	SenderHerID             json.Number       `json:"senderHerId,omitempty"`
	BusinessDocumentID      gateway.MsgID     `json:"businessDocumentId,omitempty"`
	BusinessDocumentGenDate string            `json:"businessDocumentGenDate,omitempty"`
	IsAppRec                *bool             `json:"isAppRec,omitempty"`
}

func line(l gateway.Listed, metadata bool) message {
	m := message{ID: l.ID, ReceiverHerID: json.Number(l.Receiver)}
	if metadata {
		m.ContentType, m.SenderHerID, m.BusinessDocumentID = "application/xml", json.Number(l.Sender), l.MsgID
		m.BusinessDocumentGenDate, m.IsAppRec = l.Generated.UTC().Format(time.RFC3339), &l.AppRec
	}
	return m
}

// listParameters are the parameters of the list; any other is refused. Names are read as ASP.NET reads
// them, whatever their case.
var listParameters = []string{
	"ReceiverHerIds", "SenderHerId", "BusinessDocumentId", "IncludeMetadata", "MessagesToFetch", "OrderBy", "api-version",
}

var parameterForm = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)

// parameters gives the values under the names of listParameters.
func parameters(query url.Values) (url.Values, error) {
	values := url.Values{}
	for name, list := range query {
		at := slices.IndexFunc(listParameters, func(known string) bool { return strings.EqualFold(known, name) })
		if at < 0 {
			if !parameterForm.MatchString(name) {
				name = "?"
			}
			return nil, unknownParameter(name)
		}
		known := listParameters[at]
		if values[known] = append(values[known], list...); known != "ReceiverHerIds" && len(values[known]) > 1 {
			return nil, badQuery(known) // one of them would be dropped
		}
	}
	return values, nil
}

// listMessages lists unread messages that something may be fetched of now.
func (a *api) listMessages(c *call) error {
	values, err := parameters(c.r.URL.Query())
	if err != nil {
		return err
	}
	q := gateway.MailQuery{Limit: 10, MsgID: gateway.MsgID(values.Get("BusinessDocumentId"))}
	for _, list := range values["ReceiverHerIds"] {
		for _, v := range strings.Split(list, ",") {
			id, err := herID("ReceiverHerIds", v)
			if err != nil {
				return err
			}
			q.Receivers = append(q.Receivers, id)
		}
	}
	if len(q.Receivers) == 0 {
		return badQuery("ReceiverHerIds")
	}
	if v := values.Get("SenderHerId"); v != "" {
		if q.Sender, err = herID("SenderHerId", v); err != nil {
			return err
		}
	}
	if v := values.Get("MessagesToFetch"); v != "" {
		if q.Limit, err = strconv.Atoi(v); err != nil || q.Limit < 1 || q.Limit > 100 {
			return badQuery("MessagesToFetch")
		}
	}
	switch values.Get("OrderBy") {
	case "", "1", "Ascending":
	case "2", "Descending":
		q.Descending = true
	default:
		return badQuery("OrderBy")
	}
	metadata := false
	if v := values.Get("IncludeMetadata"); v != "" {
		if metadata, err = strconv.ParseBool(v); err != nil {
			return badQuery("IncludeMetadata")
		}
	}
	list, err := a.Gateway.Mail(c.r.Context(), c.actor, q)
	if err != nil {
		return err
	}
	out := make([]message, 0, len(list))
	for _, l := range list {
		out = append(out, line(l, metadata))
	}
	respond(c, http.StatusOK, out)
	return nil
}

func (a *api) getMessage(c *call) error {
	id, err := c.messageID()
	if err != nil {
		return err
	}
	l, err := a.Gateway.Look(c.r.Context(), c.actor, id)
	if err != nil {
		return err
	}
	respond(c, http.StatusOK, line(l, true))
	return nil
}

func (a *api) getDocument(c *call) error {
	id, err := c.messageID()
	if err != nil {
		return err
	}
	r, err := a.Gateway.Document(c.r.Context(), c.actor, id, a.translator)
	if err != nil {
		return err
	}
	release(c, r)
	return nil
}

func (a *api) putRead(c *call) error {
	id, err := c.messageID()
	if err != nil {
		return err
	}
	receiver, err := c.herID()
	if err != nil {
		return err
	}
	if err := a.Gateway.MarkRead(c.r.Context(), c.actor, id, receiver); err != nil {
		return err
	}
	nothing(c)
	return nil
}

// statusInfo is StatusInfo of the MSH API v2.
type statusInfo struct {
	ReceiverHerID          json.Number   `json:"receiverHerId"`
	TransportDeliveryState string        `json:"transportDeliveryState"`
	AppRecStatus           *appRecStatus `json:"appRecStatus"`
}

func (a *api) getStatus(c *call) error {
	list, err := a.statuses(c)
	if err != nil {
		return err
	}
	out := make([]statusInfo, 0, len(list))
	for _, s := range list {
		out = append(out, statusInfo{
			ReceiverHerID: json.Number(s.Receiver), TransportDeliveryState: deliveryState(s), AppRecStatus: given(s.Status),
		})
	}
	respond(c, http.StatusOK, out)
	return nil
}

// deliveryState is DeliveryState, of the transport alone: Acknowledged once the document was taken in
// for the receiver, whatever its AppRec says.
func deliveryState(s gateway.DeliveryStatus) string {
	switch {
	case s.Delivered || s.Status != gateway.NoAppRec: // AppRecStatus tells what was said
		return "Acknowledged"
	}
	return "Unconfirmed"
}

// apprecInfo is ApprecInfo of the MSH API v2.
type apprecInfo struct {
	ReceiverHerID   json.Number   `json:"receiverHerId"`
	AppRecStatus    *appRecStatus `json:"appRecStatus"`
	AppRecErrorList []appRecError `json:"appRecErrorList"`
}

func (a *api) getAppRec(c *call) error {
	list, err := a.statuses(c)
	if err != nil {
		return err
	}
	out := make([]apprecInfo, 0, len(list))
	for _, s := range list {
		info := apprecInfo{ReceiverHerID: json.Number(s.Receiver), AppRecStatus: given(s.Status)}
		for _, e := range s.Errors {
			info.AppRecErrorList = append(info.AppRecErrorList, appRecError{
				ErrorCode: e.Code, Details: e.Text, Description: errorTexts[e.Code], OID: appRecErrorOID,
			})
		}
		out = append(out, info)
	}
	respond(c, http.StatusOK, out)
	return nil
}

func (a *api) statuses(c *call) ([]gateway.DeliveryStatus, error) {
	id, err := c.messageID()
	if err != nil {
		return nil, err
	}
	return a.Gateway.Status(c.r.Context(), c.actor, id)
}
