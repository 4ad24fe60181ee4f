package suite

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// checkResults asks for what search gives beside matches: counts, parts of resources, and what stands
// around them. What a server refuses by name it does not have; what it takes it has to do.
func checkResults(s *session) {
	s.check("_total=accurate counts", func(t *trial) {
		_, query := t.several("total", 3)
		b := t.taken("/Task?" + query + "&_total=accurate&_count=1")
		if b.Total == nil || *b.Total != 3 {
			t.errorf("total %s, want 3", total(b))
		}
	})
	s.check("_summary=count gives the number and nothing else", func(t *trial) {
		_, query := t.several("summary", 2)
		b := t.taken("/Task?" + query + "&_summary=count")
		if b.Total == nil || *b.Total != 2 || len(b.matches()) > 0 {
			t.errorf("%d entries, total %v", len(b.matches()), total(b))
		}
	})
	s.check("_elements gives what was asked for and what is mandatory, marked SUBSETTED", func(t *trial) {
		_, query := t.several("elements", 1)
		for _, e := range t.taken("/Task?" + query + "&_elements=status").Entry {
			if e.Search.Mode != "match" {
				continue
			}
			v := (answer{body: e.Resource}).object()
			if v["description"] != nil || v["status"] != "draft" || !strings.Contains(string(e.Resource), `"SUBSETTED"`) {
				t.errorf("not the elements that were asked for: %.200s", e.Resource)
			}
		}
	})
	s.check("_include gives what a match refers to, _revinclude what refers to it", func(t *trial) {
		made, query := t.several("include", 1)
		if !slices.Contains(t.statement.promised("Task").SearchInclude, "Task:patient") || !slices.Contains(t.statement.promised("Patient").SearchRevInclude, "Task:patient") {
			t.notApplicable("Task:patient is not promised")
		}
		if got := t.included("/Task?" + query + "&_include=Task:patient"); !slices.Equal(got, []string{t.patient}) {
			t.errorf("_include: %v", got)
		}
		_, id, _ := strings.Cut(t.patient, "/")
		if got := t.included("/Patient?_id=" + id + "&_revinclude=Task:patient"); !slices.Contains(got, made[0]) {
			t.errorf("_revinclude: the Task is not there")
		}
	})
	s.check("a chain looks through a reference, _has against it", func(t *trial) {
		made, query := t.several("chain", 1)
		for family, want := range map[string]int{"Prøve-" + t.mark: 1, "Ingen-" + t.mark: 0} {
			if got := t.taken("/Task?" + query + "&patient.family=" + escaped(family)).matches(); len(got) != want {
				t.errorf("patient.family=%s finds %d of %v", family, len(got), made)
			}
		}
		_, id, _ := strings.Cut(t.patient, "/")
		for status, want := range map[string]int{"draft": 1, "completed": 0} {
			if got := t.taken("/Patient?_id=" + id + "&_has:Task:patient:" + query + "&_has:Task:patient:status=" + status).matches(); len(got) != want {
				t.errorf("_has:Task:patient:status=%s finds %d", status, len(got))
			}
		}
	})
}

// several makes Tasks under a mark of their own, and gives the condition that finds them.
func (t *trial) several(suffix string, n int) (made []string, query string) {
	body, query := t.task(suffix)
	for range n {
		made = append(made, t.create(body))
	}
	return made, escaped(query)
}

// taken asks a search that a server may refuse by name: then it does not have it.
func (t *trial) taken(path string) bundle {
	a := t.ask(http.MethodGet, path, nil)
	if a.status == http.StatusBadRequest {
		t.notApplicable("the server does not take it: %s", a)
	}
	t.want(http.StatusOK, a, path)
	return a.bundle()
}

// included are the entries that stand around the matches.
func (t *trial) included(path string) (found []string) {
	for _, e := range t.taken(path).Entry {
		if e.Search.Mode == "include" {
			found = append(found, nameOf(e.Resource))
		}
	}
	return found
}

// checkOperations performs the operations that are promised and have no effect.
func checkOperations(s *session) {
	s.check("an operation that is none is refused, with those that there are", func(t *trial) {
		a := t.ask(http.MethodGet, "/Task/$sluse-ukjent", nil)
		if o := a.outcome(); (a.status != http.StatusNotFound && a.status != http.StatusBadRequest) || len(o.Issue) == 0 {
			t.errorf("%s", a)
		}
	})
	s.check("$validate tells what a write would be refused for, and writes nothing", func(t *trial) {
		t.promisesOperation("CarePlan", "validate")
		good, bad := t.plan(), strings.Replace(t.plan(), `"status":"draft"`, `"status":"sluse"`, 1)
		a := t.want(http.StatusOK, t.ask(http.MethodPost, "/CarePlan/$validate", []byte(bad)), "invalid")
		if o := a.outcome(); !o.names("CarePlan.status") {
			t.errorf("invalid: %s", o)
		}
		for _, i := range t.want(http.StatusOK, t.ask(http.MethodPost, "/CarePlan/$validate", []byte(good)), "valid").outcome().Issue {
			if i.Severity == "error" || i.Severity == "fatal" {
				t.errorf("valid: %s %v", i.Details.Text, i.Expression)
			}
		}
		if found := t.search("CarePlan", "identifier", markSystem+"|"+t.mark, "status", "sluse").matches(); len(found) > 0 {
			t.errorf("it was written: %v", found)
		}
	})
	s.check("$meta tells the meta of a resource", func(t *trial) {
		t.promisesOperation("Task", "meta")
		made, _ := t.several("meta", 1)
		a := t.want(http.StatusOK, t.ask(http.MethodGet, "/"+made[0]+"/$meta", nil), "$meta")
		if a.object()["resourceType"] != "Parameters" || !strings.Contains(string(a.body), `"valueMeta"`) {
			t.errorf("no Parameters with a Meta: %.200s", a.body)
		}
	})
	s.check("$everything holds what is about the patient", func(t *trial) {
		t.promisesOperation("Patient", "everything")
		made, _ := t.several("everything", 1)
		a := t.want(http.StatusOK, t.ask(http.MethodGet, "/"+t.patient+"/$everything?_type=Task,Patient", nil), "$everything")
		found := false
		for _, e := range a.bundle().Entry {
			found = found || nameOf(e.Resource) == made[0]
		}
		if !found {
			t.errorf("the newest Task is not on the first page")
		}
	})
	s.check("each operation is defined", func(t *trial) {
		seen := map[string]bool{}
		for _, p := range t.statement.types() {
			for _, o := range p.Operation {
				if o.Name == "" || o.Definition == "" {
					t.errorf("%s: an operation without name or definition", p.Type)
				}
				seen[o.Definition] = true
			}
		}
		for canonical := range seen {
			id, own := strings.CutPrefix(canonical, "http://sluse.no/fhir/OperationDefinition/")
			if own {
				t.want(http.StatusOK, t.ask(http.MethodGet, "/OperationDefinition/"+id, nil), canonical)
			}
		}
		if len(seen) == 0 {
			t.notApplicable("no operation is promised")
		}
	})
}

func (t *trial) promisesOperation(kind, name string) {
	if !t.statement.promised(kind).operates(name) {
		t.notApplicable("$%s of %s is not promised", name, kind)
	}
}

// total is what a searchset says it found, "none" when it says nothing.
func total(b bundle) string {
	if b.Total == nil {
		return "none"
	}
	return strconv.Itoa(*b.Total)
}
