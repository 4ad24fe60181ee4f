# METADATA
# title: Adressesperre
# description: >-
#   Ved kode 7 (fortrolig) krysser ikke adresse, telefon, bydel, sted, fastlege og kontaktopplysninger om pårørende, uansett
#   samtykke. Ved kode 6 (strengt fortrolig) krysser dessuten ingenting av seg selv; et menneske ordner det (hpl. § 21,
#   fvl. § 13; gradene er Folkeregisterets, semantikken, adressesperre). input.shield er 0, 1 (kode 7) eller 2 (kode 6).
package sluse.shield

# METADATA
# title: Adressen kan krysse
# description: Bare når det er sikkert at ingen sperre står (hpl. § 21).
default open := false

open if input.shield == 0

# METADATA
# title: Krysser av seg selv
# description: Ikke ved kode 6, og ikke når graden er ukjent (hpl. § 21).
default automatic := false

automatic if {
	is_number(input.shield)
	input.shield in {0, 1}
}

# METADATA
# title: Ordnes av mennesker
# description: Den som skulle sende, får en oppgave (hpl. § 21; semantikken, adressesperre).
default manual := false

manual if {
	not automatic
	input.action == "message"
}
