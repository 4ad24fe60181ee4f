package fhir

// questionnaireRules are the invariants of Questionnaire and QuestionnaireResponse.
var questionnaireRules = []rule{
	{"que-1", text{"En gruppe har spørsmål, og en visningstekst har ingen.", "A group has items, and a display has none."}, func(v *Value, _ *checker) bool {
		return implies(codeIs(v, "type", "group"), has(v, "item")) && implies(codeIs(v, "type", "display"), !has(v, "item"))
	}},
	{"que-2", text{"linkId er unik i skjemaet.", "linkId is unique in the questionnaire."}, func(v *Value, _ *checker) bool {
		return distinctLinks(v, map[string]bool{})
	}},
	{"que-3", text{"En visningstekst har ingen code.", "A display has no code."}, displayWithout("code")},
	{"que-4", text{"answerOption og answerValueSet utelukker hverandre.", "answerOption and answerValueSet exclude each other."}, exclude("answerOption", "answerValueSet")},
	{"que-5", text{"Bare spørsmål med svarvalg har answerOption eller answerValueSet.", "Only questions with choices have answerOption or answerValueSet."}, func(v *Value, _ *checker) bool {
		return !has(v, "answerOption") && !has(v, "answerValueSet") ||
			codeIs(v, "type", "choice", "open-choice", "decimal", "integer", "date", "dateTime", "time", "string", "quantity")
	}},
	{"que-6", text{"En visningstekst har verken required eller repeats.", "A display has neither required nor repeats."}, displayWithout("required", "repeats")},
	{"que-7", text{"exists sammenlignes med ja eller nei.", "exists is compared with a boolean."}, func(v *Value, _ *checker) bool {
		return implies(codeIs(v, "operator", "exists"), has(v, "answerBoolean"))
	}},
	{"que-8", text{"En gruppe eller visningstekst har ingen startverdi.", "A group or display has no initial value."}, func(v *Value, _ *checker) bool {
		return !(codeIs(v, "type", "group", "display") && has(v, "initial"))
	}},
	{"que-9", text{"En visningstekst har ikke readOnly.", "A display has no readOnly."}, displayWithout("readOnly")},
	{"que-10", text{"maxLength gjelder bare enkle svar.", "maxLength applies to simple answers only."}, func(v *Value, _ *checker) bool {
		return !has(v, "maxLength") || codeIs(v, "type", "boolean", "decimal", "integer", "string", "text", "url", "open-choice")
	}},
	{"que-11", text{"answerOption og initial utelukker hverandre.", "answerOption and initial exclude each other."}, exclude("answerOption", "initial")},
	{"que-12", text{"Mer enn to enableWhen krever enableBehavior.", "More than two enableWhen need enableBehavior."}, func(v *Value, _ *checker) bool {
		return implies(len(v.member("enableWhen").Items()) > 2, has(v, "enableBehavior"))
	}},
	{"que-13", text{"Bare spørsmål som gjentas har flere startverdier.", "Only repeating questions have several initial values."}, func(v *Value, _ *checker) bool {
		return v.member("repeats").Text() == "true" || len(v.member("initial").Items()) <= 1
	}},
	{"qrs-1", text{"Underspørsmål står i svaret når spørsmålet har svar.", "Nested items stand in the answer when there is one."}, exclude("answer", "item")},
}

func displayWithout(names ...string) func(*Value, *checker) bool {
	return func(v *Value, _ *checker) bool {
		if !codeIs(v, "type", "display") {
			return true
		}
		for _, name := range names {
			if has(v, name) {
				return false
			}
		}
		return true
	}
}

func exclude(a, b string) func(*Value, *checker) bool {
	return func(v *Value, _ *checker) bool { return !(has(v, a) && has(v, b)) }
}

// distinctLinks reports whether no linkId below v repeats one seen before.
func distinctLinks(v *Value, seen map[string]bool) bool {
	for _, item := range v.member("item").Items() {
		id := item.Get("linkId").Text()
		if seen[id] {
			return false
		}
		seen[id] = true
		if !distinctLinks(item, seen) {
			return false
		}
	}
	return true
}
