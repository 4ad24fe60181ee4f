package fhir

import (
	"strconv"
	"strings"
	"testing"
)

// TestTrimReachesNestedResources: narrative of what a contained resource holds goes as well, in one reading and by the
// Editor; tags are copied without what their extensions refer to; and many parts are left to the Editor.
func TestTrimReachesNestedResources(t *testing.T) {
	const plan = `{"resourceType":"CarePlan","meta":{"versionId":"1"TAG},"status":"active","intent":"plan","subject":{"reference":"Patient/p"},"contained":[CONTAINED]}`
	const narrative = `{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">kanari</div>"}`
	trim := Trim{Tags: map[Type]string{"CarePlan": `{"code":"SUBSETTED"}`}}
	for name, body := range map[string]string{
		"section of a Composition": strings.NewReplacer("TAG", "", "CONTAINED", `{"resourceType":"Composition","id":"x","status":"final","type":{"text":"t"},"date":"2020-01-01","author":[{"reference":"Practitioner/p"}],"title":"t","section":[{"title":"s","text":`+narrative+`}]}`).Replace(plan),
		"resource of Parameters":   strings.NewReplacer("TAG", "", "CONTAINED", `{"resourceType":"Parameters","id":"x","parameter":[{"name":"n","resource":{"resourceType":"Patient","text":`+narrative+`}}]}`).Replace(plan),
		"extension of a tag":       strings.NewReplacer("TAG", `,"tag":[{"system":"urn:x","code":"y","extension":[{"url":"http://e.org/x","valueReference":{"reference":"Patient/p","display":"kanari"}}]}]`, "CONTAINED", `{"resourceType":"Patient","id":"x"}`).Replace(plan),
	} {
		both, err := trim.Append(nil, []byte(body), Limits{}, nil)
		if err != nil || strings.Contains(string(both), "kanari") {
			t.Errorf("%s: %s, %v", name, both, err)
		}
		edited, err := trim.edit(nil, []byte(body), Limits{}, nil)
		if err != nil || strings.Contains(string(edited), "kanari") {
			t.Errorf("%s, by the Editor: %s, %v", name, edited, err)
		}
	}
	var paths []string
	for i := range maxQuickPaths + 1 {
		paths = append(paths, "QuestionnaireResponse.item["+strconv.Itoa(i)+"]")
	}
	many := []byte(`{"resourceType":"QuestionnaireResponse","status":"completed","item":[` + strings.Repeat(`{"linkId":"1"},`, maxQuickPaths+1) + `{"linkId":"2"}]}`)
	if _, ok := trim.quick(nil, many, paths[1:]); !ok {
		t.Error("as many paths as there may be are not matched")
	}
	if _, ok := trim.quick(nil, many, paths); ok {
		t.Error("too many paths are matched one by one")
	}
}
