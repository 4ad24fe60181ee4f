package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway/helseid"
	"github.com/sluse/sluse/gateway/postgres/embedded"
	"github.com/sluse/sluse/gateway/postgres/postgrestest"
)

// installation is a directory with everything that sluse serve needs, and an issuer to trust.
type installation struct {
	t      *testing.T
	dir    string
	config string
	issuer *helseid.Issuer
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	i := &installation{t: t, dir: postgrestest.Dir(t)}
	err := os.Chmod(i.dir, 0o711) // the database runs as another user when this is root
	if err != nil {
		t.Fatal(err)
	}
	i.issuer, err = helseid.NewIssuer(helseid.IssuerConfig{Clock: time.Now, Rand: rand.Reader, URL: "https://issuer.example"})
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := json.Marshal(i.issuer.Keys())
	if err != nil {
		t.Fatal(err)
	}
	i.write("jwks.json", string(jwks))
	i.config = i.write("sluse.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
admin: 127.0.0.1:0
base: https://sluse.example/fhir
keys: %[1]s/keys
checkpoints: %[1]s/checkpoints
database: {data: %[1]s/database}
origins: [https://app.example]
issuer:
  url: https://issuer.example
  jwks: %[1]s/jwks.json
  organizations: [{parent: "949000095", herId: "80001010"}]
`, i.dir))
	return i
}

func (i *installation) write(name, text string) string {
	i.t.Helper()
	path := filepath.Join(i.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		i.t.Fatal(err)
	}
	return path
}

// sluse runs a command line to its end.
func (i *installation) sluse(args ...string) (status int, out string) {
	i.t.Helper()
	var b bytes.Buffer
	status = run(i.t.Context(), append(args, "--log-level=error"), streams{strings.NewReader(""), &b, &b})
	return status, b.String()
}

// serving is a sluse serve under way.
type serving struct {
	public, admin string
	ready         time.Duration
	stop          func() int
}

func (i *installation) serve() serving {
	i.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	ended := make(chan int, 1)
	begun := time.Now()
	var failures bytes.Buffer
	go func() {
		status := run(ctx, []string{"serve", "--config", i.config, "--log-level=error"}, streams{strings.NewReader(""), w, &failures})
		_ = w.Close()
		ended <- status
	}()
	lines := bufio.NewScanner(r)
	if !lines.Scan() {
		i.t.Fatalf("serve ended: %d %s", <-ended, failures.String())
	}
	var s serving
	if _, err := fmt.Sscanf(lines.Text(), "ready: %s (admin: %s", &s.public, &s.admin); err != nil {
		i.t.Fatalf("%q: %v", lines.Text(), err)
	}
	s.ready = time.Since(begun)
	i.t.Logf("ready after %s, the private PostgreSQL included", s.ready)
	s.public, s.admin = "http://"+s.public, "http://"+strings.TrimSuffix(s.admin, ")")
	s.stop = func() int { cancel(); return <-ended }
	return s
}

func fetch(t *testing.T, method, url, token, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/fhir+json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// A whole installation: migrate, serve, write, stop, serve again, verify; and a change in the
// ledger that verify finds.
func TestInstallation(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	if status, out := i.sluse("serve", "--config", i.config); status != 1 || !strings.Contains(out, "--new-keys") {
		t.Fatalf("serve without keys: %d %s", status, out)
	}
	if status, out := i.sluse("migrate", "--config", i.config, "--new-keys"); status != 0 {
		t.Fatalf("migrate: %d %s", status, out)
	}
	s := i.serve()
	token, _, err := i.issuer.Token("drift", helseid.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const organization = `{"resourceType":"Organization","id":"80001010-drift","active":true,"name":"Drift","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80001010"}],` +
		`"type":[{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/sektor","code":"ideell"}]},{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/lovgrunnlag","code":"privat"}]}]}`
	if status, body := fetch(t, "PUT", s.public+"/fhir/Organization/80001010-drift", token, organization); status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	for _, tt := range []struct {
		url, token string
		status     int
		has        string
	}{
		{s.admin + "/healthz", "", 200, `"ok"`},
		{s.admin + "/readyz", "", 200, `"store":true`},
		{s.admin + "/readyz", "", 200, `"checkpoints":true`},
		{s.admin + "/metrics", "", 200, `sluse_http_requests_total{method="PUT",route="/fhir/Organization/:id",status="201"} 1`},
		{s.admin + "/fhir/metadata", "", 404, ""},
		{s.public + "/metrics", "", 404, `"http.route"`},
		{s.public + "/fhir/metadata", "", 200, "CapabilityStatement"},
		{s.public + "/fhir/Organization/80001010-drift", token, 200, "Drift"},
		{s.public + "/fhir/Organization/80001010-drift", "", 401, `"unauthorized"`},
		{s.public + "/edi/Messages?ReceiverHerIds=80001010", "", 401, ""},
		{s.public + "/demo/personas", "", 404, `"http.route"`},
	} {
		if status, body := fetch(t, "GET", tt.url, tt.token, ""); status != tt.status || !strings.Contains(body, tt.has) {
			t.Errorf("%s: %d %s", tt.url, status, body)
		}
	}
	s.wantOrigins(t, map[string]string{"https://app.example": "https://app.example", "https://other.example": ""})
	if status := s.stop(); status != 0 {
		t.Fatalf("serve ended with %d", status)
	}
	s = i.serve()
	if status, body := fetch(t, "GET", s.public+"/fhir/Organization/80001010-drift", token, ""); status != 200 {
		t.Errorf("after a restart: %d %s", status, body)
	}
	// What is written just before the stop has its place in the chain, and a checkpoint, after it.
	if status, body := fetch(t, "PUT", s.public+"/fhir/Organization/80001010-drift", token, organization); status != http.StatusOK {
		t.Errorf("update: %d %s", status, body)
	}
	if status := s.stop(); status != 0 {
		t.Fatalf("serve ended with %d", status)
	}
	i.verify()
}

// wantOrigins expects that a browser lets exactly these web applications read.
func (s serving) wantOrigins(t *testing.T, allowed map[string]string) {
	t.Helper()
	for origin, want := range allowed {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.public+"/fhir/metadata", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", origin)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil {
			t.Error(err)
		}
		if got := answer.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%s: %q, want %q", origin, got, want)
		}
	}
}

// verify expects the ledger to hold, then changes one entry and expects that to be found.
func (i *installation) verify() {
	i.t.Helper()
	files, err := filepath.Glob(filepath.Join(i.dir, "checkpoints", "*.checkpoints"))
	if err != nil || len(files) == 0 {
		i.t.Fatalf("no checkpoints: %v", err)
	}
	args := []string{"verify", "--config", i.config, "--checkpoint", files[0]}
	if status, out := i.sluse(args...); status != 0 || !strings.Contains(out, "2 entries hold") {
		i.t.Fatalf("verify: %d %s", status, out)
	}
	if status, out := i.sluse("verify", "--data", i.dir, "--checkpoint", files[0]); status != 0 {
		i.t.Errorf("verify by directory: %d %s", status, out)
	}
	ctx := i.t.Context()
	server, err := embedded.Start(ctx, embedded.Config{DataDir: filepath.Join(i.dir, "database")})
	if err != nil {
		i.t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, server.DSN(databaseName))
	if err != nil {
		i.t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "set session_replication_role = replica; update ledger_chain set digest = decode(repeat('00', 32), 'hex') where seq = 1"); err != nil {
		i.t.Fatal(err)
	}
	if err := conn.Close(ctx); err != nil {
		i.t.Error(err)
	}
	if err := server.Stop(ctx); err != nil {
		i.t.Fatal(err)
	}
	if status, out := i.sluse(args...); status != 1 || !strings.Contains(out, "entry 1") {
		i.t.Errorf("verify after a change: %d %s", status, out)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args   []string
		status int
		has    string
	}{
		{[]string{"--help"}, 0, "translate"},
		{[]string{"--version"}, 0, ""},
		{nil, 2, "expected one of"},
		{[]string{"serve"}, 2, "--config"},
		{[]string{"serve", "--config", "/does/not/exist"}, 2, "exist"},
		{[]string{"verify", "--checkpoint", "serve.go"}, 2, "--config"},
		{[]string{"translate", "--to", "word"}, 2, "fhir"},
		{[]string{"fly"}, 2, "fly"},
	} {
		var b bytes.Buffer
		if status := run(t.Context(), tt.args, streams{strings.NewReader(""), &b, &b}); status != tt.status || !strings.Contains(b.String(), tt.has) {
			t.Errorf("%v: %d %s", tt.args, status, b.String())
		}
	}
}

// Translation is deterministic and goes back and forth.
func TestTranslate(t *testing.T) {
	t.Parallel()
	samples, err := filepath.Glob(filepath.Join("..", "..", "mapping", "testdata", "*", "*.xml"))
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	translated := 0
	for _, path := range samples {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var first, second, report bytes.Buffer
		if status := run(t.Context(), []string{"translate", "--to", "fhir", "--report"}, streams{bytes.NewReader(raw), &first, &report}); status != 0 {
			continue // samples of faults
		}
		translated++
		if status := run(t.Context(), []string{"translate", "--to", "fhir"}, streams{bytes.NewReader(raw), &second, io.Discard}); status != 0 || first.String() != second.String() {
			t.Errorf("%s: the second translation differs", path)
		}
		if !json.Valid(first.Bytes()) || report.Len() == 0 {
			t.Errorf("%s: %d bytes of report, output %.80s", path, report.Len(), first.String())
		}
	}
	if translated == 0 {
		t.Error("no sample could be translated")
	}
	var out bytes.Buffer
	if status := run(t.Context(), []string{"translate", "--to", "plo"}, streams{strings.NewReader("{}"), io.Discard, &out}); status != 1 || out.Len() == 0 {
		t.Errorf("translate nothing: %d %s", status, out.String())
	}
}
