package bench

import (
	"fmt"
	"strings"
	"time"
)

// samtykke lets the hospital read what is labelled plan of what the party itself has written.
func samtykke(patient, own, hospital string) string {
	now := time.Now()
	return fmt.Sprintf(`{"resourceType":"Consent","status":"active",
"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentcategorycodes","code":"infa"}]}],
"patient":{"reference":"%s"},"dateTime":"%s","organization":[{"reference":"%s"}],
"policyRule":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/rettsgrunnlag","code":"HPL22"}]},
"provision":{"type":"permit","period":{"start":"%[2]s","end":"%[4]s"},"actor":[
{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},"reference":{"reference":"%[5]s"}},
{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"CST"}]},"reference":{"reference":"%[3]s"}}],
"securityLabel":[{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"plan"}]}}`,
		patient, now.Format(time.DateOnly), own, now.AddDate(0, 0, 300).Format(time.DateOnly), hospital)
}

func patient(n int) string {
	return fmt.Sprintf(`{"resourceType":"Patient","name":[{"family":"Syntetisk","given":["Nr %d"]}],"birthDate":"1990-01-01"}`, n)
}

func goal(patient string, n int) string {
	return fmt.Sprintf(`{"resourceType":"Goal","lifecycleStatus":"active","description":{"text":"Mål nummer %d"},"subject":{"reference":"%s"},"startDate":"2026-0%d-01"}`,
		n, patient, n%9+1)
}

// carePlan is an individuell plan of 6.5 KB: two of three are active, and they begin in different months.
func carePlan(patient string, n int, goals ...string) string {
	var b strings.Builder
	status := "active"
	if n%3 == 2 {
		status = "completed"
	}
	fmt.Fprintf(&b, `{"resourceType":"CarePlan","status":"%s","intent":"plan","title":"Individuell plan","subject":{"reference":"%s"},"period":{"start":"2026-0%d-01","end":"2026-12-31"},`,
		status, patient, n%9+1)
	if len(goals) > 0 {
		fmt.Fprintf(&b, `"goal":[{"reference":"%s"}],`, strings.Join(goals, `"},{"reference":"`))
	}
	b.WriteString(`"activity":[`)
	for i := 0; b.Len() < 6350; i++ {
		fmt.Fprintf(&b, `%s{"detail":{"status":"in-progress","code":{"text":"Tiltak %d"},"description":"Oppfølging hver uke etter avtale med koordinator, evalueres i ansvarsgruppen.","scheduledPeriod":{"start":"2026-02-01","end":"2026-05-01"}}}`,
			strings.Repeat(",", min(i, 1)), i)
	}
	b.WriteString("]}")
	return b.String()
}

func observation(patient string, n int) string {
	return fmt.Sprintf(`{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"29463-7","display":"Body weight"}],"text":"Vekt"},
"subject":{"reference":"%s"},"effectiveDateTime":"2026-0%d-1%dT08:30:00+01:00","valueQuantity":{"value":%d.5,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}`,
		patient, n%9+1, n%10, 50+n%60)
}

// bloodPressure is an Observation with components, a member and a value in UCUM: of what is stored it
// has the most to find it by.
func bloodPressure(patient string, n int) string {
	return fmt.Sprintf(`{"resourceType":"Observation","status":"final","code":{"text":"Blodtrykk måling","coding":[{"system":"http://loinc.org","code":"85354-9","display":"Blood pressure"}]},
"effectiveDateTime":"2026-0%d-1%d","subject":{"reference":"%s"},"performer":[{"display":"Lege"}],"hasMember":[{"reference":"Observation/o2"}],
"component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":%d,"system":"http://unitsofmeasure.org","code":"mm[Hg]"}},
{"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"valueQuantity":{"value":%d.5,"system":"http://unitsofmeasure.org","code":"mm[Hg]"}}]}`,
		n%9+1, n%10, patient, 110+n%60, 60+n%40)
}

// transaction makes five resources that name each other by urn:uuid: two goals, the plan that has
// them, and two tasks about the plan.
func transaction(patient string, n int) string {
	urn := func(i int) string { return fmt.Sprintf("urn:uuid:5a1e0000-0000-4000-8000-%012d", i) }
	task := func(i int) string {
		return fmt.Sprintf(`{"resourceType":"Task","status":"requested","intent":"order","description":"Oppgave %d","for":{"reference":"%s"},"focus":{"reference":"%s"}}`, i, patient, urn(3))
	}
	var b strings.Builder
	b.WriteString(`{"resourceType":"Bundle","type":"transaction","entry":[`)
	for i, e := range []struct{ kind, body string }{
		{"Goal", goal(patient, 1)}, {"Goal", goal(patient, 2)}, {"CarePlan", carePlan(patient, n, urn(1), urn(2))}, {"Task", task(1)}, {"Task", task(2)},
	} {
		fmt.Fprintf(&b, `%s{"fullUrl":"%s","request":{"method":"POST","url":"%s"},"resource":%s}`, strings.Repeat(",", min(i, 1)), urn(i+1), e.kind, e.body)
	}
	b.WriteString("]}")
	return b.String()
}
