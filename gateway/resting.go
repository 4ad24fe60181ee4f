package gateway

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// resting is what a Consent rests on while it is made into grants: what it finds is what it was resolved
// against, and an error of any kind spoils the whole.
type resting struct {
	view     View
	tx       Tx // nil: what is only looked at
	dir      resolved
	person   PersonID
	versions []fhir.Reference
	groups   map[string][]Member
	roles    bool
	err      error
}

func (g *Gateway) resting(v View, dir Directory, person PersonID) *resting {
	tx, _ := v.(Tx)
	return &resting{
		view: v, tx: tx, person: person, groups: make(map[string][]Member),
		dir: resolved{Directory: dir, addresses: make(map[string]Address)},
	}
}

// setting is that of a Consent by the registrar, with its teams to be told.
func (r *resting) setting(ctx context.Context, registrar Party, patient bool) Setting {
	return Setting{
		Registrar: registrar, Patient: patient, Directory: r.dir, Groups: r.groups,
		Bearers: func() []Stated { return r.bearers(ctx) },
	}
}

// basis is what was found, of a version stored at that time.
func (r *resting) basis(at time.Time) Basis {
	return Basis{Addresses: r.dir.addresses, Teams: r.versions, Groups: r.groups, Roles: r.roles, At: at}
}

// resolved is a directory that remembers what references meant: what one has once meant it means for good.
type resolved struct {
	Directory
	addresses map[string]Address
}

// Resolve gives what the reference meant, or means.
func (d resolved) Resolve(r fhir.Reference) (Address, bool) {
	if a, ok := d.addresses[r.String()]; ok {
		return a, ok
	}
	a, ok := d.Directory.Resolve(r)
	if ok {
		d.addresses[r.String()] = a
	}
	return a, ok
}

// bearers reads the Patients and CareTeams about the person.
func (r *resting) bearers(ctx context.Context) []Stated {
	r.roles = true
	found, err := r.view.Bearings(ctx, r.person)
	if err != nil {
		r.err = err
		return nil
	}
	var out []Stated
	for _, b := range found {
		res, err := ParseAuthored(b.Body)
		if err != nil {
			r.err = Failed("gateway.bearers", Internal, err)
			return nil
		}
		party, _ := r.dir.Party(b.Custodian)
		out = append(out, Stated{By: b.Custodian, Patient: party.Sector == SectorPatient, Resource: res})
	}
	return out
}

// read finds a CareTeam for a Consent that is stored now, and remembers which version it saw. A team of
// another than the registering party is absent, whether it exists or not: the answer to a Consent must not
// tell that a party has a team about somebody.
func (r *resting) read(ctx context.Context, ref fhir.Reference, registrar HERID) *fhir.Resource {
	res := r.team(ctx, fhir.Reference{Type: "CareTeam", ID: ref.ID}, registrar)
	if res != nil {
		r.versions = append(r.versions, fhir.Reference{Type: "CareTeam", ID: ref.ID, Version: res.Root().Get("meta", "versionId").Text()})
	}
	return res
}

// team reads a version of a CareTeam, the current one when none is named; nil when it is not there, or of
// another party than this ("": any).
func (r *resting) team(ctx context.Context, ref fhir.Reference, of HERID) *fhir.Resource {
	body, custodian, err := r.tx.Team(ctx, ref)
	if err != nil {
		if CodeOf(err) != NotFound {
			r.err = err
		}
		return nil
	}
	if of != "" && custodian != of {
		return nil
	}
	res, err := ParseAuthored(body)
	if err != nil {
		r.err = Failed("gateway.team", Internal, err)
		return nil
	}
	return res
}

// again computes anew the grants of a stored Consent, on the same basis and what has been confirmed since
// (DESIGN § 3: CareTeam, Registering, confirming). Who is gone is out at once; who is new is in only
// when confirmed.
func (g *Gateway) again(ctx context.Context, tx Tx, c StoredConsent) error {
	consent, err := fhir.Parse(c.Body)
	if err != nil {
		return Failed("gateway.again", Internal, err)
	}
	grants, basis, issues, err := g.anew(ctx, tx, c, consent)
	if err != nil {
		return err
	}
	if faulty(issues) { // it no longer stands: nothing of it permits
		grants = slices.DeleteFunc(grants, func(g Grant) bool { return g.Effect == Allow })
	}
	c.Basis = basis
	return g.putGrants(ctx, tx, c, c.By, grants)
}

// anew gives the grants that a body has on the basis of a stored Consent.
func (g *Gateway) anew(ctx context.Context, tx Tx, c StoredConsent, consent *fhir.Resource) ([]Grant, Basis, []fhir.Issue, error) {
	dir, err := tx.Directory(ctx)
	if err != nil {
		return nil, Basis{}, nil, err
	}
	registrar, ok := dir.Party(c.Custodian)
	if !ok {
		return nil, Basis{}, nil, Failed("gateway.again", Internal, errCustodianUnknown)
	}
	rest := g.resting(tx, dir, c.Person)
	maps.Copy(rest.dir.addresses, c.Basis.Addresses)
	maps.Copy(rest.groups, c.Basis.Groups)
	rest.versions, rest.roles = c.Basis.Teams, c.Basis.Roles
	in := rest.setting(ctx, registrar, registrar.Sector == SectorPatient)
	in.Withdrawn = c.Basis.Withdrawn
	in.Team = func(ref fhir.Reference) (listed, current *fhir.Resource) {
		for _, version := range c.Basis.Teams {
			if version.ID == ref.ID {
				return rest.team(ctx, version, ""), rest.team(ctx, fhir.Reference{Type: "CareTeam", ID: ref.ID}, c.Custodian)
			}
		}
		return nil, nil // not there when the Consent was stored
	}
	in.Later = func(ref fhir.Reference) []Stated { return rest.confirmed(ctx, ref, c.Basis.At) }
	in.Confirmed = rest.standing(ctx, c.Consent)
	grants, issues := g.Normalizer.Grants(consent, c.Consent, in)
	basis := rest.basis(c.Basis.At)
	basis.Withdrawn, basis.Recalled = c.Basis.Withdrawn, c.Basis.Recalled
	return grants, basis, issues, rest.err
}

// standing tells who stands by exactly this version of a Consent, about the person whom it is about now.
func (r *resting) standing(ctx context.Context, consent fhir.Reference) (out []Stated) {
	list, err := r.tx.Confirmed(ctx, consent)
	if err != nil {
		r.err = err
	}
	for _, c := range list {
		if c.Version.Version == consent.Version && c.Person == r.person {
			out = append(out, Stated{By: c.By, Patient: c.Patient})
		}
	}
	return out
}

// confirmed gives the versions of a team that have been confirmed since a time.
func (r *resting) confirmed(ctx context.Context, team fhir.Reference, since time.Time) (out []Stated) {
	list, err := r.tx.Confirmed(ctx, fhir.Reference{Type: "CareTeam", ID: team.ID})
	if err != nil {
		r.err = err
	}
	for _, c := range list {
		if c.At.Before(since) || c.Patient && c.Person != r.person {
			continue
		}
		if res := r.team(ctx, c.Version, ""); res != nil {
			out = append(out, Stated{By: c.By, Patient: c.Patient, Resource: res})
		}
	}
	return out
}

// renormalise computes anew the grants of every Consent that rests on a CareTeam which has just
// changed, or of which a version has just been confirmed.
func (g *Gateway) renormalise(ctx context.Context, tx Tx, team fhir.ID) error {
	stored, err := tx.ConsentsNaming(ctx, fhir.Reference{Type: "CareTeam", ID: team})
	if err != nil {
		return err
	}
	for _, c := range stored {
		if err := g.again(ctx, tx, c); err != nil {
			return err
		}
	}
	return nil
}

// bear does what a Patient or CareTeam brings with it when it is written: as it was, and as it is.
func (g *Gateway) bear(ctx context.Context, tx Tx, was, now Record) error {
	switch now.Reference.Type {
	case "CareTeam":
		if err := g.renormalise(ctx, tx, now.Reference.ID); err != nil {
			return err
		}
	case "Patient":
	default:
		return nil
	}
	return g.retell(ctx, tx, was, now)
}

// retell computes anew the Consents that follow who has a role for the person, when a record that may
// tell it is written: as it was, and as it is. Their meaning, and so her epoch, is of the same transaction.
// What has moved with a Patient to another person is computed anew whatever it names: nobody has confirmed it
// for her.
func (g *Gateway) retell(ctx context.Context, tx Tx, was, now Record) error {
	said, err := tells(was)
	if err != nil {
		return err
	}
	says, err := tells(now)
	if err != nil {
		return err
	}
	moved := was.Person != now.Person && now.Reference.Type == "Patient"
	if !said && !says && !moved {
		return nil
	}
	if moved && was.Person > 0 {
		consents, err := tx.ConsentsBy(ctx, now.Person, now.Custodian)
		if err != nil {
			return err
		}
		for _, c := range consents {
			if err := g.again(ctx, tx, c); err != nil {
				return err
			}
		}
	}
	if moved && was.Person <= 0 && ownPrefix(asked{Actor: Actor{Party: now.Custodian}}, now.Reference.ID) {
		if err := tx.Raise(ctx, now.Person); err != nil { // records may have named it before it was there
			return err
		}
	}
	var done []PersonID
	for _, person := range []PersonID{was.Person, now.Person} {
		if person <= 0 || slices.Contains(done, person) {
			continue
		}
		done = append(done, person)
		stored, err := tx.ConsentsByRole(ctx, person)
		if err != nil {
			return err
		}
		for _, c := range stored {
			if err := g.again(ctx, tx, c); err != nil {
				return err
			}
		}
		if len(stored) == 0 && (said || says) { // whoever stores such a Consent meanwhile must see this
			if err := tx.Rouse(ctx, person); err != nil {
				return err
			}
		}
	}
	return nil
}

// tells tells whether a record may say who has a role for its person.
func tells(r Record) (bool, error) {
	if r.Deleted || len(r.Body) == 0 || r.Reference.Type != "Patient" && r.Reference.Type != "CareTeam" {
		return false, nil
	}
	res, err := ParseAuthored(r.Body)
	if err != nil {
		return false, Failed("gateway.bearers", Internal, err)
	}
	return res.Root().Get("generalPractitioner") != nil || slices.ContainsFunc(res.Root().Get("participant").Items(),
		func(p *fhir.Value) bool { return p.Get("role") != nil }), nil
}
