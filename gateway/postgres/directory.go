package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Code systems in Organization.type that tell what kind of party it is.
const (
	SystemSector      = "http://sluse.no/fhir/CodeSystem/sektor"
	SystemLovgrunnlag = "http://sluse.no/fhir/CodeSystem/lovgrunnlag"
)

// address is what one resource of the directory says in numbers.
type address struct {
	name                 fhir.Reference
	active               bool
	her                  gateway.HERID
	orgnr                gateway.OrgNumber
	hpr                  gateway.HPRNumber
	display              string
	sector               gateway.Sector
	lovgrunnlag          gateway.Lovgrunnlag
	role                 string
	parent, practitioner string // references "Type/id"
	receiving            receiving
	deleted              bool
}

// addressOf reads a draft of the directory; nil for a type that holds no numbers.
func addressOf(op string, d gateway.Draft) (*address, error) {
	switch d.Reference.Type {
	case "Organization", "HealthcareService", "Practitioner", "PractitionerRole", "Endpoint", "Location":
	default:
		return nil, nil
	}
	a := &address{name: fhir.Reference{Type: d.Reference.Type, ID: d.Reference.ID}, deleted: d.Method == gateway.Delete}
	if a.deleted {
		return a, nil
	}
	res, err := fhir.Parse(d.Body)
	if err != nil {
		return nil, gateway.Failed(op, gateway.Internal, err)
	}
	root := res.Root()
	a.active = root.Get("active").Text() != "false"
	if status := root.Get("status"); d.Reference.Type == "Endpoint" && status != nil {
		a.active = status.Text() == "active" || status.Text() == "test"
	}
	if name := root.Get("name"); name.Kind() == fhir.String {
		a.display = name.Text()
	}
	for _, id := range root.Get("identifier").Items() {
		if id.Get("use").Text() == "old" {
			continue
		}
		value := id.Get("value").Text()
		switch id.Get("system").Text() {
		case fhir.SystemHER:
			a.her = gateway.HERID(value)
		case fhir.SystemOrgnr:
			a.orgnr = gateway.OrgNumber(value)
		case fhir.SystemHPR:
			a.hpr = gateway.HPRNumber(value)
		}
	}
	a.refer(root, d.Reference.Type)
	a.receiving = receivingOf(root, d)
	for i := range d.Index { // an absolute URL of the server itself stands there as the relative reference
		v := &d.Index[i]
		switch {
		case v.Kind != fhir.ReferenceParam || v.Form != fhir.PlainForm:
		case v.Key == "practitioner" && a.practitioner != "":
			a.practitioner = v.Code
		case v.Key == parents[d.Reference.Type] && a.parent != "":
			a.parent = v.Code
		}
	}
	return a, nil
}

// parents are the elements that name what a resource of the directory belongs to.
var parents = map[fhir.Type]string{
	"Organization": "partOf", "HealthcareService": "providedBy", "PractitionerRole": "organization",
	"Endpoint": "managingOrganization",
}

// refer reads what depends on the type: references, kind of party, role.
func (a *address) refer(root *fhir.Value, t fhir.Type) {
	a.parent = root.Get(parents[t], "reference").Text()
	switch t {
	case "Organization":
		for _, concept := range root.Get("type").Items() {
			for _, coding := range concept.Get("coding").Items() {
				switch coding.Get("system").Text() {
				case SystemSector:
					a.sector = gateway.Sector(coding.Get("code").Text())
				case SystemLovgrunnlag:
					a.lovgrunnlag = gateway.Lovgrunnlag(coding.Get("code").Text())
				}
			}
		}
	case "PractitionerRole":
		a.practitioner = root.Get("practitioner", "reference").Text()
		if root.Get("practitioner") != nil && a.practitioner == "" {
			a.practitioner = "unknown" // somebody, told otherwise than by a reference: never nobody in particular
		}
		for _, concept := range root.Get("code").Items() {
			for _, coding := range concept.Get("coding").Items() {
				if a.role == "" {
					a.role = coding.Get("code").Text()
				}
			}
		}
	}
}

const (
	revisionSQL = `select d.revision from directory d`
	reviseSQL   = `update directory set revision = revision + 1`

	keepAddressSQL = `insert into address (type, id, active, her, orgnr, hpr, name, sector, lovgrunnlag, role, parent, practitioner,
  endpoints, kinds, opens, closes)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
on conflict (type, id) do update set active = excluded.active, her = excluded.her, orgnr = excluded.orgnr, hpr = excluded.hpr,
  name = excluded.name, sector = excluded.sector, lovgrunnlag = excluded.lovgrunnlag, role = excluded.role,
  parent = excluded.parent, practitioner = excluded.practitioner, endpoints = excluded.endpoints, kinds = excluded.kinds,
  opens = excluded.opens, closes = excluded.closes`
	dropAddressSQL = `delete from address where type = $1 and id = $2`

	addressesSQL = `select a.type, a.id, a.active, a.her, a.orgnr, a.hpr, a.name, a.sector, a.lovgrunnlag, a.role, a.parent, a.practitioner,
  a.endpoints, a.kinds, a.opens, a.closes
from address a order by a.type, a.id`
)

func (a *address) queue(b *pgx.Batch) {
	if a.deleted {
		b.Queue(dropAddressSQL, string(a.name.Type), string(a.name.ID))
	} else {
		b.Queue(keepAddressSQL, string(a.name.Type), string(a.name.ID), a.active, string(a.her), string(a.orgnr), string(a.hpr),
			a.display, string(a.sector), string(a.lovgrunnlag), a.role, a.parent, a.practitioner,
			a.receiving.endpoints, a.receiving.kinds, a.receiving.opens, a.receiving.closes)
	}
	b.Queue(reviseSQL)
}

// listing is the directory of one revision. It never changes.
type listing struct {
	revision int64
	at       time.Time
	parties  map[gateway.HERID]gateway.Party
	means    map[fhir.Reference]gateway.Address
	names    map[fhir.Reference]string
	desks    map[gateway.HERID]*desk
	hjemler  gateway.Hjemler // legal bases that parties have switched on
}

var (
	_ gateway.Directory = (*listing)(nil)
	_ gateway.Names     = (*listing)(nil)
)

// Name is what a unit or a place is called.
func (l *listing) Name(r fhir.Reference) string { return l.names[r] }

// Party finds a party by any of its HER-ids.
func (l *listing) Party(id gateway.HERID) (gateway.Party, bool) {
	p, ok := l.parties[id]
	return p, ok
}

// Patients is the party that stands for the patients themselves.
func (l *listing) Patients() (found gateway.Party, ok bool) {
	for id, p := range l.parties {
		if p.Sector != gateway.SectorPatient || id != p.ID {
			continue
		}
		if ok {
			return gateway.Party{}, false
		}
		found, ok = p, true
	}
	return found, ok
}

var _ gateway.Residents = (*listing)(nil)

// Resolve tells what a reference to the directory means.
func (l *listing) Resolve(r fhir.Reference) (gateway.Address, bool) {
	r.Version = ""
	a, ok := l.means[r]
	return a, ok
}

// maxAge is how old the directory may be that Store.Directory gives.
const maxAge = time.Second

// Directory is who is who, at most a second old; a look at the revision a second is shared by all.
func (s *Store) Directory(ctx context.Context) (gateway.Directory, error) {
	if l := s.listing.Load(); l != nil && s.clock().Sub(l.at) < maxAge && !s.clock().Before(l.at) {
		return l, nil
	}
	var d gateway.Directory
	err := s.Snapshot(ctx, func(v gateway.View) (err error) {
		d, err = v.Directory(ctx)
		return err
	})
	return d, err
}

// sees notes the revision of the directory in this snapshot.
func (v *view) sees(revision int64) {
	if v.reading != nil {
		v.reading.revision = revision
	}
}

// Directory is the directory as of this snapshot; it is read anew when its revision is another.
func (v *view) Directory(ctx context.Context) (gateway.Directory, error) {
	const op = "postgres.directory"
	asked := v.store.clock()
	if v.reading != nil {
		if err := v.reading.begin(ctx); err != nil {
			return nil, failure(op, err)
		}
		v.revision = v.reading.revision
	} else if v.revision == 0 || v.writes {
		if err := v.tx.QueryRow(ctx, revisionSQL).Scan(&v.revision); err != nil {
			return nil, failure(op, err)
		}
	}
	known := v.store.listing.Load()
	if known != nil && known.revision == v.revision {
		if asked.Sub(known.at) >= maxAge/2 || asked.Before(known.at) {
			fresh := *known
			fresh.at = asked
			v.store.listing.CompareAndSwap(known, &fresh)
		}
		return known, nil
	}
	rows, err := v.tx.Query(ctx, addressesSQL)
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a address, err error) {
		err = row.Scan(&a.name.Type, &a.name.ID, &a.active, &a.her, &a.orgnr, &a.hpr, &a.display, &a.sector, &a.lovgrunnlag,
			&a.role, &a.parent, &a.practitioner, &a.receiving.endpoints, &a.receiving.kinds, &a.receiving.opens, &a.receiving.closes)
		return a, err
	})
	if err != nil {
		return nil, failure(op, err)
	}
	l := newListing(v.revision, asked, list)
	if err := v.switched(ctx, l); err != nil {
		return nil, failure(op, err)
	}
	if !v.writes && (known == nil || known.revision < l.revision) { // a Tx may still be undone
		v.store.listing.CompareAndSwap(known, l)
	}
	return l, nil
}

// builder works out what each address means.
type builder struct {
	byName map[string]*address
	parts  map[string][]*address // organisations by the one they are part of
}

// called is the name that tells of the address: its own, or that of the organisation of a role.
func (b builder) called(a *address) string {
	switch {
	case a.name.Type == "PractitionerRole" && b.byName[a.parent] != nil:
		return b.byName[a.parent].display
	case a.name.Type == "Practitioner" || a.name.Type == "Endpoint":
		return ""
	}
	return a.display
}

func newListing(revision int64, at time.Time, list []address) *listing {
	l := &listing{
		revision: revision, at: at,
		parties: make(map[gateway.HERID]gateway.Party), means: make(map[fhir.Reference]gateway.Address),
		names: make(map[fhir.Reference]string),
	}
	b := builder{byName: make(map[string]*address), parts: make(map[string][]*address)}
	for i := range list {
		a := &list[i]
		b.byName[a.name.String()] = a
		if a.name.Type == "Organization" && a.parent != "" {
			b.parts[a.parent] = append(b.parts[a.parent], a)
		}
	}
	l.desks = b.desks(list)
	twice := make(map[gateway.HERID]bool)
	for i := range list {
		a := &list[i]
		if name := b.called(a); name != "" {
			l.names[a.name] = name
		}
		if means, ok := b.means(a); ok {
			l.means[a.name] = means
		}
		if a.her == "" || !a.active {
			continue
		}
		if _, taken := l.parties[a.her]; taken || twice[a.her] {
			twice[a.her] = true // two claim one number: it is nobody's
			delete(l.parties, a.her)
			continue
		}
		if p := b.partyOf(a); p != nil {
			l.parties[a.her] = gateway.Party{
				ID: p.her, OrgNumber: p.orgnr, Name: p.display, Sector: p.sector, Lovgrunnlag: p.lovgrunnlag, Organization: p.name,
				Above: b.above(p),
			}
		}
	}
	return l
}

func (a *address) isParty() bool {
	return a.name.Type == "Organization" && a.active && a.her != "" && a.lovgrunnlag != ""
}

// partyOf finds the party that an address belongs to: itself, or the nearest above it.
func (b *builder) partyOf(a *address) *address {
	for range 32 { // a circle of partOf belongs to nobody
		switch {
		case a == nil || !a.active:
			return nil
		case a.isParty():
			return a
		}
		a = b.byName[a.parent]
	}
	return nil
}

// means gives the numbers of an address. One that would mean more than it says, such as a service
// without a number, means nothing.
func (b *builder) means(a *address) (gateway.Address, bool) {
	if !a.active {
		return gateway.Address{}, false
	}
	var out gateway.Address
	party := b.partyOf(a)
	if party != nil {
		out.Party = party.her
	}
	switch a.name.Type {
	case "Organization":
		if party != nil && party != a {
			if a.her == "" {
				out.Party = ""
			}
			out.Unit = a.her
		}
		out.Parts = b.below(a)
		return out, out.Party != "" || len(out.Parts) > 0
	case "HealthcareService":
		out.Unit = a.her
		return out, party != nil && a.her != ""
	case "Endpoint":
		return out, party != nil
	case "Practitioner":
		return gateway.Address{Practitioner: a.hpr}, a.hpr != ""
	case "PractitionerRole":
		out.Role = a.role
		if a.practitioner != "" {
			p := b.byName[a.practitioner]
			if p == nil || !p.active || p.hpr == "" {
				return gateway.Address{}, false
			}
			out.Practitioner = p.hpr
		}
		return out, party != nil && (out.Practitioner != "" || out.Role != "")
	}
	return gateway.Address{}, false
}

// above lists the parties that a party is part of, however high.
func (b *builder) above(a *address) []gateway.HERID {
	var out []gateway.HERID
	for range 32 {
		if a = b.byName[a.parent]; a == nil {
			break
		}
		if a.isParty() {
			out = append(out, a.her)
		}
	}
	return out
}

// below lists the parties that are part of an organisation, however deep.
func (b *builder) below(a *address) []gateway.HERID {
	var out []gateway.HERID
	seen := map[*address]bool{a: true}
	queue := []*address{a}
	for len(queue) > 0 {
		for _, part := range b.parts[queue[0].name.String()] {
			if seen[part] || !part.active {
				continue
			}
			seen[part] = true
			queue = append(queue, part)
			if part.isParty() {
				out = append(out, part.her)
			}
		}
		queue = queue[1:]
	}
	return out
}
