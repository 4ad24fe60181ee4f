package consent

import (
	"context"
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sluse/sluse/gateway"
)

var wholeHjemmel = hjemmel{
	ID: "h", NB: "Logistikk", Messages: []string{"LOG_INNLAGT", "LOG_UTSKRIVNINGSKLAR"}, From: "hf", To: "bydel-helse",
	Labels: []string{"logistikk", "samarbeid"}, Law: "X", Duty: "log",
}

// A row that does not say all, or says what no row may, is refused: each fault alone is.
func TestHjemlerSayAll(t *testing.T) {
	t.Parallel()
	laws := map[string]law{"X": {Kind: "hjemmel"}, "Y": {Kind: "samtykke"}}
	for name, c := range map[string]struct {
		change func(h *hjemmel)
		good   bool
	}{
		"whole": {func(*hjemmel) {}, true},
		"no id": {func(h *hjemmel) { h.ID = "" }, false}, "no text": {func(h *hjemmel) { h.NB = "" }, false},
		"no duty": {func(h *hjemmel) { h.Duty = "" }, false}, "no sender": {func(h *hjemmel) { h.From = "" }, false},
		"no receiver": {func(h *hjemmel) { h.To = "" }, false}, "no messages": {func(h *hjemmel) { h.Messages = nil }, false},
		"no labels": {func(h *hjemmel) { h.Labels = nil }, false}, "any message": {func(h *hjemmel) { h.Messages = []string{"LOG_INNLAGT", ""} }, false},
		"an unknown law": {func(h *hjemmel) { h.Law = "Z" }, false}, "a law of another kind": {func(h *hjemmel) { h.Law = "Y" }, false},
		"an unknown label": {func(h *hjemmel) { h.Labels = []string{"logistikk", "ukjent"} }, false},
		"uklassifisert":    {func(h *hjemmel) { h.Labels = []string{"uklassifisert", "logistikk"} }, false},
	} {
		h := wholeHjemmel
		c.change(&h)
		rows := hjemler{Rows: []hjemmel{h}}
		if err := rows.resolve(laws); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
		if logistikk, _ := gateway.LabelOf("logistikk"); c.good && rows.Rows[0].mask != logistikk|gateway.Samarbeid {
			t.Errorf("%s: %v", name, rows.Rows[0].mask.Codes())
		}
	}
	other := wholeHjemmel
	other.ID = "other"
	rows := hjemler{Rows: []hjemmel{wholeHjemmel, other}}
	if err := rows.resolve(laws); err != nil {
		t.Error(err)
	}
	if r := rows.row("other"); r == nil || r.ID != "other" || rows.row("none") != nil {
		t.Errorf("%v", r)
	}
	rows.Rows[1].ID = "h"
	if rows.resolve(laws) == nil {
		t.Error("a row that is there twice is let through")
	}
}

// What Rego answers about hjemler is read strictly, and each row once, with all who have it switched on.
func TestLawfulIsReadStrictly(t *testing.T) {
	t.Parallel()
	first, second := wholeHjemmel, wholeHjemmel
	second.ID = "a"
	d := &Decider{tables: &tables{hjemler: hjemler{Rows: []hjemmel{first, second}}}}
	pair := func(of ...any) *ast.Term {
		var terms []*ast.Term
		for _, v := range of {
			terms = append(terms, ast.NewTerm(ast.MustInterfaceToValue(v)))
		}
		return ast.ArrayTerm(terms...)
	}
	for name, answer := range map[string]*ast.Term{
		"an array": ast.ArrayTerm(pair("h", "1")), "three": ast.SetTerm(pair("h", "1", "2")), "one": ast.SetTerm(pair("h")),
		"a string": ast.SetTerm(ast.StringTerm("h")), "a number for a row": ast.SetTerm(pair(1, "1")), "a number for a party": ast.SetTerm(pair("h", 1)),
		"a row that is not there": ast.SetTerm(pair("h", "1"), pair("x", "1")),
	} {
		if got, err := d.readLawful(answer); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	got, err := d.readLawful(ast.SetTerm(pair("h", "1"), pair("h", "2"), pair("a", "1"), pair("a", "3")))
	if err != nil || len(got) != 2 || got[0].row.ID != "a" || got[1].row.ID != "h" || len(got[0].parties) != 2 || !slices.Equal(got[1].parties, []gateway.HERID{"1", "2"}) {
		t.Errorf("%v %v", got, err)
	}
}

// A hjemmel covers what is sent, or what came by messages of its types; nothing when nobody has switched one on, or when
// the question names somebody who is not known.
func TestHjemmelBecomesTerms(t *testing.T) {
	t.Parallel()
	d, err := NewDecider(context.Background(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	on := gateway.NewHjemler([]gateway.Switched{{Hjemmel: "logistikk-hf-bydel", Party: "1", Sector: "hf"}})
	q := gateway.Question{
		Actor: gateway.Actor{Kind: gateway.Person, Party: "2", Attest: gateway.Attest{Each: true}}, Party: gateway.Party{ID: "2", Sector: "bydel-helse"},
		Action: gateway.MessageAction, Message: "LOG_INNLAGT", Named: true, Facts: gateway.Facts{Person: 7, Epoch: 1}, Hjemler: on, Now: closedNow,
	}
	row := d.hjemler.row("logistikk-hf-bydel")
	for name, c := range map[string]struct {
		change func(q *gateway.Question)
		terms  int
	}{
		"sent":             {func(*gateway.Question) {}, 1},
		"another message":  {func(q *gateway.Question) { q.Message = "EPIKRISE" }, 0},
		"off":              {func(q *gateway.Question) { q.Hjemler = gateway.Hjemler{} }, 0},
		"nobody known":     {func(q *gateway.Question) { q.Facts = gateway.Facts{} }, 0},
		"nobody named":     {func(q *gateway.Question) { q.Named, q.Facts = false, gateway.Facts{} }, 1},
		"read":             {func(q *gateway.Question) { q.Action, q.Message = gateway.ReadAction, "" }, len(row.Messages)},
		"to another party": {func(q *gateway.Question) { q.Party.Sector = "bydel-sosial" }, 0},
	} {
		asked := q
		c.change(&asked)
		for range 2 { // the second answer is remembered
			var s gateway.Scope
			var out gateway.Decision
			if err := d.byHjemmel(context.Background(), &s, &out, asked); err != nil {
				t.Fatal(err)
			}
			if len(s.Terms) != c.terms {
				t.Errorf("%s: %d terms, want %d", name, len(s.Terms), c.terms)
			}
			for i, term := range s.Terms {
				read := asked.Action == gateway.ReadAction
				if term.Mask != row.mask || !term.Standing || term.Custodians.Any || !term.Custodians.Has("1") || term.Sent != read ||
					read && term.Via != row.Messages[i] || !read && term.Via != "" || out.Citations[term.Citation].Path != gateway.HjemmelPath+"logistikk-hf-bydel" {
					t.Errorf("%s: %+v", name, term)
				}
			}
		}
	}
	row.Duty = "meld fra"
	if got, ok := d.HjemmelRow("logistikk-hf-bydel"); !ok || got.Name != row.NB || got.From != "hf" {
		t.Errorf("%v %v", got, ok)
	}
	if _, ok := d.HjemmelRow("none"); ok {
		t.Error("a row that is not there")
	}
	for path, duty := range map[string]string{gateway.HjemmelPath + "logistikk-hf-bydel": row.Duty, gateway.HjemmelPath + "none": "log", "Consent.provision": "log"} {
		if got := d.Duty(gateway.Citation{Path: path}); got != duty {
			t.Errorf("%s: %s, want %s", path, got, duty)
		}
	}
	if got := d.Duty(d.emergency.cited); got != "notify" {
		t.Errorf("emergency: %s", got)
	}
}
