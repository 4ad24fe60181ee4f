# METADATA
# title: Nødrett
# description: >-
#   Tilgang i nødsituasjon (BTG; hpl. § 7, § 23 nr. 4): en navngitt person med HPR-nummer i en virksomhet som gir
#   øyeblikkelig hjelp leser, med begrunnelse og et tilgangsbevis bundet til én pasient. Den går foran manglende samtykke
#   og innsigelse (pbrl. § 5-3), for de kategoriene som står i data, og for ingen andre. Mangler noe, gjelder den ikke.
package sluse.emergency

# METADATA
# title: Tillatt
# description: Hver betingelse må være oppfylt (hpl. § 7, § 23 nr. 4).
# entrypoint: true
default allowed := false

allowed if {
	input.kind == "person"
	input.action == "read"
	input.emergency.purpose == data.policy.emergency.purpose
	input.emergency.hpr == true
	input.emergency.reason == true
	input.emergency.bound == true
	input.emergency.sector in data.policy.emergency.sectors
}

# METADATA
# title: Kategoriene
# description: Det nødretten dekker, uten hensyn til samtykker og innsigelser (hpl. § 7, § 23 nr. 4).
labels := {l |
	allowed
	some l in data.policy.emergency.labels
}
