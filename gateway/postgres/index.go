package postgres

import (
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// index is what a version is found by. Values outside labelled parts are hashes in tok; values
// inside carry the labels of their parts and lie apart, so that nothing hidden is ever matched.
type index struct {
	tok        []int64
	dateParams []string // date parameters whose one value is the record's date
	texts      textValues
	dates      dateValues
	parts      partValues
}

type textValues struct {
	param, value []string
	mask         []int64
}

type dateValues struct {
	param     []string
	low, high []pgtype.Timestamptz
	mask      []int64
}

type partValues struct{ tok, mask []int64 }

func (x *index) side() bool { return len(x.texts.param)+len(x.dates.param)+len(x.parts.tok) > 0 }

// indexOf hashes and sorts the values of a draft. A deleted version is found by nothing.
func (k keyring) indexOf(d gateway.Draft) index {
	x := index{tok: []int64{}}
	if d.Method == gateway.Delete {
		return x
	}
	t := string(d.Reference.Type)
	for i := range d.Index {
		v := &d.Index[i]
		mask := maskOf(v.Path, d.Parts)
		switch v.Kind {
		case fhir.Token:
			x.add(mask, k.tokenHashes(t, v.Param, v.System, v.Code)...)
		case fhir.Uri:
			x.add(mask, k.token(t, v.Param, anyForm, v.Code))
		case fhir.ReferenceParam:
			x.add(mask, k.referenceHashes(t, v.Param, v.Code)...)
		case fhir.StringParam:
			x.texts.param = append(x.texts.param, v.Param)
			x.texts.value = append(x.texts.value, Fold(v.Text))
			x.texts.mask = append(x.texts.mask, mask)
		case fhir.Date:
			x.addDate(d, v, mask)
		}
	}
	slices.Sort(x.tok)
	x.tok = slices.Compact(x.tok)
	return x
}

func (x *index) add(mask int64, tok ...int64) {
	if mask == 0 {
		x.tok = append(x.tok, tok...)
		return
	}
	for _, t := range tok {
		x.parts.tok = append(x.parts.tok, t)
		x.parts.mask = append(x.parts.mask, mask)
	}
}

func (x *index) addDate(d gateway.Draft, v *fhir.IndexValue, mask int64) {
	if mask == 0 && !v.Low.IsZero() && !v.High.IsZero() && v.Low.Equal(d.Low) && v.High.Equal(d.High) &&
		!slices.Contains(x.dateParams, v.Param) {
		x.dateParams = append(x.dateParams, v.Param)
		return
	}
	x.dates.param = append(x.dates.param, v.Param)
	x.dates.low = append(x.dates.low, moment(v.Low))
	x.dates.high = append(x.dates.high, endless(v.High))
	x.dates.mask = append(x.dates.mask, mask)
}

// maskOf gives the labels of every part that holds the path: zero outside all of them. A value
// without a path is taken to lie in each.
func maskOf(path string, parts []gateway.Part) int64 {
	var mask gateway.Labels
	for _, p := range parts {
		if path == "" || within(path, p.Path) {
			mask |= p.Labels
		}
	}
	return int64(mask) //nolint:gosec // a mask has fewer than 63 bits
}

func within(path, part string) bool {
	rest, ok := strings.CutPrefix(path, part)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// Forms of a token under which it is found: with its system, without regard to it, and by the
// system alone (R4 search.html#token).
const (
	exactForm  = "="
	anyForm    = "*"
	systemForm = "|"
)

func (k keyring) tokenHashes(t, param, system, code string) []int64 {
	var out []int64
	if code != "" {
		out = append(out, k.token(t, param, exactForm, system, code), k.token(t, param, anyForm, code))
	}
	if system != "" {
		out = append(out, k.token(t, param, systemForm, system))
	}
	return out
}

// referenceHashes hashes "Type/id" both whole and by its id alone.
func (k keyring) referenceHashes(t, param, ref string) []int64 {
	_, id, found := strings.Cut(ref, "/")
	if !found {
		return []int64{k.token(t, param, exactForm, ref)}
	}
	return []int64{k.token(t, param, exactForm, ref), k.token(t, param, anyForm, id)}
}
