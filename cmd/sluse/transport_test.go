package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Parties outside are reached by what the configuration names, each one way.
func TestTransports(t *testing.T) {
	t.Parallel()
	c, err := readText(t, goodConfiguration+`
transports:
  - {name: nhn, receivers: ["8100010", "8100011"], msh: {base: "https://msh.example.no/edi", mailboxes: ["8100020"], tokens: /var/lib/tokens}}
  - {name: benk, receivers: ["8100030"], spool: `+t.TempDir()+`/spool}
`)
	if err != nil {
		t.Fatal(err)
	}
	list, err := carriages(c.Transports, time.Now)
	if err != nil || len(list) != 2 || list[0].route.Name != "nhn" || len(list[0].route.HERIDs) != 2 {
		t.Fatalf("%+v %v", list, err)
	}
	if err := closeAll(list); err != nil {
		t.Error(err)
	}
	if c, err := readText(t, goodConfiguration); err != nil || len(c.Transports) != 0 {
		t.Fatalf("somewhere by default: %+v %v", c.Transports, err)
	}
	for text, want := range map[string]string{
		`[{name: a, receivers: ["8100010"]}]`:                                                        "exactly one of",
		`[{name: a, receivers: [], spool: x}]`:                                                       "exactly one of",
		`[{name: a, receivers: ["8100010"], spool: x, msh: {base: y}}]`:                              "exactly one of",
		`[{name: a, receivers: ["8100010"], msh: {base: "http://msh.example.no"}}]`:                  "encrypted",
		`[{name: a, receivers: ["8100010"], amqp: {address: "amqp://kø.example.no"}}]`:               "encrypted",
		`[{name: a, receivers: ["8100010"], spool: x}, {name: b, receivers: ["8100010"], spool: y}]`: "reached by a already",
	} {
		if _, err := readText(t, goodConfiguration+"transports: "+text+"\n"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Each request of a message service bears the token of the party that it is for, as its file is then.
func TestTransportTokens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	client, err := mshEntry{Base: "https://msh.example.no", Tokens: dir}.open()
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodGet, "https://msh.example.no/Messages", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Authorize(r, "8100020"); err == nil {
		t.Error("a request without a token would be sent")
	}
	for _, token := range []string{"first", "second"} {
		if err := os.WriteFile(filepath.Join(dir, "8100020.token"), []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := client.Authorize(r, "8100020"); err != nil || r.Header.Get("Authorization") != "Bearer "+token {
			t.Errorf("%q %v, want the token %s", r.Header.Get("Authorization"), err, token)
		}
	}
}
