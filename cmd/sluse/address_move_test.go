package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/helseid"
)

// addressed is an installation whose directory is as sagene says, and a way to start it with the file changed.
func addressed(t *testing.T) (i *installation, token string, with func(changes ...string)) {
	t.Helper()
	i = newInstallation(t)
	config, err := os.ReadFile(i.config)
	if err != nil {
		t.Fatal(err)
	}
	i.write("sluse.yaml", strings.Replace(string(config), "organizations: [", `organizations: [{parent: "993467049", child: "949000052", herId: "80001006"}, `, 1)+
		"addresses: "+i.dir+"/adresser.yaml\n")
	with = func(changes ...string) {
		t.Helper()
		for n := 0; n < len(changes); n += 2 {
			if !strings.Contains(sagene, changes[n]) {
				t.Fatalf("the file does not hold %q", changes[n])
			}
		}
		i.write("adresser.yaml", strings.NewReplacer(changes...).Replace(sagene))
	}
	with()
	if status, out := i.sluse("migrate", "--config", i.config, "--new-keys"); status != 0 {
		t.Fatalf("migrate: %d %s", status, out)
	}
	token, _, err = i.issuer.Token("ous-tsb", helseid.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return i, token, with
}

// line gives the whole line of sagene that holds the text.
func sageneLine(text string) string {
	for _, l := range strings.SplitAfter(sagene, "\n") {
		if strings.Contains(l, text) {
			return l
		}
	}
	return ""
}

// refused starts what is to end by itself, and ends it when it does not.
func (i *installation) refused() (status int, out string) {
	i.t.Helper()
	ctx, done := context.WithTimeout(i.t.Context(), 30*time.Second)
	defer done()
	var b bytes.Buffer
	status = run(ctx, []string{"serve", "--config", i.config, "--log-level=error"}, streams{strings.NewReader(""), &b, &b})
	return status, b.String()
}

func (s serving) end(t *testing.T) {
	t.Helper()
	if status := s.stop(); status != 0 {
		t.Fatalf("serve ended with %d", status)
	}
}

// TestAddressFileMovesNobodyBySlip: a file by which a HER-id would be another party's, or its party another organisation or kind
// of party, is refused with the line, and nothing of it is written; Was says that it is meant, and what it was. Whom drift has
// said that a person is stays.
func TestAddressFileMovesNobodyBySlip(t *testing.T) {
	t.Parallel()
	i, token, with := addressed(t)
	s := i.serve()
	drift, _, err := i.issuer.Token("drift", helseid.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const role = `{"resourceType":"PractitionerRole","id":"her-80001107","active":true,"identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80001107"}],
	  "practitioner":{"reference":"Practitioner/kari","display":"Kari Lege"},"organization":{"reference":"Organization/her-80001006"}}`
	if status, body := fetch(t, "PUT", s.public+"/fhir/PractitionerRole/her-80001107", drift, role); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	s.end(t)
	const service, bydel = "80001102, ParentHerId: 80001001, Type: Service", "Sector: bydel-helse, Lovgrunnlag: helse-kommune"
	for name, c := range map[string]struct {
		from, to string
		want     []string
	}{
		"another party": {service, strings.Replace(service, "80001001", "80001006", 1),
			[]string{"adresser.yaml: line 8: CommunicationParties[2].ParentHerId: HER-id 80001102 ", `80001001 to "80001006"`, "Was: {Party: 80001001}"}},
		"another kind": {bydel, "Sector: bydel-sosial, Lovgrunnlag: sosial",
			[]string{"line 3: CommunicationParties[0].Sector: HER-id 80001001 ", "CommunicationParties[0].Lovgrunnlag:", "Was: {Sector: bydel-helse}"}},
		"another organisation": {`"974778726"`, `"993467049"`, []string{"line 3: CommunicationParties[0].OrganizationNumber: HER-id 80001001 "}},
		"meant otherwise":      {service, "80001102, Was: {Party: 80001009}, ParentHerId: 80001006, Type: Service", []string{"line 8: CommunicationParties[2].ParentHerId:"}},
	} {
		with(c.from, c.to, `Name: "Rusteam"`, `Name: "Nytt navn"`)
		status, out := i.refused()
		if status != 1 {
			t.Fatalf("%s: %d %s", name, status, out)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %s\nlacks %s", name, out, want)
			}
		}
	}
	with("Kari Lege", "Kari Nordlege")
	s = i.serve()
	for at, want := range map[string][]string{
		"HealthcareService/her-80001102": {"Organization/her-80001001"}, "HealthcareService/her-80001103": {"Rusteam"},
		"PractitionerRole/her-80001107": {"Practitioner/kari", "Kari Nordlege"}, "Organization/her-80001001": {"bydel-helse", "974778726"},
	} {
		_, body := fetch(t, "GET", s.public+"/fhir/"+at, token, "")
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s lacks %s: %s", at, w, body)
			}
		}
	}
	s.end(t)
	with(service, "80001102, Was: {Party: 80001001}, ParentHerId: 80001006, Type: Service")
	s = i.serve()
	if _, body := fetch(t, "GET", s.public+"/fhir/HealthcareService/her-80001102", token, ""); !strings.Contains(body, "Organization/her-80001006") {
		t.Errorf("what is meant is not done: %s", body)
	}
	s.end(t)
}

// TestWhoLeavesTheAddressFileIsClosed: no message is taken in for a HER-id that the file has made and names no more, and its
// Endpoints are off; when it comes back, it is open. What drift has made stays.
func TestWhoLeavesTheAddressFileIsClosed(t *testing.T) {
	t.Parallel()
	i, token, with := addressed(t)
	s := i.serve()
	drift, _, err := i.issuer.Token("drift", helseid.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const own = `{"resourceType":"HealthcareService","id":"80001010-eget","active":true,"name":"Eget","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80001199"}],
	  "providedBy":{"reference":"Organization/her-80001001"}}`
	if status, body := fetch(t, "PUT", s.public+"/fhir/HealthcareService/80001010-eget", drift, own); status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	answers := func(id string, wants map[string]string) {
		t.Helper()
		for to, want := range wants {
			if answer := i.appRec(s, token, to, "to-"+to+"-"+id); !strings.Contains(answer, want) {
				t.Errorf("%s: to %s: %s\nlacks %s", id, to, answer, want)
			}
		}
	}
	answers("before", map[string]string{"80001102": "X99", "80001199": "T10"})
	s.end(t)
	with(sageneLine("80001102"), "")
	s = i.serve()
	answers("without", map[string]string{"80001102": "ikke i bruk", "80001199": "X99"})
	if _, body := fetch(t, "GET", s.public+"/fhir/Endpoint/her-80001102-api", token, ""); !strings.Contains(body, `"off"`) {
		t.Errorf("its Endpoint: %s", body)
	}
	s.end(t)
	whole := sagene[strings.Index(sagene, "  - {HerId: 80001001"):strings.Index(sagene, "  - {HerId: 80001006")]
	with(whole, "")
	s = i.serve()
	answers("nobody", map[string]string{"80001101": "E21", "80001102": "E21", "80001199": "E21"})
	s.end(t)
	with()
	s = i.serve()
	answers("again", map[string]string{"80001102": "X99", "80001101": "T10"})
	s.end(t)
}
