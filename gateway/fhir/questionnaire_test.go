package fhir_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// form is a Questionnaire that uses everything CheckAnswers knows.
func form(t testing.TB) *fhir.Resource {
	t.Helper()
	body, err := os.ReadFile("testdata/questionnaire.json")
	if err != nil {
		t.Fatal(err)
	}
	r := parse(t, string(body))
	if got := lines(fhir.Validate(r)); got != nil {
		t.Fatal(got)
	}
	return r
}

// reply gives a response of a status with items; no is the answer that needs least.
func reply(t testing.TB, status, items string) *fhir.Resource {
	t.Helper()
	r := parse(t, `{"resourceType":"QuestionnaireResponse","questionnaire":"http://example.no/Questionnaire/prove|2","status":"`+status+`","subject":{"reference":"Patient/a"},"item":[`+items+`]}`)
	if got := lines(fhir.Validate(r)); got != nil {
		t.Fatal(got)
	}
	return r
}

const (
	no     = `{"linkId":"1","answer":[{"valueBoolean":false}]}`
	yes    = `{"linkId":"1","answer":[{"valueBoolean":true}]}`
	option = `{"valueCoding":{"system":"http://x","code":"`
)

// TestCheckAnswers: each rule, with the least response that breaks it, and the nearest that does not.
func TestCheckAnswers(t *testing.T) {
	t.Parallel()
	q := form(t)
	one := func(link, answer string) string { return no + `,{"linkId":"` + link + `","answer":[` + answer + `]}` }
	const at = " QuestionnaireResponse.item"
	for _, c := range []struct {
		name, items string
		want        []string
	}{
		{"nothing answered", `{"linkId":"3.9"}`, []string{"error answers.unknown-item" + at + "[0].linkId", "error answers.required QuestionnaireResponse.item"}},
		{"no", no, nil},
		{"item without the answer", `{"linkId":"1"}`, []string{"error answers.required" + at + "[0].answer"}},
		{"yes, but not which", yes, []string{"error answers.required QuestionnaireResponse.item"}},
		{"yes", yes + `,{"linkId":"2","answer":[` + option + `alkohol"}},` + option + `cannabis"},"item":[{"linkId":"2.1","answer":[{"valueInteger":31}]}]}]}`, nil},
		{"not asked", one("2", option+`alkohol"}}`), []string{"error answers.disabled" + at + "[1]"}},
		{"not an option", yes + `,{"linkId":"2","answer":[` + option + `tobakk"}}]}`, []string{"error answers.option" + at + "[1].answer[0].valueCoding"}},
		{"option of another system", yes + `,{"linkId":"2","answer":[{"valueCoding":{"system":"http://y","code":"alkohol"}}]}`, []string{"error answers.option" + at + "[1].answer[0].valueCoding"}},
		{"exclusive alone", yes + `,{"linkId":"2","answer":[` + option + `vet-ikke"}}]}`, nil},
		{"exclusive with another", yes + `,{"linkId":"2","answer":[` + option + `alkohol"}},` + option + `vet-ikke"}}]}`, []string{"error answers.exclusive" + at + "[1].answer[1].valueCoding"}},
		{"above in a nested item", yes + `,{"linkId":"2","answer":[` + option + `alkohol"},"item":[{"linkId":"2.1","answer":[{"valueInteger":32}]}]}]}`, []string{"error answers.above-maximum" + at + "[1].answer[0].item[0].answer[0].valueInteger"}},
		{"below", yes + `,{"linkId":"2","answer":[` + option + `alkohol"},"item":[{"linkId":"2.1","answer":[{"valueInteger":0}]}]}]}`, []string{"error answers.below-minimum" + at + "[1].answer[0].item[0].answer[0].valueInteger"}},
		{"text for a choice", yes + `,{"linkId":"2","answer":[{"valueString":"alkohol"}]}`, []string{"error answers.type" + at + "[1].answer[0].valueString"}},
		{"boolean twice", `{"linkId":"1","answer":[{"valueBoolean":false},{"valueBoolean":false}]}`, []string{"error answers.repeats" + at + "[0].answer"}},
		{"item twice", no + `,` + no, []string{"error answers.twice" + at + "[1]"}},
		{"in another group", no + `,{"linkId":"3","item":[{"linkId":"3.1","answer":[{"valueCoding":{"system":"http://example.no/bolig","code":"egen"}}]},{"linkId":"4.1","answer":[{"valueString":"a"}]}]}`, []string{"error answers.nesting" + at + "[1].item[1]"}},
		{"at the top", no + `,{"linkId":"3.1","answer":[{"valueCoding":{"system":"http://example.no/bolig","code":"egen"}}]}`, []string{"error answers.nesting" + at + "[1]"}},
		{"group without what it requires", no + `,{"linkId":"3","item":[{"linkId":"3.3"}]}`, []string{"error answers.required" + at + "[1].item"}},
		{"contained value set", no + `,{"linkId":"3","item":[{"linkId":"3.1","answer":[{"valueCoding":{"system":"http://example.no/bolig","code":"hytte"}}]}]}`, []string{"error answers.option" + at + "[1].item[0].answer[0].valueCoding"}},
		{"answer to a display", no + `,{"linkId":"3","item":[{"linkId":"3.1","answer":[{"valueCoding":{"system":"http://example.no/bolig","code":"egen"}}]},{"linkId":"3.3","answer":[{"valueString":"a"}]}]}`, []string{"error answers.no-question" + at + "[1].item[1].answer"}},
		{"too long", no + `,{"linkId":"3","item":[{"linkId":"3.1","answer":[{"valueCoding":{"system":"http://example.no/bolig","code":"egen"}}]},{"linkId":"3.2","answer":[{"valueString":"ææææææææææå"}]}]}`, []string{"error answers.too-long" + at + "[1].item[1].answer[0].valueString"}},
		{"as long as it may be", no + `,{"linkId":"3","item":[{"linkId":"3.1","answer":[{"valueCoding":{"system":"http://example.no/bolig","code":"egen"}}]},{"linkId":"3.2","answer":[{"valueString":"ææææææææææ"}]}]}`, nil},
		{"too short", no + `,{"linkId":"3","item":[{"linkId":"3.1","answer":[{"valueCoding":{"system":"http://example.no/bolig","code":"egen"}}]},{"linkId":"3.2","answer":[{"valueString":"a"}]}]}`, []string{"error answers.too-short" + at + "[1].item[1].answer[0].valueString"}},
		{"groups that repeat", no + `,{"linkId":"4","item":[{"linkId":"4.1","answer":[{"valueString":"a"}]},{"linkId":"4.2","answer":[{"valueString":"22000000"}]}]},{"linkId":"4","item":[{"linkId":"4.1","answer":[{"valueString":"b"}]}]}`, nil},
		{"the condition of each group is its own", no + `,{"linkId":"4","item":[{"linkId":"4.1","answer":[{"valueString":"a"}]}]},{"linkId":"4","item":[{"linkId":"4.1"},{"linkId":"4.2","answer":[{"valueString":"22000000"}]}]}`, []string{"error answers.required" + at + "[2].item[0].answer", "error answers.disabled" + at + "[2].item[1]"}},
		{"not that of another group", no + `,{"linkId":"4","item":[{"linkId":"4.1","answer":[{"valueString":"a"}]}]},{"linkId":"4","item":[{"linkId":"4.2","answer":[{"valueString":"22000000"}]}]}`, []string{"error answers.required" + at + "[2].item", "error answers.disabled" + at + "[2].item[0]"}},
		{"too many groups", no + strings.Repeat(`,{"linkId":"4","item":[{"linkId":"4.1","answer":[{"valueString":"a"}]}]}`, 3), []string{"error answers.repeats" + at + "[3]"}},
		{"form of a text", no + `,{"linkId":"4","item":[{"linkId":"4.1","answer":[{"valueString":"a"}]},{"linkId":"4.2","answer":[{"valueString":"22 00 00 00"}]}]}`, []string{"error answers.pattern" + at + "[1].item[1].answer[0].valueString"}},
		{"one decimal", one("5", `{"valueDecimal":9.5}`), nil},
		{"two decimals", one("5", `{"valueDecimal":9.50}`), []string{"error answers.decimals" + at + "[1].answer[0].valueDecimal"}},
		{"number as text", one("5", `{"valueString":"9"}`), []string{"error answers.type" + at + "[1].answer[0].valueString"}},
		{"date too early", one("6", `{"valueDate":"2025-12-31"}`), []string{"error answers.below-minimum" + at + "[1].answer[0].valueDate"}},
		{"date that may be late enough", one("6", `{"valueDate":"2026"}`), nil},
		{"open choice, free", one("7", `{"valueString":"en tur"}`), nil},
		{"open choice, chosen", one("7", option+`samtale"}}`), nil},
		{"open choice, other code", one("7", option+`tur"}}`), []string{"error answers.option" + at + "[1].answer[0].valueCoding"}},
		{"attachment", one("8", `{"valueAttachment":{"contentType":"image/png","data":"QUJDREVGR0hJSg=="}}`), nil},
		{"attachment too large", one("8", `{"valueAttachment":{"contentType":"image/png","data":"QUJDREVGR0hJSktM"}}`), []string{"error answers.size" + at + "[1].answer[0].valueAttachment"}},
		{"attachment by its size", one("8", `{"valueAttachment":{"contentType":"image/png","size":11,"url":"http://x/a"}}`), []string{"error answers.size" + at + "[1].answer[0].valueAttachment"}},
		{"attachment of another type", one("8", `{"valueAttachment":{"contentType":"image/svg+xml","data":"QUJD"}}`), []string{"error answers.media-type" + at + "[1].answer[0].valueAttachment"}},
		{"reference", one("9", `{"valueReference":{"reference":"CarePlan/a"}}`), nil},
		{"reference to another type", one("9", `{"valueReference":{"reference":"Task/a"}}`), []string{"error answers.reference-target" + at + "[1].answer[0].valueReference.reference"}},
		{"quantity", one("10", `{"valueQuantity":{"value":70.5,"unit":"kg"}}`), nil},
		{"number for a quantity", one("10", `{"valueInteger":70}`), []string{"error answers.type" + at + "[1].answer[0].valueInteger"}},
		{"any: none", one("11", `{"valueString":"a"}`), []string{"error answers.disabled" + at + "[1]"}},
		{"any: the first", one("5", `{"valueDecimal":2.9}`) + `,{"linkId":"11","answer":[{"valueString":"a"}]}`, nil},
		{"any: at the limit", one("5", `{"valueDecimal":3.0}`) + `,{"linkId":"11","answer":[{"valueString":"a"}]}`, []string{"error answers.disabled" + at + "[2]"}},
		{"any: the second", one("6", `{"valueDate":"2027-01-01"}`) + `,{"linkId":"11","answer":[{"valueString":"a"}]}`, nil},
		{"all: one", one("5", `{"valueDecimal":3}`) + `,{"linkId":"12","answer":[{"valueString":"a"}]}`, []string{"error answers.disabled" + at + "[2]"}},
		{"all: both", one("5", `{"valueDecimal":3}`) + `,{"linkId":"6","answer":[{"valueDate":"2027-01-02"}]},{"linkId":"12","answer":[{"valueString":"a"}]}`, nil},
		{"value set of ours", one("13", `{"valueCoding":{"system":"http://sluse.no/fhir/CodeSystem/sone","code":"gul"}}`), nil},
		{"outside a value set of ours", one("13", `{"valueCoding":{"system":"http://sluse.no/fhir/CodeSystem/sone","code":"yellow"}}`), []string{"error answers.option" + at + "[1].answer[0].valueCoding"}},
		{"unknown value set", one("14", `{"valueCoding":{"system":"a","code":"b"}}`), []string{"warning answers.unknown-value-set" + at + "[1].answer[0].valueCoding"}},
		{"unequal: not answered", one("15", `{"valueString":"a"}`), nil},
		{"unequal: another", one("13", `{"valueCoding":{"system":"http://sluse.no/fhir/CodeSystem/sone","code":"gul"}}`) + `,{"linkId":"15","answer":[{"valueString":"a"}]}`, nil},
		{"unequal: the same", one("13", `{"valueCoding":{"system":"http://sluse.no/fhir/CodeSystem/sone","code":"rod"}}`) + `,{"linkId":"15","answer":[{"valueString":"a"}]}`, []string{"error answers.disabled" + at + "[2]"}},
		{"integer option", one("16", `{"valueInteger":2}`), nil},
		{"no integer option", one("16", `{"valueInteger":3}`), []string{"error answers.option" + at + "[1].answer[0].valueInteger"}},
		{"time, moment, link", one("17", `{"valueTime":"08:30:00"}`) + `,{"linkId":"18","answer":[{"valueDateTime":"2026-11-21T08:30:00+01:00"}]},{"linkId":"19","answer":[{"valueUri":"https://x.no/"}]}`, nil},
		{"date for a moment", one("18", `{"valueDate":"2026-11-21"}`), []string{"error answers.type" + at + "[1].answer[0].valueDate"}},
		{"quantity above", one("10", `{"valueQuantity":{"value":50.1,"unit":"kg"}}`) + `,{"linkId":"20","answer":[{"valueString":"a"}]}`, nil},
		{"quantity of another unit", one("10", `{"valueQuantity":{"value":5000,"unit":"g"}}`) + `,{"linkId":"20","answer":[{"valueString":"a"}]}`, []string{"error answers.disabled" + at + "[2]"}},
		{"too few", one("21", `{"valueString":"a"}`), []string{"error answers.too-few" + at + "[1]"}},
		{"another order", one("6", `{"valueDate":"2026-05-01"}`) + `,{"linkId":"5","answer":[{"valueDecimal":5}]}`, []string{"warning answers.order" + at + "[2]"}},
		{"answer by an extension alone", `{"linkId":"1","answer":[{"extension":[{"url":"a","valueCode":"b"}]}]}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			issues := fhir.CheckAnswers(q, reply(t, "completed", c.items))
			if got := lines(issues); !slices.Equal(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
			for _, i := range issues {
				if text := i.Text("en"); i.Line < 1 || text == i.Code || strings.Contains(text, "{") {
					t.Errorf("%+v: %q", i, text)
				}
			}
		})
	}
}

// TestCheckAnswersInProgress: what is required is not asked of a response that is not done; all else is.
func TestCheckAnswersInProgress(t *testing.T) {
	t.Parallel()
	q := form(t)
	for status, want := range map[string][]string{
		"in-progress": nil, "stopped": nil, "entered-in-error": nil,
		"completed": {"error answers.required QuestionnaireResponse.item"}, "amended": {"error answers.required QuestionnaireResponse.item"},
	} {
		if got := lines(fhir.CheckAnswers(q, reply(t, status, yes))); !slices.Equal(got, want) {
			t.Errorf("%s: %q", status, got)
		}
		const bad = "error answers.type QuestionnaireResponse.item[0].answer[0].valueString"
		if got := lines(fhir.CheckAnswers(q, reply(t, status, `{"linkId":"1","answer":[{"valueString":"ja"}]}`))); !slices.Equal(got, []string{bad}) {
			t.Errorf("%s: %q", status, got)
		}
	}
}

func TestCheckAnswersHead(t *testing.T) {
	t.Parallel()
	q := form(t)
	head := func(canonical, subject string) []string {
		r := parse(t, `{"resourceType":"QuestionnaireResponse","questionnaire":"`+canonical+`","status":"completed","subject":{"reference":"`+subject+`"},"item":[`+no+`]}`)
		return lines(fhir.CheckAnswers(q, r))
	}
	const url = "http://example.no/Questionnaire/prove"
	other := []string{"error answers.other-questionnaire QuestionnaireResponse.questionnaire"}
	for _, c := range []struct {
		canonical, subject string
		want               []string
	}{
		{url, "Patient/a", nil}, {url + "|2", "Patient/a", nil}, {url + "|1", "Patient/a", other}, {url + "2", "Patient/a", other},
		{url, "Group/a", []string{"error answers.subject QuestionnaireResponse.subject.reference"}},
	} {
		if got := head(c.canonical, c.subject); !slices.Equal(got, c.want) {
			t.Errorf("%s %s: %q", c.canonical, c.subject, got)
		}
	}
	// Check asks for the Questionnaire, and says so when there is none.
	r := reply(t, "completed", yes)
	known := func(canonical string) *fhir.Resource {
		if canonical == url+"|2" {
			return q
		}
		return nil
	}
	if got := lines(fhir.Check(r, fhir.Options{Questionnaire: known})); !slices.Equal(got, []string{"error answers.required QuestionnaireResponse.item"}) {
		t.Errorf("%q", got)
	}
	if got := lines(fhir.Check(r, fhir.Options{Questionnaire: func(string) *fhir.Resource { return nil }})); !slices.Equal(got, []string{"warning answers.unknown-questionnaire QuestionnaireResponse.questionnaire"}) {
		t.Errorf("%q", got)
	}
}

// TestCheckAnswersIsLinear: many items, conditions and issues end soon, and at a hundred findings.
func TestCheckAnswersIsLinear(t *testing.T) {
	t.Parallel()
	var items, replies strings.Builder
	for i := range 3000 {
		link := strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/26)
		items.WriteString(`,{"linkId":"` + link + `","type":"string","enableWhen":[{"question":"q","operator":"exists","answerBoolean":true}]}`)
		replies.WriteString(`,{"linkId":"` + link + `","answer":[{"valueString":"a"}]}`)
	}
	q := parse(t, `{"resourceType":"Questionnaire","status":"active","item":[{"linkId":"q","type":"string"}`+items.String()+`]}`)
	r := parse(t, `{"resourceType":"QuestionnaireResponse","status":"completed","item":[{"linkId":"q"}`+replies.String()+`]}`)
	if n := len(fhir.CheckAnswers(q, r)); n != 100 {
		t.Errorf("%d findings", n)
	}
}
