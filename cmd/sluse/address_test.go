package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/helseid"
)

// sagene is a bydel with two services, and a hospital that writes to them, as Adresseregisteret tells of them.
const sagene = `
CommunicationParties:
  - {HerId: 80001001, Type: Organization, Name: "Bydel Sagene", OrganizationNumber: "974778726", Municipality: {OID: "3402", CodeValue: "0301"},
     Sector: bydel-helse, Lovgrunnlag: helse-kommune}
  - {HerId: 80001101, ParentHerId: 80001001, Type: Service, Name: "Saksbehandling", Code: {OID: 2.16.578.1.12.4.1.1.8663, CodeValue: KD0501},
     ElectronicAddresses: [{Address: sagene@edi.example.no, Type: {CodeValue: E_EDI}}, {Address: sb.example.no/80001101_async, TypeCodeValue: E_SB_ASYNC}],
     CertificateThumbprint: 0123456789abcdef0123456789abcdef01234567}
  - {HerId: 80001102, ParentHerId: 80001001, Type: Service, Name: "Sykepleietjeneste", Code: {OID: "8663", CodeValue: KP02}}
  - {HerId: 80001103, ParentHerId: 80001001, Type: Service, Name: "Rusteam", Active: false, Code: {OID: "8655", CodeValue: R}}
  - {HerId: 80001104, ParentHerId: 80001001, Type: Service, Name: "Helseteam", Code: {OID: "8663", CodeValue: KX02}, Valid: {From: 2020-01-01, To: 2021-12-31}}
  - {HerId: 80001006, Type: Organization, Name: "OUS", OrganizationNumber: 993467049, Sector: hf, Lovgrunnlag: helse-spesialist}
  - {HerId: 80001106, ParentHerId: 80001006, Type: Service, Name: "Psykiatri plo meldingsmottak", Code: {OID: "8668", CodeValue: "2"}}
  - {HerId: 80001107, ParentHerId: 80001006, Type: Person, Name: "Kari Lege"}
Routing:
  "*": {LOG_INNLAGT: ["8663:KP02"], LOG_UTSKRIVNINGSKLAR: ["8663:KD0501"], INNLEGGELSESRAPPORT: ["8668:2"]}
`

// TestAddressFileFaults: a file that is not right is refused with line and element, all faults at once.
func TestAddressFileFaults(t *testing.T) {
	t.Parallel()
	const head = "CommunicationParties:\n  - {HerId: 1, Type: Organization, Name: A, OrganizationNumber: 974778726}\n"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"no yaml":           {"a: [", []string{"line 1"}},
		"empty":             {"", []string{"holds nothing"}},
		"unknown element":   {head + "Parties: []", []string{"line 3: Parties: is not an element"}},
		"unknown in party":  {"CommunicationParties:\n  - {HerId: 1, Typ: Organization}", []string{"line 2: CommunicationParties[0].Typ:"}},
		"twice":             {head + "CommunicationParties: []", []string{"line 3: CommunicationParties: stands there twice"}},
		"HER-id twice":      {head + "  - {HerId: 1, Type: Organization, Name: B, OrganizationNumber: 993467049}", []string{"line 3: CommunicationParties[1].HerId: 1 stands at line 2 already"}},
		"no HER-id":         {"CommunicationParties:\n  - {Type: Organization, Name: A, OrganizationNumber: 974778726}", []string{"line 2: CommunicationParties[0].HerId:"}},
		"HER-id as words":   {"CommunicationParties:\n  - {HerId: one, Type: Organization, Name: A, OrganizationNumber: 974778726}", []string{"CommunicationParties[0].HerId:"}},
		"wrong orgnr":       {"CommunicationParties:\n  - {HerId: 1, Type: Organization, Name: A, OrganizationNumber: 974778725}", []string{"CommunicationParties[0].OrganizationNumber:"}},
		"type":              {"CommunicationParties:\n  - {HerId: 1, Type: Office, Name: A}", []string{"CommunicationParties[0].Type: must be Organization"}},
		"parent missing":    {head + "  - {HerId: 2, ParentHerId: 3, Type: Service, Name: B, Code: {OID: 8663, CodeValue: KP02}}", []string{"line 3: CommunicationParties[1].ParentHerId: 3 is not in the file"}},
		"no parent":         {head + "  - {HerId: 2, Type: Service, Name: B, Code: {OID: 8663, CodeValue: KP02}}", []string{"CommunicationParties[1].ParentHerId: must name"}},
		"parent a service":  {head + "  - {HerId: 2, ParentHerId: 1, Type: Service, Name: B, Code: {OID: 8663, CodeValue: KP02}}\n  - {HerId: 3, ParentHerId: 2, Type: Service, Name: C, Code: {OID: 8663, CodeValue: KP02}}", []string{"line 4: CommunicationParties[2].ParentHerId: 2 is no Organization"}},
		"circle":            {"CommunicationParties:\n  - {HerId: 1, ParentHerId: 2, Type: Department, Name: A}\n  - {HerId: 2, ParentHerId: 1, Type: Department, Name: B}", []string{"line 2: CommunicationParties[0].ParentHerId: goes in a circle"}},
		"no code":           {head + "  - {HerId: 2, ParentHerId: 1, Type: Service, Name: B}", []string{"CommunicationParties[1].Code:"}},
		"message type":      {head + "  - {HerId: 2, ParentHerId: 1, Type: Service, Name: B, Code: {OID: 8663, CodeValue: KP02}, MessageTypes: [LOG_INNLAGT, LOG_INLAGT]}", []string{`line 3: CommunicationParties[1].MessageTypes[1]: "LOG_INLAGT" is no message type`}},
		"sector":            {"CommunicationParties:\n  - {HerId: 1, Type: Organization, Name: A, OrganizationNumber: 974778726, Sector: bydel, Lovgrunnlag: helse-kommune}", []string{"CommunicationParties[0].Sector:"}},
		"sector alone":      {"CommunicationParties:\n  - {HerId: 1, Type: Organization, Name: A, OrganizationNumber: 974778726, Sector: hf}", []string{"CommunicationParties[0].Lovgrunnlag:"}},
		"date":              {"CommunicationParties:\n  - {HerId: 1, Type: Organization, Name: A, OrganizationNumber: 974778726, Valid: {To: 31.12.2026}}", []string{"CommunicationParties[0].Valid.To:"}},
		"active":            {"CommunicationParties:\n  - {HerId: 1, Type: Organization, Name: A, OrganizationNumber: 974778726, Active: perhaps}", []string{"CommunicationParties[0].Active:"}},
		"certificate":       {"CommunicationParties:\n  - {HerId: 1, Type: Organization, Name: A, OrganizationNumber: 974778726, CertificateThumbprint: abc}", []string{"CommunicationParties[0].CertificateThumbprint:"}},
		"address":           {"CommunicationParties:\n  - {HerId: 1, Type: Organization, Name: A, OrganizationNumber: 974778726, ElectronicAddresses: [{Address: a b, TypeCodeValue: E_FAX}]}", []string{"ElectronicAddresses[0].Address:", "ElectronicAddresses[0].Type: must be one of"}},
		"municipality":      {head + "Routing: {Oslo: {LOG_INNLAGT: [\"8663:KP02\"]}}", []string{"line 3: Routing.Oslo:"}},
		"routed type":       {head + "Routing: {\"*\": {LOG_INLAGT: [\"8663:KP02\"]}}", []string{"line 3: Routing.*.LOG_INLAGT:"}},
		"routed service":    {head + "Routing: {\"*\": {LOG_INNLAGT: [KP02]}}", []string{"line 3: Routing.*.LOG_INNLAGT[0]:"}},
		"identity in names": {"CommunicationParties:\n  - {HerId: 1, Type: Organization, Name: A 14837912092, OrganizationNumber: 974778726}", []string{"CommunicationParties[0].Name:"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "adresser.yaml")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := readAddresses(path)
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
					t.Errorf("%v\nlacks %s", err, want)
				}
			}
			if strings.Contains(err.Error(), "14837912092") {
				t.Errorf("it repeats a national identity number: %v", err)
			}
		})
	}
}

// TestRouting: what a municipality says of a type takes the place of what holds for the country; what a service says of
// itself takes the place of both; JSON is read as well.
func TestRouting(t *testing.T) {
	t.Parallel()
	read := func(text string) map[string][]string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "adresser.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := readAddresses(path)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string][]string{}
		for _, p := range f.parties {
			all[p.name] = f.receives(p)
		}
		return all
	}
	oslo := `  "0301": {LOG_INNLAGT: ["8663:KD0501"]}` + "\n"
	for name, c := range map[string]struct {
		text string
		want map[string]string
	}{
		"country":            {sagene, map[string]string{"Saksbehandling": "LOG_UTSKRIVNINGSKLAR", "Sykepleietjeneste": "LOG_INNLAGT", "Bydel Sagene": ""}},
		"municipality":       {sagene + oslo, map[string]string{"Saksbehandling": "LOG_INNLAGT LOG_UTSKRIVNINGSKLAR", "Sykepleietjeneste": ""}},
		"other municipality": {sagene + strings.Replace(oslo, "0301", "4601", 1), map[string]string{"Saksbehandling": "LOG_UTSKRIVNINGSKLAR", "Sykepleietjeneste": "LOG_INNLAGT"}},
		"itself": {strings.Replace(sagene+oslo, "CodeValue: KP02}", "CodeValue: KP02}, MessageTypes: [LOG_DOD, LOG_INNLAGT]", 1),
			map[string]string{"Saksbehandling": "LOG_INNLAGT LOG_UTSKRIVNINGSKLAR", "Sykepleietjeneste": "LOG_DOD LOG_INNLAGT"}},
		"json": {`{"CommunicationParties": [{"HerId": 1, "Type": "Organization", "Name": "A", "OrganizationNumber": 974778726, "ParentHerId": null},
			{"HerId": 2, "ParentHerId": 1, "Type": "Service", "Name": "B", "Code": {"OID": "8663", "CodeValue": "KP02"}}], "Routing": {"*": {"LOG_DOD": ["8663:KP02"]}}}`,
			map[string]string{"A": "", "B": "LOG_DOD"}},
	} {
		got := read(c.text)
		for party, want := range c.want {
			if kinds := strings.Join(got[party], " "); kinds != want {
				t.Errorf("%s: %s receives %q, want %q", name, party, kinds, want)
			}
		}
	}
}

// TestAddressesAreServed: the parties of the file stand in the directory, for everybody to read and search; a start with
// the same file writes nothing, one with another file does; a message to the wrong service is answered with the right one.
func TestAddressesAreServed(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	config, err := os.ReadFile(i.config)
	if err != nil {
		t.Fatal(err)
	}
	i.write("sluse.yaml", strings.Replace(string(config), "organizations: [", `organizations: [{parent: "993467049", child: "949000052", herId: "80001006"}, `, 1)+
		"addresses: "+i.dir+"/adresser.yaml\n")
	i.write("adresser.yaml", strings.Replace(sagene, "HerId: 80001001", "HerId: en", 1))
	if status, out := i.sluse("migrate", "--config", i.config, "--new-keys"); status != 0 {
		t.Fatalf("migrate: %d %s", status, out)
	}
	if status, out := i.sluse("serve", "--config", i.config); status != 1 || !strings.Contains(out, "adresser.yaml: line 3: CommunicationParties[0].HerId:") {
		t.Fatalf("serve with a file that is not right: %d %s", status, out)
	}
	i.write("adresser.yaml", sagene)
	s := i.serve()
	token, _, err := i.issuer.Token("ous-tsb", helseid.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found := func(query string) (names, versions []string) {
		t.Helper()
		status, body := fetch(t, "GET", s.public+"/fhir/"+query, token, "")
		var bundle struct {
			Entry []struct {
				Resource struct {
					ID   string
					Meta struct{ VersionID string }
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &bundle); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %v, %d %s", query, err, status, body)
		}
		for _, e := range bundle.Entry {
			if e.Resource.ID == "" { // the outcome of a wide search
				continue
			}
			names, versions = append(names, e.Resource.ID), append(versions, e.Resource.Meta.VersionID)
		}
		slices.Sort(names)
		slices.Sort(versions)
		return names, versions
	}
	const her, kind = "urn:oid:2.16.578.1.12.4.1.2|", "urn:oid:2.16.578.1.12.4.1.1.8279|"
	for query, want := range map[string]string{
		"Organization?identifier=" + her + "80001001":                                                     "her-80001001",
		"HealthcareService?identifier=" + her + "80001102":                                                "her-80001102",
		"HealthcareService?service-type=KD0501&_include=HealthcareService:endpoint":                       "her-80001101 her-80001101-amqp her-80001101-edi",
		"HealthcareService?organization=Organization/her-80001001&active=false":                           "her-80001103",
		"HealthcareService?specialty=urn:oid:2.16.578.1.12.4.1.1.8655|R":                                  "her-80001103",
		"PractitionerRole?identifier=" + her + "80001107":                                                 "her-80001107",
		"Endpoint?payload-type=" + kind + "LOG_INNLAGT":                                                   "her-80001102-api",
		"Endpoint?payload-type=" + kind + "LOG_UTSKRIVNINGSKLAR&connection-type=no-ebxml-2&status=active": "her-80001101-edi",
	} {
		if names, _ := found(query); strings.Join(names, " ") != want {
			t.Errorf("%s: %v, want %s", query, names, want)
		}
	}
	_, endpoint := fetch(t, "GET", s.public+"/fhir/Endpoint/her-80001101-amqp", token, "")
	for _, want := range []string{`"amqps://sb.example.no/80001101_async"`, `"0123456789ABCDEF0123456789ABCDEF01234567"`, `"no-amqp"`} {
		if !strings.Contains(endpoint, want) {
			t.Errorf("%s\nlacks %s", endpoint, want)
		}
	}
	posts := 0
	appRec := func(to string) string {
		t.Helper()
		posts++
		return i.appRec(s, token, to, fmt.Sprintf("to-%s-%d", to, posts))
	}
	wants := func(to string, parts ...string) {
		t.Helper()
		answer := appRec(to)
		for _, want := range parts {
			if !strings.Contains(answer, want) {
				t.Errorf("to %s: %s\nlacks %s", to, answer, want)
			}
		}
	}
	wants("80001102", "X99", "samtykke mangler")
	wants("80001101", "T10", "80001102 (Sykepleietjeneste)")
	wants("80001103", "E21", "ikke i bruk")
	wants("80001104", "E21", "ikke i bruk")
	wants("80009999", "E21", "Mottaker finnes ikke")
	_, before := found("HealthcareService?_count=50")
	if status := s.stop(); status != 0 {
		t.Fatalf("serve ended with %d", status)
	}
	s = i.serve()
	if _, after := found("HealthcareService?_count=50"); !slices.Equal(before, after) {
		t.Errorf("a start with the same file writes: %v, before %v", after, before)
	}
	if status := s.stop(); status != 0 {
		t.Fatalf("serve ended with %d", status)
	}
	i.write("adresser.yaml", strings.Replace(sagene, "Rusteam\", Active: false", "Rusteam\"", 1)+`  "0301": {LOG_INNLAGT: ["8663:KD0501"]}`+"\n")
	s = i.serve()
	wants("80001101", "X99", "samtykke mangler")
	wants("80001102", "T10", "80001101 (Saksbehandling)")
	wants("80001103", "T10", "80001101 (Saksbehandling)")
	if names, _ := found("HealthcareService?active=false"); len(names) != 0 {
		t.Errorf("inactive: %v", names)
	}
	if status := s.stop(); status != 0 {
		t.Fatalf("serve ended with %d", status)
	}
}

// appRec sends a LOG_INNLAGT to the HER-id, and gives what was answered.
func (i *installation) appRec(s serving, token, to, msgID string) string {
	i.t.Helper()
	raw, err := os.ReadFile("../../mapping/testdata/log-innlagt/in.xml")
	if err != nil {
		i.t.Fatal(err)
	}
	sent := strings.NewReplacer("<Id>8100030</Id>", "<Id>80001006</Id>", "<Id>8100031</Id>", "<Id>80001106</Id>", "<Id>8100020</Id>", "<Id>80001001</Id>",
		"<Id>8100021</Id>", "<Id>"+to+"</Id>", "11111111-aaaa-4111-8111-111111111111", msgID).Replace(string(raw))
	call := func(method, path, body string) string {
		i.t.Helper()
		status, answer := fetch(i.t, method, s.public+path, token, body)
		if status != http.StatusOK && status != http.StatusCreated {
			i.t.Fatalf("%s %s: %d %s", method, path, status, answer)
		}
		return answer
	}
	call("POST", "/edi/Messages", `{"businessDocument":"`+base64.StdEncoding.EncodeToString([]byte(sent))+`","contentType":"application/xml","contentTransferEncoding":"base64"}`)
	for _, id := range regexp.MustCompile(`[0-9a-f-]{36}`).FindAllString(call("GET", "/edi/Messages?MessagesToFetch=100&ReceiverHerIds=80001106", ""), -1) {
		var envelope struct{ BusinessDocument []byte }
		if err := json.Unmarshal([]byte(call("GET", "/edi/Messages/"+id+"/business-document", "")), &envelope); err != nil {
			i.t.Fatal(err)
		}
		if strings.Contains(string(envelope.BusinessDocument), ">"+msgID+"<") {
			return string(envelope.BusinessDocument)
		}
	}
	i.t.Fatalf("no AppRec for %s", msgID)
	return ""
}
