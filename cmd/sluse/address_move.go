package main

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/gateway/postgres"
)

// moves refuses a file by which a HER-id that the directory has would become another party's, or its party another kind of
// party: what was sent to it, and whose records it writes, would be another's by a slip in a file. All of them are told at
// once, before anything is written. Was says that it is meant.
func (d *directoryWriter) moves(ctx context.Context) error {
	var faults []error
	for _, p := range d.file.parties {
		was, err := d.former(ctx, d.names[p.her])
		if err != nil {
			return fmt.Errorf("%s: %w", p.path, err)
		}
		becomes, err := d.partyOf(ctx, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.path, err)
		}
		for _, c := range []struct{ element, says, is, becomes, meant string }{
			{"ParentHerId", "Party", string(was.party), string(becomes), string(p.was.party)},
			{"OrganizationNumber", "OrganizationNumber", string(was.orgnr), string(p.orgnr), string(p.was.orgnr)},
			{"Sector", "Sector", string(was.sector), string(p.sector), string(p.was.sector)},
			{"Lovgrunnlag", "Lovgrunnlag", string(was.law), string(p.law), string(p.was.law)},
		} {
			kept := c.becomes == "" && c.element != "ParentHerId" // the file says nothing of it
			if c.is == "" || c.is == c.becomes || kept || c.is == c.meant {
				continue
			}
			faults = append(faults, fmt.Errorf("%s: line %d: %s.%s: HER-id %s would go from %s %s to %q, with its mailbox and rights; if that is meant, add Was: {%s: %s}",
				d.file.path, p.node.Line, p.path, c.element, p.her, c.says, c.is, c.becomes, c.says, c.is))
		}
	}
	return errors.Join(faults...)
}

// former is what a resource of the directory is: whose, and what its party is when it is one. Zero when there is none.
func (d *directoryWriter) former(ctx context.Context, r fhir.Reference) (former, error) {
	o, err := d.read(ctx, r)
	if err != nil || o == nil {
		return former{}, err
	}
	f := former{
		orgnr:  gateway.OrgNumber(identifierOf(o, fhir.SystemOrgnr)),
		sector: gateway.Sector(typeOf(o, postgres.SystemSector)), law: gateway.Lovgrunnlag(typeOf(o, postgres.SystemLovgrunnlag)),
	}
	for n := 0; o != nil && n < 32; n++ { // a circle is nobody's
		if typeOf(o, postgres.SystemSector) != "" {
			f.party = gateway.HERID(identifierOf(o, fhir.SystemHER))
			break
		}
		up, err := fhir.ParseReference(above(o))
		if err != nil {
			break
		}
		if o, err = d.read(ctx, fhir.Reference{Type: up.Type, ID: up.ID}); err != nil {
			return former{}, err
		}
	}
	return f, nil
}

// partyOf is the party that the file puts a communication party in: of those above it, itself first, the next that has a
// sector, by the file or, where the file says nothing of it, in the directory.
func (d *directoryWriter) partyOf(ctx context.Context, p *communicationParty) (gateway.HERID, error) {
	for n := 0; p != nil && n < len(d.file.parties); n++ {
		o, err := d.read(ctx, d.names[p.her])
		if err != nil {
			return "", err
		}
		if p.sector != "" || typeOf(o, postgres.SystemSector) != "" {
			return p.her, nil
		}
		p = d.file.named(p.above)
	}
	return "", nil
}

func (f *addressFile) named(id gateway.HERID) *communicationParty {
	for _, p := range f.parties {
		if p.her == id {
			return p
		}
	}
	return nil
}

// above is the reference to what a resource of the directory belongs to.
func above(o object) string {
	for _, element := range []string{"partOf", "providedBy", "organization"} {
		if up, ok := o[element].(object); ok {
			s, _ := up["reference"].(string)
			return s
		}
	}
	return ""
}

func identifierOf(o object, system string) string {
	list, _ := o["identifier"].([]any)
	for _, one := range list {
		if id, ok := one.(object); ok && id["system"] == system && id["use"] != "old" {
			s, _ := id["value"].(string)
			return s
		}
	}
	return ""
}

func typeOf(o object, system string) string {
	list, _ := o["type"].([]any)
	for _, one := range list {
		concept, _ := one.(object)
		codings, _ := concept["coding"].([]any)
		for _, c := range codings {
			if coding, ok := c.(object); ok && coding["system"] == system {
				s, _ := coding["code"].(string)
				return s
			}
		}
	}
	return ""
}

// end closes what the file has made and does not name any more: no message is taken in for it (E21), what is ordered to it is
// stopped, and who has sent it something that it has not fetched is told. It is found by the ids that install gives; of what
// drift had made before, only the Endpoints are the file's.
func (d *directoryWriter) end(ctx context.Context, known gateway.Receptions) (gone []gateway.HERID, err error) {
	for _, her := range known.Numbers() {
		r, there := known.Registered(her)
		if !there || d.file.named(her) != nil {
			continue
		}
		ended := false
		if made := fhir.ID("her-" + string(her)); r.ID == made {
			if ended, err = d.close(ctx, fhir.Reference{Type: r.Type, ID: made}, "active", false); err != nil {
				return nil, err
			}
		}
		for _, suffix := range []string{"edi", "amqp", "api"} {
			e := fhir.Reference{Type: "Endpoint", ID: fhir.ID("her-" + string(her) + "-" + suffix)}
			closed, err := d.close(ctx, e, "status", "off")
			if err != nil {
				return nil, err
			}
			ended = ended || closed
		}
		if ended {
			gone = append(gone, her)
		}
	}
	return gone, nil
}

// close gives an element of a resource its value; false when it has it, or there is no such resource.
func (d *directoryWriter) close(ctx context.Context, r fhir.Reference, element string, value any) (bool, error) {
	before, err := d.read(ctx, r)
	if err != nil || before == nil || before[element] == value {
		return false, err
	}
	after := maps.Clone(before)
	delete(after, "meta")
	after[element] = value
	return true, d.become(ctx, r, before, after)
}
