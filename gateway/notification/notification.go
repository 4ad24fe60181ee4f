// Package notification carries notifications to the endpoints of subscribers, and to nowhere else.
//
// A server that calls an address which a client has named can be made to call what only the server
// reaches. Hence: the Gateway has found the endpoint among the destinations that an administrator
// allows; here the name is resolved once, every address that it gives must be fit, and the connection
// goes to one of those and to no other, whatever the name resolves to a moment later. No proxy is
// asked, no redirect followed, no connection kept, and nothing of an answer is told to anybody but
// whether it was 2xx.
package notification

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sluse/sluse/gateway"
)

// Config wires a Courier. The zero value is fit for use.
type Config struct {
	// Resolve gives the addresses of a host name; nil: the resolver of the system.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Roots are the authorities whose certificates are believed; nil: those of the system.
	Roots *x509.CertPool
	// Body is how many bytes of an answer are read and thrown away; 4 KiB when zero.
	Body int64
}

// Courier is the gateway.Courier over HTTP.
type Courier struct{ Config }

var _ gateway.Courier = (*Courier)(nil)

// NewCourier makes a Courier.
func NewCourier(c Config) *Courier {
	if c.Resolve == nil {
		c.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if c.Body == 0 {
		c.Body = 4 << 10
	}
	return &Courier{Config: c}
}

// Reasons that a subscriber reads in Subscription.error. They hold no address and nothing of an answer.
var (
	errAddress  = &gateway.Undelivered{Reason: "Adressen til mottakeren er ikke tillatt."}
	errName     = &gateway.Undelivered{Reason: "Navnet til mottakeren finnes ikke."}
	errNoAnswer = &gateway.Undelivered{Reason: "Mottakeren svarte ikke i tide."}
	errEndpoint = &gateway.Undelivered{Reason: "Adressen kan ikke brukes."}
)

// Carry sends one request and tells whether it was received.
func (c *Courier) Carry(ctx context.Context, n gateway.Notification) error {
	ctx, cancel := context.WithTimeout(ctx, n.Timeout)
	defer cancel()
	u, err := url.Parse(n.Endpoint)
	if err != nil || u.Scheme != n.Destination.Scheme || u.User != nil || u.Host == "" {
		return errEndpoint
	}
	if n.Path != "" {
		u = u.JoinPath(n.Path)
	}
	var body bytes.Buffer
	if _, err := n.Body.WriteTo(&body); err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, n.Method, u.String(), &body)
	if err != nil {
		return errEndpoint
	}
	for _, line := range n.Header {
		name, value, _ := strings.Cut(line, ":")
		r.Header.Add(name, strings.TrimSpace(value))
	}
	r.Header.Set("User-Agent", "Sluse")
	if n.Body.Len() > 0 {
		r.Header.Set("Content-Type", "application/fhir+json; charset=utf-8")
	}
	transport := c.transport(n.Destination)
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(r) // which follows no redirect
	if err != nil {
		var known *gateway.Undelivered
		if errors.As(err, &known) {
			return known
		}
		return errNoAnswer // the cause names addresses
	}
	defer answer.Body.Close() //nolint:errcheck // nothing is read from it any more
	_, _ = io.CopyN(io.Discard, answer.Body, c.Body)
	if answer.StatusCode/100 != 2 {
		return &gateway.Undelivered{Reason: "Mottakeren svarte med HTTP " + strconv.Itoa(answer.StatusCode) + "."}
	}
	return nil
}

// transport serves one request.
func (c *Courier) transport(d gateway.Destination) *http.Transport {
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            func(ctx context.Context, _, address string) (net.Conn, error) { return c.dial(ctx, d, address) },
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 16 << 10,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
		TLSHandshakeTimeout:    10 * time.Second,
	}
}

// dial resolves once, and connects to an address that is fit.
func (c *Courier) dial(ctx context.Context, d gateway.Destination, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errEndpoint
	}
	found, err := c.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, a := range found {
		if !Fit(a, d.Networks) { // one that is not makes the name as a whole suspect
			return nil, errAddress
		}
	}
	dialer := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		if at, err := netip.ParseAddrPort(address); err != nil || !Fit(at.Addr(), d.Networks) {
			return errAddress
		}
		return nil
	}}
	failed := error(errNoAnswer)
	for _, a := range found {
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		failed = err
	}
	return nil, fmt.Errorf("notification: %w", failed)
}

func (c *Courier) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	found, err := c.Resolve(ctx, host)
	if err != nil || len(found) == 0 {
		return nil, errName
	}
	return found, nil
}

// special are networks that nobody outside has a receiver in (RFC 6890), and those that carry an IPv4
// address inside an IPv6 one, which another may take out again.
var special = func() (list []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}()

// Fit tells whether a connection to the address may be made: it is public, or the administrator has
// named its network. Link-local addresses, where clouds keep their secrets, and those of many receivers
// are never fit.
func Fit(a netip.Addr, named []netip.Prefix) bool {
	if a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return false
	}
	for _, p := range named {
		if p.Contains(a) {
			return true
		}
	}
	if a.IsLoopback() || a.IsPrivate() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
