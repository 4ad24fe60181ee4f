package gateway

import (
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Extensions of the Subscriptions R5 Backport IG for R4.
const (
	backport        = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
	filterExtension = backport + "backport-filter-criteria"
	contentURL      = backport + "backport-payload-content"
	heartbeatURL    = backport + "backport-heartbeat-period"
	timeoutURL      = backport + "backport-timeout"
	maxCountURL     = backport + "backport-max-count"
)

// Bounds of what a Subscription may ask for.
const (
	shortestBeat = 10 * time.Second
	longestWait  = 30 * time.Second // of one delivery
	usualWait    = 10 * time.Second
	mostEvents   = 100 // in one notification
	usualEvents  = 20
	mostHeaders  = 10
	longestLine  = 2048 // bytes of one header line
	mostFilters  = 10
)

// wanted is a Subscription as it was sent, less its secrets.
type wanted struct {
	Subscription
	header []string // to be sealed; nothing else keeps it
}

// subscription takes a Subscription apart: what is kept in its body never holds channel.header.
func (g *Gateway) subscription(who asked, res *fhir.Resource) (*fhir.Resource, *wanted, error) {
	if res.Type() != "Subscription" {
		return res, nil, nil
	}
	if who.Purpose == BreakTheGlass || who.Purpose == EmergencyTreat {
		return nil, nil, forbidden("gateway.subscription", "subscription.emergency")
	}
	root := res.Root()
	w := &wanted{}
	if fhir.ContainsNIN(string(res.Bytes())) {
		return nil, nil, refuseSubscription("subscription.national", "Subscription")
	}
	for _, read := range []func(*fhir.Value) error{w.channel, w.secrets, w.limits, w.status} {
		if err := read(root); err != nil {
			return nil, nil, err
		}
	}
	if who.Kind == Machine && w.Content == PayloadFull { // it reads no records
		return nil, nil, refuseSubscription("subscription.system", "Subscription.channel.payload")
	}
	if err := g.criteria(w, root); err != nil {
		return nil, nil, err
	}
	if _, ok := g.Notices.destination(w.Endpoint); !ok {
		return nil, nil, refuseSubscription("subscription.endpoint", "Subscription.channel.endpoint")
	}
	e := res.Edit()
	for _, name := range []string{"header", "_header"} {
		if v := root.Get("channel", name); v != nil {
			e.Remove(v)
		}
	}
	if v := root.Get("error"); v != nil { // the server's to say
		e.Remove(v)
	}
	body, err := e.Bytes()
	if err != nil {
		return nil, nil, Failed("gateway.subscription", Internal, err)
	}
	kept, err := fhir.Parse(body)
	if err != nil {
		return nil, nil, Failed("gateway.subscription", Internal, err)
	}
	return kept, w, nil
}

func (w *wanted) channel(root *fhir.Value) error {
	channel := root.Get("channel")
	if channel.Get("type").Text() != "rest-hook" {
		return refuseSubscription("subscription.channel", "Subscription.channel.type")
	}
	w.Endpoint = channel.Get("endpoint").Text()
	payload := channel.Get("payload").Text()
	if payload != "" && payload != "application/fhir+json" && payload != "application/json" {
		return refuseSubscription("subscription.payload", "Subscription.channel.payload")
	}
	switch content := extensionValue(channel.Get("_payload"), contentURL, "valueCode"); PayloadContent(content) {
	case PayloadEmpty, PayloadIDOnly, PayloadFull:
		w.Content = PayloadContent(content)
	case "":
		w.Content = PayloadEmpty
		if payload != "" {
			w.Content = PayloadFull
		}
	default:
		return refuseSubscription("subscription.content", "Subscription.channel.payload.extension")
	}
	return nil
}

// secrets reads channel.header: "Name: value". What belongs to the connection is not the client's.
func (w *wanted) secrets(root *fhir.Value) error {
	items := root.Get("channel", "header").Items()
	if len(items) > mostHeaders {
		return refuseSubscription("subscription.header", "Subscription.channel.header")
	}
	for i, item := range items {
		name, value, ok := strings.Cut(item.Text(), ":")
		if !ok || len(item.Text()) > longestLine || !headerName(name) || !headerValue(strings.TrimSpace(value)) {
			return refuseSubscription("subscription.header", "Subscription.channel.header["+strconv.Itoa(i)+"]")
		}
		w.header = append(w.header, name+": "+strings.TrimSpace(value))
	}
	return nil
}

// reserved are header fields that say how the message itself is carried (RFC 9110 § 7.6.1).
var reserved = []string{
	"host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "keep-alive", "te", "trailer",
	"upgrade", "expect", "cookie", "forwarded", "via", "user-agent", "accept-encoding",
}

func headerName(s string) bool {
	low := strings.ToLower(s)
	if s == "" || slices.Contains(reserved, low) || strings.HasPrefix(low, "proxy-") || strings.HasPrefix(low, "x-forwarded-") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}

func headerValue(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e })
}

func (w *wanted) limits(root *fhir.Value) error {
	channel := root.Get("channel")
	for _, l := range []struct {
		url, value       string
		low, high, usual int
		set              func(int)
	}{
		{heartbeatURL, "valueUnsignedInt", int(shortestBeat / time.Second), 7 * 24 * 3600, 0, func(n int) { w.Heart = time.Duration(n) * time.Second }},
		{timeoutURL, "valueUnsignedInt", 1, int(longestWait / time.Second), int(usualWait / time.Second), func(n int) { w.Timeout = time.Duration(n) * time.Second }},
		{maxCountURL, "valuePositiveInt", 1, mostEvents, usualEvents, func(n int) { w.Max = n }},
	} {
		text := extensionValue(channel, l.url, l.value)
		if text == "" {
			text = extensionValue(root, l.url, l.value)
		}
		if text == "" {
			l.set(l.usual)
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < l.low || n > l.high {
			return refuseSubscription("subscription.limit", "Subscription.channel.extension")
		}
		l.set(n)
	}
	if end := root.Get("end").Text(); end != "" {
		low, _, err := fhir.ParseDate(end)
		if err != nil {
			return refuseSubscription("subscription.end", "Subscription.end")
		}
		w.End = low
	}
	return nil
}

func (w *wanted) status(root *fhir.Value) error {
	w.Status = SubscriptionStatus(root.Get("status").Text())
	if w.Status == SubscriptionError {
		return refuseSubscription("subscription.status", "Subscription.status")
	}
	return nil
}

// extensionValue gives the value of an extension of an element, "" when it has none.
func extensionValue(v *fhir.Value, url, name string) string {
	for _, e := range v.Get("extension").Items() {
		if e.Get("url").Text() == url {
			return e.Get(name).Text()
		}
	}
	return ""
}

// sealHeader encrypts header lines for the one subscription.
func (g *Gateway) sealHeader(s Subscription, lines []string) ([]byte, error) {
	aead, err := g.aead()
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(lines)
	if err != nil {
		return nil, Failed("gateway.seal", Internal, err)
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	if _, err := io.ReadFull(g.Random, nonce); err != nil {
		return nil, Failed("gateway.seal", Unavailable, err)
	}
	return aead.Seal(nonce, nonce, plain, headerBinding(s)), nil
}

// openHeader gives the lines back, for the endpoint and nobody else.
func (g *Gateway) openHeader(s Subscription) (lines []string, err error) {
	if len(s.Header) == 0 {
		return nil, nil
	}
	aead, err := g.aead()
	if err != nil {
		return nil, err
	}
	if len(s.Header) < aead.NonceSize() {
		return nil, Failed("gateway.unseal", Internal, errSealed)
	}
	plain, err := aead.Open(nil, s.Header[:aead.NonceSize()], s.Header[aead.NonceSize():], headerBinding(s))
	if err != nil || json.Unmarshal(plain, &lines) != nil {
		return nil, Failed("gateway.unseal", Internal, errSealed)
	}
	return lines, nil
}

// headerBinding holds secrets to their subscription and to the endpoint that they were given for.
func headerBinding(s Subscription) []byte {
	return []byte("subscription header\x00" + string(s.Party) + "\x00" + string(s.ID) + "\x00" + s.Endpoint)
}
