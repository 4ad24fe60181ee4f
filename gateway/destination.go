package gateway

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// Destination is where an administrator lets notifications go: an exact origin, with a path that the
// endpoint must lie under. A host name is compared as written, never resolved here.
type Destination struct {
	Scheme string // "https"; "http" for loopback in the demo
	Host   string // with port when it is not that of the scheme
	Path   string // begins with "/"; "/" is every path
	// Networks are addresses that are not public and that the host may resolve to nevertheless: a
	// receiver in Norsk Helsenett. A loopback address must be named here too.
	Networks []netip.Prefix
}

var errDestination = errors.New("a destination is https://host[:port][/path], without user, query or fragment")

// NewDestination reads a destination. loopback allows http to the machine itself, for the demo; then
// the host must be an address, not a name.
func NewDestination(origin string, networks []netip.Prefix, loopback bool) (Destination, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(origin, "#") || u.Opaque != "" {
		return Destination{}, errDestination
	}
	d := Destination{Scheme: u.Scheme, Host: canonicalHost(u), Path: u.EscapedPath(), Networks: networks}
	if d.Path == "" {
		d.Path = "/"
	}
	if !straight(d.Path) {
		return Destination{}, errDestination
	}
	if u.Scheme == "https" {
		return d, nil
	}
	address, err := netip.ParseAddr(u.Hostname())
	if u.Scheme != "http" || !loopback || err != nil || !address.IsLoopback() {
		return Destination{}, errDestination
	}
	d.Networks = append(d.Networks, netip.PrefixFrom(address, address.BitLen()))
	return d, nil
}

// covers tells whether an endpoint is this destination's: same origin, and below its path.
func (d Destination) covers(u *url.URL) bool {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	under := path == d.Path || strings.HasPrefix(path, strings.TrimSuffix(d.Path, "/")+"/")
	return u.Scheme == d.Scheme && canonicalHost(u) == d.Host && under && straight(path)
}

// straight tells whether a path is what it says: no step upwards, nothing empty in it, and no escape
// that another reader could see as one of these.
func straight(path string) bool {
	low := strings.ToLower(path)
	if strings.Contains(low, "%2e") || strings.Contains(low, "%2f") || strings.Contains(low, "%5c") || strings.ContainsAny(path, "\\\x00") ||
		strings.Contains(path, "//") {
		return false
	}
	for _, step := range strings.Split(path, "/") {
		if step == "." || step == ".." {
			return false
		}
	}
	return true
}

// canonicalHost is the host in lower case, with a port only where it is not that of the scheme.
func canonicalHost(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return host
}

// destination finds what an endpoint goes to; false when no administrator has allowed it. Endpoints
// with a user, a query or a fragment are of nobody: the first two may hold secrets, the last is never
// sent.
func (n Notices) destination(endpoint string) (Destination, bool) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Opaque != "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(endpoint, "#") || len(endpoint) > 1024 {
		return Destination{}, false
	}
	for _, d := range n.Destinations {
		if d.covers(u) {
			return d, true
		}
	}
	return Destination{}, false
}
