package consent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// agreements are what controllers have agreed, from the policy data.
type agreements struct {
	Trust []trust `json:"trust"`
	Lov   []lov   `json:"lov"`

	standing []standing
}

// trust is a custodian's trust in a registering party.
type trust struct {
	Name      string        `json:"name"`
	Custodian gateway.HERID `json:"custodian"`
	Registrar gateway.HERID `json:"registrar"`
	Start     string        `json:"start"`
	End       string        `json:"end"`

	span span
}

// lov is regime lov between two parties: what crosses when nobody has opposed it.
type lov struct {
	Name      string            `json:"name"`
	Custodian agreed            `json:"custodian"`
	Recipient agreed            `json:"recipient"`
	Roles     []string          `json:"roles"` // "*": any, for what the custodian sends
	Purposes  []gateway.Purpose `json:"purposes"`
	Actions   []gateway.Action  `json:"actions"`
	Labels    []string          `json:"labels"`
	Types     []fhir.Type       `json:"types"`
	Start     string            `json:"start"`
	End       string            `json:"end"`
	Law       string            `json:"law"`
}

// agreed is one side of an agreement.
type agreed struct {
	Party       gateway.HERID       `json:"party"`
	Lovgrunnlag gateway.Lovgrunnlag `json:"lovgrunnlag"`
}

// standing is an agreement as a grant about everybody; it holds for a recipient only as long as that is
// under the law that it names.
type standing struct {
	gateway.Grant
	recipient agreed
}

// resolve reads what the agreements say and refuses all that is not said.
func (a *agreements) resolve(t *tables) error {
	var faults []error
	for i := range a.Trust {
		x := &a.Trust[i]
		var err error
		if x.span, err = lasting(x.Start, x.End); err != nil || x.Name == "" || !digits(string(x.Custodian)) || !digits(string(x.Registrar)) || x.Custodian == x.Registrar {
			faults = append(faults, fmt.Errorf("consent: agreement of trust %q does not say all: %w", x.Name, err))
		}
	}
	for _, x := range a.Lov {
		g, err := x.grant(t)
		if err != nil {
			faults = append(faults, fmt.Errorf("consent: agreement of regime lov %q: %w", x.Name, err))
			continue
		}
		a.standing = append(a.standing, standing{g, x.Recipient})
	}
	return errors.Join(faults...)
}

// lasting reads the first and the last day of an agreement.
func lasting(start, end string) (span, error) {
	low, _, err := fhir.ParseDate(start)
	if err != nil {
		return span{}, err
	}
	_, high, err := fhir.ParseDate(end)
	if err != nil {
		return span{}, err
	}
	if s := (span{low, high}); !s.empty() {
		return s, nil
	}
	return span{}, errors.New("ends before it starts")
}

// grant is the agreement in normal form: a permit in which every dimension is set.
func (x lov) grant(t *tables) (gateway.Grant, error) {
	law := t.laws[x.Law]
	period, err := lasting(x.Start, x.End)
	if err != nil {
		return gateway.Grant{}, err
	}
	labels, known := gateway.Labels(0), true
	for _, code := range x.Labels {
		l, ok := gateway.LabelOf(code)
		labels, known = labels|l, known && ok
	}
	for _, p := range x.Purposes {
		_, ok := t.purposes[string(p)]
		known = known && ok
	}
	for _, typ := range x.Types {
		known = known && fhir.KnownType(typ) && !t.directory[string(typ)]
	}
	for _, action := range x.Actions {
		known = known && slices.Contains(consentActions, action)
	}
	switch {
	case x.Name == "" || law.Kind != "lov":
		return gateway.Grant{}, errors.New("it has no name, or no law of the kind")
	case !known || labels == 0 || len(x.Purposes) == 0 || len(x.Types) == 0 || len(x.Actions) == 0 || len(x.Roles) == 0:
		return gateway.Grant{}, errors.New("labels, purposes, types, actions and roles are each to be named, with known codes")
	case labels&gateway.Uklassifisert != 0:
		return gateway.Grant{}, errors.New("what nobody has classified crosses by no agreement")
	case slices.Contains(x.Actions, gateway.ContributeAction):
		return gateway.Grant{}, errors.New("nobody writes into another's record by agreement")
	case !x.Custodian.helse() || !x.Recipient.helse() || x.Custodian.Party == x.Recipient.Party:
		return gateway.Grant{}, errors.New("it is between two parties, each under a law of helse")
	}
	roles := gateway.Only(x.Roles...)
	if slices.Contains(x.Roles, anyParty) {
		roles = gateway.Every[string]()
	}
	return gateway.Grant{
		Path: "agreements.lov." + x.Name, Effect: gateway.Allow, Law: x.Law, Paragraph: law.text(x.Start),
		Custodians: gateway.Only(x.Custodian.Party), Recipients: gateway.Only(key(who{party: x.Recipient.Party})),
		Roles: roles, Purposes: gateway.Only(x.Purposes...), Actions: gateway.Only(x.Actions...),
		Labels: labels, Types: gateway.Only(x.Types...), Items: gateway.Every[fhir.Reference](),
		Start: period.low, End: period.high,
	}, nil
}

func (a agreed) helse() bool {
	return digits(string(a.Party)) && strings.HasPrefix(string(a.Lovgrunnlag), "helse-")
}

// standingFor gives the agreements by which a party may receive, as grants. Each has its companion: who
// is known where.
func (a *agreements) standingFor(p gateway.Party) []gateway.Grant {
	var out []gateway.Grant
	for _, s := range a.standing {
		if s.recipient.Party != p.ID || s.recipient.Lovgrunnlag != p.Lovgrunnlag {
			continue
		}
		out = append(out, s.Grant)
		known := s.Grant
		known.Labels, known.Types = gateway.Samarbeid, gateway.Every[fhir.Type]()
		out = append(out, known)
	}
	return out
}

// trusting narrows the custodians of a grant that rests on trust to those that trust the registrar now.
func (a *agreements) trusting(g gateway.Grant, now time.Time) gateway.Set[gateway.HERID] {
	var out []gateway.HERID
	for i := range a.Trust {
		x := &a.Trust[i]
		if x.Registrar == g.Trust && g.Custodians.Has(x.Custodian) && x.span.holds(now) && !slices.Contains(out, x.Custodian) {
			out = append(out, x.Custodian)
		}
	}
	return gateway.Only(out...)
}

// bounds narrows an interval around now to one in which no agreement begins or ends.
func (a *agreements) bounds(from, until, now time.Time) (time.Time, time.Time) {
	for i := range a.Trust {
		from, until = between(a.Trust[i].span.low, from, until, now)
		from, until = between(a.Trust[i].span.high, from, until, now)
	}
	return from, until
}

// trusts lists who trusts whom now, as the grants of a join are asked for it.
func (a *agreements) trusts(now time.Time) []string {
	out := []string{}
	for i := range a.Trust {
		if x := &a.Trust[i]; x.span.holds(now) {
			out = append(out, string(x.Registrar)+" "+string(x.Custodian))
		}
	}
	return out
}

// holds tells whether an instant is inside; a span without end holds for ever.
func (s span) holds(t time.Time) bool {
	return !t.Before(s.low) && (s.high.IsZero() || t.Before(s.high))
}

// between takes a boundary into an interval around now.
func between(bound, from, until, now time.Time) (low, high time.Time) {
	switch {
	case bound.IsZero():
	case bound.After(now):
		if bound.Before(until) {
			until = bound
		}
	case bound.After(from):
		from = bound
	}
	return from, until
}

// consentActions are the actions that a grant may have.
var consentActions = []gateway.Action{gateway.ReadAction, gateway.MessageAction, gateway.NotifyAction, gateway.ContributeAction}
