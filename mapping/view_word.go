package mapping

import (
	"strings"
	"unicode"
)

// viewWords are the elements whose name is not Norwegian, is written without the letters that it needs, or says little by
// itself.
var viewWords = map[string]string{
	"Ack": "Kvittering ønsket", "AdditionalId": "Annen identifikator", "Address": "Adresse", "AdmCat": "Omsorgsnivå", "AdmEnkeltdose": "Gitt enkeltdose",
	"AdmInstrukser": "Instrukser", "AdmOutcome": "Utfall", "AdmSlutt": "Gitt til", "AdmStart": "Gitt fra", "AdmStatus": "Status for administrering",
	"AdmAvHelsepersonell": "Gitt av helsepersonell", "AnafylaktiskeRekasjoner": "Anafylaktiske reaksjoner", "AntEnkeltdoser": "Antall enkeltdoser",
	"AntallEnheterOnsket": "Antall enheter ønsket", "ApprDate": "Godkjent", "ArithmeticComp": "Sammenligning", "Atc": "ATC-kode",
	"AvtaleAdmLegemidler": "Avtale om administrering av legemidler", "AvtaleAdmMultidose": "Avtale om multidose", "AvtaleOmAdmLegemidler": "Avtale om administrering av legemidler",
	"BandasjemateriellEngangsutstyr": "Bandasjemateriell og engangsutstyr", "BasisForHealthServices": "Rett til helsehjelp", "BehovOpphortDato": "Behovet opphørte",
	"BehovTolkSprak": "Trenger tolk i språket", "BruksomradeTekst": "Bruksområde", "CaveStikkord": "CAVE", "City": "Poststed", "CityDistr": "Bydel", "ClinInv": "Undersøkelse",
	"CodedComment": "Kodet kommentar", "ComMethod": "Kommunikasjonsmåte", "Comment": "Kommentar", "Concept": "Diagnose", "Consent": "Samtykke", "ConsentDate": "Dato for samtykke",
	"ConsentStatus": "Status for samtykke", "ContactPerson": "Kontaktperson", "CopyDest": "Kopimottaker", "Country": "Land", "County": "Kommune", "DateOfBirth": "Født",
	"DateOfDeath": "Død", "DateResult": "Dato", "DateResultValue": "Dato", "DatoNotat": "Dato for notatet", "DatoSendt": "Sendt", "Dept": "Avdeling", "Description": "Beskrivelse",
	"DevResultInd": "Avvik", "Diagnosis": "Diagnose", "DokIdForesp": "Forespørselens id", "DokIdNotat": "Notatets id", "DosVeiledEnkel": "Dosering", "DosageText": "Dosering",
	"DrugId": "Legemiddel", "EgensoknadSendt": "Egensøknad er sendt", "EmneSporsmal": "Emne", "EndDateTime": "Slutt", "EndringFunksjonsnivaa": "Endring i funksjonsnivå",
	"Event": "Opphold", "EventLocation": "Sted", "FodselsarMindrearigParorende": "Fødselsår for mindreårig pårørende", "ForbeholdOmVideresending": "Forbehold om videresending",
	"Foresporsel": "Forespørsel", "ForventesOppnaadd": "Forventes oppnådd", "ForventetGradMaaloppnaaelse": "Forventet grad av måloppnåelse",
	"FunksjonshemmingKroniskSykdom": "Funksjonshemming eller kronisk sykdom", "GenDate": "Sendt", "GivenBy": "Gitt av", "GjennomforingAvTiltak": "Gjennomføring av tiltak",
	"GjentagelseIntervall": "Gjentas hver", "HCP": "Helsepersonell eller virksomhet", "HCPerson": "Helsepersonell", "HCProf": "Helsepersonell", "Heading": "Overskrift",
	"HealthcareProfessional": "Helsepersonell", "HensynMatDrikke": "Hensyn ved mat og drikke", "High": "Øvre grense", "HjelpLegemiddeladm": "Trenger hjelp til legemidler",
	"HjelpemiddelHorsel": "Hjelpemiddel for hørsel", "HjelpemiddelkodeRTV": "Hjelpemiddelkode", "Horselsvikt": "Hørselsvikt", "IPLOStjenestetype": "Tjeneste", "Id": "Identifikator",
	"InfItem": "Opplysning", "InfoAndreViktigeOpplysninger": "Andre viktige opplysninger", "InfoAssistertKommunikasjon": "Tolk og assistert kommunikasjon",
	"InfoAvtaleOmLegemiddeladm": "Avtale om legemiddelhåndtering", "InfoFraSykepleier": "Fra sykepleier", "InfoIPLOSrelevantInformasjon": "IPLOS-relevant informasjon",
	"InfoInformasjonGitt": "Informasjon gitt", "InfoKartleggingFunksjonsniva": "Kartlegging av funksjonsnivå", "InfoKontaktepisode": "Kontaktepisode", "InfoKontrolltime": "Kontrolltime",
	"InfoLegemidlerIBruk": "Legemidler i bruk", "InfoMaalForventetRes": "Mål", "InfoMedisinskDiagnose": "Diagnose", "InfoReservasjon": "Reservasjon eller ønske",
	"InfoSeponertLegemiddel": "Seponert legemiddel", "InfoTidligereSykdommer": "Tidligere sykdommer", "InfoVurderinger": "Vurdering", "InngaarIMultidose": "Inngår i multidose",
	"InnholdMaaldokument": "Mål", "Inst": "Virksomhet", "IntendedDuration": "Planlagt varighet", "Interval": "Intervall", "IntervensjonTiltakBeskrivelse": "Tiltak",
	"IntervensjonTiltakKode": "Tiltak (kode)", "InvDate": "Undersøkt", "IssueDate": "Utstedt", "IverksatteTiltak": "Iverksatte tiltak", "JaNei": "Sendt",
	"KoordinatorOppnevnt": "Koordinator er oppnevnt", "Low": "Nedre grense", "MIGversion": "Meldingsversjon", "MaalForventetResultat": "Forventet resultat", "MedSpeciality": "Fagområde",
	"Medication": "Legemiddel", "Modifier": "Presisering", "MsgDescr": "Henvisningstype", "MsgId": "Meldingens id", "Name": "Navn", "NameInst": "Institusjon", "Notat": "Tekst",
	"Nr": "Varenummer", "NumResult": "Resultat", "NumResultValue": "Resultat", "Observation": "Observasjon", "OccupationRole": "Yrke", "OffId": "Fødselsnummer",
	"OrgDate": "Opprinnelig dato", "OrienteringOmDod": "Orientering om dødsfall", "Origin": "Opphav", "Overskriftskode": "Overskrift", "Pakkeforlop": "Pakkeforløp",
	"ParorendeForesatt": "Pårørende eller foresatt", "ParorendeInformert": "Pårørende er informert", "PasientInformert": "Pasienten er informert",
	"PasientParorendeBestiller": "Pasient eller pårørende bestiller", "PatRelHCP": "Relasjon til helsepersonell", "PatRelInst": "Relasjon til virksomhet", "Patient": "Pasienten",
	"PatientPrecaution": "Viktig om pasienten", "PaymentCat": "Betalingskategori", "PersonTolkebehov": "Person med tolkebehov", "PlannedEvent": "Planlagt", "PostalCode": "Postnummer",
	"Precaution": "Viktig å vite", "Priority": "Hastegrad", "ProcessingStatus": "Test eller drift", "Purpose": "Formål", "QuantitySupplied": "Mengde utlevert",
	"ReasonAsText": "Begrunnelse", "RefDoc": "Vedlegg", "RelHCProvider": "Helsepersonell eller virksomhet", "RelServProvider": "Tjenesteyter", "Relation": "Relasjon",
	"ReportedEvent": "Rapportert hendelse", "ReqComment": "Kommentar til henvisningen", "ReqDate": "Dato ønsket", "ReqServ": "Ønsket tjeneste", "Requester": "Henviser",
	"ReservasjonOnske": "Reservasjon eller ønske", "Result": "Resultat", "ResultItem": "Funn", "RoleInst": "Rolle", "RoleToPatient": "Rolle overfor pasienten", "SakshodeCave": "CAVE",
	"SakstypeKodet": "Sakstype (kode)", "SamletVurderingFunksjonsniva": "Samlet vurdering av funksjonsnivå", "SarskilteTiltak": "Særskilte tiltak", "ServId": "Tjeneste",
	"ServProvider": "Tjenesteyter", "ServReq": "Henvisning", "ServRprt": "Rapport", "ServType": "Status", "Service": "Tjeneste", "Sex": "Kjønn", "Spec": "Spesifikasjon",
	"Sporsmal": "Spørsmål", "Sprak": "Språk", "StartDateTime": "Start", "StatusTilForskrivningen": "Status", "StreetAdr": "Gateadresse", "SvarPaaForesporsel": "Svar på forespørsel",
	"TekstNotatInnhold": "Tekst", "TeleAddress": "Telefon", "TextCode": "Resultat", "TextResult": "Resultat", "TextResultValue": "Tekst", "TidligereSykdomFragment": "Tidligere sykdom",
	"TilleggsopplysningPasient": "Tilleggsopplysninger om pasienten", "TypeForesp": "Type forespørsel", "TypeId": "Type", "TypeInnholdIMelding": "Type innhold",
	"TypeInnholdKonsultasjon": "Type innhold", "TypeJournalinfo": "Type journalinformasjon", "TypeOffId": "Type nummer", "UnitDose": "Enkeltdose", "UtTil": "Utskrevet til",
	"UtfortTidspunkt": "Utført", "WorkingPlace": "Arbeidssted", "linkTilKomponent": "Lenke til", "linkstyrke": "Lenkens styrke", "linktype": "Type lenke",
	"merknad": "Merknad", "tilleggsinfoEPJKomponent": "Tilleggsinformasjon", "InformasjonOmTentativTime": "Tentativ time", "StedTime": "Sted", "OpplysningerTilSoknad": "Opplysninger til søknad",
	"OpplysningerRelevantOppfolging": "Opplysninger av betydning for oppfølging", "LegemidlerAdministrertVedOverforing": "Legemidler administrert ved overføring",
	"StikkordCave": "Stikkord", "Cave": "CAVE", "TidsperiodeDiagnose": "Diagnose", "InnholdVurdering": "Vurdering", "Slektskap": "Relasjon til pasienten", "Hoveddiagnose": "Hoveddiagnose", "RegistrertBlodtype": "Blodtype", "Startdato": "Fra", "Sluttdato": "Til",
	"Base64Container": "Innhold", "FamilyName": "Etternavn", "GivenName": "Fornavn", "MiddleName": "Mellomnavn", "OrganisationName": "Navn", "V": "Kode", "DN": "Navn", "OT": "Tekst", "U": "Enhet",
}

// viewWord names an element for people: its own name in words, or what viewWords says.
func viewWord(name string) string {
	if word := viewWords[name]; word != "" {
		return word
	}
	var b strings.Builder
	before := 'A'
	for i, c := range name {
		if i > 0 && unicode.IsUpper(c) && !unicode.IsUpper(before) {
			b.WriteByte(' ')
			b.WriteRune(unicode.ToLower(c))
		} else {
			b.WriteRune(c)
		}
		before = c
	}
	return b.String()
}
