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
decision := {
	"own": own,
	"self": self,
	"fetched": fetched,
	"consents": consents,
	"join": join,
	"write": write,
	"ledger": ledger,
	"permits": permits,
	"denies": denies,
	"reason": reason,
}

# METADATA
# title: Egne opplysninger
# description: Innad i en virksomhet gjelder virksomhetens egen taushetsplikt; tilgangen registreres (hpl. § 21 a, pjl. § 16).
default own := false

own if {
	input.kind == "person"
	input.action in {"read", "message"}
}

own if {
	input.kind == "machine"
	input.action == "message"
}

own if self

own if write

# METADATA
# title: Egen person
# description: Pasienten når bare opplysninger om seg selv (pbrl. § 5-1).
default self := false

self if {
	input.kind == "patient"
	input.herself == true
	input.action == "read"
}

# METADATA
# title: Det mottakeren alt har hentet
# description: Det som er hentet er del av mottakerens journal (hpl. §§ 39–40) og leses av den som har tjenstlig behov.
default fetched := false

fetched if {
	crossing_read
	known
}

# METADATA
# title: Pasientens innsyn i egne samtykker
# description: Pasienten ser alle samtykker og innsigelser om seg selv, hvem som enn oppbevarer dem (pbrl. § 5-1).
default consents := false

consents if self

# METADATA
# title: Spørsmål uten pasient
# description: Registeret brukes rad for rad; hver rads egen person avgjør (hpl. § 22).
default join := false

join if {
	input.named == false
	crossing_read
}

# METADATA
# title: Lese på tvers
# description: Krever en navngitt person og en attest for pasienten (hpl. § 21 a, § 45; tillitsrammeverket).
default crossing_read := false

crossing_read if {
	input.kind == "person"
	input.action == "read"
	input.attested == true
}

# METADATA
# title: Motta melding
# description: Avsenderen sender, og trenger pasientens samtykke (hpl. § 22); mottakeren er virksomheten.
default receiving := false

receiving if {
	input.kind in {"person", "machine"}
	input.action == "message"
}

# METADATA
# title: Pasienten er kjent
# description: Et spørsmål som navngir en ukjent pasient når ingenting på tvers.
default known := false

known if input.known == true

known if input.named == false

# METADATA
# title: Hva det spørres om
# description: >-
#   For lesing gjelder «read» det som ikke er sendt til mottakeren i melding, og «message» det som er det;
#   for melding gjelder bare «message» (hpl. § 22). Er noe ved spørsmålet ufullstendig, spørres det ikke om noe.
default actions := set()

actions := {"read", "message"} if {
	crossing_read
	input.named == true
	sound
}

actions := {"message"} if {
	receiving
	sound
}

# METADATA
# title: Samtykker som gir adgang
# description: De som nevner aktøren, formålet, rollen og handlingen nøyaktig (hpl. § 22).
permits := {g |
	some k in input.permits
	cell := input.index.permit[k]
	some p in input.purposes
	some r in input.roles
	leaf := cell[p][r]
	some a in actions
	g := leaf[a]
}

# METADATA
# title: Innsigelser og unntak
# description: De leses vidt - det som ikke er oppgitt, treffer (hpl. § 22, pbrl. § 5-3).
denies := {g |
	some k in input.denies
	cell := input.index.deny[k]
	some p in input.purposes
	some r in input.roles
	leaf := cell[p][r]
	some a in actions
	g := leaf[a]
}

# METADATA
# title: Helt spørsmål
# description: Et felt som mangler eller er av feil slag, gir ingen adgang (hpl. § 21).
sound if {
	current
	is_array(input.permits)
	is_array(input.denies)
	count(input.denies) >= count(input.permits)
	is_array(input.purposes)
	count(input.purposes) == 2
	is_array(input.roles)
	count(input.roles) == 2
	is_object(input.index.permit)
	is_object(input.index.deny)
}

# METADATA
# title: Tidsrom
# description: Et samtykke gjelder bare innenfor sin periode (Oslostandarden, tiltak 1); registeret gjelder til neste grense.
current if {
	is_number(input.now)
	is_number(input.index.from)
	is_number(input.index.until)
	input.index.from <= input.now
	input.now < input.index.until
}

# METADATA
# title: Skriving
# description: Hver virksomhet skriver sine egne opplysninger (hpl. §§ 39–40); se write.rego.
default write := false

write if {
	input.action == "write"
	data.sluse.write.allowed
}

# METADATA
# title: Innsyn i loggen
# description: >-
#   Virksomheten ser egne oppslag og utleveringer fra egne opplysninger (pjl. § 22); pasienten ser alt om
#   seg selv (pbrl. § 5-1); personvern ser det avtalen gir, aldri kliniske opplysninger.
default ledger := "none"

ledger := "party" if {
	input.kind == "person"
	input.action == "read"
}

ledger := "person" if self

ledger := "compliance" if {
	input.kind == "compliance"
	input.action == "read"
}

# METADATA
# title: Begrunnelse for avslag
# description: Fast kode når ingenting nås; teksten til den som spør er alltid den samme (hpl. § 21).
default reason := "actor"

reason := "" if own

reason := "" if {
	not own
	ledger != "none"
}

reason := "write" if {
	input.action == "write"
	not write
}
