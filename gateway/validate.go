package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

// validateAt tells everything that there is to say about a resource before it is sent to be stored (R4
// resource-operation-validate.html). Nothing is stored. What it tells of a record that is there is what
// an update or delete of it would tell.
func (g *Gateway) validateAt(ctx context.Context, v View, who asked, in Interaction) (looked, error) {
	dir, err := v.Directory(ctx)
	if err != nil {
		return looked{}, Failed("gateway.validate", Unavailable, err)
	}
	c := &check{Gateway: g, view: v, who: who, dir: dir, in: in}
	seen, err := c.instance(ctx)
	if err != nil {
		return looked{}, err
	}
	if err := c.writer(ctx); err != nil {
		return looked{}, err
	}
	if in.Body != nil && in.Operation.Mode != fhir.ModeDelete {
		if err := c.content(ctx, in.Body); err != nil {
			return looked{}, err
		}
	}
	if !faulty(c.issues) {
		c.issues = append([]fhir.Issue{{Severity: "information", Type: "informational", Code: fhir.CodeAllOK}}, c.issues...)
	}
	seen.out.Issues = c.issues
	return seen, nil
}

// check is one $validate.
type check struct {
	*Gateway
	view   View
	who    asked
	dir    Directory
	in     Interaction
	issues []fhir.Issue
	grants []Grant // of a Consent
}

// faults takes the findings of an error of content; every other error is one.
func (c *check) faults(err error) error {
	var known *Error
	if errors.As(err, &known) && len(known.Issues) > 0 {
		c.issues = append(c.issues, known.Issues...)
		return nil
	}
	return err
}

// instance looks whether the named resource can be updated or deleted: as a write would, with the
// same answer for what is hidden and what is not there.
func (c *check) instance(ctx context.Context) (looked, error) {
	mode, target := c.in.Operation.Mode, c.in.Target
	if target.ID != "" && c.in.Body != nil && c.in.Body.ID() != "" && c.in.Body.ID() != target.ID {
		c.issues = append(c.issues, fhir.Issue{
			Severity: "error", Type: "value", Code: "http.id-differs", Expression: string(c.in.Body.Type()) + ".id",
		})
	}
	if target.ID == "" || mode != fhir.ModeUpdate && mode != fhir.ModeDelete {
		return looked{}, nil
	}
	seen, err := c.look(ctx, c.view, c.who, c.in)
	if err != nil {
		return looked{}, err
	}
	switch {
	case seen.refusal != nil && CodeOf(seen.refusal) == NotFound && mode == fhir.ModeUpdate && ownPrefix(c.who, target.ID):
	case seen.refusal != nil:
		if err := c.faults(seen.refusal); err != nil {
			return looked{}, err
		}
	default:
		custodian, err := c.custodian(ctx, seen.out.Release, target.Type)
		if err != nil {
			return looked{}, err
		}
		if custodian != c.who.Party && (!IsDirectory(target.Type) || c.who.Kind != Operator) {
			c.issues = append(c.issues, fhir.Issue{Severity: "error", Type: "forbidden", Code: "not-yours"})
		}
	}
	return looked{entries: seen.entries}, nil // nothing of the record is released
}

// custodian is who holds the resource that was read.
func (c *check) custodian(ctx context.Context, r Release, t fhir.Type) (HERID, error) {
	res, err := r.parsed()
	if err != nil {
		return "", err
	}
	if !IsDirectory(t) {
		address, _ := c.dir.Resolve(res.Meta().Custodian)
		return address.Party, nil
	}
	row, err := c.view.Read(ctx, directoryPermit(c.who, Operate), fhir.Reference{Type: t, ID: res.ID()})
	return row.Custodian, err
}

// writer tells whether the actor may write the type at all, where a write is foreseen.
func (c *check) writer(ctx context.Context) error {
	mode := c.in.Operation.Mode
	if mode != fhir.ModeCreate && mode != fhir.ModeUpdate && mode != fhir.ModeDelete {
		return nil
	}
	p, err := c.permit(ctx, c.who, Operate, Question{Action: WriteAction, Type: c.in.Target.Type})
	if err != nil {
		return err
	}
	if c.in.Target.Type == "Provenance" && mode != fhir.ModeCreate || p.decision.Effect != Allow || !p.Scope().Write {
		c.issues = append(c.issues, fhir.Issue{Severity: "error", Type: "forbidden", Code: "write-not-allowed"})
	}
	return nil
}

// content is all that a write would find, and what it would only remark.
func (c *check) content(ctx context.Context, res *fhir.Resource) error {
	if res.Type() != c.in.Target.Type {
		c.issues = append(c.issues, fhir.Issue{Severity: "error", Type: "value", Code: "http.type-differs", Expression: string(res.Type())})
	}
	var lost error
	found := fhir.Check(res, fhir.Options{
		Profiles: c.in.Operation.Profiles, Mode: c.in.Operation.Mode,
		Questionnaire: func(canonical string) *fhir.Resource {
			form, err := c.questionnaire(ctx, c.view, c.who, canonical)
			lost = errors.Join(lost, err)
			return form
		},
	})
	if lost != nil {
		return lost
	}
	sound := !faulty(found)
	c.issues = append(c.issues, found...)
	c.issues = append(c.issues, ownRules(c.who, c.dir, res)...)
	if err := c.faults(c.directoryRules(c.who, res)); err != nil {
		return err
	}
	if res.Type() == "Patient" {
		if _, err := nationalOf(c.who, res); err != nil {
			if err := c.faults(err); err != nil {
				return err
			}
		}
	}
	if err := c.labels(ctx, res); err != nil {
		return err
	}
	if res.Type() == "Consent" && sound {
		return c.consent(ctx, res)
	}
	return nil
}

// labels tells how the content would be labelled, by record and by part.
func (c *check) labels(ctx context.Context, res *fhir.Resource) error {
	if IsDirectory(res.Type()) {
		return nil
	}
	found, err := c.labelled(ctx, c.dir, res)
	if err != nil {
		return c.faults(err)
	}
	tell := func(expression string, l Labels) {
		c.issues = append(c.issues, fhir.Issue{
			Severity: "information", Type: "informational", Code: "label.found", Expression: expression,
			Args: []string{strings.Join(l.Codes(), ", ")},
		})
	}
	tell(string(res.Type()), found.Labels|found.Added)
	for _, part := range found.Parts {
		tell(part.Path, part.Labels)
	}
	return nil
}

// consent tells what its normal form lacks, as when it is registered. A Patient or team that is not the
// writer's own is unknown, whether it exists or not.
func (c *check) consent(ctx context.Context, res *fhir.Resource) error {
	patient, _ := res.Subject()
	facts, own, err := c.view.FactsAbout(ctx, c.who.party.ID, Subject{Patient: patient})
	if err != nil {
		return err
	}
	if !own || facts.Person == 0 || c.who.Kind == Patient && facts.Person != c.who.own {
		c.issues = append(c.issues, fhir.Issue{
			Severity: "error", Type: "business-rule", Code: "consent.patient-not-own", Expression: "Consent.patient",
		})
	}
	mine, err := c.ownPermit(ctx, c.view, c.who, c.in)
	if err != nil {
		return c.faults(err)
	}
	var lost error
	team := func(ref fhir.Reference) (listed, current *fhir.Resource) {
		r, err := c.view.Read(ctx, mine, fhir.Reference{Type: "CareTeam", ID: ref.ID})
		if err != nil || r.Deleted {
			if err != nil && CodeOf(err) != NotFound {
				lost = errors.Join(lost, err)
			}
			return nil, nil
		}
		res, err := fhir.ParseLimits(r.Body, storedLimits)
		lost = errors.Join(lost, err)
		return res, res
	}
	ref := fhir.Reference{Type: "Consent", ID: "ny", Version: "1"}
	rest := c.resting(c.view, c.dir, facts.Person)
	in := rest.setting(ctx, c.who.party, c.who.Kind == Patient)
	in.Team = team
	grants, issues := c.Normalizer.Grants(res, ref, in)
	if lost = errors.Join(lost, rest.err); lost != nil {
		return lost
	}
	c.issues, c.grants = append(c.issues, issues...), grants
	if datedAhead(res.Root(), grants, c.Clock()) {
		c.issues = append(c.issues, fhir.Issue{
			Severity: "error", Type: "business-rule", Code: "consent.dated-ahead", Expression: "Consent.dateTime",
		})
	}
	if faulty(c.issues) || c.who.attested != 0 && c.who.attested != facts.Person {
		return nil
	}
	advice, err := c.advised(c.who, grants, facts, res.ID())
	c.issues = append(c.issues, advice...)
	return err
}

// questionnaire finds a Questionnaire of the directory by its canonical URL, with or without version;
// the newest when several fit, nil when none does.
func (g *Gateway) questionnaire(ctx context.Context, v View, who asked, canonical string) (*fhir.Resource, error) {
	address, version, _ := strings.Cut(canonical, "|")
	address, _, _ = strings.Cut(address, "#")
	if address == "" {
		return nil, nil
	}
	rows, err := v.Search(ctx, directoryPermit(who, Operate), "Questionnaire", Search{
		Sort:     Sort{Param: "_lastUpdated", Descending: true},
		Criteria: []fhir.Criterion{criterion(fhir.SearchParameterOf("Questionnaire", "url"), fhir.Operand{URL: address})},
	}, 0, maxAlongside, Cursor{})
	if err != nil && CodeOf(err) != NotFound {
		return nil, err
	}
	var forms []*fhir.Resource
	for _, r := range rows {
		form, err := Release{body: r.Body}.parsed()
		if err != nil {
			return nil, err
		}
		forms = append(forms, form)
	}
	at := slices.IndexFunc(forms, func(f *fhir.Resource) bool {
		return f.Root().Get("url").Text() == address && (version == "" || f.Root().Get("version").Text() == version)
	})
	if at < 0 {
		return nil, nil
	}
	return forms[at], nil
}
