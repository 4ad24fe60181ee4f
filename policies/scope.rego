# METADATA
# title: Rekkevidde
# description: >-
#   Svarer på hva en aktør når, uten å se på noen enkelt opplysning. rights avgjør hva et spørsmål av
#   dette slaget når uten samtykke, og om samtykker teller; across avgjør hvilke samtykker, innsigelser
#   og unntak i registeret (input.index, som Go bygger for personen) som gjelder spørsmålet.
#   Taushetsplikt: hpl. § 21, fvl. § 13, sosialtjenesteloven § 44, NAV-loven § 7. Alt som mangler eller
#   er feil i input gir mindre, aldri mer.
package sluse.scope

# METADATA
# title: Egne opplysninger
# description: Innad i en virksomhet gjelder virksomhetens egen taushetsplikt; tilgangen registreres (hpl. § 21 a, pjl. § 16).
rights contains "own" if {
	input.kind == "person"
	input.action == "read"
}

# METADATA
# title: Egen logg
# description: Virksomheten ser egne oppslag og utleveringer fra egne opplysninger (pjl. § 22).
rights contains "ledger-party" if {
	input.kind == "person"
	input.action == "read"
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
# description: Pasienten når bare opplysninger om seg selv, hvem som enn oppbevarer dem (pbrl. § 5-1, fvl. §§ 18, 19); det som er holdt tilbake fra henne, se view.rego.
rights contains right if {
	input.kind == "patient"
	input.action == "read"
	input.herself == true
	some right in ["own", "self", "insight", "ledger-person"]
}

# METADATA
# title: Det mottakeren alt har hentet
# description: >-
#   Det som er hentet er del av mottakerens journal (hpl. §§ 39–40) og leses av den som har tjenstlig behov;
#   et spørsmål som navngir en ukjent pasient (input.known er da usann) når ingenting på tvers.
rights contains "fetched" if {
	input.kind == "person"
	input.action == "read"
	input.attested == true
	input.known == true
}

# METADATA
# title: Lese på tvers
# description: >-
#   Krever en navngitt person og en attest for pasienten (hpl. § 21 a, § 45; tillitsrammeverket). For det som
#   ikke er sendt til mottakeren i melding, teller samtykkene for «read»; for det som er det, de for «message».
rights contains "consented-read" if {
	data.sluse.shield.automatic
	input.kind == "person"
	input.action == "read"
	input.attested == true
	input.named == true
}

# METADATA
# title: Sende på tvers
# description: Avsenderen trenger pasientens samtykke, og bare de for «message» teller (hpl. § 22).
rights contains "consented-message" if {
	data.sluse.shield.automatic
	input.action == "message"
	input.kind in {"person", "machine"}
}

# METADATA
# title: Varsel om egne
# description: Virksomheten varsles om endringer i sine egne opplysninger (hpl. § 21 a).
rights contains "own" if {
	input.action == "notify"
	input.kind in {"person", "machine"}
}

# METADATA
# title: Varsel på tvers
# description: >-
#   At noe er endret, er også underlagt taushetsplikt: bare samtykkene for «notify» teller, også for det som er
#   sendt i melding, og spørsmålet gjelder én person (hpl. §§ 21, 22).
rights contains "consented-notify" if {
	data.sluse.shield.automatic
	input.action == "notify"
	input.kind in {"person", "machine"}
	input.named == true
}

# METADATA
# title: Bidra i egne
# description: Egne opplysninger skriver virksomheten i som den vil (hpl. §§ 39–40).
rights contains "own" if {
	input.kind == "person"
	input.action == "contribute"
}

# METADATA
# title: Bidra på tvers
# description: >-
#   Å skrive i det en annen oppbevarer, som eier av en oppgave, krever det samme som lesing, og bare samtykkene for
#   «contribute» teller (hpl. § 22; semantikken, skriving).
rights contains "consented-contribute" if {
	data.sluse.shield.automatic
	input.kind == "person"
	input.action == "contribute"
	input.attested == true
	input.named == true
}

# METADATA
# title: Spørsmål uten pasient
# description: Registeret brukes rad for rad; hver rads egen person avgjør (hpl. § 22). Krever det samme som lesing på tvers.
rights contains "join" if {
	input.kind == "person"
	input.action == "read"
	input.attested == true
	input.named == false
}

# METADATA
# title: Nødrett
# description: Går foran manglende samtykke og innsigelse, for de kategoriene som står i data (hpl. § 7, § 23 nr. 4); se emergency.rego.
rights contains "emergency" if data.sluse.emergency.allowed

# METADATA
# title: Adressen
# description: Adresse, telefon, bydel, sted og fastlege krysser bare når ingen adressesperre står (hpl. § 21); se shield.rego.
rights contains "address" if {
	input.kind in {"person", "machine"}
	input.action in {"read", "message", "notify"}
	data.sluse.shield.open
}

rights contains "address" if {
	input.kind == "patient"
	input.action == "read"
	data.sluse.shield.open
}

# METADATA
# title: Ordnes av mennesker
# description: Ved kode 6 går ingen melding av seg selv (hpl. § 21); se shield.rego.
rights contains "manual" if data.sluse.shield.manual

# METADATA
# title: Utdrag av samtykker
# description: Det som nevner den som spør, og det som gjelder egne opplysninger (hpl. § 22, pbrl. § 5-3); se view.rego.
rights contains "permits" if data.sluse.view.permits

rights contains "custody" if data.sluse.view.custody

rights contains "consents-compliance" if data.sluse.view.compliance

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
# title: Samtykker, innsigelser og unntak
# description: >-
#   Det i registeret som gjelder spørsmålet, tillatelsene først. Register og spørsmål nevner formål og mottaker
#   på samme måte, «*» for enhver. En tillatelse må nevne begge nøyaktig (hpl. § 22); et forbud leses vidt, og det
#   det ikke oppgir, treffer (pbrl. § 5-3). Samtykker gjelder bare i sin periode (Oslostandarden, tiltak 1);
#   registeret gjelder fra en periodegrense til den neste. Et felt som mangler eller er av feil slag, gir ingen
#   adgang (hpl. § 21).
across := [permits, denies] if {
	is_number(input.index.from)
	is_number(input.index.until)
	input.index.from <= input.now
	input.now < input.index.until
	input.denies["* *"]
	permits := input.index.permit & input.permits
	denies := input.index.deny & input.denies
} else := [set(), set()]
