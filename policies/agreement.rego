# METADATA
# title: Avtaler
# description: >-
#   Det de ansvarlige har avtalt, i data/agreements.json: hvem som stoler på hvem som registrerer samtykker, og hva som krysser
#   mellom to helsevirksomheter når ingen har motsatt seg det (hpl. §§ 22, 25, 45). Uten avtale gjelder ingenting av det.
package sluse.agreement

import data.sluse.instant
import data.sluse.receiver
import data.sluse.releasable

# METADATA
# title: Tillit til den som registrerer
# description: >-
#   Den som oppbevarer, stoler etter avtale på den som registrerte samtykket, men aldri på det den selv ville lese
#   (hpl. § 22; semantikken, registrering).
trusted(registrar) if {
	some a in data.policy.agreements.trust
	a.registrar == registrar
	a.custodian == input.record.custodian
	a.registrar != input.question.party
	in_force(a)
}

# METADATA
# title: Regime lov
# description: >-
#   Det avtalen mellom to helsevirksomheter sier krysser når ingen har motsatt seg det; forbud og innsigelser står over
#   (hpl. §§ 25, 45). Alt er oppgitt i avtalen.
lawful := [a |
	some a in data.policy.agreements.lov
	a.custodian.party == input.record.custodian
	startswith(a.custodian.lovgrunnlag, "helse-")
	a.recipient.party == input.question.party
	startswith(a.recipient.lovgrunnlag, "helse-")
	a.recipient.lovgrunnlag == input.question.lovgrunnlag
	input.question.purpose in a.purposes
	releasable.action in a.actions
	lawful_role(a)
	in_force(a)
]

# METADATA
# title: Rolle etter avtalen
# description: De rollene avtalen nevner; «*» er enhver (hpl. §§ 25, 45).
lawful_role(a) if receiver.role in a.roles

lawful_role(a) if "*" in a.roles

# METADATA
# title: I kraft
# description: Fra første til og med siste dag avtalen gjelder (hpl. §§ 25, 45; R4 datatypes.html#Period).
in_force(a) if {
	span := instant.span({"start": a.start, "end": a.end})
	span.low <= instant.now
	instant.now < span.high
}
