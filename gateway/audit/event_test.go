package audit_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/audit"
	"github.com/sluse/sluse/gateway/fhir"
)

var update = flag.Bool("update", false, "write the golden files")

const selfNIN = "12859200212" // synthetic, month + 80

func entry(t *testing.T) gateway.AuditEntry {
	t.Helper()
	nin, err := gateway.NewNIN(selfNIN)
	if err != nil {
		t.Fatal(err)
	}
	return gateway.AuditEntry{
		ID: "2f0c2a4e-5a64-4d57-9c3b-0e8a4f7b1c11", Recorded: at, Interaction: gateway.Read, Outcome: gateway.Released,
		Actor: gateway.Actor{
			Kind: gateway.Person, Party: "8140006", Unit: "8140101", Practitioner: "9144900", Name: "Jon Berg", Role: "psykolog",
			Purpose: gateway.Treat, Reason: "innlagt pasient", Self: nin, Attest: gateway.Attest{NIN: nin}, Client: "epj-1", TokenID: "jti-1",
		},
		Party: gateway.Party{
			ID: "8140006", Name: "Oslo universitetssykehus, TSB", Sector: gateway.SectorHF,
			Organization: fhir.Reference{Type: "Organization", ID: "80001010-ous-tsb"},
		},
		Person: 42, Alias: "a1b2c3d4e5f60718",
		Entities: []gateway.AuditEntity{{
			Record: fhir.Reference{Type: "CarePlan", ID: "8a1", Version: "v7"}, Custodian: "8140001", Withheld: gateway.Okonomi,
			Citations: []gateway.Citation{{
				Consent: fhir.Reference{Type: "Consent", ID: "c1", Version: "v2"}, Path: "Consent.provision.provision[1]",
				Law: "HPL22", Paragraph: "hpl. § 22",
			}},
		}},
		Type: "CarePlan", Policy: "sha256:abc",
	}
}

func render(t *testing.T, e gateway.AuditEntry) (body []byte, v map[string]any) {
	t.Helper()
	s := audit.Source{Site: "Sluse Oslo", Observer: fhir.Reference{Type: "Organization", ID: "80001010-drift"}}
	body, err := s.Render(e)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Render(e)
	if err != nil || !bytes.Equal(body, again) {
		t.Errorf("two renderings differ: %v", err)
	}
	if strings.Contains(string(body), selfNIN) {
		t.Errorf("a national identity number stands in the ledger: %s", body)
	}
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	return body, v
}

func TestRenderGolden(t *testing.T) {
	t.Parallel()
	refused := entry(t)
	refused.Outcome, refused.Code, refused.Interaction = gateway.Refused, gateway.NotFound, gateway.Find
	refused.Query, refused.Entities[0].Citations = "CarePlan?patient=Patient/1", nil
	message := entry(t)
	message.Interaction, message.Message, message.Actor = gateway.Submit, "msg-1", gateway.Actor{Kind: gateway.Machine, Party: "8140005", Client: "epj-2"}
	for name, e := range map[string]gateway.AuditEntry{"read": entry(t), "refused": refused, "message": message} {
		body, _ := render(t, e)
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, body, "", "  "); err != nil {
			t.Fatal(err)
		}
		pretty.WriteByte('\n')
		path := "testdata/" + name + ".json"
		if *update {
			if err := os.WriteFile(path, pretty.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(pretty.Bytes(), want) {
			t.Errorf("%s differs from %s (go test -update writes it):\n%s", name, path, pretty.String())
		}
	}
}

// What was withheld stands in no entry that the asker can read.
func TestWithheldOnlyInRefusals(t *testing.T) {
	t.Parallel()
	e := entry(t)
	if body, _ := render(t, e); strings.Contains(string(body), "okonomi") {
		t.Errorf("a release tells the asker what was withheld: %s", body)
	}
	e.Outcome, e.Code = gateway.Refused, gateway.NotFound
	if body, _ := render(t, e); !strings.Contains(string(body), "okonomi") {
		t.Errorf("a refusal does not tell what was withheld: %s", body)
	}
}

func TestOutcomesAndActions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code            gateway.InteractionCode
		outcome         gateway.AuditOutcome
		why             gateway.Code
		action, result  string
		profile, system string
	}{
		{gateway.Read, gateway.Released, "", "R", "0", "PatientRead", "http://hl7.org/fhir/restful-interaction"},
		{gateway.Create, gateway.Written, "", "C", "0", "PatientCreate", "http://hl7.org/fhir/restful-interaction"},
		{gateway.Update, gateway.Written, "", "U", "0", "PatientUpdate", "http://hl7.org/fhir/restful-interaction"},
		{gateway.Delete, gateway.Written, "", "D", "0", "PatientDelete", "http://hl7.org/fhir/restful-interaction"},
		{gateway.Find, gateway.Released, "", "E", "0", "PatientQuery", "http://hl7.org/fhir/restful-interaction"},
		{gateway.Read, gateway.Refused, gateway.NotFound, "R", "4", "", "http://hl7.org/fhir/restful-interaction"},
		{gateway.Read, gateway.Refused, gateway.Unavailable, "R", "8", "", "http://hl7.org/fhir/restful-interaction"},
		{gateway.Submit, gateway.Written, "", "C", "0", "", "http://sluse.no/fhir/CodeSystem/meldingsutveksling"},
		{gateway.Export, gateway.Released, "", "E", "0", "", "http://sluse.no/fhir/CodeSystem/eksport"},
		{gateway.ExportPoll, gateway.Refused, gateway.NotFound, "R", "4", "", "http://sluse.no/fhir/CodeSystem/eksport"},
		{gateway.ExportDownload, gateway.Released, "", "R", "0", "", "http://sluse.no/fhir/CodeSystem/eksport"},
		{gateway.ExportCancel, gateway.Written, "", "D", "0", "", "http://sluse.no/fhir/CodeSystem/eksport"},
		{gateway.Relay, gateway.Released, "", "R", "0", "", "http://sluse.no/fhir/CodeSystem/meldingsutveksling"},
	} {
		e := entry(t)
		e.Interaction, e.Outcome, e.Code = tt.code, tt.outcome, tt.why
		_, v := render(t, e)
		subtype := v["subtype"].([]any)[0].(map[string]any)
		if v["action"] != tt.action || v["outcome"] != tt.result || subtype["code"] != string(tt.code) || subtype["system"] != tt.system {
			t.Errorf("%s %s: action %v, outcome %v, subtype %v", tt.code, tt.outcome, v["action"], v["outcome"], subtype)
		}
		profiles, _ := v["meta"].(map[string]any)["profile"].([]any)
		if tt.profile == "" && profiles != nil || tt.profile != "" && (len(profiles) != 1 || !strings.HasSuffix(profiles[0].(string), "."+tt.profile)) {
			t.Errorf("%s %s: profile %v, want %s", tt.code, tt.outcome, profiles, tt.profile)
		}
		if (tt.outcome == gateway.Refused) != (v["outcomeDesc"] != nil) {
			t.Errorf("%s %s: outcomeDesc %v", tt.code, tt.outcome, v["outcomeDesc"])
		}
	}
}

func TestQueryIsKept(t *testing.T) {
	t.Parallel()
	e := entry(t)
	e.Interaction, e.Query, e.Entities, e.Person = gateway.Find, "CarePlan?status=active&_count=20", nil, 0
	_, v := render(t, e)
	entities := v["entity"].([]any)
	if len(entities) != 1 {
		t.Fatalf("%d entities for a search without patient, want the query only", len(entities))
	}
	raw, err := base64.StdEncoding.DecodeString(entities[0].(map[string]any)["query"].(string))
	if err != nil || string(raw) != "CarePlan?status=active&_count=20" {
		t.Errorf("query %q, %v", raw, err)
	}
}

func TestIncompleteEntriesAreRefused(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*gateway.AuditEntry){
		"no id":          func(e *gateway.AuditEntry) { e.ID = "" },
		"no time":        func(e *gateway.AuditEntry) { *e = gateway.AuditEntry{ID: e.ID, Interaction: e.Interaction} },
		"no interaction": func(e *gateway.AuditEntry) { e.Interaction = "" },
	} {
		e := entry(t)
		edit(&e)
		if _, err := (audit.Source{Site: "x"}).Render(e); err == nil {
			t.Errorf("%s: rendered", name)
		}
	}
	if _, err := (audit.Source{}).Render(entry(t)); err == nil {
		t.Error("a source without a site renders")
	}
}
