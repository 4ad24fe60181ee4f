# METADATA
# title: Rekkevidde
# description: >-
#   Svarer på hva en aktør når, uten å se på noen enkelt opplysning. Go bygger registeret over
#   samtykkene som gjelder personen nå (input.index); reglene her avgjør hvilke av dem som gjelder
#   spørsmålet, og hva aktøren når uten samtykke. Taushetsplikt: hpl. § 21, fvl. § 13,
#   sosialtjenesteloven § 44, NAV-loven § 7. Alt som mangler eller er feil i input gir mindre, aldri mer.
package sluse.scope

# METADATA
# title: Svaret
# description: Det ene dokumentet som leses av porten (hpl. § 22 for det som krysser, hpl. § 21 ellers).
# entrypoint: true
decision := {"rights": rights, "permits": permits, "denies": denies}

# METADATA
# title: Egne opplysninger
# description: Innad i en virksomhet gjelder virksomhetens egen taushetsplikt; tilgangen registreres (hpl. § 21 a, pjl. § 16).
rights contains "own" if {
	input.kind == "person"
	input.action in {"read", "message"}
}

# METADATA
# title: Egen postkasse
# description: Et fagsystem uten person tar imot og sender virksomhetens egne meldinger, ikke mer (hpl. § 21 a).
rights contains "own" if {
	input.kind == "machine"
	input.action == "message"
}

# METADATA
# title: Egen person
# description: Pasienten når bare opplysninger om seg selv, og alle samtykker og innsigelser om seg selv (pbrl. § 5-1).
rights contains right if {
	input.kind == "patient"
	input.action == "read"
	input.herself == true
	some right in ["own", "self", "consents", "ledger-person"]
}

# METADATA
# title: Det mottakeren alt har hentet
# description: Det som er hentet er del av mottakerens journal (hpl. §§ 39–40) og leses av den som har tjenstlig behov.
rights contains "fetched" if {
	crossing_read
	known
}

# METADATA
# title: Spørsmål uten pasient
# description: Registeret brukes rad for rad; hver rads egen person avgjør (hpl. § 22).
rights contains "join" if {
	input.named == false
	crossing_read
}

# METADATA
# title: Skriving
# description: Hver virksomhet skriver sine egne opplysninger (hpl. §§ 39–40); se write.rego.
rights contains right if {
	input.action == "write"
	data.sluse.write.allowed
	some right in ["own", "write"]
}

# METADATA
# title: Innsyn i loggen
# description: Virksomheten ser egne oppslag og utleveringer fra egne opplysninger (pjl. § 22).
rights contains "ledger-party" if {
	input.kind == "person"
	input.action == "read"
}

# METADATA
# title: Personvernets innsyn i loggen
# description: Personvern ser det avtalen gir, aldri kliniske opplysninger (pjl. § 22, personvernforordningen art. 39).
rights contains "ledger-compliance" if {
	input.kind == "compliance"
	input.action == "read"
}

# METADATA
# title: Lese på tvers
# description: Krever en navngitt person og en attest for pasienten (hpl. § 21 a, § 45; tillitsrammeverket).
crossing_read if {
	input.kind == "person"
	input.action == "read"
	input.attested == true
}

# METADATA
# title: Pasienten er kjent
# description: Et spørsmål som navngir en ukjent pasient når ingenting på tvers (hpl. § 21).
known if input.known == true

known if input.named == false

# METADATA
# title: Hva det spørres om
# description: >-
#   For lesing gjelder «read» det som ikke er sendt til mottakeren i melding, og «message» det som er det;
#   for melding gjelder bare «message», og avsenderen trenger pasientens samtykke (hpl. § 22). Er noe ved
#   spørsmålet ufullstendig, spørres det ikke om noe.
actions := ["read", "message"] if {
	input.named == true
	crossing_read
	sound
} else := ["message"] if {
	input.action == "message"
	input.kind in {"person", "machine"}
	sound
} else := []

# METADATA
# title: Samtykker som gir adgang
# description: De som nevner aktøren, formålet, rollen (input.contexts) og handlingen nøyaktig (hpl. § 22).
permits := {g |
	some k in input.permits
	cell := input.index.permit[k]
	some c in input.contexts
	leaf := cell[c]
	some a in actions
	g := leaf[a]
}

# METADATA
# title: Innsigelser og unntak
# description: De leses vidt - det som ikke er oppgitt, treffer (hpl. § 22, pbrl. § 5-3).
denies := {g |
	some k in input.denies
	cell := input.index.deny[k]
	some c in input.contexts
	leaf := cell[c]
	some a in actions
	g := leaf[a]
}

# METADATA
# title: Helt spørsmål
# description: >-
#   Et felt som mangler eller er av feil slag, gir ingen adgang (hpl. § 21). Et samtykke gjelder bare i sin
#   periode (Oslostandarden, tiltak 1); registeret gjelder fra en periodegrense til den neste.
sound if {
	is_number(input.now)
	is_number(input.index.from)
	is_number(input.index.until)
	input.index.from <= input.now
	input.now < input.index.until
	is_array(input.permits)
	is_array(input.denies)
	count(input.denies) > count(input.permits)
	count(input.contexts) == 4
	is_object(input.index.permit)
	is_object(input.index.deny)
}
