# METADATA
# title: Lesning av et samtykke
# description: >-
#   Consent i FHIR R4 slik den står. Det som ikke lar seg lese med sikkerhet, gir ingen tillatelse og
#   forbyr alt (hpl. § 21); et samtykke skal si hva, til hvem og hvor lenge (Oslostandarden, tiltak 1).
package sluse.reading

import data.sluse.instant

# METADATA
# title: Status
# description: Bare et aktivt samtykke gjelder; er statusen ukjent, er samtykket uleselig (hpl. § 22).
default status(_) := "unreadable"

status(c) := "active" if c.resource.status == "active"

status(c) := "closed" if {
	c.resource.status in {"draft", "proposed", "rejected", "inactive", "entered-in-error"}
	not withdrawn(c)
}

status(c) := "withdrawn" if withdrawn(c)

# METADATA
# title: Trukket av en annen
# description: >-
#   Trekkes samtykket av en annen enn pasienten eller den som registrerte det, gir det ingen tillatelse, men det det
#   forbyr, gjelder til de sier noe annet (hpl. § 22, semantikken - det snevrer bare inn).
withdrawn(c) if {
	c.resource.status == "inactive"
	c.withdrawn == true
}

# METADATA
# title: Tillatelser
# description: Rotens tillatelse, eller tillatelsene i et forbud; en innsigelse har ingen (hpl. § 22).
permits(c) := {[c.resource.provision] |
	samtykke(c)
	c.resource.provision.type == "permit"
} | {[c.resource.provision, p] |
	samtykke(c)
	c.resource.provision.type == "deny"
	some p in c.resource.provision.provision
	p.type == "permit"
}

# METADATA
# title: Forbud
# description: Unntak inne i en tillatelse, eller et forbud uten tillatelser; innsigelsen er alltid et forbud (pbrl. § 5-3).
denies(c) := {[c.resource.provision, p] |
	c.resource.provision.type == "permit"
	some p in c.resource.provision.provision
} | {[c.resource.provision, p, d] |
	c.resource.provision.type == "deny"
	some p in c.resource.provision.provision
	some d in p.provision
} | {[c.resource.provision] |
	c.resource.provision.type == "deny"
	not c.resource.provision.provision
}

# METADATA
# title: Samtykke
# description: Rettsgrunnlaget opphever taushetsplikt (hpl. § 22, sosialtjenesteloven § 44, NAV-loven § 7, fvl. § 13 a).
samtykke(c) if law(c).kind == "samtykke"

# METADATA
# title: Rettsgrunnlag
# description: policyRule har nøyaktig én kode, fra vårt kodeverk (semantikken, rettsgrunnlag).
law(c) := data.policy.laws.codes[coding.code] if {
	count(c.resource.policyRule.coding) == 1
	coding := c.resource.policyRule.coding[0]
	coding.system == data.policy.laws.system
}

# METADATA
# title: Lesbart
# description: Hvert felt er av riktig slag, hver kode er kjent og nøstingen er den som er avtalt (hpl. § 21).
sound(c) if {
	is_string(c.registrar)
	c.registrar != ""
	is_boolean(c.patient)
	law(c).kind in {"samtykke", "innsigelse"}
	organizations(c)
	root := c.resource.provision
	every p in everything(root) {
		provision(p)
	}
	nesting(law(c).kind, root)
}

# METADATA
# title: Organisasjoner
# description: Consent.organization er referanser når den er der (semantikken, oppbevarer).
organizations(c) if not "organization" in object.keys(c.resource)

organizations(c) if {
	list(c.resource, "organization")
	every o in c.resource.organization {
		is_string(o.reference)
	}
}

# METADATA
# title: Alle bestemmelsene
# description: Roten og det som er nøstet i den, høyst tre nivåer (semantikken, dybde).
everything(root) := array.concat([root], array.concat(below(root), [d | some p in below(root); some d in below(p)]))

# METADATA
# title: Nøstet
# description: Bestemmelsene rett under (semantikken, dybde).
below(p) := p.provision if {
	is_array(p.provision)
} else := []

# METADATA
# title: Nøsting
# description: permit over deny, og deny over permit over deny; innsigelsen har ett nivå (semantikken, dybde; pbrl. § 5-3).
nesting("innsigelse", root) if {
	root.type == "deny"
	not root.provision
}

nesting("samtykke", root) if {
	root.type == "permit"
	every p in below(root) {
		p.type == "deny"
		not p.provision
	}
}

nesting("samtykke", root) if {
	root.type == "deny"
	every p in below(root) {
		p.type == "permit"
		every d in below(p) {
			d.type == "deny"
			not d.provision
		}
	}
}

# METADATA
# title: Lesbar bestemmelse
# description: Det som er oppgitt, er oppgitt med kjente koder (semantikken, ukjente koder nektes).
provision(p) if {
	is_object(p)
	p.type in {"permit", "deny"}
	not "code" in object.keys(p)
	not "modifierExtension" in object.keys(p)
	every name in ["actor", "securityLabel", "purpose", "class", "action", "data", "provision"] {
		list(p, name)
	}
	every a in object.get(p, "actor", []) {
		actor(a, role(a))
	}
	every l in object.get(p, "securityLabel", []) {
		l.system == data.policy.labels.categorySystem
		l.code in data.policy.labels.categories
	}
	every x in object.get(p, "purpose", []) {
		x.system == data.policy.purposes.system
		data.policy.purposes.codes[x.code]
	}
	every x in object.get(p, "class", []) {
		resource_type(x)
	}
	every a in object.get(p, "action", []) {
		action_codes[act(a)]
	}
	every d in object.get(p, "data", []) {
		d.meaning == "instance"
		is_string(d.reference.reference)
	}
	period(p, "period")
	period(p, "dataPeriod")
}

# METADATA
# title: Liste
# description: Fraværende, eller en liste som ikke er tom (R4 json.html).
list(o, name) if not name in object.keys(o)

list(o, name) if {
	is_array(o[name])
	count(o[name]) > 0
}

# METADATA
# title: Periode
# description: Fraværende, eller med lesbare datoer (R4 datatypes.html#Period).
period(o, name) if not name in object.keys(o)

period(o, name) if {
	is_object(o[name])
	every bound in [b | some b in ["start", "end"]; b in object.keys(o[name])] {
		instant.readable(o[name][bound])
	}
}

# METADATA
# title: Rolle
# description: IRCP er mottaker, CST den som oppbevarer (v3-ParticipationType).
role(a) := code if {
	count(a.role.coding) == 1
	a.role.coding[0].system == "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
	code := a.role.coding[0].code
}

# METADATA
# title: Aktør
# description: Mottakeren er en referanse, en rolle for pasienten eller en mottakergruppe; den som oppbevarer er en referanse (semantikken, mottakere).
actor(a, code) if {
	code in {"IRCP", "CST"}
	is_string(a.reference.reference)
	not startswith(a.reference.reference, "@")
	not by_name(a.reference)
}

actor(a, "IRCP") if {
	is_string(name(a.reference))
	known_name(a.reference)
}

# METADATA
# title: Ved navn
# description: Rollen eller gruppen er oppgitt med navn i vårt navnerom, og ikke som referanse (semantikken, mottakere).
by_name(ref) if ref.identifier.system in {data.policy.roles.nameSystem, data.policy.groups.nameSystem}

# METADATA
# title: Navn
# description: En rolle skrives @rolle/navn, en gruppe @gruppe/navn; ingen referanse begynner slik (semantikken, mottakere).
name(ref) := concat("/", ["@rolle", ref.identifier.value]) if {
	ref.identifier.system == data.policy.roles.nameSystem
	not "reference" in object.keys(ref)
}

name(ref) := concat("/", ["@gruppe", ref.identifier.value]) if {
	ref.identifier.system == data.policy.groups.nameSystem
	not "reference" in object.keys(ref)
}

# METADATA
# title: Kalt
# description: Det en aktør kalles - referansen, eller navnet på rollen eller gruppen (semantikken, mottakere).
called(ref) := ref.reference if is_string(ref.reference)

called(ref) := name(ref) if not "reference" in object.keys(ref)

# METADATA
# title: Kjent navn
# description: Rollen er en vi kjenner; en gruppe er kjent når den har eller hadde medlemmer, se mottakere (semantikken, ukjente koder nektes).
known_name(ref) if {
	ref.identifier.system == data.policy.roles.nameSystem
	data.policy.roles.person[ref.identifier.value]
}

known_name(ref) if ref.identifier.system == data.policy.groups.nameSystem

# METADATA
# title: Handlinger
# description: access er lesing, disclose melding og varsel, collect og correct å bidra (consentaction).
action_codes := {
	"access": {"read"},
	"disclose": {"message", "notify"},
	"collect": {"contribute"},
	"correct": {"contribute"},
}

# METADATA
# title: Oppgitte handlinger
# description: Handlingene en bestemmelse nevner (consentaction).
actions(p) := {x |
	some a in p.action
	some x in action_codes[act(a)]
}

# METADATA
# title: Handlingskode
# description: Nøyaktig én kode fra consentaction.
act(a) := code if {
	count(a.coding) == 1
	a.coding[0].system == "http://terminology.hl7.org/CodeSystem/consentaction"
	code := a.coding[0].code
}

# METADATA
# title: Ressurstyper
# description: class er en ressurstype eller R4s egen profil av den (resource-types).
type_listed(p, _) if not p.class

type_listed(p, t) if {
	some x in p.class
	resource_type(x) == t
}

# METADATA
# title: Ressurstype
# description: Typen en class nevner (resource-types).
resource_type(x) := x.code if x.system == "http://hl7.org/fhir/resource-types"

resource_type(x) := trim_prefix(x.code, "http://hl7.org/fhir/StructureDefinition/") if {
	x.system == "urn:ietf:rfc:3986"
	startswith(x.code, "http://hl7.org/fhir/StructureDefinition/")
}

# METADATA
# title: Enkeltopplysninger
# description: data med meaning instance nevner enkeltopplysninger (hpl. § 22).
item_listed(p, _, _) if not p.data

item_listed(p, t, id) if {
	some d in p.data
	regex.replace(d.reference.reference, `/_history/.*$`, "") == concat("/", [t, id])
}

# METADATA
# title: Kategorier
# description: Kategoriene i securityLabel (hpl. § 22).
labels(p) := {l.code | some l in p.securityLabel}
