# METADATA
# title: Kan opplysningen krysse?
# description: >-
#   Én opplysning, ett spørsmål, pasientens samtykker slik de står i FHIR. Skrevet rett etter formlene i
#   semantikken og uavhengig av Go, som regner det samme ut på en annen måte; prøver holder dem like.
#   Taushetsplikt: hpl. § 21; unntak ved samtykke: hpl. § 22, fvl. § 13 a nr. 1; innsigelse: pbrl. § 5-3, pjl. § 17.
package sluse.releasable

import data.sluse.agreement
import data.sluse.instant
import data.sluse.reading
import data.sluse.receiver

# METADATA
# title: Svaret
# description: Om opplysningen krysser, og hvilke kategorier som er dekket, så deler kan tas ut (hpl. § 22).
# entrypoint: true
answer := {"releasable": releasable, "covered": covered_labels}

# METADATA
# title: Kan krysse
# description: Egne opplysninger alltid; andres når hver kategori er dekket (hpl. §§ 21, 22).
default releasable := false

releasable if own

releasable if {
	crossing
	fetched
}

releasable if {
	crossing
	not holder.type in data.policy.crossing.except
	count(input.record.labels) > 0
	every l in input.record.labels {
		l in covered
	}
}

# METADATA
# title: Dekkede kategorier
# description: Det som kan følge med av deler (hpl. § 22).
default covered_labels := set()

covered_labels := all_labels if own

covered_labels := {l | some l in input.record.fetched} if {
	not own
	crossing
	fetched
}

covered_labels := covered if {
	not own
	crossing
	not fetched
	not holder.type in data.policy.crossing.except
}

# METADATA
# title: Typen og id-en opplysningen nevnes ved
# description: En Binary har typen og id-en til opplysningen securityContext viser til (semantikken, Binary).
holder := input.record.context if input.record.context else := {"type": input.record.type, "id": input.record.id}

# METADATA
# title: Alle kategorier
# description: Kodeverket informasjonskategori (hpl. § 21).
all_labels := {l | some l in data.policy.labels.categories}

# METADATA
# title: Egen opplysning
# description: Virksomheten som oppbevarer opplysningen (hpl. §§ 39–40).
own if {
	may_hold
	is_string(input.question.party)
	input.question.party != ""
	input.record.custodian == input.question.party
}

# METADATA
# title: Kan oppbevare
# description: En person i virksomheten, eller postkassen dens (hpl. § 21 a).
may_hold if {
	input.question.kind == "person"
	input.question.action in {"read", "message", "notify", "contribute"}
}

may_hold if {
	input.question.kind == "machine"
	input.question.action in {"message", "notify"}
}

# METADATA
# title: Allerede hentet
# description: Det mottakeren har hentet i melding er del av dens journal (hpl. §§ 39–40).
fetched if {
	input.question.action == "read"
	count(input.record.fetched) > 0
}

# METADATA
# title: Et helt spørsmål på tvers
# description: En person med attest leser, en virksomhet mottar melding. Mangler noe, krysser ingenting (hpl. § 21 a).
crossing if {
	whole
	input.question.action == "read"
	input.question.kind == "person"
	input.question.attested == true
}

crossing if {
	whole
	input.question.action in {"message", "notify"}
	input.question.kind in {"person", "machine"}
}

crossing if {
	whole
	input.question.action == "contribute"
	input.question.kind == "person"
	input.question.attested == true
}

# METADATA
# title: Helt
# description: Mangler noe i spørsmålet, krysser ingenting (hpl. § 21).
whole if {
	not own
	every s in [input.question.party, input.record.type, input.record.id, holder.type, holder.id, input.record.custodian] {
		is_string(s)
		s != ""
	}
	input.record.person == true
	is_array(input.record.labels)
	every l in input.record.labels {
		l in all_labels
	}
	is_array(input.record.fetched)
	is_array(input.record.sent)
	every s in input.record.sent {
		is_string(s.to)
		is_array(s.labels)
	}
	is_number(instant.now)
	is_array(input.consents)
}

# METADATA
# title: Handlingen det spørres om
# description: For det som er sendt til mottakeren i melding spørres det bare om melding, ellers om lesing (hpl. § 22).
action := input.question.action if input.question.action in {"message", "notify", "contribute"}

action := "message" if {
	input.question.action == "read"
	sent
}

action := "read" if {
	input.question.action == "read"
	not sent
}

# METADATA
# title: Sendt
# description: Opplysningen er sendt til mottakeren i melding (hpl. §§ 39–40).
sent if {
	some s in input.record.sent
	s.to == input.question.party
}

# METADATA
# title: Grensen fra mottaket
# description: Det som ble holdt tilbake da meldingen kom, gis ikke senere ved den meldingen (hpl. § 22).
limit := {l |
	some s in input.record.sent
	s.to == input.question.party
	some l in s.labels
} if {
	input.question.action in {"read", "notify", "contribute"}
	sent
} else := all_labels

# METADATA
# title: Dekket
# description: Minst en tillatelse gjelder og omfatter kategorien, og intet forbud gjør det (hpl. § 22, pbrl. § 5-3).
covered contains l if {
	some l in limit
	l in permitted
	not l in denied
}

# METADATA
# title: Nødrett
# description: Dekker sine kategorier uansett samtykke, innsigelse og hva som ble holdt tilbake i en melding (hpl. § 7, § 23 nr. 4).
covered contains l if {
	labels := data.sluse.emergency.labels with input as input.question
	some l in labels
}

# METADATA
# title: Tillatt
# description: Tillatelser leses snevert - hver verdi må stemme nøyaktig (hpl. § 22, «så langt samtykket gjelder»).
permitted contains l if {
	some c in input.consents
	reading.status(c) == "active"
	reading.sound(c)
	some chain in reading.permits(c)
	applies(c, chain)
	names_custodian(c, chain)
	touches(chain)
	some l in held(chain)
}

# METADATA
# title: Kjent i tjenesten
# description: En tillatelse som gjelder og nevner den som oppbevarer, dekker også at personen er kjent der (hpl. § 21, § 22).
permitted contains "samarbeid" if {
	some c in input.consents
	reading.status(c) == "active"
	reading.sound(c)
	some chain in reading.permits(c)
	count(held(chain)) > 0
	applies(c, chain)
	names_custodian(c, chain)
}

permitted contains l if {
	some a in agreement.lawful
	holder.type in a.types
	some l in a.labels
}

permitted contains "samarbeid" if count(agreement.lawful) > 0

# METADATA
# title: Hjemmel
# description: Det en hjemmel som avsenderen har slått på dekker, av en melding av dens type eller av det som er kommet i en (hpl. § 25); se hjemler.rego.
permitted contains l if {
	some h in by_hjemmel
	h[1] == input.record.custodian
	some l in hjemmel_labels(data.sluse.hjemler.row_of(h[0]))
}

# METADATA
# title: Hjemler som gjelder spørsmålet
# description: Rad og avsender (hpl. § 25).
by_hjemmel := rows if {
	asked := object.union(input.question, {"action": action_asked, "switched": input.hjemler})
	rows := data.sluse.hjemler.lawful with input as asked
}

# METADATA
# title: Det det spørres om etter en hjemmel
# description: Sending, eller lesing av det som er kommet i melding (hpl. §§ 25, 39–40).
action_asked := "message" if input.question.action == "message"

action_asked := "read" if {
	input.question.action == "read"
	sent
}

# METADATA
# title: Kategoriene etter en hjemmel
# description: Radens tak, og ved lesing det som ble gitt i meldinger av dens typer (hpl. § 25).
hjemmel_labels(row) := {l | some l in row.labels} if input.question.action == "message"

hjemmel_labels(row) := {l |
	some s in input.record.sent
	s.to == input.question.party
	s.message in row.messages
	some l in s.labels
	l in row.labels
} if input.question.action == "read"

# METADATA
# title: Tillatelsen gjelder spørsmålet
# description: Mottaker, formål, handling og periode; mottaker og slutt må være oppgitt (Oslostandarden, tiltak 1).
applies(c, chain) if {
	some p in chain
	count(receiver.named(p, "IRCP")) > 0
	every q in chain {
		receiver.exact(c, chain, q)
		purpose_exact(q)
	}
	action in actions(chain)
	bounds := instant.meet([instant.span(q.period) | some q in chain; q.period])
	bounds.high < instant.open_end
	begun(c, bounds)
	instant.now < bounds.high
}

# METADATA
# title: Begynt
# description: >-
#   Fra perioden begynner; sier ingen bestemmelse når, fra samtykkets dateTime, så det aldri varer lenger enn
#   tolv måneder (Oslostandarden, tiltak 1).
begun(_, bounds) if {
	bounds.low > instant.open_start
	bounds.low <= instant.now
}

begun(c, bounds) if {
	bounds.low == instant.open_start
	instant.interval(c.resource.dateTime)[0] <= instant.now
}

# METADATA
# title: Formål i en tillatelse
# description: Ikke oppgitt betyr ethvert; ellers nøyaktig det (hpl. § 22).
purpose_exact(p) if not p.purpose

purpose_exact(p) if {
	some x in p.purpose
	x.code == input.question.purpose
}

# METADATA
# title: Handlinger
# description: Ikke oppgitt betyr lesing, melding og varsel; ellers det som er oppgitt på hvert nivå (hpl. § 22).
actions(chain) := {a |
	some a in ["read", "message", "notify", "contribute"]
	every p in [q | some q in chain; q.action] {
		a in reading.actions(p)
	}
	default_action(chain[count(chain) - 1], a)
}

# METADATA
# title: Ikke oppgitt handling
# description: Lesing, melding og varsel (semantikken, action).
default_action(leaf, _) if leaf.action

default_action(leaf, a) if {
	not leaf.action
	a != "contribute"
}

# METADATA
# title: Hvem opplysningene hentes fra
# description: >-
#   De oppgitte, ellers samtykkets organisasjon, ellers den som registrerte. For lesing, varsel og å bidra binder samtykket
#   bare den som selv registrerte eller bekreftet det, med mindre pasienten gjorde det, eller en avtale sier det (hpl. § 22).
names_custodian(c, chain) if {
	custodian_exact(c, chain)
	read_bound(c)
}

# METADATA
# title: Bundet for lesing
# description: Den som registrerte eller bekreftet, eller alle når pasienten gjorde det (hpl. § 22).
read_bound(_) if not action in {"read", "notify", "contribute"}

read_bound(c) if c.patient == true

read_bound(c) if c.registrar == input.record.custodian

read_bound(c) if {
	some v in c.confirmed
	receiver.vouches(v)
}

read_bound(c) if agreement.trusted(c.registrar)

# METADATA
# title: Oppbevarer i en tillatelse
# description: De oppgitte, ellers organisasjonen, ellers den som registrerte (hpl. § 22).
custodian_exact(_, chain) if {
	count([p | some p in chain; count(receiver.named(p, "CST")) > 0]) > 0
	every p in chain {
		custodian_listed(receiver.named(p, "CST"))
	}
}

custodian_exact(c, chain) if {
	every p in chain {
		count(receiver.named(p, "CST")) == 0
	}
	c.resource.organization
	some o in c.resource.organization
	receiver.party(o.reference) == input.record.custodian
}

custodian_exact(c, chain) if {
	every p in chain {
		count(receiver.named(p, "CST")) == 0
	}
	not c.resource.organization
	c.registrar == input.record.custodian
}

# METADATA
# title: Nevnt som oppbevarer
# description: Ikke nevnt på dette nivået, eller nevnt nøyaktig (hpl. § 22).
custodian_listed(references) if count(references) == 0

custodian_listed(references) if {
	some r in references
	receiver.party(r) == input.record.custodian
}

# METADATA
# title: Tillatelsen treffer opplysningen
# description: Type, enkeltopplysning og tidsrom; det udaterte er utenfor ethvert tidsrom (hpl. § 22).
touches(chain) if {
	every p in chain {
		reading.type_listed(p, holder.type)
		reading.item_listed(p, holder.type, holder.id)
		inside(p)
	}
}

# METADATA
# title: Innenfor
# description: Virksomheten eller en del av den; opplysningen helt innenfor tidsrommet (hpl. § 22).
inside(p) if not p.dataPeriod

inside(p) if {
	p.dataPeriod
	d := instant.span(p.dataPeriod)
	r := instant.record
	d.low <= r.low
	r.high <= d.high
}

# METADATA
# title: Kategoriene i en tillatelse
# description: >-
#   De oppgitte; enkeltopplysninger uten kategorier gir alle unntatt uklassifisert, som krever at både
#   enkeltopplysningen og kategorien er oppgitt (hpl. § 22).
held(chain) := {l |
	says_what(chain)
	some l in all_labels
	every p in [q | some q in chain; q.securityLabel] {
		l in reading.labels(p)
	}
	not_unclassified(chain, l)
}

# METADATA
# title: Sier hva
# description: Kategorier eller enkeltopplysninger er oppgitt (Oslostandarden, tiltak 1).
says_what(chain) if {
	some p in chain
	p.securityLabel
}

says_what(chain) if {
	some p in chain
	p.data
}

# METADATA
# title: Uklassifisert
# description: Krever at både enkeltopplysningen og kategorien er oppgitt (hpl. § 22).
not_unclassified(_, l) if l != "uklassifisert"

not_unclassified(chain, "uklassifisert") if {
	some p in chain
	p.data
	some q in chain
	q.securityLabel
}

# METADATA
# title: Forbudt
# description: >-
#   Forbud leses vidt og teller uansett hvem som registrerte dem. Et samtykke som ikke lar seg lese,
#   forbyr alt (hpl. § 21, pbrl. § 5-3, pjl. § 17).
denied := all_labels if {
	some c in input.consents
	not readable(c)
} else := {l |
	some c in input.consents
	reading.status(c) in {"active", "withdrawn"}
	some chain in reading.denies(c)
	denies(c, chain)
	some l in taken(chain)
}

# METADATA
# title: Lesbart eller ute av bruk
# description: Et samtykke som ikke gjelder, trenger ikke være lesbart; ethvert annet må være det (hpl. § 21).
readable(c) if reading.status(c) == "closed"

readable(c) if {
	reading.status(c) in {"active", "withdrawn"}
	reading.sound(c)
}

# METADATA
# title: Forbudet gjelder
# description: Mottaker, formål, handling, oppbevarer og periode, lest vidt (pbrl. § 5-3).
denies(c, chain) if {
	every p in chain {
		receiver.wide(c, p)
		purpose_wide(p)
		action_wide(p)
	}
	custodian_wide(c, chain)
	bounds := instant.meet([instant.span(p.period) | some p in chain; p.period])
	bounds.low <= instant.now
	instant.now < bounds.high
}

# METADATA
# title: Formål i et forbud
# description: Ikke oppgitt, ukjent hos spørreren, det samme eller under det (pbrl. § 5-3; v3-ActReason).
purpose_wide(p) if not p.purpose

purpose_wide(p) if {
	p.purpose
	not purpose_known
}

purpose_wide(p) if {
	some x in p.purpose
	x.code == input.question.purpose
}

purpose_wide(p) if {
	some x in p.purpose
	input.question.purpose in data.policy.purposes.codes[x.code].below
}

# METADATA
# title: Kjent formål
# description: Et formål reglene kjenner (v3-ActReason).
purpose_known if data.policy.purposes.codes[input.question.purpose]

# METADATA
# title: Handling i et forbud
# description: Ikke oppgitt betyr alle (pbrl. § 5-3).
action_wide(p) if not p.action

action_wide(p) if action in reading.actions(p)

# METADATA
# title: Oppbevarer i et forbud
# description: De oppgitte med deler, ellers organisasjonen, ellers alle (pbrl. § 5-3).
custodian_wide(_, chain) if {
	count([p | some p in chain; count(receiver.named(p, "CST")) > 0]) > 0
	every p in chain {
		custodian_among(receiver.named(p, "CST"))
	}
}

custodian_wide(c, chain) if {
	every p in chain {
		count(receiver.named(p, "CST")) == 0
	}
	c.resource.organization
	custodian_among([o.reference | some o in c.resource.organization])
}

custodian_wide(c, chain) if {
	every p in chain {
		count(receiver.named(p, "CST")) == 0
	}
	not c.resource.organization
	registrar_wide(c, chain)
}

# METADATA
# title: Ikke oppgitt oppbevarer
# description: Alle; inne i en tillatelse den tillatelsen binder (pbrl. § 5-3).
registrar_wide(_, chain) if {
	every p in chain {
		p.type == "deny"
	}
}

registrar_wide(c, chain) if {
	some p in chain
	p.type == "permit"
	c.registrar == input.record.custodian
}

# METADATA
# title: Blant oppbevarerne
# description: En ukjent virksomhet er alle (pbrl. § 5-3).
custodian_among(references) if count(references) == 0

custodian_among(references) if {
	some r in references
	receiver.unresolved(r)
}

custodian_among(references) if {
	some r in references
	input.record.custodian in receiver.parties(r)
}

# METADATA
# title: Hva et forbud tar med seg
# description: >-
#   Et forbud inne i en tillatelse gjelder det tillatelsen gjelder; at personen er kjent tar det med seg
#   bare når det nevner samarbeid eller ingen kategorier (hpl. § 22).
taken(chain) := {l |
	strikes(chain)
	some l in all_labels
	every p in [q | some q in chain; q.securityLabel] {
		l in reading.labels(p)
	}
} | {"samarbeid" |
	count(chain) > 1
	leaf := chain[count(chain) - 1]
	takes_known(leaf)
	strikes([leaf])
}

# METADATA
# title: Tar med at personen er kjent
# description: Nevner samarbeid eller ingen kategorier (hpl. § 22).
takes_known(leaf) if not leaf.securityLabel

takes_known(leaf) if "samarbeid" in reading.labels(leaf)

# METADATA
# title: Treffer opplysningen
# description: Type, enkeltopplysning og tidsrom (hpl. § 22).
strikes(chain) if {
	every p in chain {
		type_wide(p)
		item_wide(p)
	}
	overlaps([instant.span(p.dataPeriod) | some p in chain; p.dataPeriod])
}

# METADATA
# title: Type i et forbud
# description: De oppgitte; en Binary treffes både som det den hører til og som Binary (pbrl. § 5-3; semantikken, Binary).
type_wide(p) if reading.type_listed(p, holder.type)

type_wide(p) if reading.type_listed(p, input.record.type)

# METADATA
# title: Enkeltopplysning i et forbud
# description: De oppgitte; en Binary treffes både som det den hører til og som seg selv (pbrl. § 5-3; semantikken, Binary).
item_wide(p) if reading.item_listed(p, holder.type, holder.id)

item_wide(p) if reading.item_listed(p, input.record.type, input.record.id)

# METADATA
# title: Overlapper
# description: En opplysning som delvis er i tidsrommet, eller er udatert, er med (pbrl. § 5-3).
overlaps(spans) if count(spans) == 0

overlaps(spans) if {
	count(spans) > 0
	d := instant.meet(spans)
	d.low < d.high
	not instant.record
}

overlaps(spans) if {
	count(spans) > 0
	d := instant.meet(spans)
	d.low < d.high
	r := instant.record
	r.low < d.high
	d.low < r.high
}
