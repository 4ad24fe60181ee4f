package notification_test

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/notification"
)

func TestFit(t *testing.T) {
	t.Parallel()
	private := []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	for address, want := range map[string]struct{ public, named bool }{
		"93.184.216.34":          {true, true},
		"2606:2800:220:1::1":     {true, true},
		"10.20.3.4":              {false, true},
		"::ffff:10.20.3.4":       {false, true},
		"127.0.0.1":              {false, true},
		"::1":                    {false, true},
		"::ffff:127.0.0.1":       {false, true},
		"192.168.1.1":            {false, true},
		"100.64.0.1":             {false, true},
		"fd00::1":                {false, true},
		"64:ff9b::7f00:1":        {false, true}, // NAT64 of 127.0.0.1
		"2002:7f00:1::1":         {false, true}, // 6to4 of 127.0.0.1
		"::127.0.0.1":            {false, true},
		"169.254.169.254":        {false, false}, // never, whatever is named
		"::ffff:169.254.169.254": {false, false},
		"fe80::1":                {false, false},
		"224.0.0.1":              {false, false},
		"ff02::1":                {false, false},
		"0.0.0.0":                {false, false},
		"::":                     {false, false},
		"::ffff:0.0.0.0":         {false, false},
		"255.255.255.255":        {false, false},
		"2001:db8::1%eth0":       {false, false},
	} {
		a := netip.MustParseAddr(address)
		if got := notification.Fit(a, nil); got != want.public {
			t.Errorf("%s: %v", address, got)
		}
		if got := notification.Fit(a, private); got != want.named {
			t.Errorf("%s, named: %v", address, got)
		}
	}
}

// What a name resolves to decides at the moment of the connection: a name that is allowed and points
// inwards, or points inwards the second time it is asked for, leads nowhere.
func TestNameThatPointsInwards(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	inside := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer inside.Close()
	_, port, err := net.SplitHostPort(inside.Listener.Addr().String())
	must(t, err)
	for name, found := range map[string][]string{
		"loopback":     {"127.0.0.1"},
		"mapped":       {"::ffff:127.0.0.1"},
		"metadata":     {"169.254.169.254"},
		"one of two":   {"93.184.216.34", "127.0.0.1"},
		"nothing":      nil,
		"private":      {"10.0.0.1"},
		"nat64":        {"64:ff9b::7f00:1"},
		"link-local 6": {"fe80::1"},
	} {
		asked := 0
		c := notification.NewCourier(notification.Config{Resolve: func(context.Context, string) (list []netip.Addr, err error) {
			asked++
			for _, s := range found {
				list = append(list, netip.MustParseAddr(s))
			}
			return list, nil
		}})
		d, err := gateway.NewDestination("https://epj.example.no:"+port, nil, false)
		must(t, err)
		err = c.Carry(context.Background(), gateway.Notification{
			Endpoint: "https://epj.example.no:" + port + "/inn", Destination: d, Method: "POST", Timeout: time.Second,
		})
		if err == nil || strings.Contains(err.Error(), "127.0.0.1") || asked > 1 {
			t.Errorf("%s: asked %d times: %v", name, asked, err)
		}
	}
	if hits.Load() != 0 {
		t.Fatal("LEAK: the inside was called")
	}
}

// A name that is resolved once cannot be another the second time; and the certificate is that of the
// name, not of the address.
func TestConnectsToWhatWasResolved(t *testing.T) {
	t.Parallel()
	var host atomic.Value
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { host.Store(r.Host) }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	asked := 0
	c := notification.NewCourier(notification.Config{Roots: roots, Resolve: func(context.Context, string) ([]netip.Addr, error) {
		if asked++; asked > 1 {
			t.Error("the name was asked for again")
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}})
	carry := func(name string) error {
		d, err := gateway.NewDestination("https://"+name+":"+port, loopback(), false)
		must(t, err)
		asked = 0
		return c.Carry(context.Background(), gateway.Notification{
			Endpoint: "https://" + name + ":" + port + "/inn", Destination: d, Method: "POST", Timeout: 2 * time.Second,
		})
	}
	if err := carry("example.com"); err != nil || host.Load() != "example.com:"+port { // what httptest's certificate is for
		t.Fatalf("%v, host %v", err, host.Load())
	}
	if err := carry("epj.example.no"); err == nil {
		t.Fatal("a certificate of another name was believed")
	}
}

// A proxy of the environment would be told of the notification and its secrets.
func TestNoProxy(t *testing.T) {
	var hits atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer proxy.Close()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	c := notification.NewCourier(notification.Config{Resolve: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}})
	d, err := gateway.NewDestination("https://epj.example.no:9", loopback(), false)
	must(t, err)
	_ = c.Carry(context.Background(), gateway.Notification{Endpoint: "https://epj.example.no:9/inn", Destination: d, Method: "POST", Timeout: time.Second})
	if hits.Load() != 0 {
		t.Fatal("LEAK: the proxy was asked")
	}
}

// A receiver that answers slowly, or without end, costs no more than its timeout.
func TestSlowAndEndlessAnswers(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/treg" {
			<-stop
			return
		}
		for range 1 << 14 {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	defer close(stop)
	d, err := gateway.NewDestination(server.URL, nil, true)
	must(t, err)
	c := notification.NewCourier(notification.Config{})
	for path, received := range map[string]bool{"/treg": false, "/stor": true} {
		begun := time.Now() //nolint:forbidigo // measured
		err := c.Carry(context.Background(), gateway.Notification{Endpoint: server.URL + path, Destination: d, Method: "POST", Timeout: 300 * time.Millisecond})
		if took := time.Since(begun); (err == nil) != received || took > 3*time.Second { //nolint:forbidigo // measured
			t.Errorf("%s: %v after %v", path, err, took)
		}
	}
}

// Endpoints that are not exactly under what the administrator has allowed are refused when the
// Subscription is written.
func TestEndpointsThatAreNotAllowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u, err := url.Parse(w.receiver.URL)
	must(t, err)
	own := w.receiver.URL + "/varsel/inn"
	for _, endpoint := range []string{
		"http://127.0.0.1:1/varsel/inn",
		"https://" + u.Host + "/varsel/inn",
		"http://" + u.Host + "/annet",
		"http://" + u.Host + "/varselet",
		"http://" + u.Host + "/varsel/../admin",
		"http://" + u.Host + "/varsel/%2e%2e/admin",
		"http://" + u.Host + "/varsel/..%2fadmin",
		"http://" + u.Host + "/varsel//inn",
		"http://user:hemmelig@" + u.Host + "/varsel/inn",
		"http://" + u.Host + "@evil.example/varsel/inn",
		"http://evil.example#@" + u.Host + "/varsel/inn",
		"http://" + u.Host + "/varsel/inn#del",
		"http://" + u.Host + "/varsel/inn?nokkel=hemmelig",
		"http://" + u.Host + "/varsel/inn?",
		"http://localhost:" + u.Port() + "/varsel/inn",
		"http://[::ffff:127.0.0.1]:" + u.Port() + "/varsel/inn",
		"http://2130706433:" + u.Port() + "/varsel/inn",
		"http://0x7f.1:" + u.Port() + "/varsel/inn",
		"http://169.254.169.254/latest/meta-data",
		"file:///etc/passwd",
		"gopher://" + u.Host + "/varsel/inn",
		"//" + u.Host + "/varsel/inn",
		"/varsel/inn",
		"http:" + u.Host + "/varsel/inn",
		"mailto:kari@example.no",
	} {
		_, err := w.do(at(bydel), gateway.Create, strings.Replace(w.hook("oppgave-endret", "id-only", ""), own, endpoint, 1))
		if gateway.CodeOf(err) != gateway.Invalid {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
	w.work()
	if n := len(w.receiver.take()); n != 0 {
		t.Fatalf("%d requests were made", n)
	}
}

// What an administrator takes off the list is not delivered to any more, and says so.
func TestDestinationIsTakenAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	patient := w.patientOf(at(bydel), kari)
	sub := w.subscribed(at(bydel), w.hook("oppgave-endret", "id-only", ""))
	w.Notices.Destinations = nil
	w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	w.silent()
	if s := w.statusOf(at(bydel), sub); s != "error" {
		t.Fatal(s)
	}
}

func TestDestinations(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]bool{
		"https://epj.example.no":         true,
		"https://epj.example.no:8443/in": true,
		"http://epj.example.no":          false,
		"http://127.0.0.1:9000":          false, // true in the demo
		"https://u:p@epj.example.no":     false,
		"https://epj.example.no/?a=b":    false,
		"https://epj.example.no/#x":      false,
		"https://epj.example.no/a/../b":  false,
		"https://":                       false,
		"epj.example.no":                 false,
		"*":                              false,
	} {
		if _, err := gateway.NewDestination(origin, nil, false); (err == nil) != want {
			t.Errorf("%s: %v", origin, err)
		}
	}
	for origin, want := range map[string]bool{
		"http://127.0.0.1:9000": true, "http://[::1]:9000": true, "http://localhost:9000": false, "http://10.0.0.1": false, "http://epj.example.no": false,
	} {
		if _, err := gateway.NewDestination(origin, nil, true); (err == nil) != want {
			t.Errorf("%s in the demo: %v", origin, err)
		}
	}
}

// What a Subscription may not ask for is refused when it is written, at the element.
func TestRefusedSubscriptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.hook("oppgave-endret", "id-only", `,"header":["X-Key: a"]`)
	for _, c := range []struct{ from, to, code string }{
		{`"requested"`, `"active"`, "subscription.status"},
		{`"requested"`, `"error"`, "subscription.status"},
		{`rest-hook`, `websocket`, "subscription.channel"},
		{`SubscriptionTopic/oppgave-endret`, `SubscriptionTopic/ukjent`, "subscription.topic"},
		{`http://sluse.no/fhir/SubscriptionTopic/oppgave-endret`, `Patient?active=true`, "subscription.content"},
		{`"application/fhir+json"`, `"application/fhir+xml"`, "subscription.payload"},
		{`"id-only"`, `"alt"`, "subscription.content"},
		{`X-Key: a`, `X-Key: a\nHost: evil`, "subscription.header"},
		{`X-Key: a`, `Host: evil.example`, "subscription.header"},
		{`X-Key: a`, `Transfer-Encoding: chunked`, "subscription.header"},
		{`X-Key: a`, `X-Key`, "subscription.header"},
		{`"reason":"Prøve"`, `"reason":"` + kari + `"`, "subscription.national"},
	} {
		_, err := w.do(at(bydel), gateway.Create, strings.Replace(good, c.from, c.to, 1))
		if err == nil || !strings.Contains(err.Error(), c.code) {
			t.Errorf("%s: %v, want %s", c.to, err, c.code)
		}
	}
	for _, f := range []string{"Task?patient.name=x", "Task?status:not=draft", "Task?_filter=x", "Task?authored-on=2026", "CarePlan?status=active", "Task?owner:identifier=x", "Task?_id=x"} {
		if _, err := w.do(at(bydel), gateway.Create, w.hook("oppgave-endret", "id-only", "", f)); gateway.CodeOf(err) != gateway.Invalid {
			t.Errorf("filter %s: %v", f, err)
		}
	}
	emergency := at(bydel)
	emergency.Purpose, emergency.Reason = gateway.BreakTheGlass, "bevisstløs"
	if _, err := w.do(emergency, gateway.Create, good); gateway.CodeOf(err) != gateway.Forbidden {
		t.Errorf("emergency: %v", err)
	}
	for _, a := range []gateway.Actor{operator, {Kind: gateway.Compliance, Party: bydel}} {
		if _, err := w.do(a, gateway.Create, good); gateway.CodeOf(err) != gateway.Forbidden {
			t.Errorf("kind %d: %v", a.Kind, err)
		}
	}
	w.Notices.Each = 1
	if _, err := w.do(at(bydel), gateway.Create, good); err != nil {
		t.Fatal(err)
	}
	if _, err := w.do(at(bydel), gateway.Create, good); err == nil || !strings.Contains(err.Error(), "subscription.too-many") {
		t.Errorf("one more than there may be: %v", err)
	}
	if _, err := w.do(at(gp), gateway.Create, good); err != nil {
		t.Fatal(err)
	}
}
