# METADATA
# title: Informasjonskategorier
# description: >-
#   Hva én opplysning i en ressurs forteller om personen. Go finner ressurstype, koder, skjemapunkter og
#   navn; reglene her gir kategoriene de bærer. Grunnlag: taushetsplikten gjelder enhver opplysning om
#   sykdom og andre personlige forhold (hpl. § 21), og bare det samtykket dekker krysser (hpl. § 22).
package sluse.labels

# METADATA
# title: Svaret
# description: Kategoriene, og om opplysningen er kjent for reglene. Det som ikke er kjent, gjelder som uklassifisert (hpl. § 21).
# entrypoint: true
found := {"labels": labels, "known": known}

# METADATA
# title: Kjent
# description: En kode er kjent når kodeverket er det og koden har kodeverkets form (hpl. § 21).
default known := false

known if input.kind in {"focus", "category", "name", "text"}

known if {
	input.kind == "theme"
	data.policy.labels.themes[input.system][input.code]
}

known if {
	input.kind == "type"
	data.policy.labels.types[input.type]
}

known if {
	input.kind == "code"
	regex.match(data.policy.labels.shape[terminology], code)
}

known if {
	input.kind == "code"
	data.policy.labels.codes[terminology][input.code]
}

known if {
	input.kind == "code"
	own_category
}

known if {
	input.kind == "code"
	input.system in data.policy.labels.silent
	input.code != ""
}

known if {
	input.kind == "item"
	data.policy.labels.questionnaires[input.system][input.code]
}

# METADATA
# title: Ressurstype
# description: Grunnkategorien til typen; det blotte kundeforhold er taushetsbelagt (hpl. § 21).
labels contains l if {
	input.kind == "type"
	some l in data.policy.labels.types[input.type]
}

# METADATA
# title: Oppgavens gjenstand
# description: En oppgave forteller det samme som det den gjelder (hpl. § 21).
labels contains l if {
	input.kind == "focus"
	some l in data.policy.labels.focus[input.type]
}

# METADATA
# title: Fritekst
# description: >-
#   Typer som ellers bare sier at personen er kjent, kan bære fritekst om hva som helst; ingen regel vet
#   hva teksten sier, og den gjelder som uklassifisert (hpl. § 21).
labels contains "uklassifisert" if {
	input.kind == "text"
	input.type in data.policy.labels.texts
}

# METADATA
# title: Tema
# description: >-
#   Temaet i en dialogmelding sier hva teksten handler om (kodeverkene 7321, 7322, 9069, 9152 til 9155); uten tema er
#   den helsefaglig, som meldingstypen sier (kodeverk 8279; hpl. § 21).
labels contains l if {
	input.kind == "theme"
	some l in data.policy.labels.themes[input.system][input.code]
}

# METADATA
# title: Kriseplan
# description: En plan merket som kriseplan er sin egen kategori, som pasienten kan dele for seg (hpl. § 22).
labels contains "kriseplan" if {
	input.kind == "category"
	input.type in {"CarePlan", "Goal"}
	some k in data.policy.labels.kriseplan
	k.system == input.system
	k.code == input.code
}

# METADATA
# title: Rus
# description: Koder som forteller om rusmiddelbruk eller behandling for den (hpl. § 21; særlig kategori, GDPR art. 9).
labels contains "rus" if {
	input.kind == "code"
	some prefix in data.policy.labels.rus[terminology]
	startswith(code, prefix)
}

# METADATA
# title: Psykisk helse
# description: ICD-10 kapittel V, ICPC-2 kapittel P og fagområdene for psykisk helsevern; F17 unntatt (hpl. § 21).
labels contains "psykisk" if psykisk

# METADATA
# title: Psykisk helse
# description: Kodene i kapitlet, unntatt dem som bare er somatiske (hpl. § 21).
psykisk if {
	input.kind == "code"
	some prefix in data.policy.labels.psykisk[terminology]
	startswith(code, prefix)
	not somatic_exception
}

# METADATA
# title: Unntak fra psykisk
# description: F17, tobakk, regnes som somatisk (semantikken, Labels).
somatic_exception if {
	some prefix in data.policy.labels.notPsykisk[terminology]
	startswith(code, prefix)
}

# METADATA
# title: Somatisk helse
# description: Alle andre kapitler i ICD-10 og ICPC-2 (hpl. § 21).
labels contains "somatisk" if {
	input.kind == "code"
	terminology in {"icd10", "icpc2"}
	known
	not psykisk
}

# METADATA
# title: Legemidler
# description: En ATC-kode forteller om et legemiddel (hpl. § 21).
labels contains "legemidler" if {
	input.kind == "code"
	terminology == "atc"
	known
}

# METADATA
# title: Enkeltkoder
# description: BrukerPlans åtte livsområder og de vanligste kliniske målingene (hpl. § 21).
labels contains l if {
	input.kind == "code"
	some l in data.policy.labels.codes[terminology][input.code]
}

# METADATA
# title: Oppgitt kategori
# description: Oppholderen av opplysningen kan selv oppgi kategorien som kode (hpl. § 21).
labels contains input.code if {
	input.kind in {"code", "category"}
	own_category
}

# METADATA
# title: Oppgitt kategori
# description: Koden er en informasjonskategori (semantikken, Labels).
own_category if {
	input.system == data.policy.labels.categorySystem
	input.code in data.policy.labels.categories
}

# METADATA
# title: Skjemapunkt
# description: Hvert punkt i en kartlegging har sin kategori, så pasienten kan dele noe og ikke alt (hpl. § 22, Oslostandarden).
labels contains l if {
	input.kind == "item"
	some l in data.policy.labels.questionnaires[input.system][input.code]
}

# METADATA
# title: Navn som røper
# description: Navnet på en enhet, et sted eller en avsender kan i seg selv fortelle om rusbehandling (hpl. § 21).
labels contains "rus" if {
	input.kind == "name"
	regex.match(data.policy.labels.names, input.code)
}

# METADATA
# title: Kodeverk
# description: Kodeverket en system-URI nevner (kodeverkene 7110, 7170, 7180 og flere).
terminology := data.policy.labels.systems[input.system]

# METADATA
# title: Kode uten pynt
# description: Punktum og små bokstaver skiller ikke koder (kodeverkene 7110, 7170, 7180).
code := upper(replace(input.code, ".", ""))
