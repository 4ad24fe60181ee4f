package conformance_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
)

// bypassSigner is a second process of the same installation, `sluse serve` on the same database, which takes tokens
// that the demo issues to nobody: of a machine, and of a person whose attest names no patient.
type bypassSigner struct {
	t       testing.TB
	base    string
	private jwk.Key
	tokens  map[string]string
}

const signerURL = "https://issuer.example"

func newBypassSigner(t testing.TB, s *server) *bypassSigner {
	t.Helper()
	b := &bypassSigner{t: t, tokens: map[string]string{}}
	var set []byte
	b.private, set = signerKeys(t)
	b.serve(s, set)
	for _, kind := range []string{"machine", "person"} {
		b.tokens[kind] = b.sign(kind)
	}
	return b
}

// signerKeys makes a key, and the set that its issuer publishes.
func signerKeys(t testing.TB) (private jwk.Key, set []byte) {
	t.Helper()
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err == nil {
		private, err = jwk.Import(raw)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{jwk.KeyIDKey: "test-1", jwk.AlgorithmKey: jwa.ES256(), jwk.KeyUsageKey: jwk.ForSignature} {
		if err := private.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	public, err := private.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	if set, err = json.Marshal(map[string]any{"keys": []jwk.Key{public}}); err != nil {
		t.Fatal(err)
	}
	return private, set
}

// serve starts the process.
func (b *bypassSigner) serve(s *server, keys []byte) {
	b.t.Helper()
	cmd, base := beside(b.t, s, keys, "")
	b.base = base
	b.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
}

// beside starts `sluse serve` on the database of a server, with more lines of configuration.
func beside(t testing.TB, s *server, keys []byte, more string) (cmd *exec.Cmd, base string) {
	t.Helper()
	dir := dataDir(t)
	pid, err := os.ReadFile(filepath.Join(s.data, "database", "cluster", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`
listen: 127.0.0.1:0
admin: 127.0.0.1:0
base: https://sluse.example/fhir
keys: %[1]s/keys
checkpoints: %[2]s/checkpoints
database: {dsn: "host=%[3]s user=sluse dbname=sluse application_name=beside", connections: 4}
issuer:
  url: %[4]s
  jwks: %[2]s/jwks.json
  organizations: [{parent: "993467049", child: "949000052", herId: "80001006"}]
`, s.data, dir, strings.Split(string(pid), "\n")[4], signerURL)
	for name, text := range map[string]string{"jwks.json": string(keys), "sluse.yaml": config + more} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(path, "serve", "--config", filepath.Join(dir, "sluse.yaml"))
	log := &output{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err == nil {
		endWithTests(cmd)
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var public string
	if !lines.Scan() {
		t.Fatalf("serve ended: %s", log)
	}
	if _, err := fmt.Sscanf(lines.Text(), "ready: %s", &public); err != nil {
		t.Fatalf("%q: %v", lines.Text(), err)
	}
	return cmd, "http://" + public
}

// token gives the token of that kind.
func (b *bypassSigner) token(kind string) string { return b.tokens[kind] }

func (b *bypassSigner) sign(kind string) string {
	b.t.Helper()
	now := time.Now().Unix()
	claims := map[string]any{
		"iss": signerURL, "aud": "oslo:sluse", "iat": now, "nbf": now, "exp": now + 3600, "jti": "bypass-" + kind,
		"client_id": "bypass", "client_amr": "private_key_jwt", "scope": []string{"oslo:sluse/fhir"}, "sub": "bypass",
		"helseid://claims/client/claims/orgnr_parent": "993467049", "helseid://claims/client/claims/orgnr_child": "949000052",
	}
	if kind == "person" {
		org := func(id string) map[string]string {
			return map[string]string{"id": id, "system": "urn:oid:2.16.578.1.12.4.1.4.101"}
		}
		claims["name"], claims["helseid://claims/identity/pid"], claims["helseid://claims/identity/security_level"] = "Jon Berg", "12826015185", "4"
		claims["helseid://claims/hpr/hpr_number"] = "9900006"
		claims["nhn:tillitsrammeverk:parameters"] = map[string]any{
			"practitioner": map[string]any{
				"authorization": map[string]string{"code": "PS", "system": "urn:oid:2.16.578.1.12.4.1.1.9060"},
				"legal_entity":  org("993467049"), "point_of_care": org("949000052"),
			},
			"care_relationship": map[string]any{"purpose_of_use": map[string]string{"code": "TREAT", "system": "urn:oid:2.16.840.1.113883.1.11.20448"}},
		}
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		b.t.Fatal(err)
	}
	headers := jws.NewHeaders()
	if err := headers.Set(jws.TypeKey, "at+jwt"); err != nil {
		b.t.Fatal(err)
	}
	token, err := jws.Sign(payload, jws.WithKey(jwa.ES256(), b.private, jws.WithProtectedHeaders(headers)))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(token)
}
