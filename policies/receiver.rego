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
named(p, role) := [reading.called(a.reference) | some a in p.actor; reading.role(a) == role]

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
	some version in vouched_versions(team)
	some w in standing(chain, version) & standing(chain, team.current)
	fits(w)
}

exact(_, _, p) if {
	some ref in named(p, "IRCP")
	kind(ref) == "@rolle"
	some w in bearers(last(ref))
	fits(w)
}

exact(c, _, p) if {
	some ref in named(p, "IRCP")
	kind(ref) == "@gruppe"
	some then in c.groups[last(ref)]
	member(then)
	some now in data.policy.groups.groups[last(ref)].members
	member(now)
}

# METADATA
# title: Navnet
# description: Det som står etter skråstreken (semantikken, mottakere).
last(ref) := split(ref, "/")[1]

# METADATA
# title: Medlem av en gruppe
# description: Virksomheten, eller enheten i den når gruppen nevner en enhet (hpl. § 22).
member(m) if {
	m.party == input.question.party
	object.get(m, "unit", "") in {"", unit}
}

# METADATA
# title: Utgaver av et team som noen står inne for
# description: >-
#   Den som var da samtykket ble lagret, og de pasienten har bekreftet siden, eller den som oppbevarer har bekreftet for
#   egne opplysninger (hpl. § 22).
vouched_versions(team) := [team.listed] if not team.confirmed

vouched_versions(team) := array.concat([team.listed], [v.resource | some v in team.confirmed; vouches(v)]) if team.confirmed

# METADATA
# title: Står inne for
# description: Pasienten selv for alt; den som oppbevarer for egne opplysninger (hpl. § 22).
vouches(v) if v.patient == true

vouches(v) if {
	is_string(v.by)
	v.by == input.record.custodian
}

# METADATA
# title: Den som har rollen
# description: >-
#   Den pasienten selv, eller den som oppbevarer opplysningen, oppgir nå. Ingen gjør seg selv til mottaker av det andre
#   oppbevarer (hpl. §§ 21, 22; Volven 9034 er kodeverk for rollene).
bearers(name) := {uncoded(w) |
	some s in input.statements
	vouches(s)
	role_data := data.policy.roles.person[name]
	serving(s.resource)
	some m in bearing(s.resource, role_data)
	within(m)
	some w in who(m.member.reference, member_parties([], m))
}

# METADATA
# title: Uten stillingskode
# description: Er en person nevnt, er det hennes rolle for pasienten som gjelder, ikke stillingen (hpl. § 48).
uncoded(w) := [w[0], w[1], w[2], ""] if w[2] != ""

uncoded(w) := w if w[2] == ""

# METADATA
# title: Gjelder nå
# description: En Patient som er i bruk, eller et aktivt team i sin periode (hpl. § 22).
serving(r) if {
	r.resourceType == "Patient"
	object.get(r, "active", true) != false
}

serving(r) if {
	r.resourceType == "CareTeam"
	r.status == "active"
	within(r)
}

# METADATA
# title: De som er nevnt i rollen
# description: Patient.generalPractitioner er fastlegen; i et team sier participant.role det (Volven 9034 er kodeverk for rollene).
bearing(r, role_data) := [{"member": g} | some g in r.generalPractitioner] if {
	r.resourceType == "Patient"
	role_data.general
} else := [m |
	r.resourceType == "CareTeam"
	some m in r.participant
	not kind(member_reference(m)) in {"Patient", "RelatedPerson"}
	some concept in m.role
	some coding in concept.coding
	coding.system == data.policy.roles.codeSystem
	coding.code in role_data.codes
]

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
	not kind(ref) in {"CareTeam", "@rolle", "@gruppe"}
	struck(ref, consent_parties(c))
}

wide(_, p) if {
	some ref in named(p, "IRCP")
	kind(ref) == "CareTeam"
	team_struck(trim_version(ref))
}

wide(c, p) if {
	some ref in named(p, "IRCP")
	kind(ref) == "@rolle"
	role_struck(c, last(ref))
}

wide(c, p) if {
	some ref in named(p, "IRCP")
	kind(ref) == "@gruppe"
	group_struck(c, last(ref))
}

# METADATA
# title: Gruppe i et forbud
# description: Den som var eller er med; en gruppe vi ikke vet hvem var, er alle (pbrl. § 5-3).
group_struck(c, name) if not group_told(c, name)

group_struck(c, name) if {
	some m in c.groups[name]
	member_wide(m)
}

group_struck(_, name) if {
	some m in data.policy.groups.groups[name].members
	member_wide(m)
}

# METADATA
# title: Kjent gruppe
# description: Det er oppgitt hvem som var med, hver med HER-id (pbrl. § 5-3).
group_told(c, name) if {
	is_array(c.groups[name])
	every m in c.groups[name] {
		is_string(m.party)
		is_string(object.get(m, "unit", ""))
	}
}

# METADATA
# title: Medlem, lest vidt
# description: Virksomheten med deler; den som ikke oppgir enhet, er i enheten (pbrl. § 5-3).
member_wide(m) if {
	party_or_part(m.party)
	object.get(m, "unit", "") == ""
}

member_wide(m) if {
	party_or_part(m.party)
	unit in {"", m.unit}
}

# METADATA
# title: Virksomheten eller en del
# description: Spørrerens virksomhet, eller en den er del av (pbrl. § 5-3).
party_or_part(id) if id == input.question.party

party_or_part(id) if {
	some ref, a in input.directory
	kind(ref) == "Organization"
	a.party == id
	input.question.party in a.parts
}

# METADATA
# title: Rolle i et forbud
# description: >-
#   Enhver som noen oppgir; alle når den som registrerte, eller pasienten, ikke sier hvem det er, og når noen
#   som er oppgitt, ikke kan slås opp (pbrl. § 5-3).
role_struck(c, name) if not told(c, data.policy.roles.person[name])

role_struck(_, name) if {
	some s in input.statements
	some m in bearing(s.resource, data.policy.roles.person[name])
	bearer_struck(m)
}

# METADATA
# title: Oppgitt
# description: Den som registrerte forbudet, eller pasienten, sier hvem som har rollen (pbrl. § 5-3).
told(c, role_data) if {
	some s in input.statements
	stated_by(c, s)
	count(bearing(s.resource, role_data)) > 0
}

# METADATA
# title: Oppgitt av
# description: Pasienten, eller den som registrerte (pbrl. § 5-3).
stated_by(_, s) if s.patient == true

stated_by(c, s) if s.by == c.registrar

# METADATA
# title: Nevnt i rollen og rammet
# description: En person i hvilken stilling som helst; ellers som andre medlemmer (pbrl. § 5-3).
bearer_struck(m) if {
	kind(member_reference(m)) == "PractitionerRole"
	a := address(member_reference(m))
	a.practitioner != ""
	inside(a)
	loose(a.practitioner, practitioner)
}

bearer_struck(m) if struck(member_reference(m), on_behalf(m))

bearer_struck(m) if unknown_behalf(m)

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

loose(named_value, told_value) if told_value in {"", named_value}

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

member_struck(m) if unknown_behalf(m)

# METADATA
# title: På vegne av en ukjent
# description: Den som er med for en virksomhet vi ikke kjenner, kan være hvem som helst (pbrl. § 5-3).
unknown_behalf(m) if {
	kind(member_reference(m)) == "Practitioner"
	m.onBehalfOf
	not party(behalf_reference(m))
}
