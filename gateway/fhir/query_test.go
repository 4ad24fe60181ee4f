package fhir_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

var queryNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// parameters splits a query as it is written, without URL escapes.
func parameters(query string) []fhir.Parameter {
	var list []fhir.Parameter
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		list = append(list, fhir.Parameter{Name: name, Value: value})
	}
	return list
}

func ask(query string, config fhir.QueryConfig) (fhir.Query, []fhir.Issue, []fhir.Issue) {
	typ, rest, _ := strings.Cut(query, "?")
	if config.Now.IsZero() {
		config.Now = queryNow
	}
	q, left, err := fhir.ParseQuery(fhir.Type(typ), parameters(rest), config)
	var fault *fhir.Error
	if errors.As(err, &fault) {
		return q, left, fault.Issues
	}
	return q, left, nil
}

// said writes a criterion in one line.
func said(c fhir.Criterion) string {
	if c.Lists != nil {
		return "lists " + words(c.Lists)
	}
	var ways, values []string
	for _, w := range c.Ways {
		s := ""
		for _, h := range w.Hops {
			if h.Reverse {
				s += fmt.Sprintf("%s<-%s.%s ", h.From, h.To, h.Param.Name)
			} else {
				s += fmt.Sprintf("%s.%s->%s ", h.From, h.Param.Name, h.To)
			}
		}
		ways = append(ways, s+string(w.Param.Base)+"."+w.Param.Name)
	}
	for _, o := range c.Values {
		values = append(values, operand(o))
	}
	s := strings.Join(ways, " or ")
	if c.Modifier != "" {
		s += ":" + string(c.Modifier)
	}
	if c.Missing != "" {
		return s + " missing " + c.Missing
	}
	if c.Negate {
		s += " none of"
	}
	return s + " " + strings.Join(values, " or ")
}

func operand(o fhir.Operand) string {
	if o.Tuple != nil {
		var parts []string
		for _, part := range o.Tuple {
			parts = append(parts, operand(part))
		}
		return "(" + strings.Join(parts, " $ ") + ")"
	}
	s := string(o.Prefix)
	switch {
	case o.Amount != nil:
		a := o.Amount
		s += "[" + a.Low + "," + a.High + "]±" + a.Slack
		if !o.AnySystem || o.Code != "" {
			s += " " + o.System + "|" + o.Code
		}
		if a.Base != "" {
			s += "=[" + a.BaseLow + "," + a.BaseHigh + "]±" + a.BaseSlack + " " + a.Base
		}
	case !o.Low.IsZero():
		s += o.Low.UTC().Format("2006-01-02T15:04") + "/" + o.High.UTC().Format("2006-01-02T15:04")
	case !o.Reference.IsZero():
		s += "ref " + o.Reference.String()
	case o.URL != "":
		s += "url " + o.URL
		if o.Version != "" {
			s += " version " + o.Version
		}
	case o.Text != "":
		s += strconv.Quote(o.Text) + "=" + o.Folded
	case o.AnySystem:
		s += "*|" + o.Code
	default:
		s += o.System + "|" + o.Code
	}
	if o.Below {
		s += " and below"
	}
	return s
}

func TestParseQuery(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ query, want string }{
		{"CarePlan?status=active", "CarePlan.status *|active"},
		{"CarePlan?status=active,on-hold", "CarePlan.status *|active or *|on-hold"},
		{"CarePlan?status:not=active", "CarePlan.status:not none of *|active"},
		{"CarePlan?category=http://a|b,|c,d|", "CarePlan.category http://a|b or |c or d|"},
		{`CarePlan?category=a\|b,c\,d,e\\,f\$`, `CarePlan.category *|a|b or *|c,d or *|e\ or *|f$`},
		{"CarePlan?category:missing=true", "CarePlan.category:missing missing true"},
		{"CarePlan?category:text=Plan A", `CarePlan.category:text "Plan A"=plan a`},
		{"CarePlan?status:in=http://hl7.org/fhir/ValueSet/days-of-week", ""},
		{"Condition?code:below=urn:oid:2.16.578.1.12.4.1.1.7110|F10", "Condition.code:below urn:oid:2.16.578.1.12.4.1.1.7110|F10 and below"},
		{"Condition?code:above=urn:oid:2.16.578.1.12.4.1.1.7110|F10.2", "Condition.code:above urn:oid:2.16.578.1.12.4.1.1.7110|F10.2 or urn:oid:2.16.578.1.12.4.1.1.7110|F10"},
		{"CarePlan?subject=Patient/p", "CarePlan.subject ref Patient/p"},
		{"CarePlan?subject=p", "CarePlan.subject ref /p"},
		{"CarePlan?patient=p", "CarePlan.patient ref Patient/p"},
		{"CarePlan?subject:Group=p", "CarePlan.subject:Group ref Group/p"},
		{"CarePlan?subject:identifier=s|v", "CarePlan.subject:identifier s|v"},
		{"CarePlan?subject=https://sluse.example/fhir/Patient/p", "CarePlan.subject ref Patient/p"},
		{"CarePlan?subject=https://other.example/fhir/Patient/p", "CarePlan.subject url https://other.example/fhir/Patient/p"},
		{"CarePlan?instantiates-canonical=http://x/P|2", "CarePlan.instantiates-canonical url http://x/P version 2"},
		{"CarePlan?instantiates-uri:below=http://x/a/", "CarePlan.instantiates-uri:below url http://x/a and below"},
		{"CarePlan?instantiates-uri:above=http://x/a", "CarePlan.instantiates-uri:above url http://x/a or url http://x or url http://x/"},
		{"CarePlan?date=2026-03-29", "CarePlan.date eq2026-03-28T23:00/2026-03-29T22:00"},
		{"CarePlan?date=ge2026", "CarePlan.date ge2025-12-31T23:00/2026-12-31T23:00"},
		{"CarePlan?date=ap2026-11-11T12:00Z", "CarePlan.date ap2026-11-10T12:00/2026-11-12T12:01"},
		{"CarePlan?_lastUpdated=sa2026-01-01T00:00:00+01:00", "CarePlan._lastUpdated sa2025-12-31T23:00/2025-12-31T23:00"},
		{"Observation?value-quantity=1.50", "Observation.value-quantity eq[1.5,1.5]±0.005"},
		{"Observation?value-quantity=gt5.4|http://unitsofmeasure.org|mg", "Observation.value-quantity gt[5.4,5.4]±0.05 http://unitsofmeasure.org|mg=[0.0054,0.0054]±0.00005 g"},
		{"Observation?value-quantity=ap-10||mg", "Observation.value-quantity ap[-11,-9]±0 |mg"},
		{"Observation?code-value-quantity=l|8480-6$gt140", "Observation.code-value-quantity (l|8480-6 $ gt[140,140]±0.5)"},
		{`Observation?code-value-string=a\$b$c`, `Observation.code-value-string (*|a$b $ "c"=c)`},
		{"Patient?name=Åse  B", `Patient.name "Åse  B"=åse b`},
		{"Patient?family:exact=Åse", `Patient.family:exact "Åse"=åse`},
		{"Patient?deceased=false", "Patient.deceased none of http://terminology.hl7.org/CodeSystem/special-values|true"},
		{"Patient?deceased=true,false", "Patient.deceased none of "},
		{"Patient?deceased:not=false,true", "Patient.deceased:not "},
		{"Patient?deceased=http://terminology.hl7.org/CodeSystem/special-values|true,true", "Patient.deceased http://terminology.hl7.org/CodeSystem/special-values|true"},
		{"Patient?deceased:not=false", "Patient.deceased:not http://terminology.hl7.org/CodeSystem/special-values|true"},
		{"CarePlan?subject:Patient.name=kari", `CarePlan.subject->Patient Patient.name "kari"=kari`},
		{"CarePlan?subject.name=kari", `CarePlan.subject->Patient Patient.name "kari"=kari`},
		{"Patient?general-practitioner.name=x", `Patient.general-practitioner->Organization Organization.name or Patient.general-practitioner->Practitioner Practitioner.name "x"=x`},
		{"CarePlan?patient.general-practitioner:Practitioner.family:exact=X", `CarePlan.patient->Patient Patient.general-practitioner->Practitioner Practitioner.family:exact "X"=x`},
		{"Patient?_has:Observation:patient:code=l|1", "Patient<-Observation.patient Observation.code l|1"},
		{"Patient?_has:CarePlan:patient:_has:Task:focus:status=ready", "Patient<-CarePlan.patient CarePlan<-Task.focus Task.status *|ready"},
		{"CarePlan?patient._has:Group:member:_id=102", "CarePlan.patient->Patient Patient<-Group.member Group._id *|102"},
		{"CarePlan?_id=a,b", "CarePlan._id *|a or *|b"},
		{"CarePlan?_list=l,List/k", "lists k,l"},
		{"?_type=CarePlan,Task&_tag=x", "CarePlan._tag or Task._tag *|x"},
		{"?_type=CarePlan,Task&status=active", "CarePlan.status or Task.status *|active"},
		{"AuditEvent?entity=Consent/c/_history/2", "AuditEvent.entity ref Consent/c/_history/2"},
	} {
		q, _, issues := ask(c.query, fhir.QueryConfig{Base: "https://sluse.example/fhir"})
		if c.want == "" {
			continue
		}
		if issues != nil || len(q.Criteria) != 1 || said(q.Criteria[0]) != c.want {
			got := ""
			for _, one := range q.Criteria {
				got += said(one) + "; "
			}
			t.Errorf("%s:\ngot  %s %v\nwant %s", c.query, got, issues, c.want)
		}
	}
	q, _, issues := ask("Task?status:in=http://hl7.org/fhir/ValueSet/task-status", fhir.QueryConfig{})
	if issues != nil || len(q.Criteria[0].Values) < 10 || !slices.ContainsFunc(q.Criteria[0].Values, func(o fhir.Operand) bool { return o.Code == "ready" && o.System == "http://hl7.org/fhir/task-status" }) {
		t.Errorf("the value set is not its codes: %v %v", q, issues)
	}
}

func TestParseQueryResult(t *testing.T) {
	t.Parallel()
	q, _, issues := ask("CarePlan?_count=0&_sort=-date,_lastUpdated,_id&_elements=status,period,status&_total=accurate&_page=abc&_format=json&_pretty=true"+
		"&_include=CarePlan:subject:Patient&_include:iterate=Patient:general-practitioner&_revinclude=Provenance:target&_summary=false", fhir.QueryConfig{})
	if issues != nil {
		t.Fatal(issues)
	}
	if q.Count != 0 || q.Total != fhir.TotalAccurate || q.Page != "abc" || words(q.Elements) != "period,status" || q.Summary != fhir.SummaryNone || len(q.Criteria) != 0 {
		t.Errorf("%+v", q)
	}
	if len(q.Sort) != 3 || q.Sort[0].Param.Name != "date" || !q.Sort[0].Descending || q.Sort[1].Param.Name != "_lastUpdated" || q.Sort[1].Descending {
		t.Errorf("%+v", q.Sort)
	}
	if len(q.Includes) != 3 || q.Includes[0].Target != "Patient" || q.Includes[0].Iterate || !q.Includes[1].Iterate || !q.Includes[2].Reverse || q.Includes[2].Param.Base != "Provenance" {
		t.Errorf("%+v", q.Includes)
	}
	a, _, _ := ask("CarePlan?status=b,a&date=2026&_count=5", fhir.QueryConfig{})
	b, _, _ := ask("CarePlan?date=2026&status=a,b&_page=x", fhir.QueryConfig{})
	if a.Canonical == "" || a.Canonical != b.Canonical || strings.Contains(a.Canonical, "_count") {
		t.Errorf("%q, %q", a.Canonical, b.Canonical)
	}
	if other, _, _ := ask("CarePlan?date=2026&status=a", fhir.QueryConfig{}); other.Canonical == a.Canonical {
		t.Error("another search has the same normal form")
	}
}

// TestParseQueryRefuses: each kind of mistake has its code, names the parameter, and repeats no
// value.
func TestParseQueryRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ query, place, code string }{
		{"CarePlan?foo=1", "http.foo", fhir.QueryParameterUnknown},
		{"CarePlan?near=1", "http.near", fhir.QueryParameterUnknown},
		{"Location?near=1|2|3", "http.near", fhir.QueryParameterUnknown},
		{"CarePlan?_text=x", "http._text", fhir.QueryParameterUnknown},
		{"CarePlan?_filter=x", "http._filter", fhir.QueryParameterUnknown},
		{"CarePlan?_contained=true", "http._contained", fhir.QueryParameterUnknown},
		{"CarePlan?status:exact=active", "http.status:exact", fhir.QueryModifierUnknown},
		{"CarePlan?status:=active", "http.status:", fhir.QueryModifierUnknown},
		{"CarePlan?subject:[type]=x", "http.parameter", fhir.QueryModifierUnknown},
		{"CarePlan?subject:Practitioner=x", "http.subject:Practitioner", fhir.QueryModifierUnknown},
		{"CarePlan?_count:exact=1", "http._count:exact", fhir.QueryModifierUnknown},
		{"CarePlan?status=", "http.status", fhir.QueryValueEmpty},
		{"CarePlan?status=a,,b", "http.status", fhir.QueryValueEmpty},
		{"CarePlan?_count=", "http._count", fhir.QueryValueEmpty},
		{`CarePlan?status=a\b`, "http.status", fhir.QueryEscape},
		{`CarePlan?status=a\`, "http.status", fhir.QueryEscape},
		{"CarePlan?status=|", "http.status", fhir.QueryToken},
		{"CarePlan?status=a|b|c", "http.status", fhir.QueryToken},
		{"CarePlan?category:missing=1", "http.category:missing", fhir.QueryMissing},
		{"Patient?deceased=yes", "http.deceased", fhir.QueryTruth}, {"Patient?deceased=true,", "http.deceased", fhir.QueryTruth}, {"Patient?deceased=urn:x|true", "http.deceased", fhir.QueryTruth},
		{"Patient?deceased:missing=true", "http.deceased:missing", fhir.QueryModifierUnknown},
		{"Observation?code-value-quantity:missing=true", "http.code-value-quantity:missing", fhir.QueryModifierUnknown}, {"Observation?code-value-quantity:not=a$5", "http.code-value-quantity:not", fhir.QueryModifierUnknown},
		{"CarePlan?_sort=activity-date", "http._sort", fhir.QuerySortPart}, {"CarePlan?_sort=date,-activity-date", "http._sort", fhir.QuerySortPart},
		{"Patient?_sort=address", "http._sort", fhir.QuerySortPart}, {"Patient?_sort=death-date", "http._sort", fhir.QuerySortPart}, {"Patient?_sort=mothersMaidenName", "http._sort", fhir.QuerySortPart},
		{"Observation?_sort=component-value-quantity", "http._sort", fhir.QuerySortPart}, {"Observation?_sort=combo-value-quantity", "http._sort", fhir.QuerySortPart}, {"Patient?_sort=phone", "http._sort", fhir.QuerySort},
		{"CarePlan?_id=a b", "http._id", fhir.QueryID},
		{"CarePlan?subject=Patient/a/b", "http.subject", fhir.QueryReference},
		{"CarePlan?subject=Practitioner/a", "http.subject", fhir.QueryReferenceTarget},
		{"CarePlan?subject:Group=Patient/a", "http.subject:Group", fhir.QueryReferenceTarget},
		{"CarePlan?subject=Patient/a/_history/1", "http.subject", fhir.QueryReferenceVersion},
		{"CarePlan?date=xx2026", "http.date", fhir.QueryPrefix},
		{"CarePlan?date=2026-13", "http.date", fhir.QueryDate},
		{"CarePlan?date=2026-01-01T00:00:00 01:00", "http.date", fhir.QueryDate},
		{"Observation?value-quantity=x", "http.value-quantity", fhir.QueryQuantity},
		{"Observation?value-quantity=1|mg", "http.value-quantity", fhir.QueryQuantity},
		{"Observation?value-quantity=1|a|", "http.value-quantity", fhir.QueryQuantity},
		{"Observation?value-quantity=1e99", "http.value-quantity", fhir.QueryQuantity},
		{"Observation?value-quantity=zz1", "http.value-quantity", fhir.QueryPrefix},
		{"Observation?code-value-quantity=a", "http.code-value-quantity", fhir.QueryComposite},
		{"Observation?code-value-quantity=a$1$2", "http.code-value-quantity", fhir.QueryComposite},
		{"Observation?code-value-quantity=a$b", "http.code-value-quantity", fhir.QueryQuantity},
		{"CarePlan?instantiates-uri=a b", "http.instantiates-uri", fhir.QueryURI},
		{"CarePlan?instantiates-uri:below=urn:oid:1", "http.instantiates-uri:below", ""},
		{"CarePlan?instantiates-uri:below=abc", "http.instantiates-uri:below", fhir.QueryURI},
		{"CarePlan?status:in=http://x/none", "http.status:in", fhir.QueryValueSet},
		{"Condition?code:below=F10", "http.code:below", fhir.QueryHierarchy},
		{"Condition?code:below=http://snomed.info/sct|1", "http.code:below", fhir.QueryHierarchy},
		{"CarePlan?status.name=x", "http.status.name", fhir.QueryChainReference},
		{"CarePlan?subject:Practitioner.name=x", "http.subject:Practitioner.name", fhir.QueryChainType},
		{"CarePlan?subject.foo=x", "http.subject.foo", fhir.QueryChainParameter},
		{"CarePlan?patient.foo=x", "http.patient.foo", fhir.QueryParameterUnknown},
		{"CarePlan?subject:Patient.name:not=x", "http.subject:Patient.name:not", fhir.QueryModifierUnknown},
		{"CarePlan?part-of.part-of.part-of.status=x", "http.part-of.part-of.part-of.status", fhir.QueryChainDepth},
		{"CarePlan?part-of.part-of.status=active", "", ""},
		{"Patient?_has:CarePlan:patient:_has:CarePlan:part-of:_has:CarePlan:part-of:status=x", "http._has:CarePlan:patient:_has:CarePlan:part-of:_has:CarePlan:part-of:status", fhir.QueryChainDepth},
		{"Patient?_has:CarePlan:patient=x", "http._has:CarePlan:patient", fhir.QueryHas},
		{"Patient?_has:Account:subject:status=x", "http._has:Account:subject:status", fhir.QueryType},
		{"Patient?_has:CarePlan:status:status=x", "http._has:CarePlan:status:status", fhir.QueryHasReference},
		{"Patient?_has:AuditEvent:entity:outcome=x", "http._has:AuditEvent:entity:outcome", fhir.QueryHasReference},
		{"Task?focus.status=x", "http.focus.status", fhir.QueryChainAmbiguous}, {"Task?focus.focus.status=x", "http.focus.focus.status", fhir.QueryChainAmbiguous}, {"Task?focus:CarePlan.status=x", "", ""},
		{"?status=x", "http._type", fhir.QueryTypeRequired},
		{"?_type=Account&status=x", "http._type", fhir.QueryType},
		{"?_type=CarePlan&_type=Task", "http._type", fhir.QueryRepeated},
		{"?_type=CarePlan,Task&owner=x", "http.owner", fhir.QueryParameterUnknown},
		{"?_type=HealthcareService,DocumentReference&location=x", "http.location", fhir.QueryChainAmbiguous},
		{"CarePlan?_type=CarePlan", "http._type", fhir.QueryParameterUnknown},
		{"CarePlan?_count=-1", "http._count", fhir.QueryCount}, {"CarePlan?_count=+1", "http._count", fhir.QueryCount}, {"CarePlan?_count=a", "http._count", fhir.QueryCount},
		{"CarePlan?_count=1&_count=1", "http._count", fhir.QueryRepeated},
		{"CarePlan?_sort=status", "http._sort", fhir.QuerySort}, {"CarePlan?_sort=date,-date", "http._sort", fhir.QuerySort}, {"CarePlan?_sort=date,_id,_lastUpdated,activity-date", "http._sort", fhir.QuerySort},
		{"?_type=CarePlan,Task&_sort=date", "http._sort", fhir.QuerySort},
		{"CarePlan?_summary=yes", "http._summary", fhir.QuerySummary}, {"CarePlan?_total=yes", "http._total", fhir.QueryTotal},
		{"CarePlan?_elements=foo", "http._elements", fhir.QueryElements}, {"CarePlan?_elements=status&_summary=true", "http._elements", fhir.QueryCombination},
		{"CarePlan?_list=$current-problems", "http._list", fhir.QueryList}, {"CarePlan?_list:not=a", "http._list:not", fhir.QueryModifierUnknown},
		{"CarePlan?_include=subject", "http._include", fhir.QueryIncludeForm}, {"CarePlan?_include=*", "http._include", fhir.QueryIncludeForm},
		{"CarePlan?_include=CarePlan:status", "http._include", fhir.QueryInclude}, {"CarePlan?_include=CarePlan:subject:Practitioner", "http._include", fhir.QueryIncludeTarget},
		{"CarePlan?_include=Task:focus", "http._include", fhir.QueryIncludeLost}, {"CarePlan?_include:iterate=Task:focus", "", ""},
		{"CarePlan?_revinclude=PractitionerRole:organization", "http._revinclude", fhir.QueryIncludeLost}, {"CarePlan?_include:recurse=CarePlan:subject", "http._include:recurse", fhir.QueryModifierUnknown},
		{"CarePlan?13097248022=x", "http.parameter", fhir.QueryParameterUnknown},
	} {
		_, _, issues := ask(c.query, fhir.QueryConfig{})
		if c.code == "" {
			if issues != nil && c.place == "" {
				t.Errorf("%s: %v", c.query, issues)
			}
			continue
		}
		if len(issues) != 1 || issues[0].Code != c.code || issues[0].Expression != c.place || issues[0].Severity != "error" {
			t.Errorf("%s: %+v, want %s at %s", c.query, issues, c.code, c.place)
			continue
		}
		for _, lang := range []string{"nb", "en"} {
			text := issues[0].Text(lang)
			if len(text) < 20 || strings.Contains(text, "{") || strings.Contains(text, "13097248022") || text == issues[0].Code {
				t.Errorf("%s: %q", c.query, text)
			}
		}
	}
}

// TestParseQueryLimits: at the limit and one beyond.
func TestParseQueryLimits(t *testing.T) {
	t.Parallel()
	many := func(n int, one, separator string) string {
		return strings.TrimSuffix(strings.Repeat(one+separator, n), separator)
	}
	for _, c := range []struct{ at, beyond, code string }{
		{"CarePlan?" + many(64, "status=a", "&"), "CarePlan?" + many(65, "status=a", "&"), fhir.QueryTooMany},
		{"CarePlan?status=" + many(100, "a", ","), "CarePlan?status=" + many(101, "a", ","), fhir.QueryTooMany},
		{"CarePlan?_list=" + many(100, "a", ","), "CarePlan?_list=" + many(101, "a", ","), fhir.QueryTooMany},
		{"CarePlan?" + many(8, "_include=CarePlan:subject", "&"), "CarePlan?" + many(8, "_include=CarePlan:subject", "&") + "&_revinclude=Provenance:target", fhir.QueryIncludeMany},
		{"CarePlan?part-of.part-of.status=a", "CarePlan?part-of.part-of.part-of.status=a", fhir.QueryChainDepth},
		{"CarePlan?_sort=date,_id,_lastUpdated", "CarePlan?_sort=date,_id,_lastUpdated,activity-date", fhir.QuerySort},
		{"Observation?value-quantity=" + strings.Repeat("1", 64), "Observation?value-quantity=" + strings.Repeat("1", 65), fhir.QueryQuantity},
	} {
		if _, _, issues := ask(c.at, fhir.QueryConfig{}); issues != nil {
			t.Errorf("at the limit: %.60s: %v", c.at, issues)
		}
		if _, _, issues := ask(c.beyond, fhir.QueryConfig{}); len(issues) != 1 || issues[0].Code != c.code {
			t.Errorf("beyond the limit: %.60s: %v", c.beyond, issues)
		}
	}
	for value, want := range map[string]int{"1": 1, "200": 200, "201": 200, "1000000": 200} {
		if q, _, issues := ask("CarePlan?_count="+value, fhir.QueryConfig{}); issues != nil || q.Count != want {
			t.Errorf("_count=%s: %d %v", value, q.Count, issues)
		}
	}
}

func TestParseQueryLenient(t *testing.T) {
	t.Parallel()
	q, left, issues := ask("CarePlan?foo=1&status:exact=a&status=b&patient.foo=1", fhir.QueryConfig{Lenient: true})
	if issues != nil || len(left) != 3 || len(q.Criteria) != 1 || left[0].Code != fhir.QueryLeftOut || left[0].Severity != "warning" || left[0].Expression != "http.foo" {
		t.Errorf("%v %v %v", q, left, issues)
	}
	if _, _, issues := ask("CarePlan?date=x", fhir.QueryConfig{Lenient: true}); len(issues) != 1 {
		t.Error("a value that cannot be read is passed over")
	}
}

// TestParseQueryIntercept: what is taken away is neither a criterion nor in the normal form.
func TestParseQueryIntercept(t *testing.T) {
	t.Parallel()
	config := fhir.QueryConfig{Intercept: func(p fhir.Parameter, s *fhir.SearchParameter, values []string) (bool, *fhir.Issue) {
		switch {
		case s.Name == "identifier" && len(values) == 1:
			return true, nil
		case s.Name == "gender":
			return false, &fhir.Issue{Code: "nin.url", Expression: "http." + p.Name}
		}
		return false, nil
	}}
	q, _, issues := ask("Patient?identifier=secret", config)
	if issues != nil || len(q.Criteria) != 0 || q.Canonical != "identifier=" {
		t.Errorf("%+v %v", q, issues)
	}
	if _, _, issues := ask("Patient?gender=x", config); len(issues) != 1 || issues[0].Code != "nin.url" {
		t.Errorf("%v", issues)
	}
}

// TestEveryQueryCodeHasTexts reads the source: each constant has its texts, and each is given.
func TestEveryQueryCodeHasTexts(t *testing.T) {
	t.Parallel()
	placeholder := regexp.MustCompile(`\{\d\}`)
	constants := map[string]string{}
	file, err := parser.ParseFile(token.NewFileSet(), "query_text.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 && strings.HasPrefix(spec.Names[0].Name, "Query") {
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
				code, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				constants[code] = spec.Names[0].Name
			}
		}
		return true
	})
	codes := fhir.QueryCodes()
	if len(constants) != len(codes) {
		t.Errorf("%d constants, %d texts", len(constants), len(codes))
	}
	used := fhir.Sources(t, "query_read.go", "query_value.go", "query_result.go")
	for code, name := range constants {
		nb, en := fhir.Issue{Code: code}.Text("nb"), fhir.Issue{Code: code}.Text("en")
		if !slices.Contains(codes, code) || nb == en || len(nb) < 20 || len(en) < 20 {
			t.Errorf("%s: %q, %q", code, nb, en)
		}
		pair := fhir.QueryTexts()[code]
		if !slices.Equal(sorted(placeholder.FindAllString(pair[0], -1)), sorted(placeholder.FindAllString(pair[1], -1))) {
			t.Errorf("%s: placeholders differ", code)
		}
		if !strings.Contains(used, name) {
			t.Errorf("%s is never given", name)
		}
	}
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// FuzzParseQuery: nothing panics, and what is accepted holds to the limits.
func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{"status=active", "subject:Patient.name:exact=x", "_has:Task:focus:status=a", "date=ap2026", "_sort=-date", "category=a\\|b|c,d", "_include=CarePlan:subject", "value-quantity=1|http://unitsofmeasure.org|m/s2", "a=b&c", "_elements=,", "_has:::=", ":=:", "_list=,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, typ := range []string{"CarePlan", "Observation", "Patient", ""} {
			q, _, issues := ask(typ+"?"+query, fhir.QueryConfig{})
			if (issues == nil) != (len(q.Types) > 0) {
				t.Fatalf("%q: %v %v", query, q, issues)
			}
			if len(q.Includes) > fhir.MaxIncludes || q.Count > fhir.MaxCount || len(q.Criteria) > fhir.MaxParameters {
				t.Fatalf("%q is beyond the limits", query)
			}
			for _, c := range q.Criteria {
				for _, w := range c.Ways {
					if len(w.Hops) > fhir.MaxChain || w.Param == nil {
						t.Fatalf("%q: %+v", query, w)
					}
				}
			}
		}
	})
}

// TestInCompartment: every parameter exists and may refer to a Patient.
func TestInCompartment(t *testing.T) {
	t.Parallel()
	found := 0
	for _, typ := range fhir.SearchTypes() {
		c, ok := fhir.InCompartment(typ, "p")
		if !ok {
			continue
		}
		found++
		for _, w := range c.Ways {
			if w.Param == nil || w.From != typ || !w.Param.MayTarget("Patient") {
				t.Errorf("%s: %+v", typ, w)
			}
		}
		if said(c) == "" || c.Values[0].Reference.String() != "Patient/p" {
			t.Errorf("%s: %s", typ, said(c))
		}
	}
	if found != 23 {
		t.Errorf("%d types are in the compartment", found)
	}
	if _, ok := fhir.InCompartment("Organization", "p"); ok {
		t.Error("the directory is in a compartment")
	}
}
