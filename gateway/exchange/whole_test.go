package exchange_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
)

// partly posts a document to some of its receivers and says whether it may be delivered in part.
func (w *world) partly(party, document, partial string, receivers ...int) {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{
		"businessDocument": base64.StdEncoding.EncodeToString([]byte(document)), "contentType": "application/xml",
		"contentTransferEncoding": "base64", "receiverHerIdsSubset": receivers,
	})
	must(w.t, err)
	r, err := http.NewRequest("POST", w.server.URL+"/edi/Messages", strings.NewReader(string(body)))
	must(w.t, err)
	r.Header.Set("Authorization", "Bearer "+party)
	r.Header.Set("Content-Type", "application/json")
	if partial != "" {
		r.Header.Set("Sluse-Delvis", partial)
	}
	res, err := http.DefaultClient.Do(r)
	must(w.t, err)
	must(w.t, res.Body.Close())
	if res.StatusCode != http.StatusCreated {
		w.t.Fatalf("%d", res.StatusCode)
	}
}

// TestWholeForAReceiverMore: what a sender says when it posts a message again for a receiver more holds for that one, then and
// when its document is fetched; the earlier has what it had. What was said first holds for all that come.
func TestWholeForAReceiverMore(t *testing.T) {
	for name, c := range map[string]struct {
		first, second string
		want          [2]int // AppRec of the bydel, of OUS
	}{
		"said later":  {"", "nei", [2]int{3, 2}},
		"said first":  {"nei", "", [2]int{2, 2}},
		"never said":  {"", "ja", [2]int{3, 3}},
		"always said": {"nei", "nei", [2]int{2, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			w := agreed(t)
			w.create(person(bydel), "Consent", consentBody("active", w.patient(bydel), "fastlege", "ous", clinical...))
			text := copied(t, hospice)
			w.partly(gp, text, c.first, 8100020)
			w.partly(gp, text, c.second, 8100030)
			for i, party := range []string{bydel, hospice} {
				want := 1
				if c.want[i] == 2 {
					want = 0
				}
				list, _ := w.documents(party)
				if len(list) != want {
					t.Errorf("%d documents at %s, want %d", len(list), party, want)
				}
				for _, m := range list {
					if _, status := w.fetch(party, m.ID); status != http.StatusOK {
						t.Errorf("fetch at %s: %d", party, status)
					}
				}
			}
			if all := w.searchAll(person(hospice)); c.want[1] == 2 && strings.Contains(all, "kanari") {
				t.Error("OUS reads something of it over FHIR")
			}
		})
	}
}

// TestWholeHoldsUntilItIsFetched: a receiver more for whom it was said loses the document when a part of it is withdrawn before
// it is fetched.
func TestWholeHoldsUntilItIsFetched(t *testing.T) {
	w := agreed(t)
	p := w.patient(bydel)
	w.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "ous", clinical...))
	more := w.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "ous", gateway.AllLabels.Codes()...))
	text := strings.NewReplacer("</Receiver>", copies(hospice)).Replace(divisible(t))
	w.partly(gp, text, "", 8100020)
	w.partly(gp, text, "nei", 8100030)
	list, _ := w.documents(hospice)
	if len(list) != 1 {
		t.Fatalf("%d documents, want 1", len(list))
	}
	w.update(person(bydel), more, strings.Replace(consentBody("inactive", p, "fastlege", "ous", gateway.AllLabels.Codes()...), `{"resourceType":"Consent"`, `{"resourceType":"Consent","id":"`+string(more.ID)+`"`, 1))
	if body, status := w.fetch(hospice, list[0].ID); status == http.StatusOK {
		t.Errorf("it is delivered in part: %.80s", body)
	}
	if list, _ := w.documents(bydel); len(list) != 1 {
		t.Errorf("the bydel has %d documents, want 1", len(list))
	}
}

// divisible is a message of which a samtykke for all labels lets everything cross, and one for clinical labels a part.
func divisible(t testing.TB) string { return padded(t, 50_000) }

// swapped is it from the bydel to the GP.
func swapped(t testing.TB) string {
	return strings.NewReplacer("<Id>"+gp+"</Id>", "<Id>"+bydel+"</Id>", "<Id>"+bydel+"</Id>", "<Id>"+gp+"</Id>").Replace(divisible(t))
}

// TestWholeToAnotherGateway: what a sender has said is told to another gateway, when a message is handed in there and when it
// is fetched from there: it is decided in full where the receivers are.
func TestWholeToAnotherGateway(t *testing.T) {
	for partial, want := range map[string]int{"": 1, "nei": 0} {
		t.Run("Sluse-Delvis "+partial, func(t *testing.T) {
			p := newPair(t)
			p.create(person(bydel), "Consent", consentBody("active", p.patient, "bydel", "fastlege", gateway.AllLabels.Codes()...))
			p.partly(bydel, swapped(t), partial)
			p.there.create(person(bydel), "Consent", consentBody("active", p.there.patient(bydel), "fastlege", "bydel", gateway.AllLabels.Codes()...))
			p.there.partly(gp, strings.Replace(divisible(t), medicalID, "from-there", 1), partial)
			for range 2 {
				p.round()
			}
			if list, _ := p.there.documents(gp); len(list) != want {
				t.Errorf("%d documents there, want %d", len(list), want)
			}
			if list, _ := p.documents(bydel); len(list) != want {
				t.Errorf("%d documents here, want %d", len(list), want)
			}
		})
	}
}

// TestWholeByTheSpool: the ending of a file says so, both ways, of what was posted and of what was ordered over FHIR.
func TestWholeByTheSpool(t *testing.T) {
	for partial, ending := range map[string]string{"": ".xml", "nei": ".udelt.xml"} {
		t.Run(ending, func(t *testing.T) {
			b := newBench(t)
			p := b.patient(bydel)
			b.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "bydel", clinical...))
			b.create(person(bydel), "Consent", consentBody("active", p, "bydel", "fastlege", gateway.AllLabels.Codes()...))
			b.lay("inn"+ending, document(t, "medisinske-opplysninger", medicalID, "from-the-spool"))
			b.partly(bydel, swapped(t), partial)
			said := map[bool]string{true: undivided}[partial != ""]
			b.create(person(bydel), "Communication", order(p, "MEDISINSKE_OPPLYSNINGER", "fastlege",
				`,"payload":[{"contentReference":{"reference":"Condition/`+string(b.condition(p).ID)+`"}}]`+said))
			must(t, b.worker.Once(context.Background()))
			for range 3 {
				must(t, b.carrier.Once(context.Background()))
			}
			want := 1
			if partial != "" {
				want = 0
			}
			if list, _ := b.documents(bydel); len(list) != want {
				t.Errorf("%d documents reach the bydel, want %d", len(list), want)
			}
			found := 0
			for name, text := range b.files("out") {
				if (strings.Contains(text, medicalID) || strings.Contains(text, "kanari-diagnose")) && !strings.Contains(text, "<AppRec") {
					found++
					if whole := strings.HasSuffix(name, ".udelt.xml"); whole != (partial != "") {
						t.Errorf("it leaves as %s", name)
					}
				}
			}
			if found != 2 {
				t.Errorf("%d files of them in out", found)
			}
			for name := range b.files("done") {
				if !strings.HasSuffix(name, ending) {
					t.Errorf("it is kept as %s", name)
				}
			}
		})
	}
}
