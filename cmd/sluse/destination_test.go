package main

import (
	"net/netip"
	"strings"
	"testing"
)

// Notifications go nowhere but where the configuration says, and what it says is read strictly.
func TestNotificationDestinations(t *testing.T) {
	t.Parallel()
	c, err := readText(t, goodConfiguration+`
notifications:
  - url: https://epj.example.no/varsler
  - {url: "https://epj.nhn.example:8443", networks: [10.20.0.0/16]}
`)
	if err != nil {
		t.Fatal(err)
	}
	list, err := destinations(c.Notifications, false)
	if err != nil || len(list) != 2 || list[0].Path != "/varsler" || len(list[0].Networks) != 0 ||
		len(list[1].Networks) != 1 || list[1].Networks[0] != netip.MustParsePrefix("10.20.0.0/16") {
		t.Fatalf("%+v %v", list, err)
	}
	if c, err := readText(t, goodConfiguration); err != nil || len(c.Notifications) != 0 {
		t.Fatalf("somewhere by default: %+v %v", c.Notifications, err)
	}
	for _, wrong := range []string{"http://127.0.0.1:9000", "https://user@epj.example.no", "epj.example.no", "*"} {
		if _, err := readText(t, goodConfiguration+"notifications: [{url: \""+wrong+"\"}]\n"); err == nil || !strings.Contains(err.Error(), "notifications[0].url") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	if _, err := readText(t, goodConfiguration+"notifications: [{url: https://epj.example.no, networks: [alt]}]\n"); err == nil {
		t.Error("a network that is none was read")
	}
	if _, err := destinations([]destinationEntry{{URL: "http://127.0.0.1:9000"}}, true); err != nil {
		t.Errorf("loopback in the demo: %v", err)
	}
}
