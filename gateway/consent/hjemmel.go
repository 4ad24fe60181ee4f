package consent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// hjemler are the legal bases other than samtykke, from the policy data.
type hjemler struct {
	Rows []hjemmel `json:"rows"`
}

// hjemmel is one row: messages of some types from one sector to another, up to a ceiling of labels.
type hjemmel struct {
	ID       gateway.HjemmelID `json:"id"`
	NB       string            `json:"nb"`
	Messages []string          `json:"messages"` // codes of Volven 8279
	From     gateway.Sector    `json:"from"`
	To       gateway.Sector    `json:"to"`
	Labels   []string          `json:"labels"`
	Law      string            `json:"law"`
	Duty     string            `json:"duty"`

	mask gateway.Labels
}

// resolve refuses a row that does not say all, or says what no row may.
func (h *hjemler) resolve(laws map[string]law) error {
	var faults []error
	for i := range h.Rows {
		row := &h.Rows[i]
		fault := func(what string) { faults = append(faults, fmt.Errorf("consent: hjemmel %q %s", row.ID, what)) }
		if row.ID == "" || row.NB == "" || row.Duty == "" || row.From == "" || row.To == "" || len(row.Messages) == 0 || len(row.Labels) == 0 ||
			slices.Contains(row.Messages, "") {
			fault("does not say all")
		}
		if slices.ContainsFunc(h.Rows[:i], func(other hjemmel) bool { return other.ID == row.ID }) {
			fault("is there twice")
		}
		if laws[row.Law].Kind != "hjemmel" {
			fault("names no law of the kind")
		}
		for _, code := range row.Labels {
			l, ok := gateway.LabelOf(code)
			if !ok || l == gateway.Uklassifisert {
				fault("names a label that is unknown, or what nobody has classified")
			}
			row.mask |= l
		}
	}
	return errors.Join(faults...)
}

// row finds a row by its name.
func (h *hjemler) row(id gateway.HjemmelID) *hjemmel {
	for i := range h.Rows {
		if h.Rows[i].ID == id {
			return &h.Rows[i]
		}
	}
	return nil
}

// lawfulKey is all that Rego's rule of hjemler looks at.
type lawfulKey struct {
	action  gateway.Action
	message string
	party   gateway.HERID
	sector  gateway.Sector
	on      string
}

// lawful is a row that holds for a question, with the senders that have it switched on.
type lawful struct {
	row     *hjemmel
	parties []gateway.HERID
}

// lawfulFor asks Rego which rows hold for the question, once for each kind of it.
func (d *Decider) lawfulFor(ctx context.Context, q gateway.Question) ([]lawful, error) {
	if len(q.Hjemler.On) == 0 || q.Named && q.Facts.Person <= 0 {
		return nil, nil
	}
	k := lawfulKey{q.Action, q.Message, q.Party.ID, q.Party.Sector, q.Hjemler.Key}
	if found, ok := d.bases.Get(k); ok {
		return found, nil
	}
	switched := make([]*ast.Term, 0, len(q.Hjemler.On))
	for _, s := range q.Hjemler.On {
		switched = append(switched, ast.ObjectTerm(
			[2]*ast.Term{ast.StringTerm("id"), ast.StringTerm(string(s.Hjemmel))},
			[2]*ast.Term{ast.StringTerm("party"), ast.StringTerm(string(s.Party))},
			[2]*ast.Term{ast.StringTerm("sector"), ast.StringTerm(string(s.Sector))},
		))
	}
	v, err := evaluate(ctx, d.hjemmelRule, ast.NewObject(
		[2]*ast.Term{d.terms.action, ast.StringTerm(string(q.Action))},
		[2]*ast.Term{ast.StringTerm("message"), ast.StringTerm(q.Message)},
		[2]*ast.Term{ast.StringTerm("party"), ast.StringTerm(string(q.Party.ID))},
		[2]*ast.Term{ast.StringTerm("sector"), ast.StringTerm(string(q.Party.Sector))},
		[2]*ast.Term{ast.StringTerm("switched"), ast.ArrayTerm(switched...)},
	))
	if err != nil {
		return nil, err
	}
	found, err := d.readLawful(v)
	if err != nil {
		return nil, err
	}
	d.bases.Add(k, found)
	return found, nil
}

// readLawful reads Rego's answer strictly: a row that the data does not hold is an error.
func (d *Decider) readLawful(t *ast.Term) (out []lawful, err error) {
	set, ok := t.Value.(ast.Set)
	if !ok {
		return nil, fmt.Errorf("consent: answer is %v", t)
	}
	err = set.Iter(func(t *ast.Term) error {
		pair, ok := t.Value.(*ast.Array)
		if !ok || pair.Len() != 2 {
			return fmt.Errorf("consent: answer holds %v", t)
		}
		id, first := pair.Elem(0).Value.(ast.String)
		party, second := pair.Elem(1).Value.(ast.String)
		row := d.hjemler.row(gateway.HjemmelID(id))
		if !first || !second || row == nil {
			return fmt.Errorf("consent: answer holds %v", t)
		}
		at := slices.IndexFunc(out, func(l lawful) bool { return l.row == row })
		if at < 0 {
			at, out = len(out), append(out, lawful{row: row})
		}
		out[at].parties = append(out[at].parties, gateway.HERID(party))
		return nil
	})
	slices.SortFunc(out, func(a, b lawful) int { return strings.Compare(string(a.row.ID), string(b.row.ID)) })
	return out, err
}

// byHjemmel adds to a scope what the rows cover that hold: of a message that is sent, or of what came by
// messages of their types. They are permits like any other, below every deny.
func (d *Decider) byHjemmel(ctx context.Context, s *gateway.Scope, out *gateway.Decision, q gateway.Question) error {
	bases, err := d.lawfulFor(ctx, q)
	if err != nil {
		return err
	}
	for _, b := range bases {
		out.Citations = append(out.Citations, gateway.Citation{
			Path: gateway.HjemmelPath + string(b.row.ID), Law: b.row.Law, Paragraph: d.laws[b.row.Law].text(q.Now.Format(time.DateOnly))})
		t := gateway.Term{
			Effect: gateway.Allow, Custodians: gateway.Only(b.parties...), Types: gateway.Every[fhir.Type](),
			Items: gateway.Every[fhir.Reference](), Mask: b.row.mask, Standing: true, Citation: len(out.Citations) - 1,
		}
		if q.Action == gateway.MessageAction {
			s.Terms = append(s.Terms, t)
			continue
		}
		t.Sent = true
		for _, kind := range b.row.Messages {
			t.Via = kind
			s.Terms = append(s.Terms, t)
		}
	}
	return nil
}

var _ gateway.HjemmelRows = (*Decider)(nil)

// HjemmelRow finds a row of the policy data.
func (d *Decider) HjemmelRow(id gateway.HjemmelID) (gateway.HjemmelRow, bool) {
	row := d.hjemler.row(id)
	if row == nil {
		return gateway.HjemmelRow{}, false
	}
	return gateway.HjemmelRow{ID: row.ID, Name: row.NB, From: row.From}, true
}

// Duty is what falls on who discloses on the basis cited: "notify" after emergency access, of which the patient is
// told (pbrl. § 3-6), what the row says of a hjemmel, and "log" of everything else (pjl. § 22).
func (d *Decider) Duty(c gateway.Citation) string {
	if id, ok := strings.CutPrefix(c.Path, gateway.HjemmelPath); ok {
		if row := d.hjemler.row(gateway.HjemmelID(id)); row != nil {
			return row.Duty
		}
	}
	if c == d.emergency.cited {
		return "notify"
	}
	return "log"
}
