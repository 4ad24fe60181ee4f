package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// policyTest runs `sluse policy test` on a file.
func policyTest(t *testing.T, args ...string) (status int, out, err string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = run(context.Background(), append([]string{"policy", "test"}, args...), streams{in: strings.NewReader(""), out: &stdout, err: &stderr})
	return status, stdout.String(), stderr.String()
}

// changed writes a file of cases with one line of it another.
func changed(t *testing.T, old, with string) string {
	t.Helper()
	raw, err := os.ReadFile("../../policies/cases/legal-andre-etater.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), old) {
		t.Fatalf("the file does not hold %q", old)
	}
	path := filepath.Join(t.TempDir(), "saker.yaml")
	if err := os.WriteFile(path, []byte(strings.Replace(string(raw), old, with, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPolicyTest(t *testing.T) {
	t.Parallel()
	status, out, _ := policyTest(t, "../../policies/cases/legal-andre-etater.yaml")
	if status != 0 || !strings.Contains(out, "10 saker") || !strings.Contains(out, " 0 avvik") ||
		!strings.Contains(out, "+ sykepleier × navs-økonomi × COC, lese (samtykke): krysser etter NAV-loven § 7, jf. fvl. § 13 a nr. 1 [Consent/c1/_history/1 Consent.provision]; loggføres") {
		t.Errorf("status %d:\n%s", status, out)
	}
}

// What is expected and is not, and what is not expected and is: each is told, and the exit status is 1.
func TestPolicyTestTellsDifferences(t *testing.T) {
	t.Parallel()
	row := "      - {who: sykepleier, what: navs-økonomi, purpose: COC, law: NAV7, duty: log}"
	for name, tt := range map[string]struct{ with, want string }{
		"too much":    {strings.Replace(row, "purpose: COC", "purpose: COC, action: read", 1), "krysser, og skal holdes tilbake"},
		"too little":  {strings.Replace(row, "what: navs-økonomi, ", "", 1), "holdes tilbake, og skal krysse"},
		"another law": {strings.Replace(row, "NAV7", "HPL22", 1), "krysser på et annet grunnlag enn HPL22"},
	} {
		status, out, _ := policyTest(t, changed(t, row, tt.with))
		if status != 1 || !strings.Contains(out, "AVVIK (linje ") || !strings.Contains(out, tt.want) {
			t.Errorf("%s: status %d:\n%.900s", name, status, out)
		}
	}
	status, out, _ := policyTest(t, "--format", "json", changed(t, row, strings.Replace(row, "NAV7", "HPL22", 1)))
	var report struct {
		NeedsLegalReview bool
		Asked, Differ    int
		Questions        []struct {
			Case, Differs string
			Expected      bool
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || status != 1 || report.Differ != 4 || len(report.Questions) != report.Asked || !report.NeedsLegalReview {
		t.Errorf("status %d, %v, %d differ:\n%.400s", status, err, report.Differ, out)
	}
}

// A file that is not right is refused with line and element, and nothing is asked.
func TestPolicyTestRefusesBadFiles(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ old, with, want string }{
		{"decision: permit", "decision: perhaps", `saker.yaml: line 56: N01: decision: "perhaps"`},
		{"labels: [okonomi], purpose", "labels: [økonomi], purpose", "line 66: sykepleier × navs-økonomi × COC, read (samtykke): consents: refused at [Consent.provision.securityLabel[0]"},
		{"recipient: {party: \"8150103\"", "recipient: {parti: \"8150103\"", "world: consent: agreement of regime lov \"velferd-bydel\""},
		{"who: [sykepleier, overlege, saksbehandler]", "who: [lege]", `who: "lege" is not in the file's who`},
	} {
		status, out, err := policyTest(t, changed(t, tt.old, tt.with))
		if status != 1 || out != "" || !strings.Contains(err, tt.want) {
			t.Errorf("status %d, %q\n%s\nwant %s", status, out, err, tt.want)
		}
	}
	if status, _, _ := policyTest(t, "no-such-file.yaml"); status != 2 {
		t.Errorf("no file: status %d", status)
	}
}
