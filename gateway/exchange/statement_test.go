package exchange_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// The henvisning of package mapping's test data: from the fastlege to OUS, with ConsentStatus 1 of 9064.
const (
	referralID     = "7f0a3c11-5b1e-4e55-9d0b-6d5c3f2a1101"
	statedReferral = `<ConsentStatus V="1" S="2.16.578.1.12.4.1.1.9064" DN="Ja, samtykke er innhentet"/>`
)

// stating is the henvisning with another statement of samtykke, or with none.
func stating(t testing.TB, statement string, replace ...string) string {
	t.Helper()
	return document(t, "henvisning-1.1", append([]string{statedReferral, statement}, replace...)...)
}

// labelled is the henvisning with a statement, less what no rule labels.
func labelled(t testing.TB, statement string) string {
	t.Helper()
	s := stating(t, statement)
	for _, name := range []string{"InfItem", "PatientPrecaution", "ReqServ"} {
		from, to := strings.Index(s, "<"+name+">"), strings.LastIndex(s, "</"+name+">")
		if from < 0 || to < from {
			t.Fatalf("no %s", name)
		}
		s = s[:from] + s[to+len("</>")+len(name):]
	}
	return s
}

func status9064(code string) string {
	return `<ConsentStatus V="` + code + `" S="2.16.578.1.12.4.1.1.9064"/>`
}

// TestStatementNeverPassesAnObjection: what the person has objected to does not cross, whatever a sender says of her
// samtykke; nor does what a samtykke denies.
func TestStatementNeverPassesAnObjection(t *testing.T) {
	objection := func(p fhir.Reference) string {
		return strings.Replace(strings.Replace(consentBody("active", p, "fastlege", "ous", "psykisk"), `"HPL22"`, `"PBRL53"`, 1), `"type":"permit"`, `"type":"deny"`, 1)
	}
	narrower := func(p fhir.Reference) string {
		return strings.Replace(consentBody("active", p, "fastlege", "ous", "samarbeid", "demografi", "rus"), `"type":"permit",`,
			`"type":"permit","provision":[{"type":"deny","securityLabel":[{"system":"`+gateway.LabelSystem+`","code":"rus"}]}],`, 1)
	}
	for name, body := range map[string]func(fhir.Reference) string{"objection": objection, "narrower samtykke": narrower} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.create(person(bydel), "Consent", body(w.patient(bydel)))
			w.send(gp, document(t, "henvisning-1.1"))
			if status, code, text := w.receipt(gp, referralID); status != 2 || code != "X99" || !strings.HasPrefix(text, "Ikke levert: samtykke mangler for ") {
				t.Errorf("AppRec %d %s %q", status, code, text)
			}
			if list := w.list(hospice); len(list) != 0 {
				t.Errorf("OUS has %d messages", len(list))
			}
			if all := w.searchAll(person(hospice)); strings.Contains(all, "kanari") {
				t.Error("it is readable over FHIR")
			}
		})
	}
}

// TestStatementLetsNobodyElseRead: the samtykke that a message states reaches its receivers, by message, and no other
// party; nobody gains a read by it, and no other custodian's records cross by it.
func TestStatementLetsNobodyElseRead(t *testing.T) {
	w := newWorld(t)
	w.create(person(bydel), "Observation", fmt.Sprintf(`{"resourceType":"Observation","status":"final","subject":{"reference":%q},
	  "code":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7170","code":"P15"}]},"valueString":"kanari-bydel"}`, w.patient(bydel)))
	own := w.create(person(gp), "Observation", fmt.Sprintf(`{"resourceType":"Observation","status":"final","subject":{"reference":%q},
	  "code":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7170","code":"P15"}]},"valueString":"kanari-annet"}`, w.patient(gp)))
	w.send(gp, document(t, "henvisning-1.1"))
	if status, _, text := w.receipt(gp, referralID); status != 1 {
		t.Fatalf("AppRec %d %q", status, text)
	}
	for _, party := range []string{bydel, sosial} {
		if all := w.searchAll(person(party)); strings.Contains(all, "kanari-problem") || strings.Contains(all, "kanari-annet") {
			t.Errorf("%s reads what was sent to another", party)
		}
		if list := w.list(party); len(list) != 0 {
			t.Errorf("%s has %d messages", party, len(list))
		}
	}
	all := w.searchAll(person(hospice))
	if strings.Contains(all, "kanari-bydel") || strings.Contains(all, "kanari-annet") {
		t.Error("the receiver reads what was never sent to it")
	}
	if _, err := w.read(person(hospice), own); gateway.CodeOf(err) != gateway.NotFound || err == nil {
		t.Errorf("another record of the sender's: %v", err)
	}
	if !strings.Contains(all, "kanari-problem") || !strings.Contains(all, "kanari-anamnese") {
		t.Error("the receiver does not find what was sent to it")
	}
}

// TestStatementByAnother: only the sender may hand in its statement, and what stands elsewhere than where the table says
// is none.
func TestStatementByAnother(t *testing.T) {
	w := newWorld(t)
	if a := w.post(bydel, document(t, "henvisning-1.1")); a.status != http.StatusForbidden {
		t.Errorf("another party hands it in: %d", a.status)
	}
	w.send(bydel, stating(t, "", "<Id>"+gp+"</Id>", "<Id>"+bydel+"</Id>", "<ReqComment>",
		`<Consent><ConsentStatus V="1" S="2.16.578.1.12.4.1.1.9064"/></Consent><ReqComment>`))
	if status, _, _ := w.receipt(bydel, referralID); status != 2 {
		t.Errorf("a statement at another place: AppRec %d", status)
	}
	if n := strings.Count(w.search(person(bydel), "Consent"), `"mode":"match"`); n != 0 {
		t.Errorf("%d Consents", n)
	}
}

// TestRepeatedStatement: a message handed in again registers nothing anew, whatever became of its samtykke since.
func TestRepeatedStatement(t *testing.T) {
	w := newWorld(t)
	raw := document(t, "henvisning-1.1")
	first := w.send(gp, raw)
	for range 3 {
		if again := w.send(gp, raw); again != first {
			t.Errorf("another id: %s", again)
		}
	}
	found := w.search(person(gp), "Consent")
	if n := strings.Count(found, `"mode":"match"`); n != 1 {
		t.Fatalf("%d Consents, want 1", n)
	}
	w.receipt(gp, referralID)
}

// TestRefusedStatement: a sender that says that she has not agreed is taken at its word: it is kept as a refusal, and
// nothing is delivered, though a samtykke would cover it.
func TestRefusedStatement(t *testing.T) {
	for name, c := range map[string]struct {
		statement string
		consents  int
	}{
		"nothing, delivered on the samtykke that there is": {"", 1},

		"no":                    {status9064("4"), 2},
		"no in the older list":  {`<ConsentStatus V="2" S="2.16.578.1.12.4.1.1.3109" DN="Nei"/>`, 2},
		"a code of no list":     {`<ConsentStatus V="2"/>`, 1},
		"an unknown code":       {status9064("9"), 1},
		"words without a code":  {`<ConsentStatus DN="Nei"/>`, 1},
		"a list that is no one": {`<ConsentStatus V="1" S="2.16.578.1.12.4.1.1.7777"/>`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.create(person(gp), "Consent", strings.Replace(consentBody("active", w.patient(gp), "fastlege", "ous", append(clinical, all9064...)...), "Organization/bydel", "Organization/fastlege", 1))
			w.send(gp, labelled(t, c.statement))
			status, code, text := w.receipt(gp, referralID)
			if delivered := status == 1 && len(w.list(hospice)) == 1; delivered != (c.statement == "") {
				t.Errorf("AppRec %d %s %q, %d delivered", status, code, text, len(w.list(hospice)))
			}
			found := w.search(person(gp), "Consent")
			if n := strings.Count(found, `"mode":"match"`); n != c.consents || (c.consents == 2) != strings.Contains(found, `"status":"rejected"`) {
				t.Errorf("%d Consents, want %d: %s", n, c.consents, found)
			}
		})
	}
}

// all9064 are what the henvisning holds besides the clinical labels.
var all9064 = []string{"familie", "nettverk", "okonomi", "smitte", "voldsrisiko"}

// TestStatedReferral: a henvisning v1.1 with ConsentStatus 1 is delivered as it came, all of it; the samtykke says what
// it stands on, and when it ends the message may still be read by who has fetched it.
func TestStatedReferral(t *testing.T) {
	for name, c := range map[string]struct{ sample, id, version string }{
		"1.1": {"henvisning-1.1", referralID, "apprec/2012-02-15"},
		"1.0": {"henvisning-1.0", "7f0a3c11-5b1e-4e55-9d0b-6d5c3f2a1100", "apprec/2004-11-21"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			raw := document(t, c.sample)
			w.send(gp, raw)
			if status, _, text := w.receipt(gp, c.id); status != 1 {
				t.Fatalf("AppRec %d %q", status, text)
			}
			_, receipts := w.documents(gp)
			if body, _ := w.fetch(gp, receipts[0].ID); !strings.Contains(body, c.version) || !strings.Contains(body, `<MsgType V="HENVISNING"`) || !strings.Contains(body, "<Id>"+c.id+"</Id>") {
				t.Errorf("AppRec: %s", body)
			}
			list, _ := w.documents(hospice)
			if len(list) != 1 {
				t.Fatalf("%d documents, want 1", len(list))
			}
			if body, _ := w.fetch(hospice, list[0].ID); body != raw {
				t.Error("the receiver has another document than was sent")
			}
			if found := w.search(person(hospice), "Patient"); !strings.Contains(found, kari) {
				t.Error("the receiver does not find the patient that the message made")
			}
			found := w.search(person(gp), "Consent")
			for _, want := range []string{`"status":"active"`, `"code":"disclose"`, `"reference":"Organization/ous"`, `"sourceReference":{"reference":"DocumentReference/`, `"end":"2026-06-18"`, `"code":"HPL22"`, `"code":"rus"`} {
				if !strings.Contains(found, want) {
					t.Errorf("the Consent lacks %s", want)
				}
			}
			if strings.Contains(found, `"code":"access"`) || strings.Contains(found, "Organization/bydel") {
				t.Error("the Consent says more than the sender did")
			}
			w.wait(100 * 24 * time.Hour)
			w.send(gp, strings.Replace(stating(t, ""), referralID, "later", 1))
			if status, _, _ := w.receipt(gp, "later"); status != 2 {
				t.Errorf("after its end it still counts: AppRec %d", status)
			}
			if all := w.searchAll(person(hospice)); !strings.Contains(all, "kanari-problem") {
				t.Error("what was fetched is gone")
			}
		})
	}
}

// TestStatementOfAttachments: a document that no rule can label goes with the message that states samtykke for it, and
// not with the next.
func TestStatementOfAttachments(t *testing.T) {
	w := newWorld(t)
	attached := `<RefDoc><MsgType V="A"/><MimeType>text/plain</MimeType><Description>kanari-vedlegg</Description><Content>` +
		`<b:Base64Container xmlns:b="http://www.kith.no/xmlstds/base64container">aGVp</b:Base64Container></Content></RefDoc></ServReq>`
	w.send(gp, document(t, "henvisning-1.1", "</ServReq>", attached))
	if status, _, text := w.receipt(gp, referralID); status != 1 {
		t.Errorf("AppRec %d %q", status, text)
	}
	w.send(gp, stating(t, "", "</ServReq>", attached, referralID, "next"))
	if status, _, text := w.receipt(gp, "next"); status != 2 || !strings.Contains(text, "uklassifisert") {
		t.Errorf("the next one: AppRec %d %q", status, text)
	}
}

// TestOldStatement: what was stated more than 90 days ago, or for another day than there has been, does not count.
func TestOldStatement(t *testing.T) {
	for _, made := range []string{"2025-12-01T12:00:00+01:00", "2026-03-20T18:00:00+01:00"} {
		w := newWorld(t)
		w.send(gp, document(t, "henvisning-1.1", "2026-03-20T12:30:00+01:00", made))
		if status, _, _ := w.receipt(gp, referralID); status != 2 {
			t.Errorf("%s: AppRec %d", made, status)
		}
		if found := w.search(person(gp), "Consent"); strings.Contains(found, `"mode":"match"`) {
			t.Errorf("%s: registered", made)
		}
	}
}

// TestStatementInTheHead: a MsgHead says it at its document (mh:Consent).
func TestStatementInTheHead(t *testing.T) {
	w := newWorld(t)
	w.send(gp, document(t, "medisinske-opplysninger", "    <RefDoc>\n      <IssueDate", "    <Consent V=\"3\" S=\"2.16.578.1.12.4.1.1.9064\"/>\n    <RefDoc>\n      <IssueDate"))
	if status, _, text := w.receipt(gp, medicalID); status == 2 {
		t.Errorf("AppRec %d %q", status, text)
	}
}

// TestUnneededStatement: that samtykke is not needed is the sender's opinion: it registers nothing and delivers nothing,
// and takes nothing from what is agreed elsewhere.
func TestUnneededStatement(t *testing.T) {
	w := newWorld(t)
	w.send(gp, stating(t, status9064("2")))
	if status, _, _ := w.receipt(gp, referralID); status != 2 {
		t.Errorf("AppRec %d", status)
	}
	if found := w.search(person(gp), "Consent"); strings.Contains(found, `"mode":"match"`) {
		t.Error("it is registered")
	}
	w.send(gp, stating(t, statedReferral, referralID, "agreed"))
	w.send(gp, document(t, "medisinske-opplysninger", "    <RefDoc>\n      <IssueDate", "    <Consent V=\"2\" S=\"2.16.578.1.12.4.1.1.9064\"/>\n    <RefDoc>\n      <IssueDate", "<Id>"+bydel+"</Id>", "<Id>"+hospice+"</Id>"))
	if status, _, text := w.receipt(gp, medicalID); status == 2 {
		t.Errorf("what she has agreed to since: AppRec %d %q", status, text)
	}
}
