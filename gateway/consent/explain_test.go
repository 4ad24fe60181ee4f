package consent_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/consent/consenttest"
	"github.com/sluse/sluse/gateway/fhir"
)

// What is explained agrees with what is decided, on every hand-written case that is decided by grants.
func TestExplainAgreesWithTheDecision(t *testing.T) {
	t.Parallel()
	d := consenttest.Decider(t)
	lost, missed := 0, map[gateway.Miss]bool{}
	for _, v := range consenttest.Vectors(t) {
		if v.Record.Custodian == v.Question.Party.ID || v.Record.Fetched != 0 || !v.Question.Actor.Attest.Each ||
			v.Record.Person == 0 || len(v.Record.Sent) > 0 {
			continue
		}
		supposed, err := d.Suppose(context.Background(), v.Question, v.Grants)
		if err != nil {
			t.Fatal(err)
		}
		if never := supposed.Scope.Except; slices.Contains(never, v.Record.Reference.Type) || slices.Contains(never, v.Record.Context.Type) {
			continue // whatever is granted
		}
		var covered, taken gateway.Labels
		for _, w := range d.Weigh(v.Question, v.Grants, &v.Record) {
			for _, m := range w.Misses {
				missed[m] = true
			}
			if w.Weighs() && w.Effect == gateway.Allow {
				covered |= w.Labels
			} else if w.Weighs() {
				taken |= w.Labels
			}
			if w.Lost != 0 {
				lost++
				if len(w.To) == 0 || !strings.Contains(w.Text(gateway.Bokmal, true), "taper") {
					t.Errorf("%s: lost to nobody: %q", v.Name, w.Text(gateway.Bokmal, true))
				}
			}
			texts := []string{w.Text(gateway.Bokmal, true), w.Text(gateway.Nynorsk, true), w.Text(gateway.English, true)}
			if slices.Contains(texts, "") || texts[0] == texts[2] || strings.ContainsAny(strings.Join(texts, ""), "{}") {
				t.Errorf("%s: %s is not explained: %q", v.Name, w.Citation.Path, texts)
			}
		}
		if crosses := v.Record.Labels.Within(covered &^ taken); crosses != v.Crosses {
			t.Errorf("%s: explained as %v, decided %v", v.Name, crosses, v.Crosses)
		}
	}
	if lost == 0 {
		t.Error("no case explains a loss")
	}
	for _, want := range []gateway.Miss{
		gateway.MissRecipient, gateway.MissPurpose, gateway.MissAction, gateway.MissNotBegun, gateway.MissEnded, gateway.MissCustodian,
		gateway.MissType, gateway.MissItem, gateway.MissDate, gateway.MissLabel, gateway.MissUnconfirmed,
	} {
		if !missed[want] {
			t.Errorf("no case misses by %q", want)
		}
	}
}

// What is supposed is decided as it would be, and leaves nothing behind: the same person and epoch with
// other grants are decided anew, and Decide knows of none of it.
func TestSuppose(t *testing.T) {
	t.Parallel()
	d := consenttest.Decider(t)
	checked := 0
	for _, v := range consenttest.Vectors(t) {
		if len(v.Grants) == 0 || v.Question.Actor.Kind != gateway.Person || !v.Question.Named {
			continue
		}
		none, err := d.Suppose(context.Background(), v.Question, nil)
		if err != nil {
			t.Fatal(err)
		}
		all, err := d.Suppose(context.Background(), v.Question, v.Grants)
		if err != nil {
			t.Fatal(err)
		}
		bare := v.Question
		bare.Facts.Grants = nil
		bare.Facts.Epoch += 1 << 40
		if _, err := d.Suppose(context.Background(), bare, v.Grants); err != nil {
			t.Fatal(err)
		}
		decided, err := d.Decide(context.Background(), bare)
		if err != nil {
			t.Fatal(err)
		}
		if len(decided.Scope.Terms) != len(none.Scope.Terms) {
			t.Errorf("%s: what was supposed is decided: %d terms, want %d", v.Name, len(decided.Scope.Terms), len(none.Scope.Terms))
		}
		real, err := d.Decide(context.Background(), v.Question)
		if err != nil {
			t.Fatal(err)
		}
		covered, crosses := real.Scope.Releases(v.Record)
		if c, x := all.Scope.Releases(v.Record); c != covered || x != crosses {
			t.Errorf("%s: supposed %v %v, decided %v %v", v.Name, x, c, crosses, covered)
		}
		checked++
	}
	if checked < 20 {
		t.Errorf("%d cases", checked)
	}
}

// Another role would have been named: that is told, and nobody who would not.
func TestExplainRole(t *testing.T) {
	t.Parallel()
	d := consenttest.Decider(t)
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	q := gateway.Question{
		Actor: gateway.Actor{Kind: gateway.Person, Party: "1", Role: "lege", Practitioner: "9", Purpose: gateway.Treat, Attest: gateway.Attest{Each: true}},
		Party: gateway.Party{ID: "1"}, Action: gateway.ReadAction, Named: true, Facts: gateway.Facts{Person: 7}, Now: now,
	}
	g := gateway.Grant{
		Path: "Consent.provision", Effect: gateway.Allow, Custodians: gateway.Only[gateway.HERID]("2"), Roles: gateway.Every[string](),
		Purposes: gateway.Every[gateway.Purpose](), Actions: gateway.Every[gateway.Action](), Types: gateway.Every[fhir.Type](),
		Labels: gateway.Plan, Start: now.Add(-time.Hour), End: now.Add(time.Hour),
	}
	for key, want := range map[gateway.Recipient]gateway.Miss{
		"c:1:ruskonsulent": gateway.MissRole, "r:1:9:ruskonsulent": gateway.MissRole, "r:1:8:ruskonsulent": gateway.MissRecipient,
		"c:3:ruskonsulent": gateway.MissRecipient, "p:3": gateway.MissRecipient,
	} {
		g.Recipients = gateway.Only(key)
		w := d.Weigh(q, []gateway.Grant{g}, nil)
		if len(w) != 1 || !slices.Equal(w[0].Misses, []gateway.Miss{want}) {
			t.Errorf("%s: %+v, want %s", key, w, want)
		}
		if d.Addresses(q, &g) {
			t.Errorf("%s names who asks", key)
		}
		bearer, ok := d.Bearer(key)
		if b := q; !ok || !named(d, &b, bearer, &g) {
			t.Errorf("%s has no bearer: %+v", key, bearer)
		}
	}
	for _, key := range []gateway.Recipient{"h:*:9", "h:1:?", "c:1:?", "*", ""} {
		if who, ok := d.Bearer(key); ok {
			t.Errorf("%q is borne by %+v", key, who)
		}
	}
}

func named(d gateway.Decider, q *gateway.Question, a gateway.Actor, g *gateway.Grant) bool {
	a.Purpose = gateway.Treat
	q.Actor, q.Party = a, gateway.Party{ID: a.Party}
	return d.Addresses(*q, g)
}

// BenchmarkExplain explains one record against ten Consents of five provisions.
func BenchmarkExplain(b *testing.B) {
	d := consenttest.Decider(b)
	q, grants, record := explained()
	b.ReportAllocs()
	for b.Loop() {
		decided, err := d.Suppose(context.Background(), q, grants)
		if err != nil {
			b.Fatal(err)
		}
		if _, ok := decided.Scope.Releases(record); ok {
			b.Fatal("released")
		}
		for _, w := range d.Weigh(q, grants, &record) {
			if w.Text(gateway.Bokmal, true) == "" {
				b.Fatal("no text")
			}
		}
	}
}

// explained is a question about one record with ten Consents of five provisions.
func explained() (gateway.Question, []gateway.Grant, gateway.Record) {
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	q := gateway.Question{
		Actor: gateway.Actor{Kind: gateway.Person, Party: "1", Role: "lege", Practitioner: "9", Purpose: gateway.Treat, Attest: gateway.Attest{Each: true}},
		Party: gateway.Party{ID: "1"}, Action: gateway.ReadAction, Named: true, Facts: gateway.Facts{Person: 7}, Now: now,
	}
	var grants []gateway.Grant
	for c := range 10 {
		for p := range 5 {
			g := gateway.Grant{
				Consent: fhir.Reference{Type: "Consent", ID: fhir.ID(rune('a' + c)), Version: "1"}, Path: "Consent.provision.provision[" + string(rune('0'+p)) + "]",
				Effect: gateway.Allow, Custodians: gateway.Only[gateway.HERID]("2"), Recipients: gateway.Only[gateway.Recipient]("p:1"),
				Roles: gateway.Every[string](), Purposes: gateway.Only(gateway.Treat), Actions: gateway.Only(gateway.ReadAction),
				Types: gateway.Every[fhir.Type](), Items: gateway.Every[fhir.Reference](), Labels: 1 << (p + 2),
				Start: now.Add(-time.Hour), End: now.Add(time.Hour), Law: "HPL22", Paragraph: "hpl. § 22",
			}
			switch p {
			case 1:
				g.Recipients = gateway.Only[gateway.Recipient]("p:3")
			case 2:
				g.Effect, g.Law, g.Paragraph = gateway.Deny, "PBRL53", "pbrl. § 5-3"
			case 3:
				g.End = now
			}
			grants = append(grants, g)
		}
	}
	return q, grants, gateway.Record{
		Reference: fhir.Reference{Type: "CarePlan", ID: "x", Version: "1"}, Custodian: "2", Person: 7, Labels: gateway.Rus | gateway.Somatisk | gateway.Plan,
	}
}

var _ gateway.Explainer = (*consent.Decider)(nil)
