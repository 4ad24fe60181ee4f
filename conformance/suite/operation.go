package suite

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// performed are the operations that the suite performs, wherever a type promises them.
var performed = strings.Fields("validate meta meta-add meta-delete everything populate extract document status events export")

// checkFormsAndDocuments performs the operations that make something of what the suite wrote itself.
func checkFormsAndDocuments(s *session) {
	s.check("$meta-add adds a tag, $meta-delete takes it away", func(t *trial) {
		t.promisesOperation("Task", "meta-add")
		made, _ := t.several("tag", 1)
		tag := `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"system":"` + markSystem + `","code":"{mark}"}]}}]}`
		for _, step := range []struct {
			name   string
			tagged bool
		}{{"$meta-add", true}, {"$meta-delete", false}} {
			t.want(http.StatusOK, t.ask(http.MethodPost, "/"+made[0]+"/"+step.name, []byte(t.fill(tag))), step.name)
			a := t.want(http.StatusOK, t.ask(http.MethodGet, "/"+made[0]+"/$meta", nil), "$meta")
			if strings.Contains(string(a.body), `"`+t.mark+`"`) != step.tagged {
				t.errorf("after %s: %.200s", step.name, a.body)
			}
		}
	})
	s.check("$populate begins an answer to a Questionnaire", func(t *trial) {
		t.promisesOperation("Questionnaire", "populate")
		form := t.write("Questionnaire")
		a := t.want(http.StatusOK, t.ask(http.MethodGet, "/"+form+"/$populate?subject="+t.subjectOf(), nil), "$populate")
		if response := t.response(a); response["resourceType"] != "QuestionnaireResponse" || response["status"] != "in-progress" {
			t.errorf("no answer that is begun: %.200s", a.body)
		}
	})
	s.check("$extract makes records of a finished answer, and of no other", func(t *trial) {
		t.promisesOperation("QuestionnaireResponse", "extract")
		t.promisesOperation("Questionnaire", "populate")
		begun := t.response(t.ask(http.MethodGet, "/"+t.write("Questionnaire")+"/$populate?subject="+t.subjectOf(), nil))
		t.refused(http.StatusUnprocessableEntity, t.ask(http.MethodPost, "/QuestionnaireResponse/$extract", []byte(canonical(begun))), "one that is begun")
		begun["status"] = "completed"
		a := t.want(http.StatusOK, t.ask(http.MethodPost, "/QuestionnaireResponse/$extract", []byte(canonical(begun))), "one that is finished")
		if !strings.Contains(string(a.body), `"Bundle"`) {
			t.errorf("no Bundle: %.200s", a.body)
		}
	})
	s.check("$document gives a plan as a document with what it refers to", func(t *trial) {
		t.promisesOperation("CarePlan", "document")
		plan := t.write("CarePlan")
		a := t.want(http.StatusOK, t.ask(http.MethodGet, "/"+plan+"/$document", nil), "$document")
		b := a.bundle()
		if b.Type != "document" || len(b.Entry) < 2 || !strings.HasPrefix(nameOf(b.Entry[0].Resource), "Composition/") ||
			!slices.ContainsFunc(b.matchesAll(), func(name string) bool { return name == plan }) {
			t.errorf("no document of the plan: %.200s", a.body)
		}
	})
	s.check("each promised operation is performed", func(t *trial) {
		var left []string
		for _, p := range t.statement.types() {
			for _, o := range p.Operation {
				if !slices.Contains(performed, o.Name) && !slices.Contains(left, "$"+o.Name) {
					left = append(left, "$"+o.Name)
				}
			}
		}
		if len(left) > 0 {
			t.notApplicable("the suite does not perform %s", strings.Join(left, " "))
		}
	})
}

// write makes the sample of a type.
func (t *trial) write(kind string) string { return t.create(t.sampleOf(kind)) }

// response is the QuestionnaireResponse of an answer, alone or in a Parameters.
func (t *trial) response(a answer) map[string]any {
	var p struct {
		ResourceType string
		Parameter    []struct{ Resource json.RawMessage }
	}
	body := a.body
	if json.Unmarshal(body, &p) == nil && p.ResourceType == "Parameters" && len(p.Parameter) > 0 {
		body = p.Parameter[0].Resource
	}
	v := (answer{body: body}).object()
	if v == nil {
		t.fatalf("no resource: %s", a)
	}
	return v
}

// matchesAll are the "Type/id" of all entries.
func (b bundle) matchesAll() (found []string) {
	for _, e := range b.Entry {
		found = append(found, nameOf(e.Resource))
	}
	return found
}
