package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/gateway/postgres"
)

// Code systems of an Endpoint.
const (
	connectionSystem    = "http://hl7.no/fhir/CodeSystem/no-basis-connection-type"
	ownConnectionSystem = "http://sluse.no/fhir/CodeSystem/tilkobling"
	payloadSystem       = "http://terminology.hl7.org/CodeSystem/endpoint-payload-type"
	thumbprintExtension = "http://sluse.no/fhir/StructureDefinition/sertifikatavtrykk"
)

// operator writes the directory from the file, as drift does over FHIR.
var operator = gateway.Actor{Kind: gateway.Operator, Client: "adressefil"}

// object is a resource on its way into the directory.
type object = map[string]any

// install brings the directory to what the file says: each party as Organization, HealthcareService or PractitionerRole
// with its Endpoints. A party that stands there already under its HER-id is changed where it is, and keeps what the
// file says nothing of; one that is as the file says is not written. Nothing is written when a HER-id would become another
// party's and the file does not say that it is meant (moves). What the file has made and names no more is closed (end); what
// drift has made stays.
func (f *addressFile) install(ctx context.Context, g *gateway.Gateway, base string, log *slog.Logger) error {
	if len(f.parties) == 0 {
		return nil
	}
	dir, err := g.Store.Directory(ctx)
	if err != nil {
		return err
	}
	known, _ := dir.(gateway.Receptions)
	names := make(map[gateway.HERID]fhir.Reference, len(f.parties))
	for _, p := range f.parties {
		names[p.her] = fhir.Reference{Type: p.resource(), ID: fhir.ID("her-" + string(p.her))}
		if r, there := known.Registered(p.her); there {
			if r.Type != p.resource() {
				return fmt.Errorf("%s: the directory has HER-id %s as %s", p.path, p.her, r)
			}
			names[p.her] = r
		}
	}
	d := directoryWriter{
		gateway: g, names: names, file: f, edi: strings.TrimSuffix(base, "/fhir") + "/edi", before: map[fhir.Reference]object{},
	}
	if err := d.moves(ctx); err != nil {
		return err
	}
	for _, p := range f.ordered() {
		if err := d.party(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p.path, err)
		}
	}
	gone, err := d.end(ctx, known)
	if err != nil {
		return err
	}
	if len(gone) > 0 {
		log.WarnContext(ctx, "the address file does not name these any more: they are closed", slog.Any("herIds", gone))
	}
	log.InfoContext(ctx, "directory is as the address file says", slog.Int("parties", len(f.parties)), slog.Int("written", d.written))
	return nil
}

// resource is the type that a party becomes.
func (p *communicationParty) resource() fhir.Type {
	switch p.kind {
	case serviceType:
		return "HealthcareService"
	case personType:
		return "PractitionerRole"
	}
	return "Organization"
}

// ordered gives the parties with what they belong to first.
func (f *addressFile) ordered() (list []*communicationParty) {
	done := map[gateway.HERID]bool{"": true}
	for range f.parties {
		for _, p := range f.parties {
			if !done[p.her] && done[p.above] {
				done[p.her] = true
				list = append(list, p)
			}
		}
		if len(list) == len(f.parties) {
			break
		}
	}
	return list
}

// directoryWriter writes the directory.
type directoryWriter struct {
	gateway *gateway.Gateway
	names   map[gateway.HERID]fhir.Reference
	file    *addressFile
	edi     string                    // where the message API is
	before  map[fhir.Reference]object // what the directory had, as far as it was looked at
	written int
}

// party writes the Endpoints of a party, then the party that names them: it is never there without, and takes everything.
func (d *directoryWriter) party(ctx context.Context, p *communicationParty) error {
	var refs []any
	for _, e := range d.endpoints(p) {
		ref := fhir.Reference{Type: "Endpoint", ID: fhir.ID(e["id"].(string))}
		if err := d.put(ctx, ref, e); err != nil {
			return err
		}
		refs = append(refs, object{"reference": ref.String()})
	}
	return d.put(ctx, d.names[p.her], d.unit(p, refs))
}

func codedAs(system, code, display string) object {
	c := object{"system": system, "code": code}
	if display != "" {
		c["display"] = display
	}
	return object{"coding": []any{c}}
}

// unit is the party itself. Only what the file says is in it.
func (d *directoryWriter) unit(p *communicationParty, endpoints []any) object {
	identifiers := []any{object{"system": fhir.SystemHER, "value": string(p.her)}}
	if p.orgnr != "" {
		identifiers = append(identifiers, object{"system": fhir.SystemOrgnr, "value": string(p.orgnr)})
	}
	o := object{"resourceType": string(p.resource()), "id": string(d.names[p.her].ID), "active": p.active, "identifier": identifiers}
	if len(endpoints) > 0 {
		o["endpoint"] = endpoints
	}
	above := object{"reference": d.names[p.above].String()}
	switch p.kind {
	case serviceType:
		o["name"], o["providedBy"] = p.name, above
		o["type"] = []any{codedAs("urn:oid:2.16.578.1.12.4.1.1."+p.code.list, p.code.code, p.code.text)}
		if p.code.list == "8655" { // helsehjelpsområde, as no-basis-HealthcareService has it
			o["specialty"] = o["type"]
		}
	case personType:
		o["practitioner"], o["organization"] = object{"display": p.name}, above
	default:
		o["name"] = p.name
		if p.above != "" {
			o["partOf"] = above
		}
		if p.sector != "" {
			o["type"] = []any{codedAs(postgres.SystemSector, string(p.sector), ""), codedAs(postgres.SystemLovgrunnlag, string(p.law), "")}
		}
	}
	return o
}

// endpoints are where messages to the party go: one for each kind of electronic address that carries them, or the
// message API of Sluse when the file names none and says something of what is received, or when.
func (d *directoryWriter) endpoints(p *communicationParty) (list []object) {
	types := d.file.receives(p)
	var payload []any
	for _, t := range types {
		payload = append(payload, codedAs(gateway.MessageTypeSystem, t, ""))
	}
	if len(types) == 0 {
		payload = []any{codedAs(payloadSystem, "any", "")}
		if p.typed { // it says that it takes nothing
			payload = []any{codedAs(payloadSystem, "none", "")}
		}
	}
	add := func(suffix, system, code, address string) {
		e := object{
			"resourceType": "Endpoint", "id": "her-" + string(p.her) + "-" + suffix, "status": "active", "name": p.name,
			"connectionType": object{"system": system, "code": code}, "payloadType": payload, "payloadMimeType": []any{"application/xml"},
			"managingOrganization": object{"reference": d.names[d.organization(p)].String()}, "address": address,
		}
		if !p.active {
			e["status"] = "off"
		}
		period := object{}
		for name, date := range map[string]string{"start": p.from, "end": p.to} {
			if date != "" {
				period[name] = date
			}
		}
		if len(period) > 0 {
			e["period"] = period
		}
		if p.thumbprint != "" {
			e["extension"] = []any{object{"url": thumbprintExtension, "valueString": strings.ToUpper(p.thumbprint)}}
		}
		list = append(list, e)
	}
	for _, a := range p.addresses {
		switch a.kind {
		case "E_EDI":
			add("edi", connectionSystem, "no-ebxml-2", "mailto:"+a.address)
		case "E_SB_ASYNC":
			add("amqp", connectionSystem, "no-amqp", "amqps://"+strings.TrimPrefix(strings.TrimPrefix(a.address, "amqps://"), "sb://"))
		}
	}
	if len(list) == 0 && (p.typed || len(types) > 0 || p.from != "" || p.to != "") {
		add("api", ownConnectionSystem, "msh-api-v2", d.edi)
	}
	return list
}

// organization is the Organization that manages the Endpoints of a party: itself, or the one that it belongs to.
func (d *directoryWriter) organization(p *communicationParty) gateway.HERID {
	if p.resource() == "Organization" {
		return p.her
	}
	return p.above
}

// put writes a resource unless it says that already.
func (d *directoryWriter) put(ctx context.Context, r fhir.Reference, o object) error {
	before, err := d.read(ctx, r)
	if err != nil {
		return err
	}
	return d.become(ctx, r, before, merged(before, o))
}

// become writes a resource that is not as it was.
func (d *directoryWriter) become(ctx context.Context, r fhir.Reference, before, after object) error {
	if reflect.DeepEqual(plainJSON(before), plainJSON(after)) {
		return nil
	}
	body, err := json.Marshal(after)
	if err != nil {
		return err
	}
	res, err := fhir.Parse(body)
	if err != nil {
		return err
	}
	code := gateway.Update
	if before == nil {
		code = gateway.Create
	}
	if _, err := d.gateway.Do(ctx, operator, gateway.Interaction{Code: code, Target: r, Body: res}); err != nil {
		return err
	}
	d.written++
	return nil
}

// read gives what the directory has; nil when there is nothing.
func (d *directoryWriter) read(ctx context.Context, r fhir.Reference) (object, error) {
	if o, seen := d.before[r]; seen {
		return o, nil
	}
	o, err := d.look(ctx, r)
	if err == nil {
		d.before[r] = o
	}
	return o, err
}

func (d *directoryWriter) look(ctx context.Context, r fhir.Reference) (object, error) {
	out, err := d.gateway.Do(ctx, operator, gateway.Interaction{Code: gateway.Read, Target: r})
	if err != nil {
		if code := gateway.CodeOf(err); code == gateway.NotFound || code == gateway.Gone {
			return nil, nil
		}
		return nil, err
	}
	var b bytes.Buffer
	if _, err := out.Release.WriteTo(&b); err != nil {
		return nil, err
	}
	var o object
	decoder := json.NewDecoder(&b)
	decoder.UseNumber()
	return o, decoder.Decode(&o)
}

// merged is what is there with what the file says in its place. Identifiers of other systems stay, and so does whom a
// PractitionerRole means: the file has a name alone. An Endpoint, and which Endpoints a party has, is the file's alone.
func merged(before, says object) object {
	after := maps.Clone(says)
	for name, value := range before {
		owned := name == "meta" || name == "endpoint" || says["resourceType"] == "Endpoint"
		if _, said := says[name]; !said && !owned {
			after[name] = value
		}
	}
	if was, named := before["practitioner"].(object); named && says["practitioner"] != nil {
		who := maps.Clone(was)
		maps.Copy(who, says["practitioner"].(object))
		after["practitioner"] = who
	}
	own, _ := says["identifier"].([]any)
	if own == nil {
		return after
	}
	ours := map[any]bool{}
	for _, i := range own {
		ours[i.(object)["system"]] = true
	}
	list := append([]any{}, own...)
	old, _ := before["identifier"].([]any)
	for _, i := range old {
		if id, ok := i.(object); ok && !ours[id["system"]] {
			list = append(list, id)
		}
	}
	after["identifier"] = list
	return after
}

// plainJSON gives a resource less what the server sets, as it reads when it has been written.
func plainJSON(o object) (plain any) {
	less := maps.Clone(o)
	delete(less, "meta")
	b, err := json.Marshal(less)
	if err != nil {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber()
	_ = decoder.Decode(&plain) //nolint:errcheck // written a line above
	return plain
}
