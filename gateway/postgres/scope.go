package postgres

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// arguments collects the bound parameters of one statement. Nothing of a scope or a search ever
// becomes text of a statement; only its place does.
type arguments struct{ values []any }

// bind adds a value and gives its place, "$3".
func (a *arguments) bind(v any) string {
	a.values = append(a.values, v)
	return "$" + strconv.Itoa(len(a.values))
}

// terms are the columns of common table "term". A gateway.Term becomes one row for each custodian
// and item that it names, and rows that differ in their labels only become one: a bitwise or over
// the rows is the same as over the terms.
type terms struct {
	allow, sent     []bool
	custodian, item []*string // nil: any
	low, high       []pgtype.Timestamptz
	mask            []int64
	via             []*string // where what messages of one kind released is meant: how it stands in sent_to; nil otherwise
}

// termKey is what must be equal for two rows to become one.
type termKey struct {
	allow, sent, anyCustodian, anyItem bool
	custodian, item, via               string
	low, high                          int64
}

// termsFor gives the terms of the scope that can touch records of the type. The type and the items'
// types are settled here, since every statement is about one type; an empty set gives no row.
func termsFor(scope gateway.Scope, t fhir.Type) terms {
	var out terms
	rows := make(map[termKey]int, len(scope.Terms))
	for i := range scope.Terms {
		term := &scope.Terms[i]
		if t != binaryType && !term.Types.Has(t) {
			continue
		}
		items := itemsOf(term, t)
		for _, custodian := range choices(term.Custodians) {
			for _, item := range items {
				out.add(rows, term, scope.Own, custodian, item)
			}
		}
	}
	return out
}

func (out *terms) add(rows map[termKey]int, term *gateway.Term, own gateway.HERID, custodian, item *string) {
	key := termKey{
		allow: term.Effect == gateway.Allow, sent: term.Sent, anyCustodian: custodian == nil, anyItem: item == nil,
		low: microseconds(term.Low), high: microseconds(term.High),
	}
	if custodian != nil {
		key.custodian = *custodian
	}
	if item != nil {
		key.item = *item
	}
	var via *string
	if term.Via != "" {
		key.via = packReceiver(gateway.Sent{To: own, Message: term.Via})
		via = &key.via
	}
	mask := int64(term.Mask) //nolint:gosec // a mask has fewer than 63 bits
	if at, ok := rows[key]; ok {
		out.mask[at] |= mask
		return
	}
	rows[key] = len(out.mask)
	out.allow = append(out.allow, key.allow)
	out.sent = append(out.sent, key.sent)
	out.custodian = append(out.custodian, custodian)
	out.item = append(out.item, item)
	out.low = append(out.low, moment(term.Low))
	out.high = append(out.high, moment(term.High))
	out.mask = append(out.mask, mask)
	out.via = append(out.via, via)
}

// microseconds is the precision of the database; the zero time has a value that no other has.
func microseconds(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.UnixMicro()
}

// choices gives one nil for any, nothing for the empty set.
func choices(s gateway.Set[gateway.HERID]) []*string {
	if s.Any {
		return []*string{nil}
	}
	out := make([]*string, 0, len(s.Of))
	for _, v := range s.Of {
		text := string(v)
		out = append(out, &text)
	}
	return out
}

func itemsOf(term *gateway.Term, t fhir.Type) []*string {
	s := term.Items
	if t == binaryType {
		return heldItems(term)
	}
	if s.Any {
		return []*string{nil}
	}
	var out []*string
	for _, ref := range s.Of {
		if ref.Type == t && ref.Version == "" {
			id := string(ref.ID)
			out = append(out, &id)
		}
	}
	return out
}

// scoped is a Scope made ready for statements about records of one type. Its values are bound when
// a statement first needs them.
type scoped struct {
	gateway.Scope
	kind  fhir.Type
	args  *arguments
	bound [lastParameter]string
	table string // name of its terms in the statement; "" is term
	named bool   // the statement is about one row that its name finds
}

// parameter names a value of a scope that a statement may bind.
type parameter int

const (
	ownParameter parameter = iota
	personParameter
	selfParameter
	fetchedParameter
	crossesParameter
	directoryParameter
	permitsParameter
	deniesParameter
	rolesParameter
	purposesParameter
	trustsParameter
	nowParameter
	attestParameter
	kindParameter
	emergencyParameter
	consentsParameter
	registrarsParameter
	reviewsParameter
	lastParameter
)

func newScoped(scope gateway.Scope, t fhir.Type, a *arguments) *scoped {
	return &scoped{Scope: scope, kind: t, args: a}
}

// place gives the place of a value, bound once, with its type.
func (s *scoped) place(p parameter, v any, cast string) string {
	if s.bound[p] == "" {
		s.bound[p] = s.args.bind(v) + cast
	}
	return s.bound[p]
}

func (s *scoped) own() string     { return s.place(ownParameter, string(s.Own), "::text") }
func (s *scoped) person() string  { return s.place(personParameter, int64(s.Person), "::bigint") }
func (s *scoped) self() string    { return s.place(selfParameter, s.Self, "::bool") }
func (s *scoped) fetched() string { return s.place(fetchedParameter, s.Fetched, "::bool") }
func (s *scoped) directory() string {
	return s.place(directoryParameter, s.Directory, "::bool")
}
func (s *scoped) typed() string { return s.place(kindParameter, string(s.kind), "::text") }
func (s *scoped) crosses() string {
	return s.place(crossesParameter, !slices.Contains(s.Except, s.kind), "::bool")
}
func (s *scoped) permits() string {
	return s.place(permitsParameter, texts(s.Join.Permits), "::text[]")
}
func (s *scoped) denies() string { return s.place(deniesParameter, texts(s.Join.Denies), "::text[]") }
func (s *scoped) roles() string  { return s.place(rolesParameter, texts(s.Join.Roles), "::text[]") }
func (s *scoped) purposes() string {
	return s.place(purposesParameter, texts(s.Join.Purposes), "::text[]")
}
func (s *scoped) trusts() string { return s.place(trustsParameter, s.Join.Trusts, "::text[]") }
func (s *scoped) now() string    { return s.place(nowParameter, moment(s.Join.Now), "::timestamptz") }
func (s *scoped) attest() string {
	return s.place(attestParameter, int64(s.Join.Person), "::bigint")
}

// termSQL is the common table expression of the terms.
func (s *scoped) termSQL() string {
	return s.terms() + ` as materialized (
  select t.*
  from ` + s.termRowsSQL() + `)`
}

// termRowsSQL are the rows of the table themselves, for a statement that looks at one record only.
func (s *scoped) termRowsSQL() string {
	rows := termsFor(s.Scope, s.kind)
	values, names := `::bigint[]`, ``
	sql := `unnest(` + s.args.bind(rows.allow) + `::bool[], ` + s.args.bind(rows.sent) + `::bool[], ` +
		s.args.bind(rows.custodian) + `::text[], ` + s.args.bind(rows.item) + `::text[], ` +
		s.args.bind(rows.low) + `::timestamptz[], ` + s.args.bind(rows.high) + `::timestamptz[], ` +
		s.args.bind(rows.mask)
	if s.byKind() {
		values, names = values+`, `+s.args.bind(rows.via)+`::text[]`, `, via`
	}
	return sql + values + `) as t(allow, sent, custodian, item, low, high, mask` + names + `)`
}

// byKind tells whether a term is about what messages of one kind released.
func (s *scoped) byKind() bool {
	return slices.ContainsFunc(s.Terms, func(t gateway.Term) bool { return t.Via != "" })
}

// standsSQL keeps what stands whoever a record is about from a person of whom nothing crosses by itself, in a
// question that names nobody; where she is named, the decision has seen to it.
func (s *scoped) standsSQL(t, r string) string {
	if s.Join == nil {
		return ``
	}
	return `
    and (not ` + t + `.allow or ` + automaticSQL(r) + `)`
}

// heldSQL is what a permit t covers of record r: its labels, of those that messages of its kind released.
func (s *scoped) heldSQL(r string) string {
	if !s.byKind() {
		return `t.mask`
	}
	return `case when t.via is null then t.mask else t.mask & coalesce(` + r + `.sent_mask[array_position(` + r + `.sent_to, t.via)], 0) end`
}

// touchSQL tells whether the period of t, a term or a grant, touches the date of record r: the
// same three cases as gateway.Term.
func touchSQL(t, r string) string {
	return `(` + t + `.low = '-infinity' and ` + t + `.high = '-infinity' or case
      when ` + r + `.low = '-infinity' and ` + r + `.high = '-infinity' then not ` + t + `.allow
      when ` + t + `.allow then (` + t + `.low = '-infinity' or ` + r + `.low >= ` + t + `.low)
        and (` + t + `.high = '-infinity' or ` + r + `.high <= ` + t + `.high)
      else (` + t + `.high = '-infinity' or ` + r + `.low < ` + t + `.high)
        and (` + t + `.low = '-infinity' or ` + r + `.high > ` + t + `.low) end)`
}

// coverSQL gives, for row r, lateral c with the labels covered: what permits hold, less what
// denies hold, less what was withheld when the record was sent. r must have person, custodian,
// id, low, high, sent_to and sent_mask.
func (s *scoped) coverSQL(r, c string) string { return s.coverBySQL(r, c, s.terms()+" t") }

// terms is the name of the common table of the terms.
func (s *scoped) terms() string {
	if s.table == "" {
		return "term"
	}
	return s.table
}

// coverBySQL is coverSQL with the terms as given, under the name t.
func (s *scoped) coverBySQL(r, c, terms string) string {
	at := c + "_at"
	sql := `
cross join lateral (select array_position(` + r + `.sent_to, ` + s.own() + `) as place) ` + at + `
cross join lateral (
  select coalesce(bit_or(` + s.heldSQL(r) + `) filter (where t.allow), 0) as permitted,
         coalesce(bit_or(t.mask) filter (where not t.allow), 0) as denied
  from ` + terms + `
  where t.sent = (` + at + `.place is not null)` + s.standsSQL("t", r) + `
    and (t.custodian is null or t.custodian = ` + r + `.custodian)
    and ` + s.itemSQL("t", r) + `
    and ` + touchSQL("t", r) + `) ` + c + `_t`
	permitted, denied := c+"_t.permitted", c+"_t.denied"
	if s.Join != nil {
		sql += `
cross join lateral (
  select coalesce(bit_or(g.labels) filter (where g.allow), 0) as permitted,
         coalesce(bit_or(g.labels) filter (where not g.allow), 0) as denied
  from grant_ g
  where g.person = ` + r + `.person and ` + s.appliesSQL("g") + `
    and (g.actions is null or case when ` + at + `.place is null then 'read' else 'message' end = any(g.actions))
    and (g.custodians is null or ` + r + `.custodian = any(g.custodians))
    and (g.trust is null or g.trust || ' ' || ` + r + `.custodian = any(` + s.trusts() + `))
    and ` + s.namesSQL("g", r) + `
    and ` + touchSQL("g", r) + `) ` + c + `_g`
		permitted = "(" + permitted + " | " + c + "_g.permitted)"
		denied = "(" + denied + " | " + c + "_g.denied)"
	}
	return sql + `
cross join lateral (select ` + permitted + ` & ~` + denied + ` & coalesce(` + r + `.sent_mask[` + at + `.place], ` +
		allLabels + `)` + s.emergencySQL() + ` as covered) ` + c
}

// allLabels limits nothing: the record did not come by a message to the party.
var allLabels = strconv.FormatUint(uint64(gateway.AllLabels), 10) + "::bigint"

// appliesSQL tells whether grant g applies to the actor of the Join at its time (DESIGN § 3).
func (s *scoped) appliesSQL(g string) string {
	return `(` + s.attest() + ` = 0 or ` + g + `.person = ` + s.attest() + `)
    and ` + automaticSQL(g) + `
    and ` + g + `.starts <= ` + s.now() + ` and ` + s.now() + ` < ` + g + `.ends
    and (` + g + `.recipients is null or ` + g + `.recipients && case when ` + g + `.allow then ` + s.permits() + ` else ` + s.denies() + ` end)
    and (` + g + `.roles is null or ` + g + `.roles && ` + s.roles() + `)
    and (` + g + `.purposes is null or ` + g + `.purposes && ` + s.purposes() + `)`
}

// ownsSQL tells whether row r is the party's own to read.
func (s *scoped) ownsSQL(r string) string {
	custodian := r + `.custodian = ` + s.own()
	if s.named {
		custodian = keptBySQL(r, s.own())
	}
	return `(` + s.own() + ` <> '' and ` + custodian +
		` and (not ` + s.self() + ` or (` + s.person() + ` <> 0 and ` + r + `.person is not distinct from ` + s.person() + `)))`
}

// keptBySQL compares the custodian of a row that is found by its name. It is written so that no index of
// custodians offers itself: a planner without statistics takes one for as good as the name.
func keptBySQL(r, custodian string) string { return r + `.custodian || '' = ` + custodian }

// aboutSQL tells whether row r is about a person the scope reaches at all.
func (s *scoped) aboutSQL(r string) string {
	return `(` + r + `.person is not null and (` + s.person() + ` = 0 or ` + r + `.person = ` + s.person() + `))`
}

// coveredSQL tells whether every label of row r is covered by c.
func (s *scoped) coveredSQL(r, c string) string {
	return `(` + s.crossesSQL(r) + ` and ` + r + `.labels <> 0 and ` + r + `.labels & ~(` + c + `.covered | ` + s.openSQL(r) + `) = 0)`
}

// releasesSQL is gateway.Scope.Releases as a predicate on row r with coverage c and, in f, the
// mask under which the party fetched this version.
func (s *scoped) releasesSQL(r, c, f string) string {
	if gateway.IsDirectory(s.kind) {
		return s.directory()
	}
	return `(` + s.ownsSQL(r) + s.reviewsSQL(r) + ` or (` + s.aboutSQL(r) + ` and (` + s.fetchedSQL(f) + s.viewsSQL(r) + ` or ` + s.coveredSQL(r, c) + `)))`
}

// fetchSQL joins, as f, the mask under which the party fetched version v of resource r: by its key. A planner without
// statistics takes all that the party ever fetched for little, and reads it whole.
func (s *scoped) fetchSQL(r, v, f string) string {
	w := f + "_w" // no name that r or v may have: it would stand for itself, and any version would do
	return `
left join lateral (select ` + w + `.mask from fetched ` + w + ` where ` + w + `.party = ` + s.own() + ` and ` + w + `.rid = ` + r + `.rid and ` + w + `.version = ` + v + `.version offset 0) ` + f + ` on true`
}

func (s *scoped) fetchedSQL(f string) string {
	return `(` + s.fetched() + ` and coalesce(` + f + `.mask, 0) <> 0)`
}
