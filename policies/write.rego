# METADATA
# title: Skriving
# description: >-
#   Hvem som kan skrive hvilken ressurstype. Hver virksomhet fører sine egne opplysninger
#   (hpl. §§ 39–40, pjl. § 7); ingen skriver i loggen (pjl. § 22).
package sluse.write

# METADATA
# title: Tillatt
# description: Uten en regel som sier ja, er svaret nei (hpl. § 21).
# entrypoint: true
default allowed := false

# METADATA
# title: Drift
# description: Drift fører katalogen, og ingenting annet; den har ingen tilgang til opplysninger (hpl. § 26).
allowed if {
	input.kind == "operator"
	input.type in data.policy.crossing.directory
}

# METADATA
# title: Ansatt
# description: En navngitt person skriver virksomhetens egne opplysninger og sin del av katalogen (hpl. §§ 39–40).
allowed if {
	input.kind == "person"
	is_string(input.type)
	input.type != ""
	not input.type in nobody_writes
}

# METADATA
# title: Pasient
# description: Pasienten skriver sine egne samtykker, innsigelser og tilbaketrekkinger, og sin egen Patient (hpl. § 22, pbrl. § 5-3).
allowed if {
	input.kind == "patient"
	input.type in {"Consent", "Patient"}
}

# METADATA
# title: Fagsystem
# description: >-
#   Et fagsystem uten person fører virksomhetens abonnementer på varsler, og ingenting annet (hpl. § 21 a). Om et varsel
#   kan gis, avgjøres når det sendes.
allowed if {
	input.kind == "machine"
	input.type == "Subscription"
}

# METADATA
# title: Det ingen skriver
# description: Loggen føres av Sluse selv (pjl. § 22).
nobody_writes := {"AuditEvent"}

# METADATA
# title: Bare nytt
# description: En Provenance endres ikke etter at den er skrevet (pjl. § 22).
create_only := {"Provenance"}
