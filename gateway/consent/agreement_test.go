package consent

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/policies"
)

// rowOf is a row of policy data with one field changed; nil takes it away.
func rowOf(t *testing.T, row map[string]any, path string, v any) map[string]any {
	t.Helper()
	row = maps.Clone(row)
	name, rest, nested := strings.Cut(path, ".")
	switch inner, _ := row[name].(map[string]any); {
	case nested:
		row[name] = rowOf(t, inner, rest, v)
	case v == nil:
		delete(row, name)
	default:
		row[name] = v
	}
	return row
}

func under(t *testing.T, name string, document any) (*Normalizer, error) {
	t.Helper()
	raw, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	set, err := policies.Set{}.With(name, raw)
	if err != nil {
		t.Fatal(err)
	}
	return NewNormalizerUnder(set)
}

var (
	wholeTrust = map[string]any{"name": "t", "custodian": "1", "registrar": "2", "start": "2026-01-01", "end": "2026-12-31"}
	wholeLov   = map[string]any{
		"name": "l", "custodian": map[string]any{"party": "1", "lovgrunnlag": "helse-spesialist"},
		"recipient": map[string]any{"party": "3", "lovgrunnlag": "helse-kommune"}, "roles": []string{"lege"}, "purposes": []string{"TREAT"},
		"actions": []string{"read", "message"}, "labels": []string{"somatisk", "legemidler"}, "types": []string{"CarePlan"},
		"start": "2026-01-01", "end": "2026-12-31", "law": "HPL25-45",
	}
)

// An agreement that does not say all, or says what no agreement may, is refused: each fault alone is.
func TestAgreementsSayAll(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, path string
		v          any
		good       bool
	}{
		{"trust", "start", "2026-12-31", true},
		{"trust", "name", nil, false}, {"trust", "custodian", nil, false}, {"trust", "custodian", "x", false},
		{"trust", "registrar", nil, false}, {"trust", "registrar", "2b", false}, {"trust", "registrar", "1", false},
		{"trust", "start", nil, false}, {"trust", "start", "i dag", false}, {"trust", "end", nil, false}, {"trust", "end", "2026-13", false},
		{"trust", "end", "2025-12-31", false},
		{"lov", "roles", []string{"*"}, true}, {"lov", "actions", []string{"notify"}, true}, {"lov", "end", "2026-01-01", true},
		{"lov", "name", nil, false}, {"lov", "law", nil, false}, {"lov", "law", "HPL22", false},
		{"lov", "labels", nil, false}, {"lov", "labels", []string{"somatisk", "ukjent"}, false}, {"lov", "labels", []string{"ukjent"}, false}, {"lov", "labels", []string{"ukjent", "somatisk"}, false},
		{"lov", "labels", []string{"somatisk", "uklassifisert"}, false},
		{"lov", "purposes", nil, false}, {"lov", "purposes", []string{"TREAT", "SNOOP"}, false}, {"lov", "purposes", []string{"SNOOP", "TREAT"}, false},
		{"lov", "types", nil, false}, {"lov", "types", []string{"CarePlan", "Careplan"}, false}, {"lov", "types", []string{"Organization", "CarePlan"}, false},
		{"lov", "actions", nil, false}, {"lov", "actions", []string{"read", "write"}, false}, {"lov", "actions", []string{"write", "read"}, false},
		{"lov", "actions", []string{"read", "contribute"}, false},
		{"lov", "roles", nil, false}, {"lov", "roles", []string{}, false},
		{"lov", "custodian.party", "x", false}, {"lov", "custodian.party", nil, false}, {"lov", "custodian.lovgrunnlag", "sosial", false}, {"lov", "custodian.party", "3", false},
		{"lov", "recipient.party", "", false}, {"lov", "recipient.lovgrunnlag", "nav-stat", false}, {"lov", "recipient.lovgrunnlag", nil, false},
		{"lov", "start", nil, false}, {"lov", "start", "2027-01-01", false}, {"lov", "end", nil, false}, {"lov", "end", "x", false},
	} {
		doc := map[string]any{"trust": []any{wholeTrust}, "lov": []any{wholeLov}}
		if _, err := under(t, "agreements", doc); err != nil {
			t.Fatalf("the whole agreements: %v", err)
		}
		row := wholeLov
		if c.kind == "trust" {
			row = wholeTrust
		}
		doc[c.kind] = []any{rowOf(t, row, c.path, c.v)}
		if _, err := under(t, "agreements", doc); (err == nil) != c.good {
			t.Errorf("%s with %s = %v: %v", c.kind, c.path, c.v, err)
		}
	}
}

// What an agreement of regime lov says is its grant, and nothing more.
func TestAgreementIsAGrant(t *testing.T) {
	t.Parallel()
	n, err := under(t, "agreements", map[string]any{"trust": []any{}, "lov": []any{wholeLov, rowOf(t, wholeLov, "roles", []string{"lege", "*"})}})
	if err != nil {
		t.Fatal(err)
	}
	party := gateway.Party{ID: "3", Lovgrunnlag: "helse-kommune"}
	got := n.agreed.standingFor(party)
	if len(got) != 4 {
		t.Fatalf("%d grants", len(got))
	}
	g, known := got[0], got[1]
	labels, _ := gateway.LabelOf("somatisk")
	more, _ := gateway.LabelOf("legemidler")
	oslo := fhir.Oslo()
	if g.Effect != gateway.Allow || g.Labels != labels|more || g.Roles.Any || !g.Roles.Has("lege") || g.Roles.Has("sykepleier") || !g.Types.Has("CarePlan") || g.Types.Has("Goal") ||
		!g.Purposes.Has("TREAT") || g.Purposes.Has("ETREAT") || !g.Actions.Has("message") || g.Actions.Has("notify") || !g.Custodians.Has("1") || g.Custodians.Has("3") ||
		!g.Recipients.Has("p:3") || len(g.Recipients.Of) != 1 ||
		!g.Start.Equal(time.Date(2026, 1, 1, 0, 0, 0, 0, oslo)) || !g.End.Equal(time.Date(2027, 1, 1, 0, 0, 0, 0, oslo)) {
		t.Errorf("%+v", g)
	}
	if known.Labels != gateway.Samarbeid || !known.Types.Any || !known.Custodians.Has("1") || known.Custodians.Any {
		t.Errorf("its companion: %+v", known)
	}
	if !got[2].Roles.Any {
		t.Errorf("any role: %+v", got[2])
	}
	for _, p := range []gateway.Party{{ID: "1", Lovgrunnlag: "helse-kommune"}, {ID: "3", Lovgrunnlag: "helse-spesialist"}, {ID: "3"}} {
		if got := n.agreed.standingFor(p); len(got) > 0 {
			t.Errorf("%v receives by %v", p, got)
		}
	}
}

// Trust counts for the custodian that trusts, in the registrar that it trusts, from the first day to the last.
func TestTrustHasItsTime(t *testing.T) {
	t.Parallel()
	later := rowOf(t, rowOf(t, wholeTrust, "start", "2026-12-01"), "end", "2027-12-31")
	n, err := under(t, "agreements", map[string]any{"trust": []any{wholeTrust, later, rowOf(t, wholeTrust, "custodian", "4")}, "lov": []any{}})
	if err != nil {
		t.Fatal(err)
	}
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, fhir.Oslo()) }
	first, second, third, last := day(2026, 1, 1), day(2026, 12, 1), day(2027, 1, 1), day(2028, 1, 1)
	g := gateway.Grant{Trust: "2", Custodians: gateway.Only[gateway.HERID]("1", "5")}
	for _, c := range []struct {
		now         time.Time
		trusts      string
		of          int
		from, until time.Time
	}{
		{first.Add(-1), "", 0, past, first}, {first, "2 1, 2 4", 1, first, second}, {second.Add(-1), "2 1, 2 4", 1, first, second},
		{second, "2 1, 2 1, 2 4", 1, second, third}, {third, "2 1", 1, third, last}, {last.Add(-1), "2 1", 1, third, last}, {last, "", 0, last, far},
	} {
		if got := strings.Join(n.agreed.trusts(c.now), ", "); got != c.trusts {
			t.Errorf("%v: trusts %q, want %q", c.now, got, c.trusts)
		}
		if got := n.agreed.trusting(g, c.now); got.Any || len(got.Of) != c.of {
			t.Errorf("%v: %v", c.now, got)
		}
		if from, until := n.agreed.bounds(past, far, c.now); !from.Equal(c.from) || !until.Equal(c.until) {
			t.Errorf("%v: from %v until %v", c.now, from, until)
		}
	}
	for _, other := range []gateway.Grant{{Trust: "3", Custodians: g.Custodians}, {Trust: "2", Custodians: gateway.Only[gateway.HERID]("5")}} {
		if got := n.agreed.trusting(other, first); got.Any || len(got.Of) > 0 {
			t.Errorf("%v: %v", other, got)
		}
	}
	if s := (span{low: first}); !s.holds(last) || !s.holds(first) || s.holds(first.Add(-1)) {
		t.Error("a span without end")
	}
}

// A receiver group says its name, its text and its members; each fault alone is refused.
func TestGroupsSayAll(t *testing.T) {
	t.Parallel()
	member := map[string]any{"party": "1", "unit": "2", "nb": "Vakten"}
	group := func(of ...any) map[string]any { return map[string]any{"nb": "Kjeden", "members": of} }
	for name, c := range map[string]struct {
		groups map[string]any
		good   bool
	}{
		"whole":              {map[string]any{"a-1": group(member)}, true},
		"a whole party":      {map[string]any{"a": group(rowOf(t, member, "unit", ""))}, true},
		"a name in capitals": {map[string]any{"A": group(member)}, false},
		"no name":            {map[string]any{"": group(member)}, false},
		"a name with a sign": {map[string]any{"a+b": group(member)}, false},
		"no text":            {map[string]any{"a": map[string]any{"members": []any{member}}}, false},
		"no members":         {map[string]any{"a": group()}, false},
		"a member unnamed":   {map[string]any{"a": group(member, rowOf(t, member, "nb", ""))}, false},
		"no party":           {map[string]any{"a": group(member, rowOf(t, member, "party", ""))}, false},
		"a party in words":   {map[string]any{"a": group(rowOf(t, member, "party", "ous"))}, false},
		"a unit in words":    {map[string]any{"a": group(rowOf(t, member, "unit", "post"))}, false},
	} {
		if _, err := under(t, "groups", map[string]any{"nameSystem": "urn:x", "groups": c.groups}); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Who is in a group: exactly for a permit, and for a deny all parts of a party, and who does not tell her unit.
func TestWhoIsInAGroup(t *testing.T) {
	t.Parallel()
	n, err := under(t, "groups", map[string]any{"nameSystem": "urn:x", "groups": map[string]any{
		"whole": map[string]any{"nb": "x", "members": []any{map[string]any{"party": "9", "nb": "x"}, map[string]any{"party": "1", "nb": "x"}, map[string]any{"party": "1", "unit": "7", "nb": "x"}}},
		"unit":  map[string]any{"nb": "x", "members": []any{map[string]any{"party": "1", "unit": "2", "nb": "x"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		w      who
		above  []gateway.HERID
		permit string
		deny   string
	}{
		{who{party: "1"}, nil, "whole", "unit whole"}, {who{party: "1", unit: "2"}, nil, "unit whole", "unit whole"},
		{who{party: "1", unit: "3"}, nil, "whole", "whole"}, {who{party: "5", unit: "2"}, nil, "", ""},
		{who{party: "5"}, []gateway.HERID{"4", "1"}, "", "unit whole"}, {who{party: "5", unit: "3"}, []gateway.HERID{"1"}, "", "whole"},
	} {
		if got := strings.Join(n.groups.of(c.w, c.above, false), " "); got != c.permit {
			t.Errorf("%v by a permit: %q, want %q", c.w, got, c.permit)
		}
		if got := strings.Join(n.groups.of(c.w, c.above, true), " "); got != c.deny {
			t.Errorf("%v by a deny: %q, want %q", c.w, got, c.deny)
		}
	}
	if got := n.groups.members("unit"); len(got) != 1 || got[0] != (gateway.Member{Party: "1", Unit: "2"}) || n.groups.members("none") != nil {
		t.Errorf("%v", got)
	}
	if got := strings.Join(everyJoin([]string{"a", "b", "c"}, 2), " "); got != "a b c a+b a+c b+c" {
		t.Errorf("joins of two: %q", got)
	}
	if got := strings.Join(everyJoin([]string{"a", "b", "c"}, 3), " "); got != "a b c a+b a+c b+c a+b+c" {
		t.Errorf("joins of three: %q", got)
	}
	if a, b, c, d := joined("", "b"), joined("a", ""), joined("a", "a"), joined("b+c", "a+b"); a != "b" || b != "a" || c != "a" || d != "a+b+c" {
		t.Errorf("%q %q %q %q", a, b, c, d)
	}
}
