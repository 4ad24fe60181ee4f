package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// registry is $disclosures as a test reads it.
type registry struct {
	rows []registered
	next string
	body string
}

type registered struct {
	way, receiver, version, paths, record, what string
	custodians                                  []string
}

func (w *world) disclosures(a gateway.Actor, consent fhir.Reference, count int, page string) (registry, error) {
	w.t.Helper()
	out, err := w.operate(a, consent, gateway.Operation{Name: gateway.Disclosed}, "", onPage(count, page))
	if err != nil {
		return registry{}, err
	}
	r := registry{body: bodyOf(out)}
	for _, p := range parametersIn(w.t, r.body).Parameter {
		if p.Name != "disclosure" {
			continue
		}
		var row registered
		for _, part := range p.Part {
			switch part.Name {
			case "way":
				row.way = part.ValueCode
			case "receiver":
				row.receiver = part.ValueReference.Display
			case "version":
				row.version = part.ValueReference.Reference
			case "basis":
				row.paths += of(part.Part, "path")[0].ValueString
			case "record":
				row.record += part.ValueReference.Reference
			case "what":
				row.what += fmt.Sprint(of(part.Part, "type")[0].ValueCode, of(part.Part, "count")[0].ValueUnsignedInt)
				for _, c := range of(part.Part, "custodian") {
					row.custodians = append(row.custodians, c.ValueReference.Display)
				}
			}
		}
		r.rows = append(r.rows, row)
	}
	var raw struct {
		Parameter []struct{ Name, ValueURI string }
	}
	must(w.t, json.Unmarshal([]byte(strings.ReplaceAll(r.body, "valueUri", "valueURI")), &raw))
	for _, p := range raw.Parameter {
		if p.Name == "next" {
			u, err := url.Parse(p.ValueURI)
			must(w.t, err)
			r.next = u.Query().Get("_page")
		}
	}
	return r, nil
}

// shared is a world in which bydel and OUS each have a plan about Kari that the GP may read, on one samtykke
// of the bydel's that OUS has confirmed.
func shared(t testing.TB) (w *world, p, consent, home, hospital fhir.Reference, body string) {
	w = newWorld(t)
	p = w.patientOf(at(bydel), kari)
	theirs := w.patientOf(at(ous), kari)
	w.patientOf(w.patient(), kari)
	home, hospital = w.mustPost(at(bydel), plan(p, "bydel")), w.mustPost(at(ous), plan(theirs, "ous"))
	body = from(consentOf(p, []string{"plan", "bolig"}, gp), bydel, ous)
	consent = w.mustPost(at(bydel), body)
	_, err := w.confirm(at(ous), consent, w.version(at(bydel), consent))
	must(t, err)
	return w, p, consent, home, hospital, body
}

// The registry tells the patient everything, a custodian what was its own, compliance what was its party's in
// numbers, and nobody else that there is one, before the withdrawal and after it.
func TestDisclosuresAreForThoseWhoMayKnow(t *testing.T) {
	t.Parallel()
	w, _, consent, home, hospital, body := shared(t)
	for _, r := range []fhir.Reference{home, hospital, hospital} {
		if _, err := w.read(at(gp), r); err != nil {
			t.Fatal(err)
		}
	}
	other := w.mustPost(at(bydel), consentOf(w.patientOf(at(bydel), ola), []string{"plan"}, gp))
	check := func(when string) {
		t.Helper()
		mine, err := w.disclosures(w.patient(), consent, 100, "")
		must(t, err)
		if len(mine.rows) != 3 {
			t.Fatalf("%s: the patient sees %d disclosures, want 3: %s", when, len(mine.rows), mine.body)
		}
		for _, r := range mine.rows {
			if r.way != "read" || r.receiver != "Part "+string(gp) || r.what != "CarePlan1" || r.paths != "Consent.provision" ||
				!strings.HasPrefix(r.version, consent.String()+"/_history/") || r.record == "" {
				t.Errorf("%s: %+v", when, r)
			}
		}
		if !strings.Contains(mine.rows[2].record, home.String()) || !strings.Contains(mine.rows[0].record, hospital.String()) {
			t.Errorf("%s: not the latest first: %+v", when, mine.rows)
		}
		for party, want := range map[gateway.HERID]int{bydel: 1, ous: 2} {
			own, err := w.disclosures(at(party), consent, 100, "")
			must(t, err)
			if len(own.rows) != want {
				t.Errorf("%s: %s sees %d, want %d: %s", when, party, len(own.rows), want, own.body)
			}
			not := map[gateway.HERID]fhir.Reference{bydel: hospital, ous: home}[party]
			wantNone(t, own.body, string(not.ID), "Part "+string(map[gateway.HERID]gateway.HERID{bydel: ous, ous: bydel}[party]))
		}
		counted, err := w.disclosures(gateway.Actor{Kind: gateway.Compliance, Party: ous, Name: "Liv Aas", Purpose: gateway.Administer}, consent, 100, "")
		must(t, err)
		if len(counted.rows) != 2 || counted.rows[0].what != "CarePlan1" || counted.rows[0].record != "" {
			t.Errorf("%s: compliance sees %+v", when, counted.rows)
		}
		wantNone(t, counted.body, string(hospital.ID), string(home.ID))
		receiving, err := w.disclosures(gateway.Actor{Kind: gateway.Compliance, Party: gp, Name: "Siv Moe", Purpose: gateway.Administer}, consent, 100, "")
		must(t, err)
		if len(receiving.rows) != 3 || len(receiving.rows[0].custodians) != 0 {
			t.Errorf("%s: the receiver's compliance sees %+v", when, receiving.rows)
		}
		wantNone(t, receiving.body, string(hospital.ID), string(home.ID), "Part "+string(ous), "Part "+string(bydel))

		bound := at(bydel)
		bound.Attest = gateway.Attest{NIN: nin(t, ola)}
		machine := gateway.Actor{Kind: gateway.Machine, Party: bydel, Client: "epj"}
		_, absent := w.disclosures(at(gp), fhir.Reference{Type: "Consent", ID: "finnes-ikke"}, 100, "")
		for who, a := range map[string]gateway.Actor{
			"the receiver": at(gp), "a party outside": at(sosial), "drift": w.operator(), "a system": machine, "a token for another patient": bound,
		} {
			got, err := w.disclosures(a, consent, 100, "")
			if err == nil || err.Error() != absent.Error() || got.body != "" {
				t.Errorf("%s: %s gets %v %s", when, who, err, got.body)
			}
		}
		if _, err := w.disclosures(w.patient(), other, 100, ""); err == nil || err.Error() != absent.Error() {
			t.Errorf("%s: Kari gets %v of Ola's samtykke", when, err)
		}
	}
	check("while it holds")
	withdraw(w, fhir.Reference{}, consent, fhir.Reference{}, body)
	check("when it is withdrawn")
	_, err := w.Do(t.Context(), at(bydel), gateway.Interaction{Code: gateway.Delete, Target: consent})
	must(t, err)
	check("when it is deleted")
}

// Of one answer that held records of several custodians, each sees its own.
func TestDisclosuresOfOneSearch(t *testing.T) {
	t.Parallel()
	w, _, consent, home, hospital, _ := shared(t)
	_, err := w.find(at(gp), "CarePlan", gateway.Search{Subject: gateway.Subject{NIN: nin(t, kari)}})
	must(t, err)
	for a, want := range map[gateway.HERID]int{people: 2, bydel: 1, ous: 1} {
		who := at(a)
		if a == people {
			who = w.patient()
		}
		got, err := w.disclosures(who, consent, 100, "")
		must(t, err)
		if len(got.rows) != want || strings.Count(got.body, `"record"`) != want {
			t.Errorf("%s: %s", a, got.body)
		}
		switch a {
		case bydel:
			wantNone(t, got.body, string(hospital.ID), "Part "+string(ous))
		case ous:
			wantNone(t, got.body, string(home.ID), "Part "+string(bydel))
		}
	}
}

// Each disclosure stands once on the pages, and a page is its asker's.
func TestDisclosuresInPages(t *testing.T) {
	t.Parallel()
	w, _, consent, home, hospital, _ := shared(t)
	for n := range 7 {
		_, err := w.read(at(gp), []fhir.Reference{home, hospital}[n%2])
		must(t, err)
	}
	whole, err := w.disclosures(w.patient(), consent, 100, "")
	must(t, err)
	var paged []registered
	for page, n := "", 0; n < 9; n++ {
		got, err := w.disclosures(w.patient(), consent, 3, page)
		must(t, err)
		paged = append(paged, got.rows...)
		if page = got.next; page == "" {
			break
		}
		if _, err := w.disclosures(at(bydel), consent, 3, page); gateway.CodeOf(err) != gateway.BadQuery {
			t.Fatalf("another's page: %v", err)
		}
	}
	if len(whole.rows) != 7 || !slices.EqualFunc(whole.rows, paged, func(a, b registered) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("%d on one page, in pages %+v", len(whole.rows), paged)
	}
}

// What leaves on another samtykke, or is a party's own, or is refused, is not in the registry; a record
// that both let out is in both.
func TestDisclosuresAreOfOneConsent(t *testing.T) {
	t.Parallel()
	w, p, consent, home, _, _ := shared(t)
	twice := w.mustPost(at(bydel), consentOf(p, []string{"plan", "okonomi"}, gp, ous))
	_, err := w.read(at(gp), home)
	must(t, err)
	_, err = w.read(at(ous), home)
	must(t, err)
	_, err = w.read(at(bydel), home)
	must(t, err)
	_, _ = w.read(at(sosial), home)
	for c, want := range map[fhir.Reference][]string{consent: {"Part " + string(gp)}, twice: {"Part " + string(ous), "Part " + string(gp)}} {
		got, err := w.disclosures(w.patient(), c, 100, "")
		must(t, err)
		var receivers []string
		for _, r := range got.rows {
			receivers = append(receivers, r.receiver)
		}
		if !slices.Equal(receivers, want) {
			t.Errorf("%s: %v, want %v", c, receivers, want)
		}
	}
}
