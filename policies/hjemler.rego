# METADATA
# title: Hjemler
# description: >-
#   Andre rettsgrunnlag enn samtykke for å sende en melding (hpl. § 25; radene står i data/hjemler.json). En rad gjelder
#   bare når den avsenderen som har ansvaret for opplysningene har slått den på ved navn, for meldingstypene den nevner, fra
#   og til de sektorene den nevner. Forbud og innsigelser står over den (pbrl. § 5-3), og ved adressesperre kode 6 sendes
#   ingenting av seg selv. input.switched er det som er slått på - rad, virksomhet og dens sektor - input.sector mottakerens
#   sektor og input.party mottakeren. Mangler noe, gjelder raden ikke.
package sluse.hjemler

# METADATA
# title: Rader som gjelder
# description: >-
#   Raden og avsenderen som har slått den på. Ved sending må meldingen være av en type raden nevner; ved lesing teller
#   raden for det som er kommet i en slik melding, og ikke for annet (hpl. §§ 25, 39–40; semantikken, lesing og melding).
# entrypoint: true
lawful contains [row.id, s.party] if {
	is_string(input.party)
	some s in input.switched
	is_string(s.party)
	s.party != input.party
	some row in data.policy.hjemler.rows
	row.id == s.id
	row.from == s.sector
	row.to == input.sector
	concerns(row)
}

# METADATA
# title: Det raden gjelder
# description: Meldinger av typene den nevner, og lesing av det som er kommet i dem (hpl. § 25). Ikke varsel, og ikke å skrive i andres.
concerns(row) if {
	input.action == "message"
	input.message in row.messages
}

concerns(_) if input.action == "read"

# METADATA
# title: Raden
# description: Slik den står i data, etter id (hpl. § 25).
row_of(id) := row if {
	some row in data.policy.hjemler.rows
	row.id == id
}
