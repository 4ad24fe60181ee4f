package main

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/helseid"
)

const goodConfiguration = `
base: https://sluse.example/fhir
keys: /etc/sluse/keys
checkpoints: /var/lib/sluse/checkpoints
database: {data: /var/lib/sluse/postgres}
issuer:
  url: https://issuer.example
  jwks: /etc/sluse/jwks.json
  organizations:
    - {parent: "974778726", herId: "80001001"}
    - {parent: "958935420", child: "949000028", herId: "80001002"}
`

func readText(t *testing.T, text string) (configuration, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sluse.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return readConfiguration(path)
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	c, err := readText(t, goodConfiguration)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:8080" || c.Issuer.Audience != "oslo:sluse" || c.Origins != nil {
		t.Errorf("defaults: %+v", c)
	}
	for organization, want := range map[helseid.Organization]string{
		{Parent: "974778726"}:                     "80001001",
		{Parent: "958935420", Child: "949000028"}: "80001002",
		{Parent: "958935420"}:                     "",
		{Parent: "974778726", Child: "949000028"}: "",
	} {
		if got, ok := c.Issuer.party(organization); string(got) != want || ok != (want != "") {
			t.Errorf("%v: %s %v", organization, got, ok)
		}
	}
}

func TestConfigurationTellsEveryFault(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"", "base is missing"},
		{"", "keys is missing"},
		{"", "issuer.organizations is missing"},
		{"", "exactly one of dsn, dsnFile and data"},
		{goodConfiguration + "colour: red\n", "colour"},
		{goodConfiguration + "henvisning20: 2018-01-01\n", "henvisning20 must be an absolute URI"},
		{strings.Replace(goodConfiguration, "{data:", "{dsn: x, data:", 1), "exactly one"},
		{strings.Replace(goodConfiguration, "/fhir", "/r4", 1), "end in /fhir"},
		{strings.Replace(goodConfiguration, `, herId: "80001001"`, "", 1), "organizations[0]"},
	} {
		if _, err := readText(t, tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q is not among: %v", tt.want, err)
		}
	}
}

func TestKeysAreMadeOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	if _, err := readKeys(dir); err == nil || !strings.Contains(err.Error(), "--new-keys") {
		t.Fatalf("missing keys: %v", err)
	}
	if err := makeKeys(dir, "sluse.example", rand.Reader); err != nil {
		t.Fatal(err)
	}
	first, err := readKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := makeKeys(dir, "sluse.example", rand.Reader); err != nil {
		t.Fatal(err)
	}
	second, err := readKeys(dir)
	if err != nil || first.hash != second.hash || string(first.seal) != string(second.seal) || first.public != second.public {
		t.Errorf("the keys were replaced: %v", err)
	}
	if first.hash == [32]byte{} || string(first.hash[:]) == string(first.seal) {
		t.Error("the keys are not of their own")
	}
	for _, name := range []string{hashFile, sealFile, signFile, publicFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "seal.key"), []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readKeys(dir); err == nil {
		t.Error("a short key was taken")
	}
}
