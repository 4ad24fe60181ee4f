# METADATA
# title: Mottakere
# description: >-
#   Hvem et samtykke nevner. I en tillatelse er det nøyaktig dem; i et forbud også den som ikke oppgir hvem
#   den er, og alle deler av en virksomhet (hpl. § 22, pbrl. § 5-3).
package sluse.receiver

import data.sluse.instant
import data.sluse.reading

# METADATA
# title: Nevnte aktører
# description: Referansene til aktører i den rollen (v3-ParticipationType).
named(p, role) := [a.reference.reference | some a in p.actor; reading.role(a) == role]

# METADATA
# title: Oppslag
# description: En referanse som ikke gir tall i katalogen, er ingen i en tillatelse og alle i et forbud (hpl. § 21).
address(ref) := a if {
	a := input.directory[trim_version(ref)]
	every field in ["party", "unit", "practitioner", "role"] {
		is_string(a[field])
	}
	is_array(a.parts)
}

# METADATA
# title: Uten versjon
# description: En referanse til en versjon gjelder den det er versjon av (R4 references.html, semantikken).
trim_version(ref) := regex.replace(ref, `/_history/.*$`, "")

# METADATA
# title: Type
# description: Typen en referanse nevner (R4 references.html, semantikken).
kind(ref) := split(ref, "/")[0]

# METADATA
# title: Oppbevarer
# description: En Organization som er en virksomhet (hpl. § 39).
party(ref) := a.party if {
	kind(ref) == "Organization"
	a := address(ref)
	a.party != ""
	a.unit == ""
}

# METADATA
# title: Ukjent virksomhet
# description: I et forbud er en ukjent virksomhet alle (pbrl. § 5-3).
unresolved(ref) if not party(ref)

# METADATA
# title: Virksomheten med deler
# description: I et forbud omfatter en virksomhet delene sine (pbrl. § 5-3).
parties(ref) := {party(ref)} | {p | some p in address(ref).parts}

# METADATA
# title: Hva spørreren oppgir
# description: Det som er ukjent, regnes som ikke oppgitt (semantikken, forbud leses vidt).
default unit := ""

unit := input.question.unit if regex.match(`^[0-9]{1,16}$`, input.question.unit)

# METADATA
# title: HPR-nummer
# description: Det som ikke er et nummer, regnes som ikke oppgitt (hpl. § 48).
default practitioner := ""

practitioner := input.question.practitioner if regex.match(`^[0-9]{1,16}$`, input.question.practitioner)

# METADATA
# title: Rollekode
# description: En kode som ikke sier noe, regnes som ikke oppgitt (semantikken, forbud leses vidt).
default role := ""

role := input.question.role if {
	is_string(input.question.role)
	not trim_space(input.question.role) in data.policy.roles.unknown
}

# METADATA
# title: Nøyaktig
# description: Tillatelsen nevner spørreren selv, med det den oppgir (hpl. § 22).
exact(_, _, p) if count(named(p, "IRCP")) == 0

exact(_, chain, p) if {
	some ref in named(p, "IRCP")
	kind(ref) != "CareTeam"
	some w in who(ref, chain_parties(chain))
	fits(w)
}

exact(c, chain, p) if {
	some ref in named(p, "IRCP")
	kind(ref) == "CareTeam"
	team := input.teams[trim_version(ref)]
	owned(c, team.current)
	some w in standing(chain, team.listed) & standing(chain, team.current)
	fits(w)
}

# METADATA
# title: Hvem en referanse nevner
# description: Virksomhet, enhet, HPR-nummer og rollekode; tomt betyr hvem som helst der (hpl. § 48).
who(ref, _) := {[a.party, a.unit, "", ""]} if {
	kind(ref) in {"Organization", "HealthcareService"}
	resolved(ref)
	a := address(ref)
}

who(ref, _) := {[a.party, "", a.practitioner, a.role]} if {
	kind(ref) == "PractitionerRole"
	resolved(ref)
	a := address(ref)
}

who(ref, within_parties) := {[p, "", a.practitioner, ""] | some p in within_parties} if {
	kind(ref) == "Practitioner"
	resolved(ref)
	a := address(ref)
}

# METADATA
# title: Passer
# description: Spørreren er den som er nevnt, med det spørreren oppgir (hpl. § 22).
fits(w) if {
	w[0] == input.question.party
	w[1] in {"", unit}
	w[2] in {"", practitioner}
	w[3] in {"", role}
}

# METADATA
# title: Mottakende virksomheter
# description: En Practitioner kjennes på HPR-nummeret innenfor virksomhetene samtykket ellers nevner (hpl. § 48).
chain_parties(chain) := {a.party |
	some p in chain
	some ref in named(p, "IRCP")
	kind(ref) in {"Organization", "HealthcareService", "PractitionerRole"}
	a := address(ref)
	a.party != ""
}

# METADATA
# title: Team i en tillatelse
# description: >-
#   Den som sto på listen da samtykket ble lagret og er aktiv nå, i begge periodene, i et team hos den som
#   registrerte eller, for egne opplysninger, hos den som oppbevarer (hpl. § 22).
owned(c, team) if custodian_of(team) == c.registrar

owned(_, team) if custodian_of(team) == input.record.custodian

# METADATA
# title: Teamets oppbevarer
# description: Satt av Sluse i meta (hpl. § 39).
custodian_of(team) := a.party if {
	some x in team.meta.extension
	x.url == "http://sluse.no/fhir/StructureDefinition/custodian"
	a := address(x.valueReference.reference)
	a.party != ""
}

# METADATA
# title: Aktive medlemmer
# description: De som er i et aktivt team, i begge periodene (hpl. § 22).
standing(chain, team) := {w |
	team.status == "active"
	within(team)
	some m in team.participant
	within(m)
	some w in who(m.member.reference, member_parties(chain, m))
}

# METADATA
# title: Innenfor periode
# description: Teamets eller medlemmets periode, når den er oppgitt (R4 datatypes.html#Period).
within(o) if not o.period

within(o) if {
	s := instant.span(o.period)
	s.low <= instant.now
	instant.now < s.high
}

# METADATA
# title: Medlemmets virksomhet
# description: onBehalfOf, ellers virksomhetene samtykket nevner (hpl. § 48).
member_parties(chain, m) := chain_parties(chain) if not m.onBehalfOf

member_parties(_, m) := {party(m.onBehalfOf.reference)} if m.onBehalfOf

# METADATA
# title: Vidt
# description: Et forbud som ikke nevner mottakere, gjelder alle; en ukjent mottaker gjelder alle (pbrl. § 5-3).
wide(_, p) if count(named(p, "IRCP")) == 0

wide(c, p) if {
	some ref in named(p, "IRCP")
	kind(ref) != "CareTeam"
	struck(ref, consent_parties(c))
}

wide(_, p) if {
	some ref in named(p, "IRCP")
	kind(ref) == "CareTeam"
	team_struck(trim_version(ref))
}

# METADATA
# title: Rammet
# description: Spørreren kan være den forbudet nevner (pbrl. § 5-3).
struck(ref, _) if not resolved(ref)

struck(ref, _) if {
	kind(ref) == "Organization"
	a := address(ref)
	inside(a)
	loose(a.unit, unit)
}

struck(ref, _) if {
	kind(ref) == "HealthcareService"
	a := address(ref)
	a.party == input.question.party
	unit in {"", a.unit}
}

struck(ref, _) if {
	kind(ref) == "PractitionerRole"
	a := address(ref)
	inside(a)
	loose(a.practitioner, practitioner)
	loose(a.role, role)
}

struck(ref, parties_named) if {
	kind(ref) == "Practitioner"
	a := address(ref)
	loose(a.practitioner, practitioner)
	input.question.party in parties_named
}

struck(ref, parties_named) if {
	kind(ref) == "Practitioner"
	a := address(ref)
	loose(a.practitioner, practitioner)
	count(parties_named) == 0
}

# METADATA
# title: Innenfor
# description: Virksomheten eller en del av den; opplysningen helt innenfor tidsrommet (hpl. § 22).
inside(a) if a.party == input.question.party

inside(a) if input.question.party in a.parts

# METADATA
# title: Løst
# description: Det som ikke er oppgitt, treffer (pbrl. § 5-3).
loose("", _)

loose(named_value, told_value) if {
	named_value != ""
	told_value in {"", named_value}
}

# METADATA
# title: Kjent
# description: Referansen gir tallene den må gi (hpl. § 21).
resolved(ref) if {
	kind(ref) in {"Organization", "HealthcareService", "PractitionerRole"}
	a := address(ref)
	a.party != ""
	complete(kind(ref), a)
}

resolved(ref) if {
	kind(ref) == "Practitioner"
	address(ref).practitioner != ""
}

# METADATA
# title: Fullstendig
# description: En enhet har HER-id, en rolle har person eller kode (hpl. § 48).
complete("Organization", _)

complete("HealthcareService", a) if a.unit != ""

complete("PractitionerRole", a) if concat("", [a.practitioner, a.role]) != ""

# METADATA
# title: Virksomhetene et samtykke nevner
# description: I et forbud regnes alle som noe sted i samtykket er nevnt som mottaker, med sine deler (pbrl. § 5-3).
consent_parties(c) := {p |
	some q in reading.everything(c.resource.provision)
	some ref in named(q, "IRCP")
	kind(ref) in {"Organization", "HealthcareService", "PractitionerRole"}
	a := address(ref)
	resolved(ref)
	some p in array.concat([a.party], expanded(kind(ref), a))
}

# METADATA
# title: Deler
# description: En enhet har ingen deler (semantikken, forbud leses vidt).
expanded("HealthcareService", _) := []

expanded(k, a) := a.parts if k != "HealthcareService"

# METADATA
# title: Team i et forbud
# description: Enhver som er eller var medlem; et team som ikke kan leses helt, er alle (pbrl. § 5-3).
team_struck(ref) if not whole_team(ref)

team_struck(ref) if {
	count([m | some m in members(ref); not kind(member_reference(m)) in {"Patient", "RelatedPerson"}]) == 0
}

team_struck(ref) if {
	some m in members(ref)
	member_struck(m)
}

# METADATA
# title: Helt team
# description: Begge utgavene er der, og har medlemmer (pbrl. § 5-3).
whole_team(ref) if {
	every version in ["listed", "current"] {
		is_array(input.teams[ref][version].participant)
		count(input.teams[ref][version].participant) > 0
	}
}

# METADATA
# title: Medlemmer
# description: Alle som står i teamet da eller nå (pbrl. § 5-3).
members(ref) := [m |
	some version in ["listed", "current"]
	some m in input.teams[ref][version].participant
]

# METADATA
# title: Medlem som rammes
# description: Et medlem som ikke kan slås opp, er alle (pbrl. § 5-3).
member_struck(m) if {
	not kind(member_reference(m)) in {"Patient", "RelatedPerson"}
	struck(member_reference(m), on_behalf(m))
}

# METADATA
# title: Medlemmets referanse
# description: Tom når den ikke lar seg lese; den er da alle (pbrl. § 5-3).
member_reference(m) := m.member.reference if {
	is_string(m.member.reference)
} else := ""

# METADATA
# title: På vegne av
# description: Virksomheten medlemmet er med for, med delene sine (pbrl. § 5-3).
default on_behalf(_) := set()

on_behalf(m) := parties(behalf_reference(m)) if party(behalf_reference(m))

# METADATA
# title: Referansen i onBehalfOf
# description: Tom når den ikke lar seg lese; medlemmet er da alle (pbrl. § 5-3).
behalf_reference(m) := m.onBehalfOf.reference if {
	is_string(m.onBehalfOf.reference)
} else := ""

member_struck(m) if {
	kind(member_reference(m)) == "Practitioner"
	m.onBehalfOf
	not party(behalf_reference(m))
}
