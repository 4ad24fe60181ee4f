package consent

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/policies"
)

// grantOf is a permit or a deny of some actions to a party, with a citation of its own.
func grantOf(id string, effect gateway.Effect, actions ...gateway.Action) gateway.Grant {
	return gateway.Grant{
		Consent: fhir.Reference{Type: "Consent", ID: fhir.ID(id), Version: "1"}, Path: id, Effect: effect, Actions: gateway.Only(actions...),
		Custodians: gateway.Only[gateway.HERID]("1"), Recipients: gateway.Only[gateway.Recipient]("p:3"), Roles: gateway.Every[string](),
		Purposes: gateway.Every[gateway.Purpose](), Types: gateway.Every[fhir.Type](), Items: gateway.Every[fhir.Reference](), Labels: gateway.Plan,
		Start: closedNow.AddDate(0, -1, 0), End: closedNow.AddDate(0, 1, 0),
	}
}

// What Rego chooses becomes terms, each once, for what is asked and for what came by message; nothing else is cited.
func TestChosenGrantsBecomeTerms(t *testing.T) {
	t.Parallel()
	doctor := grantOf("doctor", gateway.Allow, gateway.ReadAction)
	doctor.Roles = gateway.Only("lege")
	ix := &index{grants: []gateway.Grant{
		grantOf("read", gateway.Allow, gateway.ReadAction), grantOf("message", gateway.Allow, gateway.MessageAction), doctor,
		grantOf("both", gateway.Deny, gateway.ReadAction, gateway.MessageAction), grantOf("notify", gateway.Allow, gateway.NotifyAction),
		grantOf("unchosen", gateway.Allow, gateway.ReadAction, gateway.MessageAction),
	}}
	chosen := [][]int{{0, 1, 2}, {1, 3}, {3, 4, 0}, nil}
	for _, c := range []struct {
		rights rights
		action gateway.Action
		role   string
		want   string
	}{
		{rights{plain: true, sent: true}, gateway.ReadAction, "lege", "read; message sent; doctor; both; both sent"},
		{rights{plain: true, sent: true}, gateway.ReadAction, "psykolog", "read; message sent; both; both sent"},
		{rights{plain: true}, gateway.ReadAction, "lege", "read; doctor; both"},
		{rights{sent: true}, gateway.ReadAction, "lege", "message sent; both sent"},
		{rights{plain: true}, gateway.MessageAction, "lege", "message; both"},
		{rights{plain: true, sent: true}, gateway.NotifyAction, "lege", "notify; notify sent"},
		{rights{plain: true, sent: true}, gateway.ContributeAction, "lege", ""},
		{rights{}, gateway.ReadAction, "lege", ""},
	} {
		var s gateway.Scope
		var out gateway.Decision
		ix.expand(&s, &out, c.rights, chosen, c.action, c.role)
		var got []string
		cited := map[int]bool{}
		for _, term := range s.Terms {
			text := out.Citations[term.Citation].Path
			if (term.Effect == gateway.Deny) != (text == "both") || term.Mask != gateway.Plan || term.Standing {
				t.Errorf("%s: %+v", text, term)
			}
			if term.Sent {
				text += " sent"
			}
			cited[term.Citation] = true
			got = append(got, text)
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s by %s with %+v: %q, want %q", c.action, c.role, c.rights, got, c.want)
		}
		if len(cited) != len(out.Citations) {
			t.Errorf("%s by %s: %d are cited, %d count", c.action, c.role, len(out.Citations), len(cited))
		}
		if cap(s.Terms) > 2*len(s.Terms) || cap(out.Citations) > 2*len(out.Citations) {
			t.Errorf("%s by %s: room for %d terms and %d citations, of %d and %d", c.action, c.role, cap(s.Terms), cap(out.Citations), len(s.Terms), len(out.Citations))
		}
	}
}

func deciderUnder(t *testing.T, agreements map[string]any) *Decider {
	t.Helper()
	set := policies.Set{}
	if agreements != nil {
		raw, err := json.Marshal(agreements)
		if err != nil {
			t.Fatal(err)
		}
		if set, err = set.With("agreements", raw); err != nil {
			t.Fatal(err)
		}
	}
	d, err := NewDecider(context.Background(), Config{Policies: set})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func cellsOf(cells map[string][]int) string {
	var out []string
	for name := range cells {
		out = append(out, name)
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// The index holds what holds now, until the next boundary of any of the grants.
func TestIndexHoldsWhatHoldsNow(t *testing.T) {
	t.Parallel()
	d := deciderUnder(t, nil)
	change := func(g gateway.Grant, f func(g *gateway.Grant)) gateway.Grant {
		f(&g)
		return g
	}
	permit, deny := grantOf("p", gateway.Allow, gateway.ReadAction), grantOf("d", gateway.Deny, gateway.ReadAction)
	deny.Recipients = gateway.Only[gateway.Recipient]("p:4")
	deny.Purposes = gateway.Only[gateway.Purpose]("COC")
	for name, c := range map[string]struct {
		grants          []gateway.Grant
		permits, denies string
		looked          int
	}{
		"both":            {[]gateway.Grant{permit, deny}, "* p:3", "COC p:4", 2},
		"twice of one":    {[]gateway.Grant{permit, permit}, "* p:3", "", 1},
		"a permit to all": {[]gateway.Grant{change(permit, func(g *gateway.Grant) { g.Recipients = gateway.Every[gateway.Recipient]() })}, "", "", 1},
		"a permit without end": {[]gateway.Grant{change(permit, func(g *gateway.Grant) {
			g.End = permit.End.AddDate(-9999, 0, 0).Truncate(0)
			g.End = gateway.Grant{}.End
		})}, "", "", 1},
		"a deny to all, without end":     {[]gateway.Grant{change(deny, func(g *gateway.Grant) { g.Recipients, g.End = gateway.Every[gateway.Recipient](), gateway.Grant{}.End })}, "", "COC *", 1},
		"from now":                       {[]gateway.Grant{change(permit, func(g *gateway.Grant) { g.Start = closedNow })}, "* p:3", "", 1},
		"from later":                     {[]gateway.Grant{change(permit, func(g *gateway.Grant) { g.Start = closedNow.Add(1) })}, "", "", 1},
		"until now":                      {[]gateway.Grant{change(permit, func(g *gateway.Grant) { g.End = closedNow })}, "", "", 1},
		"on trust that nobody has":       {[]gateway.Grant{change(permit, func(g *gateway.Grant) { g.Trust = "2" })}, "", "", 1},
		"of an agreement, not a Consent": {[]gateway.Grant{change(permit, func(g *gateway.Grant) { g.Consent = fhir.Reference{} })}, "* p:3", "", 0},
	} {
		ix := d.newIndex(c.grants, closedNow)
		if cellsOf(ix.permits) != c.permits || cellsOf(ix.denies) != c.denies || len(ix.looked) != c.looked {
			t.Errorf("%s: %q %q %v", name, cellsOf(ix.permits), cellsOf(ix.denies), ix.looked)
		}
	}
	ix := d.newIndex([]gateway.Grant{change(permit, func(g *gateway.Grant) { g.Start = closedNow.Add(5) }), deny}, closedNow)
	if !ix.from.Equal(deny.Start) || !ix.until.Equal(closedNow.Add(5)) {
		t.Errorf("from %v until %v", ix.from, ix.until)
	}
}

// An index is kept for a person at an epoch, as long as it holds; what concerns nobody known has no grants, and only
// agreements give it boundaries.
func TestIndexIsKept(t *testing.T) {
	t.Parallel()
	d := deciderUnder(t, nil)
	encoded, err := gateway.EncodeGrants([]gateway.Grant{grantOf("p", gateway.Allow, gateway.ReadAction)})
	if err != nil {
		t.Fatal(err)
	}
	get := func(d *Decider, f gateway.Facts, days int) *index {
		t.Helper()
		ix, err := d.index(f, closedNow.AddDate(0, 0, days))
		if err != nil {
			t.Fatal(err)
		}
		return ix
	}
	f := gateway.Facts{Person: 7, Epoch: 1, Grants: encoded}
	first := get(d, f, 0)
	if get(d, f, 1) != first {
		t.Error("it is not kept")
	}
	if later := get(d, f, 60); later == first || len(later.permits) > 0 {
		t.Error("it is kept beyond its time")
	}
	if earlier := get(d, f, -60); len(earlier.permits) > 0 {
		t.Error("it is kept before its time")
	}
	f.Epoch++
	if get(d, f, 0) == first {
		t.Error("it is kept for another epoch")
	}
	if _, err := d.index(gateway.Facts{Grants: encoded}, closedNow); err == nil {
		t.Error("grants of nobody are taken")
	}
	if get(d, gateway.Facts{}, 0) != d.none || !d.none.until.Equal(far) {
		t.Error("nobody known has an index of her own")
	}
	trusting := deciderUnder(t, map[string]any{"trust": []any{wholeTrust}, "lov": []any{}})
	if ix := get(trusting, gateway.Facts{}, 0); ix == trusting.none || ix.until.Equal(far) || ix.from.Equal(past) {
		t.Errorf("agreements give no boundaries: from %v until %v", ix.from, ix.until)
	}
}

// What a question is, as the rules are told it.
func TestKindsOfQuestions(t *testing.T) {
	t.Parallel()
	d := deciderUnder(t, nil)
	q := gateway.Question{
		Actor: gateway.Actor{Kind: gateway.Person, Party: "3", Attest: gateway.Attest{Each: true}}, Party: gateway.Party{ID: "3"},
		Action: gateway.ReadAction, Named: true, Facts: gateway.Facts{Person: 7, Epoch: 1}, Now: closedNow,
	}
	for name, c := range map[string]struct {
		change        func(q *gateway.Question)
		fetched, self bool
	}{
		"a known person":         {func(*gateway.Question) {}, true, false},
		"nobody known":           {func(q *gateway.Question) { q.Facts.Person = 0 }, false, false},
		"whoever it is":          {func(q *gateway.Question) { q.Named, q.Facts.Person = false, 0 }, true, false},
		"herself":                {func(q *gateway.Question) { q.Actor.Kind, q.Own = gateway.Patient, 7 }, false, true},
		"another":                {func(q *gateway.Question) { q.Actor.Kind, q.Own = gateway.Patient, 8 }, false, false},
		"herself, named nowhere": {func(q *gateway.Question) { q.Actor.Kind, q.Own, q.Named, q.Facts.Person = gateway.Patient, 7, false, 0 }, false, true},
		"nobody about nobody":    {func(q *gateway.Question) { q.Actor.Kind, q.Own, q.Facts.Person = gateway.Patient, 0, 0 }, false, false},
		"nobody, named nowhere":  {func(q *gateway.Question) { q.Actor.Kind, q.Named, q.Facts.Person = gateway.Patient, false, 0 }, false, false},
	} {
		asked := q
		c.change(&asked)
		for range 2 { // the second answer is remembered
			a, err := d.rightsOf(context.Background(), asked)
			if err != nil || a.fetched != c.fetched || a.self != c.self {
				t.Errorf("%s: %+v %v", name, a, err)
			}
		}
	}
	if n := d.kinds.Len(); n != 8 {
		t.Errorf("%d kinds of question are remembered, want 8", n)
	}
}

// What Rego answers is read strictly.
func TestAnswersAreReadStrictly(t *testing.T) {
	t.Parallel()
	ix := &index{permits: map[string][]int{"* p:1": {0}}, denies: map[string][]int{"* p:2": {1}}}
	set := func(of ...string) *ast.Term {
		var terms []*ast.Term
		for _, s := range of {
			terms = append(terms, ast.StringTerm(s))
		}
		return ast.SetTerm(terms...)
	}
	if got, err := readAcross(ast.ArrayTerm(set("* p:1"), set("* p:2")), ix); err != nil || len(got) != 2 {
		t.Errorf("%v %v", got, err)
	}
	for name, answer := range map[string]*ast.Term{
		"a set": set("* p:1"), "one": ast.ArrayTerm(set("* p:1")), "three": ast.ArrayTerm(set("* p:1"), set("* p:2"), set()), "a string": ast.StringTerm("* p:1"),
		"an array of arrays": ast.ArrayTerm(ast.ArrayTerm(ast.StringTerm("* p:1")), set()), "numbers": ast.ArrayTerm(ast.SetTerm(ast.IntNumberTerm(0)), set()),
		"a cell that is not there": ast.ArrayTerm(set("* p:9"), set()), "a deny among the permits": ast.ArrayTerm(set("* p:2"), set()), "a permit among the denies": ast.ArrayTerm(set(), set("* p:1")),
	} {
		if got, err := readAcross(answer, ix); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, answer := range map[string]*ast.Term{
		"an array": ast.ArrayTerm(ast.StringTerm("own")), "a number": ast.SetTerm(ast.IntNumberTerm(1)), "unknown": set("own", "everything"), "a string": ast.StringTerm("own"),
	} {
		if got, err := readRights(answer); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
