package postgres

import (
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// index is what a version is found by. Values outside labelled parts are hashes in tok and mark;
// values inside carry the labels of their parts and lie apart, so that nothing hidden is ever matched.
type index struct {
	name     int64 // hash of type and id
	present  int64
	tok      []int64 // selective: rows are found by them
	mark     []int64 // rows found otherwise are filtered by them
	dateKeys []string
	texts    textValues
	words    []wordValue
	dates    dateValues
	amounts  amountValues
	parts    partValues
}

type textValues struct {
	mask, key []int64
	value     []string
}

// wordValue are the texts of codes with one mask.
type wordValue struct {
	mask int64
	keys []int64
	text []string
}

type dateValues struct {
	mask, key []int64
	low, high []pgtype.Timestamptz
}

// amountValues has numbers as decimal text; nil is without limit.
type amountValues struct {
	mask, key, exact, code, word, base []int64
	low, high, baseLow, baseHigh       []*string
	slack, baseSlack                   []string
}

type partValues struct{ tok, mask []int64 }

// Forms under which a value is hashed.
const (
	exactForm  = "="  // token with its system; a URL
	anyForm    = "*"  // token without regard to its system
	systemForm = "|"  // the system of a token alone; a URL with its version
	belowForm  = "<"  // what a code or URL lies below
	wholeForm  = "!"  // a string as written
	linkForm   = "r"  // the place of a reference
	oldForm    = "v"  // a reference with its version
	logicForm  = "i"  // the identifier of a reference
	aimedForm  = "it" // the same, with the type that the reference points at
	pairForm   = "$"  // the two parts of a composite
	hasForm    = "?"  // presence inside a part
	placeForm  = "@"  // the place of a value in a side table
	unitForm   = "u"  // a unit
	ucumForm   = "b"  // a base unit
)

// selectiveKeys are the places whose tokens find rows: codes from open systems, identifiers, numbers
// of telephones. What has a few values only, such as a status, is on many rows and finds none.
var selectiveKeys = sync.OnceValue(func() map[fhir.Type]map[string]bool {
	all := make(map[fhir.Type]map[string]bool)
	for _, t := range fhir.SearchTypes() {
		all[t] = make(map[string]bool)
		params := fhir.SearchParameters(t)
		for i := range params {
			p := &params[i]
			for _, key := range p.Keys {
				if p.Type == fhir.Token && (slices.Contains(p.Modifiers, fhir.ModifierText) || strings.Contains(key, "telecom")) {
					all[t][key] = true
				}
			}
		}
	}
	return all
})

// indexer sorts the values of one draft.
type indexer struct {
	keyring
	index
	kind      string
	selective map[string]bool
	draft     *gateway.Draft
}

// indexOf hashes and sorts the values of a draft. A deleted version is found by nothing.
func (k keyring) indexOf(d gateway.Draft) index {
	x := indexer{keyring: k, kind: string(d.Reference.Type), selective: selectiveKeys()[d.Reference.Type], draft: &d}
	x.name = k.self(d.Reference)
	x.tok, x.mark = []int64{}, []int64{}
	if d.Method == gateway.Delete {
		return x.index
	}
	for i := range d.Index {
		v := &d.Index[i]
		if v.Key == "meta.security" { // the server's own: the labels of the row
			continue
		}
		x.present1(v)
		x.value(v)
	}
	slices.Sort(x.tok)
	x.tok = slices.Compact(x.tok)
	slices.Sort(x.mark)
	x.mark = slices.Compact(x.mark)
	return x.index
}

// present1 keeps which parameters have the value.
func (x *indexer) present1(v *fhir.IndexValue) {
	if v.Mask == 0 {
		x.present |= int64(v.Bits) //nolint:gosec // ordinals are below 63
		return
	}
	x.present |= math.MinInt64 // something lies apart
	for n := range 63 {
		if v.Bits&(1<<n) != 0 {
			x.part(v, x.presence(x.kind, n))
		}
	}
}

func (x *indexer) part(v *fhir.IndexValue, tok ...int64) {
	for _, t := range tok {
		x.parts.tok = append(x.parts.tok, t)
		x.parts.mask = append(x.parts.mask, int64(v.Mask)) //nolint:gosec // a mask has fewer than 63 bits
	}
}

// found keeps hashes by which rows are found.
func (x *indexer) found(v *fhir.IndexValue, tok ...int64) {
	if v.Mask != 0 {
		x.part(v, tok...)
		return
	}
	x.tok = append(x.tok, tok...)
}

// marked keeps hashes by which rows are filtered.
func (x *indexer) marked(v *fhir.IndexValue, tok ...int64) {
	if v.Mask != 0 {
		x.part(v, tok...)
		return
	}
	x.mark = append(x.mark, tok...)
}

func (x *indexer) value(v *fhir.IndexValue) {
	switch {
	case v.Kind == fhir.Composite:
		x.composite(v)
	case v.Form == fhir.TextForm:
		x.word(v)
	case v.Form == fhir.IdentifierForm:
		x.found(v, x.token(x.kind, v.Key, logicForm, v.System, v.Code), x.token(x.kind, v.Key, logicForm, v.Code))
		if v.Target != "" {
			x.found(v, x.token(x.kind, v.Key, aimedForm, string(v.Target), v.System, v.Code), x.token(x.kind, v.Key, aimedForm, string(v.Target), v.Code))
		}
	case v.Kind == fhir.Token:
		x.code(v)
	case v.Kind == fhir.ReferenceParam:
		x.reference(v)
	case v.Kind == fhir.Uri:
		x.found(v, x.token(x.kind, v.Key, exactForm, v.Code))
		for _, above := range v.Above {
			x.marked(v, x.token(x.kind, v.Key, belowForm, above))
		}
	case v.Kind == fhir.StringParam:
		x.marked(v, x.token(x.kind, v.Key, wholeForm, v.Text))
		x.text(v, x.place(x.kind, v.Key))
	case v.Kind == fhir.Date:
		x.date(v)
	case v.Amount != nil:
		x.amount(v, x.place(x.kind, v.Key))
	}
}

func (x *indexer) code(v *fhir.IndexValue) {
	keep := x.marked
	if x.selective[v.Key] {
		keep = x.found
	}
	keep(v, x.token(x.kind, v.Key, exactForm, v.System, v.Code), x.token(x.kind, v.Key, anyForm, v.Code))
	if v.System != "" {
		x.marked(v, x.token(x.kind, v.Key, systemForm, v.System))
	}
	for _, above := range v.Above {
		x.marked(v, x.token(x.kind, v.Key, belowForm, v.System, above))
	}
}

func (x *indexer) reference(v *fhir.IndexValue) {
	ref, err := fhir.ParseReference(v.Code)
	if err != nil || ref.Type == "" {
		x.found(v, x.token(x.kind, v.Key, exactForm, v.Code))
		if v.Version != "" {
			x.found(v, x.token(x.kind, v.Key, systemForm, v.Code, v.Version))
		}
		return
	}
	x.found(v, x.keyring.self(ref)^x.link(x.kind, v.Key))
	if v.Version != "" && x.kind == "Provenance" {
		x.marked(v, x.token(x.kind, v.Key, oldForm, v.Code, v.Version))
	}
}

func (x *indexer) word(v *fhir.IndexValue) {
	mask := int64(v.Mask) //nolint:gosec // a mask has fewer than 63 bits
	at := slices.IndexFunc(x.words, func(w wordValue) bool { return w.mask == mask })
	if at < 0 {
		at = len(x.words)
		x.words = append(x.words, wordValue{mask: mask})
	}
	x.words[at].keys = append(x.words[at].keys, x.place(x.kind, v.Key))
	x.words[at].text = append(x.words[at].text, v.Folded)
}

// longestText bounds what of a string is searched, in bytes: an index entry has a limit.
const longestText = 1024

func cutText(s string) string {
	if len(s) <= longestText {
		return s
	}
	return strings.ToValidUTF8(s[:longestText], "")
}

func (x *indexer) text(v *fhir.IndexValue, key int64) {
	x.texts.mask = append(x.texts.mask, int64(v.Mask)) //nolint:gosec // a mask has fewer than 63 bits
	x.texts.key = append(x.texts.key, key)
	x.texts.value = append(x.texts.value, cutText(v.Folded))
}

// date leaves out the record's own date, which the row has.
func (x *indexer) date(v *fhir.IndexValue) {
	d := x.draft
	if v.Mask == 0 && !v.Low.IsZero() && !v.High.IsZero() && v.Low.Equal(d.Low) && v.High.Equal(d.High) {
		if !slices.Contains(x.dateKeys, v.Key) {
			x.dateKeys = append(x.dateKeys, v.Key)
		}
		return
	}
	x.span(v, v, x.place(x.kind, v.Key))
}

// span keeps the interval of a value; of carries the mask.
func (x *indexer) span(of, v *fhir.IndexValue, key int64) {
	x.dates.mask = append(x.dates.mask, int64(of.Mask)) //nolint:gosec // a mask has fewer than 63 bits
	x.dates.key = append(x.dates.key, key)
	x.dates.low = append(x.dates.low, moment(v.Low))
	x.dates.high = append(x.dates.high, endless(v.High))
}

func limit(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (x *indexer) amount(v *fhir.IndexValue, key int64) { x.measured(v, v.Amount, key) }

func (x *indexer) measured(of *fhir.IndexValue, a *fhir.Amount, key int64) {
	m := &x.amounts
	m.mask = append(m.mask, int64(of.Mask)) //nolint:gosec // a mask has fewer than 63 bits
	m.key = append(m.key, key)
	m.exact = append(m.exact, x.token(unitForm, a.System, a.Code))
	m.code = append(m.code, x.token(unitForm, a.Code))
	m.word = append(m.word, x.token(unitForm, a.Unit))
	base := int64(0)
	if a.Base != "" {
		base = x.token(ucumForm, a.Base)
	}
	m.base = append(m.base, base)
	m.low, m.high = append(m.low, limit(a.Low)), append(m.high, limit(a.High))
	m.baseLow, m.baseHigh = append(m.baseLow, limit(a.BaseLow)), append(m.baseHigh, limit(a.BaseHigh))
	m.slack, m.baseSlack = append(m.slack, orZero(a.Slack)), append(m.baseSlack, orZero(a.BaseSlack))
}

func orZero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

// composite keeps the second part in a place of its own for each form of the first: so that it is
// compared as any other value of its type is.
func (x *indexer) composite(v *fhir.IndexValue) {
	if len(v.Tuple) != 2 {
		return
	}
	second := &v.Tuple[1]
	for _, first := range x.forms(&v.Tuple[0]) {
		key := x.token(append([]string{x.kind, v.Key, pairForm}, first...)...)
		switch {
		case second.Kind == fhir.Token || second.Kind == fhir.ReferenceParam || second.Kind == fhir.Uri:
			for _, other := range x.forms(second) {
				x.found(v, x.token(append(append([]string{x.kind, v.Key, pairForm}, first...), other...)...))
			}
		case second.Kind == fhir.Date:
			x.span(v, second, key)
		case second.Amount != nil:
			x.measured(v, second.Amount, key)
		case second.Kind == fhir.StringParam:
			at := *second
			at.Mask = v.Mask
			if at.Folded == "" {
				at.Folded = fhir.Fold(at.Text)
			}
			x.text(&at, key)
		}
	}
}

// forms gives those under which one part of a composite is asked for.
func (x *indexer) forms(v *fhir.IndexValue) [][]string {
	if v.Kind != fhir.Token {
		return [][]string{{exactForm, v.Code}}
	}
	out := [][]string{{exactForm, v.System, v.Code}, {anyForm, v.Code}}
	if v.System != "" {
		out = append(out, []string{systemForm, v.System})
	}
	return out
}
