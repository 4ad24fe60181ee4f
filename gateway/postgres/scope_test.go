package postgres

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent/consenttest"
	"github.com/sluse/sluse/gateway/fhir"
)

const plantSQL = `insert into resource (person, custodian, type, id, version, method, labels, added, low, high, updated, sent_to, sent_mask,
  context_type, context_id, tok, body)
values ($1, $2, $3, $4, $5, 'create', $6, 0, $7, $8, $9, $10, $11, $12, $13, '{}', '')`

// plant puts a record into the store as it is, whatever its person, and nothing else beside it.
func (b *bench) plant(r gateway.Record, grants []gateway.Grant, own gateway.HERID) {
	b.Helper()
	for _, table := range []string{"resource", "fetched", "grant_", "consent_grants", "epoch"} {
		if _, err := b.pool.Exec(b.ctx, `delete from `+table); err != nil {
			b.Fatal(err)
		}
	}
	put := func(r gateway.Record, context fhir.Reference) {
		to, masks := packSent(r.Sent)
		if _, err := b.pool.Exec(b.ctx, plantSQL, orNobody(r.Person), string(r.Custodian), string(r.Reference.Type), string(r.Reference.ID),
			r.Reference.Version, int64(r.Labels), moment(r.Low), moment(r.High), start, to, masks, orNull(context.Type), orNull(context.ID)); err != nil {
			b.Fatalf("plant %s: %v", r.Reference, err)
		}
	}
	if r.Context.Type != "" {
		holder := r
		holder.Reference = r.Context
		put(holder, fhir.Reference{})
	}
	put(r, r.Context)
	if r.Fetched != 0 {
		if err := b.Record(b.ctx, nil, []gateway.FetchedVersion{{Party: own, Record: r.Reference, Mask: r.Fetched}}); err != nil {
			b.Fatal(err)
		}
	}
	byConsent := map[fhir.Reference][]gateway.Grant{}
	for _, g := range grants {
		byConsent[g.Consent] = append(byConsent[g.Consent], g)
	}
	if err := b.tx(func(t *Tx) error {
		for c, list := range byConsent {
			if err := t.PutGrants(b.ctx, r.Person, c, list, gateway.Basis{}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil && r.Person > 0 {
		b.Fatalf("grants: %v", err)
	}
}

// answers asks SQL in each way in which a record can be reached; all must say the same.
func (b *bench) answers(scope gateway.Scope, r gateway.Record, named bool) (released bool, covered gateway.Labels, err error) {
	type answer struct {
		way     string
		out     bool
		covered gateway.Labels
	}
	var all []answer
	add := func(way string, list []gateway.Record, err error) error {
		if err != nil && gateway.CodeOf(err) != gateway.NotFound {
			return fmt.Errorf("%s: %w", way, err)
		}
		a := answer{way: way, out: err == nil && len(list) == 1}
		if a.out {
			a.covered = list[0].Covered
		}
		all = append(all, a)
		return nil
	}
	b.see(func(v *view) error {
		bare := fhir.Reference{Type: r.Reference.Type, ID: r.Reference.ID}
		if named {
			current, err := v.read(b.ctx, scope, bare)
			if err := add("read", []gateway.Record{current}, err); err != nil {
				return err
			}
			if scope.Emergency == 0 && bare.Type != "Consent" { // a named person's way to all but these
				standing, _, err := b.readStanding(b.ctx, scope, bare, gateway.NIN{})
				if err := add("read as it stands", []gateway.Record{standing}, err); err != nil {
					return err
				}
			}
			version, err := v.read(b.ctx, scope, r.Reference)
			if err := add("vread", []gateway.Record{version}, err); err != nil {
				return err
			}
			history, err := v.history(b.ctx, scope, bare, gateway.Window{}, 10, gateway.Cursor{})
			if err := add("history", history, err); err != nil {
				return err
			}
		}
		if r.Person > 0 {
			list, err := v.search(b.ctx, scope, r.Reference.Type, gateway.Search{}, r.Person, 10, gateway.Cursor{})
			if err := add("search of the person", list, err); err != nil {
				return err
			}
		}
		list, err := v.search(b.ctx, scope, r.Reference.Type, gateway.Search{Criteria: []fhir.Criterion{id_(r.Reference.Type, string(r.Reference.ID))}}, 0, 10, gateway.Cursor{})
		if err := add("search by id", list, err); err != nil {
			return err
		}
		if len(scope.Terms) > 0 || scope.Join != nil || !named {
			list, err = v.search(b.ctx, scope, r.Reference.Type, gateway.Search{Sort: gateway.Sort{Descending: true}}, 0, 10, gateway.Cursor{})
			if err := add("search of all", list, err); err != nil {
				return err
			}
		}
		return nil
	})
	for _, a := range all[1:] {
		if a.out != all[0].out {
			return false, 0, fmt.Errorf("%s says %v, %s says %v", all[0].way, all[0].out, a.way, a.out)
		}
		if a.out && r.Custodian != scope.Own && r.Fetched == 0 && a.covered != all[0].covered {
			return false, 0, fmt.Errorf("%s covers %v, %s covers %v", all[0].way, all[0].covered.Codes(), a.way, a.covered.Codes())
		}
	}
	return all[0].out, all[0].covered, nil
}

// agree asks SQL what a vector expects: by the scope of the named question, and by the join of the
// question that names nobody.
func (b *bench) agree(d gateway.Decider, v consenttest.Vector) error {
	b.plant(v.Record, v.Grants, v.Question.Party.ID)
	decision, err := d.Decide(b.ctx, v.Question)
	if err != nil {
		return err
	}
	scope := decision.Scope
	if decision.Effect != gateway.Allow {
		scope = gateway.Scope{}
	}
	out, covered, err := b.answers(scope, v.Record, true)
	if err != nil {
		return err
	}
	if out != v.Crosses {
		return fmt.Errorf("SQL says %v, expected %v", out, v.Crosses)
	}
	crossing := v.Record.Custodian != scope.Own && v.Record.Fetched == 0
	if out && crossing && covered != scope.Covered(v.Record) {
		return fmt.Errorf("SQL covers %v, Go %v", covered.Codes(), scope.Covered(v.Record).Codes())
	}
	if v.Question.Action != gateway.ReadAction {
		return nil
	}
	q := v.Question
	q.Named, q.Facts = false, gateway.Facts{}
	decision, err = d.Decide(b.ctx, q)
	if err != nil {
		return err
	}
	joined := decision.Scope
	if decision.Effect != gateway.Allow {
		joined = gateway.Scope{}
	}
	out, joinCovered, err := b.answers(joined, v.Record, false)
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	if out != v.Crosses {
		return fmt.Errorf("the join says %v, expected %v", out, v.Crosses)
	}
	if out && crossing && joinCovered != covered {
		return fmt.Errorf("the join covers %v, the scope %v", joinCovered.Codes(), covered.Codes())
	}
	return nil
}

// The hand-written vectors of DESIGN § 3: their answers come neither from Go nor from SQL.
func TestVectorsThroughSQL(t *testing.T) {
	b := newBench(t)
	d := consenttest.Decider(t)
	vectors := consenttest.Vectors(t)
	if len(vectors) < 100 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	crossed := 0
	for _, v := range vectors {
		if v.Crosses {
			crossed++
		}
		if err := b.agree(d, v); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
	if crossed < 20 || crossed > len(vectors)-20 {
		t.Errorf("%d of %d cross: the vectors show little", crossed, len(vectors))
	}
}

// Scopes and records of every shape: SQL and gateway.Scope say the same.
func TestScopeThroughSQL(t *testing.T) {
	b := newBench(t)
	seen := map[string]int{}
	enough := func() bool {
		return !slices.ContainsFunc([]string{"released true", "released false", "deny", "sent", "period", "item", "holder"}, func(what string) bool { return seen[what] < 3 })
	}
	inRounds(enough, func() {
		rapid.Check(t, func(rt *rapid.T) {
			for range 8 {
				checkScope(rt, b, seen)
			}
		})
	})
	if !enough() {
		t.Errorf("decided by %v: the check shows little", seen)
	}
}

// inRounds draws again until enough has come up of what is rare: of 600 scopes the rarest decides seven on average, and
// in one run of fifty fewer than three.
func inRounds(enough func() bool, round func()) {
	for range 4 {
		if round(); enough() {
			return
		}
	}
}

func checkScope(rt *rapid.T, b *bench, seen map[string]int) {
	r := drawRecord(rt)
	scope := drawScope(rt, r)
	want, err := b.same(scope, r)
	if err != nil {
		rt.Fatalf("%v\nscope %+v\nrecord %+v", err, scope, r)
	}
	seen[fmt.Sprint("released ", want)]++
	if r.Custodian != scope.Own && r.Fetched == 0 {
		decisive(seen, scope, r, want)
	}
}

// same tells what Go says of a record, and where SQL says otherwise.
func (b *bench) same(scope gateway.Scope, r gateway.Record) (released bool, err error) {
	b.plant(r, nil, scope.Own)
	covered, want := scope.Releases(r)
	got, found, err := b.answers(scope, r, true)
	switch {
	case err != nil:
		return want, err
	case got != want:
		return want, fmt.Errorf("SQL releases %v, Go %v", got, want)
	case got && r.Custodian != scope.Own && r.Fetched == 0 && found != covered:
		return want, fmt.Errorf("SQL covers %v, Go %v", found.Codes(), covered.Codes())
	}
	return want, nil
}

// decisive counts what an answer stands or falls with.
func decisive(seen map[string]int, scope gateway.Scope, r gateway.Record, want bool) {
	without := func(name string, change func(*gateway.Scope, *gateway.Record)) {
		s, other := scope, r
		s.Terms = slices.Clone(scope.Terms)
		change(&s, &other)
		if _, out := s.Releases(other); out != want {
			seen[name]++
		}
	}
	without("deny", func(s *gateway.Scope, _ *gateway.Record) {
		s.Terms = slices.DeleteFunc(s.Terms, func(t gateway.Term) bool { return t.Effect == gateway.Deny })
	})
	without("sent", func(_ *gateway.Scope, r *gateway.Record) { r.Sent = nil })
	without("period", func(s *gateway.Scope, _ *gateway.Record) {
		for i := range s.Terms {
			s.Terms[i].Low, s.Terms[i].High = time.Time{}, time.Time{}
		}
	})
	without("holder", func(_ *gateway.Scope, r *gateway.Record) { r.Context = fhir.Reference{} })
	without("item", func(s *gateway.Scope, _ *gateway.Record) {
		for i := range s.Terms {
			s.Terms[i].Items = gateway.Every[fhir.Reference]()
		}
	})
}

var parties = []gateway.HERID{"100", "200", "300"}

// drawScope makes a scope that mostly begins with a permit for the record, so that what follows decides.
func drawScope(t *rapid.T, r gateway.Record) gateway.Scope {
	s := gateway.Scope{
		Own: rapid.SampledFrom([]gateway.HERID{"200", "200", "200", "200", "300", ""}).Draw(t, "own"), Fetched: rapid.Bool().Draw(t, "fetched"),
		Self: rapid.IntRange(0, 9).Draw(t, "self") == 0, Person: rapid.SampledFrom([]gateway.PersonID{0, 0, 7, 7, 8}).Draw(t, "person"),
	}
	if rapid.IntRange(0, 9).Draw(t, "except") == 0 {
		s.Except = []fhir.Type{rapid.SampledFrom([]fhir.Type{"CarePlan", "Consent"}).Draw(t, "type")}
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "terms") {
		term := gateway.Term{
			Effect: gateway.Allow, Sent: rapid.IntRange(0, 2).Draw(t, "sent") == 0,
			Custodians: drawSet(t, "custodians", parties), Types: drawSet(t, "types", []fhir.Type{"CarePlan", "CarePlan", "Goal", "Binary", gateway.HeldType("CarePlan")}),
			Items: drawSet(t, "items", []fhir.Reference{
				ref("CarePlan", "a"), ref("Goal", "a"), ref("CarePlan", "b"), {Type: "CarePlan", ID: "a", Version: "1"},
				ref("Binary", "a"), gateway.HeldItem(ref("CarePlan", "a"), "a"), gateway.HeldItem(ref("Goal", "a"), "b"),
			}),
			Mask: gateway.Labels(rapid.SampledFrom([]uint64{1, 3, 7, uint64(gateway.AllLabels)}).Draw(t, "mask")),
		}
		if rapid.Bool().Draw(t, "dated") {
			term.Low, term.High = drawTime(t, "low"), drawTime(t, "high")
		}
		switch {
		case i == 0 && rapid.IntRange(0, 4).Draw(t, "fits") > 0:
			term = gateway.Term{
				Effect: gateway.Allow, Custodians: gateway.Only(r.Custodian), Types: gateway.Every[fhir.Type](),
				Items: gateway.Every[fhir.Reference](), Mask: gateway.AllLabels,
			}
			for _, to := range r.Sent {
				term.Sent = term.Sent || to.To == s.Own
			}
			if rapid.IntRange(0, 2).Draw(t, "one item") == 0 {
				of := r.Reference.Type
				if r.Context.Type != "" {
					of = r.Context.Type
				}
				term.Items = gateway.Only(ref(of, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "item")))
			}
			if rapid.IntRange(0, 2).Draw(t, "one period") == 0 {
				term.Low, term.High = drawTime(t, "permit low"), drawTime(t, "permit high")
			}
		case rapid.Bool().Draw(t, "deny"):
			term.Effect = gateway.Deny
		}
		s.Terms = append(s.Terms, term)
	}
	return s
}

func drawRecord(t *rapid.T) gateway.Record {
	r := gateway.Record{
		Reference: fhir.Reference{
			Type: rapid.SampledFrom([]fhir.Type{"CarePlan", "CarePlan", "CarePlan", "Goal", "Consent", "Binary", "Binary"}).Draw(t, "record type"),
			ID:   rapid.SampledFrom([]fhir.ID{"a", "a", "b"}).Draw(t, "id"), Version: "1",
		},
		Custodian: rapid.SampledFrom([]gateway.HERID{"100", "100", "100", "200", "300"}).Draw(t, "custodian"),
		Person:    rapid.SampledFrom([]gateway.PersonID{0, 7, 7, 7, 7, 8}).Draw(t, "record person"),
		Labels:    gateway.Labels(rapid.SampledFrom([]uint64{0, 1, 1, 1, 2, 3, 8}).Draw(t, "labels")), Low: drawTime(t, "from"), High: drawTime(t, "to"),
	}
	if r.Reference.Type == "Binary" && r.Person != 0 { // one that nothing holds has no person
		r.Context = ref(rapid.SampledFrom([]fhir.Type{"CarePlan", "CarePlan", "Goal", "Consent"}).Draw(t, "holder"), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "held by"))
	}
	if rapid.IntRange(0, 7).Draw(t, "was fetched") == 0 {
		r.Fetched = gateway.Demografi
	}
	for _, to := range rapid.SliceOfNDistinct(rapid.SampledFrom(parties), 0, 2, rapid.ID[gateway.HERID]).Draw(t, "to") {
		r.Sent = append(r.Sent, gateway.Sent{To: to, Mask: gateway.Labels(rapid.SampledFrom([]uint64{0, 1, 3}).Draw(t, "sent mask"))})
	}
	return r
}

func drawSet[T comparable](t *rapid.T, name string, of []T) gateway.Set[T] {
	if rapid.IntRange(0, 2).Draw(t, name+" any") > 0 {
		return gateway.Every[T]()
	}
	return gateway.Only(rapid.SliceOfN(rapid.SampledFrom(of), 0, 3).Draw(t, name)...)
}

func drawTime(t *rapid.T, name string) time.Time {
	n := rapid.IntRange(0, 5).Draw(t, name)
	if n == 0 {
		return time.Time{}
	}
	return start.AddDate(0, n, 0)
}

// Generated sets of Consents: Rego's `releasable` gives the answer, from the raw Consents.
func TestGeneratedConsentsThroughSQL(t *testing.T) {
	b := newBench(t)
	d := consenttest.Decider(t)
	g := consenttest.NewGenerator(t)
	asked, crossed := 0, 0
	enough := func() bool { return asked >= 50 && crossed >= 5 && crossed <= asked-5 }
	inRounds(enough, func() {
		rapid.Check(t, func(rt *rapid.T) {
			v, ok := g.Vector(rt)
			if !ok {
				return
			}
			asked++
			if v.Crosses {
				crossed++
			}
			if err := b.agree(d, v); err != nil {
				rt.Fatalf("%v\nrecord %+v\nquestion %+v\ngrants %+v", err, v.Record, v.Question, v.Grants)
			}
		})
	})
	if !enough() {
		t.Errorf("%d asked, %d cross: the check shows little", asked, crossed)
	}
}
