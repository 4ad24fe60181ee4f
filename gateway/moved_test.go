package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// number gives a Patient of bydel another national number.
func (w *world) number(a gateway.Actor, p fhir.Reference, nin string) {
	w.t.Helper()
	_, err := w.put(a, fmt.Sprintf(`{"resourceType":"Patient","id":"%s","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"%s"}],
		"name":[{"family":"Prøve","given":["Kari"]}],"birthDate":"1979-03-14"}`, p.ID, nin), "")
	must(w.t, err)
}

// Who has stood by a samtykke stood by it for one person: when the registering party gives its Patient another
// number, nobody has stood by it for whoever has that number.
func TestConfirmationDoesNotMoveToAnotherPerson(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]func(*world) gateway.Actor{
		"the custodian": func(*world) gateway.Actor { return at(ous) },
		"the patient":   (*world).patient,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.patientOf(at(bydel), kari)
			w.patientOf(w.patient(), kari)
			hers := w.mustPost(at(ous), plan(w.patientOf(at(ous), kari), "kari"))
			his := w.mustPost(at(ous), plan(w.patientOf(at(ous), ola), "ola"))
			consent := w.mustPost(at(bydel), from(consentOf(p, []string{"plan"}, gp, bydel), ous))
			if _, err := w.confirm(by(w), consent, w.version(at(bydel), consent)); err != nil {
				t.Fatal(err)
			}
			w.crosses(at(gp), hers, true, "confirmed")
			w.number(at(bydel), p, ola)
			for _, party := range []gateway.HERID{gp, bydel} {
				w.crosses(at(party), his, false, "he has consented to nothing, and nobody has confirmed anything about him")
				w.crosses(at(party), hers, false, "the samtykke is not about her any more")
				body, err := w.find(at(party), "CarePlan", gateway.Search{})
				must(t, err)
				wantNone(t, body, "kanari-ola", "kanari-kari")
			}
			w.number(at(bydel), p, kari)
			w.crosses(at(gp), hers, true, "about her again, and confirmed for her")
		})
	}
}

// An adressesperre that a party has set stays when another Patient of that party, which was given her number
// by mistake, is given its own.
func TestAddressStaysHiddenWhenAnotherPatientIsCorrected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.mustPost(at(bydel), placed(kari, "a"))
	w.mustPost(at(bydel), consentOf(p, allOf(), ous))
	must(t, w.protect(at(bydel), p, "fortrolig"))
	mistaken := w.patientOf(at(bydel), kari)
	body, err := w.read(at(ous), p)
	must(t, err)
	wantNone(t, body, "kanari-vei")
	w.number(at(bydel), mistaken, ola)
	body, err = w.read(at(ous), p)
	must(t, err)
	wantNone(t, body, "kanari-vei")
}

// What is withheld is withheld as long as the record is: also when it is found to be about somebody else.
func TestWithheldStaysWithheldWhenTheRecordIsMoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mistaken, p := w.patientOf(at(bydel), ola), w.patientOf(at(bydel), kari)
	r := w.mustPost(at(bydel), plan(mistaken, "tredjepart"))
	_, err := w.decide(at(bydel), r, gateway.Operation{Name: gateway.Withhold, Code: "tredjepart", Reason: "en slektning har fortalt dette"})
	must(t, err)
	_, err = w.put(at(bydel), strings.Replace(plan(p, "tredjepart"), `{`, `{"id":"`+string(r.ID)+`",`, 1), "")
	must(t, err)
	body, err := w.read(w.patient(), r)
	wantNone(t, body, "kanari-tredjepart")
	wantCode(t, err, gateway.Forbidden)
	body, err = w.find(w.patient(), "CarePlan", gateway.Search{})
	must(t, err)
	wantNone(t, body, "kanari-tredjepart")
}

// A party that has deleted its Patient has none of hers: it sees no more of what binds her records.
func TestDenyIsNotSeenByWhoHasHerNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.patientOf(w.patient(), kari)
	mine := w.patientOf(w.patient(), kari)
	theirs := w.patientOf(at(sosial), kari)
	o := w.mustPost(w.patient(), objection(mine))
	_, err := w.read(at(sosial), o)
	must(t, err)
	if _, err := w.Do(t.Context(), at(sosial), gateway.Interaction{Code: gateway.Delete, Target: theirs}); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func() (string, error){
		"read": func() (string, error) { return w.read(at(sosial), o) },
		"search": func() (string, error) {
			return w.find(at(sosial), "Consent", gateway.Search{Subject: gateway.Subject{NIN: nin(t, kari)}})
		},
		"unnamed": func() (string, error) { return w.find(at(sosial), "Consent", gateway.Search{}) },
	} {
		body, _ := f()
		if strings.Contains(body, string(o.ID)) {
			t.Errorf("%s: LEAK %s", name, body)
		}
	}
}

// coordinating is a CareTeam in which a party coordinates (Volven 9034, code 8).
func coordinating(patient fhir.Reference, party gateway.HERID) string {
	return strings.Replace(team(patient, "koordinator", party), `{"member"`,
		`{"role":[{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.9034","code":"8"}]}],"member"`, 1)
}

// What was written about a Patient before that Patient was there counts from when it is: a deny that reaches who is
// named in it, and what is withheld.
func TestNothingVanishesWhenThePatientComesLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	w.mustPost(at(bydel), coordinating(p, gp))
	r := w.mustPost(at(bydel), plan(p, "a"))
	denying := strings.Replace(consentOf(p, []string{"plan"}, ous), `"type":"permit"`, `"type":"permit","provision":[{"type":"deny","actor":[
		{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},
		"reference":{"identifier":{"system":"http://sluse.no/fhir/NamingSystem/mottakerrolle","value":"koordinator"}}}]}]`, 1)
	w.mustPost(at(bydel), denying)
	w.crosses(at(ous), r, true, "not the coordinator")
	later := fhir.Reference{Type: "Patient", ID: fhir.ID(ous + "-senere")}
	w.mustPost(at(ous), coordinating(later, ous))
	w.crosses(at(ous), r, true, "a coordinator of nobody who is known")
	_, err := w.put(at(ous), `{"resourceType":"Patient","id":"`+string(later.ID)+`","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"`+kari+`"}]}`, "")
	must(t, err)
	w.crosses(at(ous), r, false, "the coordinator, whom the samtykke denies")

	withheld := w.mustPost(at(bydel), plan(p, "tredjepart"))
	_, err = w.decide(at(bydel), withheld, gateway.Operation{Name: gateway.Withhold, Code: "tredjepart", Reason: "en slektning har fortalt dette"})
	must(t, err)
	his := fhir.Reference{Type: "Patient", ID: fhir.ID(bydel + "-senere")}
	_, err = w.put(at(bydel), withID(plan(his, "tredjepart"), withheld), "")
	must(t, err)
	_, err = w.put(at(bydel), `{"resourceType":"Patient","id":"`+string(his.ID)+`","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"`+ola+`"}]}`, "")
	must(t, err)
	self := w.patient()
	self.Self, self.Attest = nin(t, ola), gateway.Attest{NIN: nin(t, ola)}
	body, err := w.read(self, withheld)
	wantNone(t, body, "kanari-tredjepart")
	wantCode(t, err, gateway.Forbidden)
}
