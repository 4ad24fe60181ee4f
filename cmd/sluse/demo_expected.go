package main

// The parties as the directory names them.
const (
	rusteam  = "Bydel Sagene, psykisk helse og rus"
	gp       = "Sagene legekontor"
	tsb      = "Oslo universitetssykehus, TSB"
	sosial   = "Sosialtjenesten i Bydel Sagene"
	citizens = "Innbyggere"
	nobody   = "–"
	none     = "–"
	hpl22    = "hpl. § 22"
	hidden   = "Finnes ikke, eller er ikke delt med deg."
)

// everythingElse is what the bydel has written about Kari, less what concerns her housing.
const everythingElse = "demografi henvisning kartlegging kriseplan legemidler okonomi plan psykisk rus tjenester"

// expected is the story: what each cell must be. It is compared with the rows at the end, and
// nothing of it goes into them.
var expected = []row{
	{1, rusteam, rusteam + ", " + tsb + ", " + gp, "Consent 201", none, none, "HPL22"},

	{2, rusteam, gp, "DIALOG_FORESPORSEL", "samarbeid", none, hpl22},
	{2, gp, rusteam, "AppRec Ok, Communication completed", none, none, none},
	{2, rusteam, gp, "AppRec 3", none, none, "X99 Ikke levert: samtykke mangler for pårørende."},
	{2, gp, rusteam, "MEDISINSKE_OPPLYSNINGER", "funksjon legemidler psykisk rus somatisk", "parorende", hpl22},
	{2, gp, rusteam, "Condition, MedicationStatement, Observation", "funksjon legemidler psykisk rus somatisk", "parorende", hpl22},

	{3, rusteam, tsb, "Task?owner", "henvisning", none, hpl22},
	{3, rusteam, tsb, "ServiceRequest 200", "henvisning rus", none, hpl22},
	{3, rusteam, tsb, "CarePlan 200", "plan rus tjenester", "bolig okonomi", hpl22},
	{3, rusteam, tsb, "CarePlan 200", "kriseplan", none, hpl22},
	{3, rusteam, tsb, "QuestionnaireResponse 200", "kartlegging psykisk rus", "bolig okonomi", hpl22},

	{4, tsb, rusteam, "LOG_INNLAGT", "logistikk", "somatisk", hpl22},
	{4, rusteam, tsb, "AppRec 3", none, none, "X99 Ikke levert: fritekst og vedlegg tas ut av logistikkmeldinger."},
	{4, tsb, rusteam, "LOG_UTSKRIVNINGSKLAR", "logistikk", "somatisk", hpl22},
	{4, rusteam, tsb, "AppRec 3", none, none, "X99 Ikke levert: fritekst og vedlegg tas ut av logistikkmeldinger."},
	{4, rusteam, tsb, "DIALOG_HELSEFAGLIG", "logistikk", none, hpl22},
	{4, tsb, rusteam, "AppRec Ok, Communication completed", none, none, none},

	{5, rusteam, gp, "HELSEOPPLYSNINGER_LEGE", "legemidler plan rus tjenester", "bolig okonomi", hpl22},
	{5, gp, rusteam, "AppRec Ok, Communication completed", none, none, "Delvis sendt: samtykke mangler for bolig og økonomi."},

	{6, nobody, sosial, "Patient?identifier", none, "bolig " + everythingElse, "samme svar som for ukjent"},
	{6, nobody, sosial, "CarePlan 404", none, "bolig " + everythingElse, "samme svar som for ukjent: " + hidden},
	{6, citizens, sosial, "Consent 201", none, none, "HPL22"},
	{6, rusteam, sosial, "Observation, CarePlan, QuestionnaireResponse, ServiceRequest, Task", "bolig", everythingElse, hpl22},

	{7, rusteam, rusteam + ", " + gp, "Consent 200", none, none, "HPL22"},
	{7, nobody, tsb, "CarePlan 404", none, "bolig legemidler okonomi plan rus tjenester", hidden},
	{7, tsb, rusteam, "Communication stopped", none, none, "Ikke sendt: samtykke mangler for samarbeid, rus og logistikk."},
	{7, rusteam, tsb, "DIALOG_HELSEFAGLIG", "logistikk", none, "det hentede"},

	{8, rusteam + ", " + citizens + ", " + tsb + ", " + gp + ", " + sosial, citizens, "AuditEvent 200", none, none, "ingen fødselsnumre"},
	{8, nobody, citizens, "sluse verify", none, none, "hel"},
}
