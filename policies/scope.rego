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
decision := {"rights": rights, "actions": actions, "permits": permits, "denies": denies}

# METADATA
# title: Egne opplysninger
# description: >-
#   Innad i en virksomhet gjelder virksomhetens egen taushetsplikt; tilgangen registreres (hpl. § 21 a, pjl. § 16).
#   Virksomheten ser også egne oppslag og utleveringer fra egne opplysninger (pjl. § 22).
rights contains right if {
	input.kind == "person"
	input.action == "read"
	some right in ["own", "ledger-party"]
}

# METADATA
# title: Egen postkasse
# description: Også et fagsystem uten person tar imot og sender virksomhetens egne meldinger, ikke mer (hpl. § 21 a).
rights contains "own" if {
	input.action == "message"
	input.kind in {"person", "machine"}
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
# description: >-
#   Det som er hentet er del av mottakerens journal (hpl. §§ 39–40) og leses av den som har tjenstlig behov;
#   et spørsmål som navngir en ukjent pasient (input.known er da usann) når ingenting på tvers.
rights contains "fetched" if {
	crossing_read
	input.known == true
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
# description: >-
#   De som nevner aktøren og formålet nøyaktig (hpl. § 22), for de handlingene det spørres om (actions).
permits := {g | g := input.index.permit[input.permits[_]][input.contexts[_]]}

# METADATA
# title: Innsigelser og unntak
# description: De leses vidt - det som ikke er oppgitt, treffer (hpl. § 22, pbrl. § 5-3).
denies := {g | g := input.index.deny[input.denies[_]][input.contexts[_]]}

# METADATA
# title: Helt spørsmål
# description: >-
#   Et felt som mangler eller er av feil slag, gir ingen adgang (hpl. § 21). Et samtykke gjelder bare i sin
#   periode (Oslostandarden, tiltak 1); registeret gjelder fra en periodegrense til den neste.
sound if {
	is_number(input.index.from)
	is_number(input.index.until)
	input.index.from <= input.now
	input.now < input.index.until
	"*" in input.denies
	is_object(input.index.deny)
}
