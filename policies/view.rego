# METADATA
# title: Innsyn og utdrag
# description: >-
#   Hva den et samtykke nevner, den som oppbevarer, personvernet og personen selv ser av samtykker, og hva personen ser av
#   sine egne opplysninger (pbrl. § 5-1, fvl. §§ 18, 19; pjl. § 22).
package sluse.view

# METADATA
# title: Tillatelser som nevner den som spør
# description: Den som kan lese på tvers, ser tillatelsene som nevner den, ikke forbud, andre mottakere eller fritekst (hpl. § 22).
default permits := false

permits if {
	input.kind == "person"
	input.action == "read"
	input.attested == true
	data.sluse.shield.automatic
}

# METADATA
# title: Bestemmelser om egne opplysninger
# description: Den som oppbevarer opplysninger, må vite hva som gjelder for dem, forbud og innsigelser også (pbrl. § 5-3, hpl. § 21).
default custody := false

custody if {
	input.kind == "person"
	input.action == "read"
	input.attested == true
}

# METADATA
# title: Personvernets innsyn i samtykker
# description: Det som gjelder opplysningene og tilgangene til virksomheten, aldri kliniske opplysninger (personvernforordningen art. 39, pjl. § 22).
default compliance := false

compliance if {
	input.kind == "compliance"
	input.action == "read"
}

# METADATA
# title: Innsyn i egne opplysninger
# description: Alt om henne selv, hvem som enn oppbevarer det, men for det som er holdt tilbake (pbrl. § 5-1, fvl. §§ 18, 19).
default insight := false

insight if {
	input.kind == "patient"
	input.action == "read"
	input.herself == true
	not withheld
}

# METADATA
# title: Holdt tilbake
# description: Nektet eller av hensyn til tredjepart til det oppheves, utsatt til tiden er ute; det som ikke kan leses, er holdt tilbake (pbrl. § 5-1 andre ledd, fvl. § 19).
default withheld := false

withheld if {
	input.withheld
	not ended
}

# METADATA
# title: Tiden er ute
# description: Bare et utsatt innsyn har en slutt (pbrl. § 5-1 andre ledd).
default ended := false

ended if {
	input.withheld.kind == "utsatt"
	time.parse_rfc3339_ns(input.withheld.until) <= time.parse_rfc3339_ns(input.now)
}
