package fhir_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// document wraps what RFC 6902 patches, objects of any names, as a resource.
func rfcDocument(doc string) string {
	if doc == "{}" {
		return `{"resourceType":"Basic"}`
	}
	return `{"resourceType":"Basic",` + doc[1:]
}

// TestJSONPatchRFC6902 follows appendix A of RFC 6902, by example number, and what §§ 3-5 add.
// A want of "" and a code is a refusal.
func TestJSONPatchRFC6902(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, doc, patch, want, code string }{
		{"A.1 add a member", `{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux"}]`, `{"foo":"bar","baz":"qux"}`, ""},
		{"A.2 add an element", `{"foo":["bar","baz"]}`, `[{"op":"add","path":"/foo/1","value":"qux"}]`, `{"foo":["bar","qux","baz"]}`, ""},
		{"A.3 remove a member", `{"baz":"qux","foo":"bar"}`, `[{"op":"remove","path":"/baz"}]`, `{"foo":"bar"}`, ""},
		{"A.4 remove an element", `{"foo":["bar","qux","baz"]}`, `[{"op":"remove","path":"/foo/1"}]`, `{"foo":["bar","baz"]}`, ""},
		{"A.5 replace", `{"baz":"qux","foo":"bar"}`, `[{"op":"replace","path":"/baz","value":"boo"}]`, `{"baz":"boo","foo":"bar"}`, ""},
		{"A.6 move a member", `{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}`, `[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]`, `{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}`, ""},
		{"A.7 move an element", `{"foo":["all","grass","cows","eat"]}`, `[{"op":"move","from":"/foo/1","path":"/foo/3"}]`, `{"foo":["all","cows","eat","grass"]}`, ""},
		{"A.8 test", `{"baz":"qux","foo":["a",2,"c"]}`, `[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]`, `{"baz":"qux","foo":["a",2,"c"]}`, ""},
		{"A.9 test fails", `{"baz":"qux"}`, `[{"op":"test","path":"/baz","value":"bar"}]`, "", fhir.CodePatchTest},
		{"A.10 add a nested member", `{"foo":"bar"}`, `[{"op":"add","path":"/child","value":{"grandchild":{}}}]`, `{"foo":"bar","child":{"grandchild":{}}}`, ""},
		{"A.11 other members are ignored", `{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux","xyz":123}]`, `{"foo":"bar","baz":"qux"}`, ""},
		{"A.12 target does not exist", `{"foo":"bar"}`, `[{"op":"add","path":"/baz/bat","value":"qux"}]`, "", fhir.CodePatchAbsent},
		{"A.13 two op members", `{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux","op":"remove"}]`, "", fhir.CodeParseDuplicate},
		{"A.14 escapes, ~01 is ~1", `{"/":9,"~1":10}`, `[{"op":"test","path":"/~01","value":10}]`, `{"/":9,"~1":10}`, ""},
		{"A.15 string against number", `{"/":9,"~1":10}`, `[{"op":"test","path":"/~01","value":"10"}]`, "", fhir.CodePatchTest},
		{"A.16 add an array", `{"foo":["bar"]}`, `[{"op":"add","path":"/foo/-","value":["abc","def"]}]`, `{"foo":["bar",["abc","def"]]}`, ""},

		{"empty patch", `{"foo":1}`, `[]`, `{"foo":1}`, ""},
		{"add over a member", `{"foo":1,"z":2}`, `[{"op":"add","path":"/foo","value":3}]`, `{"foo":3,"z":2}`, ""},
		{"the empty name", `{"foo":1}`, `[{"op":"add","path":"/","value":1}]`, `{"foo":1,"":1}`, ""},
		{"a digit is a name in an object", `{"foo":1}`, `[{"op":"add","path":"/0","value":"a"}]`, `{"foo":1,"0":"a"}`, ""},
		{"a hyphen is a name in an object", `{"foo":1}`, `[{"op":"add","path":"/-","value":"a"}]`, `{"foo":1,"-":"a"}`, ""},
		{"add at the length", `{"a":[1]}`, `[{"op":"add","path":"/a/1","value":2}]`, `{"a":[1,2]}`, ""},
		{"add past the length", `{"a":[1]}`, `[{"op":"add","path":"/a/2","value":2}]`, "", fhir.CodePatchIndex},
		{"remove after the last", `{"a":[1]}`, `[{"op":"remove","path":"/a/-"}]`, "", fhir.CodePatchIndex},
		{"replace after the last", `{"a":[1]}`, `[{"op":"replace","path":"/a/-","value":1}]`, "", fhir.CodePatchIndex},
		{"negative index", `{"a":[1]}`, `[{"op":"remove","path":"/a/-1"}]`, "", fhir.CodePatchIndex},
		{"leading zero", `{"a":[1,2]}`, `[{"op":"test","path":"/a/01","value":2},{"op":"remove","path":"/a/00"}]`, "", fhir.CodePatchTest},
		{"leading zero, remove", `{"a":[1,2]}`, `[{"op":"remove","path":"/a/01"}]`, "", fhir.CodePatchIndex},
		{"exponent as index", `{"a":[1,2]}`, `[{"op":"replace","path":"/a/1e0","value":1}]`, "", fhir.CodePatchIndex},
		{"huge index", `{"a":[1,2]}`, `[{"op":"replace","path":"/a/99999999999999999999999","value":1}]`, "", fhir.CodePatchIndex},
		{"index past the end", `{"a":[1,2]}`, `[{"op":"replace","path":"/a/2","value":1}]`, "", fhir.CodePatchAbsent},
		{"a name in an array", `{"a":[1,2]}`, `[{"op":"add","path":"/a/b","value":1}]`, "", fhir.CodePatchIndex},
		{"into a scalar", `{"a":1}`, `[{"op":"add","path":"/a/b","value":1}]`, "", fhir.CodePatchAbsent},
		{"replace what is absent", `{"a":1}`, `[{"op":"replace","path":"/b","value":1}]`, "", fhir.CodePatchAbsent},
		{"remove what is absent", `{"a":1}`, `[{"op":"remove","path":"/b"}]`, "", fhir.CodePatchAbsent},
		{"test of what is absent", `{"a":1}`, `[{"op":"test","path":"/b","value":1}]`, "", fhir.CodePatchTest},
		{"all or nothing", `{"a":1}`, `[{"op":"remove","path":"/a"},{"op":"test","path":"/a","value":1}]`, "", fhir.CodePatchTest},
		{"removes follow each other", `{"a":[1,2,3,4]}`, `[{"op":"remove","path":"/a/1"},{"op":"remove","path":"/a/2"}]`, `{"a":[1,3]}`, ""},
		{"emptied is not absent", `{"a":[{"b":1}]}`, `[{"op":"remove","path":"/a/0/b"}]`, `{"a":[{}]}`, ""},
		{"move to itself", `{"a":1}`, `[{"op":"move","from":"/a","path":"/a"}]`, `{"a":1}`, ""},
		{"move absent to itself", `{"a":1}`, `[{"op":"move","from":"/b","path":"/b"}]`, "", fhir.CodePatchAbsent},
		{"move over another", `{"a":1,"b":2,"c":3}`, `[{"op":"move","from":"/a","path":"/b"}]`, `{"b":1,"c":3}`, ""},
		{"move into its child", `{"a":{"b":{}}}`, `[{"op":"move","from":"/a","path":"/a/b/c"}]`, "", fhir.CodePatchMoveInto},
		{"move to a name it begins", `{"a":{"b":1}}`, `[{"op":"move","from":"/a","path":"/ab"}]`, `{"ab":{"b":1}}`, ""},
		{"move the document", `{"a":1}`, `[{"op":"move","from":"","path":"/a"}]`, "", fhir.CodePatchMoveInto},
		{"copy", `{"a":{"b":[1.50]}}`, `[{"op":"copy","from":"/a","path":"/c"},{"op":"add","path":"/c/b/-","value":2}]`, `{"a":{"b":[1.50]},"c":{"b":[1.50,2]}}`, ""},
		{"copy of what changed", `{"a":{"b":[1]}}`, `[{"op":"add","path":"/a/b/0","value":0},{"op":"copy","from":"/a","path":"/c"},{"op":"remove","path":"/a/b/1"}]`, `{"a":{"b":[0]},"c":{"b":[0,1]}}`, ""},
		{"copy into itself", `{"a":{"b":1}}`, `[{"op":"copy","from":"/a","path":"/a/c"}]`, `{"a":{"b":1,"c":{"b":1}}}`, ""},
		{"test of an object, any order", `{"a":{"x":1,"y":[{"p":1,"q":2}]}}`, `[{"op":"test","path":"/a","value":{"y":[{"q":2,"p":1}],"x":1}}]`, `{"a":{"x":1,"y":[{"p":1,"q":2}]}}`, ""},
		{"test of an array, its order", `{"a":[1,2]}`, `[{"op":"test","path":"/a","value":[2,1]}]`, "", fhir.CodePatchTest},
		{"test of less", `{"a":{"x":1,"y":1}}`, `[{"op":"test","path":"/a","value":{"x":1}}]`, "", fhir.CodePatchTest},
		{"test of what changed", `{"a":{"x":1}}`, `[{"op":"add","path":"/a/y","value":2},{"op":"test","path":"/a","value":{"y":2.0,"x":1}}]`, `{"a":{"x":1,"y":2}}`, ""},
		{"numbers by value", `{"a":1.50}`, `[{"op":"test","path":"/a","value":15e-1}]`, `{"a":1.50}`, ""},
		{"numbers without loss", `{"a":9007199254740993}`, `[{"op":"test","path":"/a","value":9007199254740992}]`, "", fhir.CodePatchTest},
		{"huge exponents", `{"a":1e9999999999}`, `[{"op":"test","path":"/a","value":1e9999999998}]`, "", fhir.CodePatchTest},
		{"zero is zero", `{"a":-0.00}`, `[{"op":"test","path":"/a","value":0e9999999999}]`, `{"a":-0.00}`, ""},
		{"string by characters", `{"a":"\u00f8"}`, `[{"op":"test","path":"/a","value":"ø"}]`, `{"a":"\u00f8"}`, ""},
		{"test null against nothing", `{"a":1}`, `[{"op":"test","path":"/b","value":null}]`, "", fhir.CodePatchTest},
		{"test null in an array", `{"a":[null,1]}`, `[{"op":"test","path":"/a/0","value":null}]`, `{"a":[null,1]}`, ""},
		{"add null to an array", `{"a":[1]}`, `[{"op":"add","path":"/a/0", "value" : null }]`, `{"a":[null,1]}`, ""},
		{"null as a member", `{"a":[1]}`, `[{"op":"add","path":"/b","value":null}]`, "", fhir.CodeParseNull},
		{"a name twice through an escape", `{"a":1}`, `[{"op":"add","path":"/A","value":2}]`, "", fhir.CodeParseCase},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			body := rfcDocument(c.doc)
			got, err := fhir.ApplyJSONPatch(parse(t, body), []byte(c.patch))
			if c.code != "" {
				if err == nil {
					t.Fatalf("got %s, want %s", got, c.code)
				}
				if issue := faults(t, err)[0]; issue.Code != c.code || issue.Text("nb") == issue.Code {
					t.Fatalf("got %s, want %s", issue.Code, c.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := rfcDocument(c.want); string(got) != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// TestReadJSONPatchRefuses: what is no patch document is refused before any resource is looked at.
func TestReadJSONPatchRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, patch, code string }{
		{"nothing", ``, fhir.CodeParseEnd},
		{"an object", `{}`, fhir.CodePatchFormat},
		{"a resource", `{"resourceType":"Parameters"}`, fhir.CodePatchFormat},
		{"null", `null`, fhir.CodePatchFormat},
		{"an array of null", `[null]`, fhir.CodePatchFormat},
		{"no op", `[{"path":"/a","value":1}]`, fhir.CodePatchFormat},
		{"op null", `[{"op":null,"path":"/a","value":1}]`, fhir.CodePatchFormat},
		{"op a number", `[{"op":1,"path":"/a","value":1}]`, fhir.CodePatchFormat},
		{"unknown op", `[{"op":"spam","path":"/a","value":1}]`, fhir.CodePatchOperation},
		{"op in capitals", `[{"op":"ADD","path":"/a","value":1}]`, fhir.CodePatchOperation},
		{"no path", `[{"op":"remove"}]`, fhir.CodePatchFormat},
		{"path a number", `[{"op":"remove","path":1}]`, fhir.CodePatchFormat},
		{"path null", `[{"op":"remove","path":null}]`, fhir.CodePatchFormat},
		{"no value", `[{"op":"add","path":"/a"}]`, fhir.CodePatchFormat},
		{"no value to test", `[{"op":"test","path":"/a"}]`, fhir.CodePatchFormat},
		{"no from", `[{"op":"move","path":"/a"}]`, fhir.CodePatchFormat},
		{"from an array", `[{"op":"copy","path":"/a","from":[]}]`, fhir.CodePatchFormat},
		{"path without slash", `[{"op":"remove","path":"a"}]`, fhir.CodePatchPointer},
		{"path as a fragment", `[{"op":"remove","path":"#/a"}]`, fhir.CodePatchPointer},
		{"bad escape", `[{"op":"remove","path":"/a~2"}]`, fhir.CodePatchPointer},
		{"half an escape", `[{"op":"remove","path":"/a~"}]`, fhir.CodePatchPointer},
		{"from with a bad escape", `[{"op":"copy","path":"/a","from":"/~x"}]`, fhir.CodePatchPointer},
		{"path twice", `[{"op":"remove","path":"/a","path":"/b"}]`, fhir.CodeParseDuplicate},
		{"path in two cases", `[{"op":"remove","path":"/a","Path":"/b"}]`, fhir.CodeParseCase},
		{"null inside a value", `[{"op":"add","path":"/a","value":{"b":null}}]`, fhir.CodeParseNull},
		{"half a null", `[{"op":"add","path":"/a","value":nul}]`, fhir.CodeParseSyntax},
		{"two nulls", `[{"op":"add","path":"/a","value":nullnull}]`, fhir.CodeParseSyntax},
		{"duplicate inside a value", `[{"op":"add","path":"/a","value":{"b":1,"b":2}}]`, fhir.CodeParseDuplicate},
		{"invalid UTF-8", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":\"\xff\"}]", fhir.CodeParseUTF8},
		{"trailing", `[] []`, fhir.CodeParseTrailing},
		{"deep", `[{"op":"add","path":"/a","value":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}]`, fhir.CodeParseDepth},
		{"large", `[{"op":"add","path":"/a","value":"` + strings.Repeat("x", fhir.DefaultBytes) + `"}]`, fhir.CodeParseSize},
		{"1,001 operations", "[" + strings.Repeat(`{"op":"test","path":"","value":1},`, fhir.MaxPatchOperations) + `{"op":"test","path":"","value":1}]`, fhir.CodePatchTooMany},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := fhir.ReadJSONPatch([]byte(c.patch))
			if issue := faults(t, err)[0]; issue.Code != c.code || issue.Line == 0 {
				t.Errorf("got %s at line %d, want %s", issue.Code, issue.Line, c.code)
			}
		})
	}
	if _, err := fhir.ReadJSONPatch([]byte("[" + strings.Repeat(`{"op":"test","path":"","value":1},`, fhir.MaxPatchOperations-1) + `{"op":"test","path":"","value":1}]`)); err != nil {
		t.Errorf("1,000 operations: %v", err)
	}
	if _, err := fhir.ReadJSONPatch([]byte(`[{"op":"add","path":"/a","value":"\"null: [{", "x":null}, {"op":"test","path":"/a","value":null}]`)); err != nil {
		t.Errorf("null beside strings: %v", err)
	}
}

// TestJSONPatchProtected: what only the server sets is touched by no operation, directly, through
// what holds it, or by its "_" sibling.
func TestJSONPatchProtected(t *testing.T) {
	t.Parallel()
	const body = `{"resourceType":"Patient","id":"a","meta":{"versionId":"1","lastUpdated":"2026-01-01T00:00:00Z","tag":[{"code":"x"}]},"active":true,"contained":[{"resourceType":"Practitioner","id":"p"}],"generalPractitioner":[{"reference":"#p"}]}`
	for _, patch := range []string{
		`{"op":"replace","path":"/id","value":"b"}`, `{"op":"replace","path":"/id","value":"a"}`, `{"op":"remove","path":"/id"}`,
		`{"op":"add","path":"/id","value":"b"}`, `{"op":"add","path":"/_id","value":{"extension":[]}}`, `{"op":"move","from":"/active","path":"/id"}`,
		`{"op":"move","from":"/id","path":"/language"}`, `{"op":"copy","from":"/active","path":"/id"}`,
		`{"op":"replace","path":"/resourceType","value":"Practitioner"}`, `{"op":"remove","path":"/resourceType"}`,
		`{"op":"replace","path":"/meta/versionId","value":"2"}`, `{"op":"remove","path":"/meta/versionId"}`, `{"op":"add","path":"/meta/_versionId","value":{"id":"x"}}`,
		`{"op":"replace","path":"/meta/lastUpdated","value":"2027-01-01T00:00:00Z"}`, `{"op":"remove","path":"/meta/lastUpdated"}`,
		`{"op":"remove","path":"/meta"}`, `{"op":"replace","path":"/meta","value":{"tag":[]}}`, `{"op":"move","from":"/meta","path":"/x"}`, `{"op":"copy","from":"/contained/0","path":"/meta"}`,
		`{"op":"add","path":"/meta","value":{"versionId":"2","lastUpdated":"2026-01-01T00:00:00Z"}}`,
		`{"op":"remove","path":""}`, `{"op":"replace","path":"","value":{"resourceType":"Patient","id":"b"}}`, `{"op":"add","path":"","value":[]}`, `{"op":"copy","from":"/contained/0","path":""}`,
	} {
		got, err := fhir.ApplyJSONPatch(parse(t, body), []byte("["+patch+"]"))
		if err == nil {
			t.Errorf("%s gave %s", patch, got)
			continue
		}
		if issue := faults(t, err)[0]; issue.Code != fhir.CodePatchProtected || issue.Line != 1 || !strings.HasPrefix(issue.Expression, "Patient") {
			t.Errorf("%s: %+v", patch, issue)
		}
	}
	for patch, want := range map[string][2]string{
		`{"op":"test","path":"/meta/versionId","value":"1"}`:                                                                                   {"", ""},
		`{"op":"copy","from":"/id","path":"/language"}`:                                                                                        {`{"reference":"#p"}]`, `{"reference":"#p"}],"language":"a"`},
		`{"op":"add","path":"/meta/tag/-","value":{"code":"y"}}`:                                                                               {`{"code":"x"}`, `{"code":"x"},{"code":"y"}`},
		`{"op":"remove","path":"/meta/tag"}`:                                                                                                   {`,"tag":[{"code":"x"}]`, ``},
		`{"op":"replace","path":"/contained/0/id","value":"q"}`:                                                                                {`"id":"p"`, `"id":"q"`},
		`{"op":"replace","path":"/meta","value":{"versionId":"1","lastUpdated":"2026-01-01T00:00:00Z"}}`:                                       {`,"tag":[{"code":"x"}]`, ``},
		`{"op":"replace","path":"","value":{"resourceType":"Patient","id":"a","meta":{"versionId":"1","lastUpdated":"2026-01-01T00:00:00Z"}}}`: {body[strings.Index(body, `,"tag"`):], `}}`},
	} {
		got, err := fhir.ApplyJSONPatch(parse(t, body), []byte("["+patch+"]"))
		if err != nil {
			t.Errorf("%s: %v", patch, err)
		} else if w := strings.Replace(body, want[0], want[1], 1); string(got) != w {
			t.Errorf("%s\ngot  %s\nwant %s", patch, got, w)
		}
	}
}

// TestJSONPatchKeepsBytes: everything that no operation names stays literally as received.
func TestJSONPatchKeepsBytes(t *testing.T) {
	t.Parallel()
	const body = " {\n  \"resourceType\" : \"Observation\",\n  \"z\" : 1.50,\n  \"_z\" : { \"id\" : \"\\u00f8\" },\n  \"list\" : [ 1.0 , 2e2 ,\t3 ],\n  \"o\" : { }\n}\n"
	for _, c := range []struct{ patch, from, to string }{
		{`[]`, "", ""},
		{`[{"op":"replace","path":"/z","value":1.500}]`, `1.50`, `1.500`},
		{`[{"op":"add","path":"/new","value": {"a" : 1.0} }]`, "\"o\" : { }", "\"o\" : { },\n  \"new\" : {\"a\" : 1.0}"},
		{`[{"op":"remove","path":"/list/1"}]`, `1.0 , 2e2 ,`, `1.0 ,`},
		{`[{"op":"remove","path":"/list/0"}]`, "[ 1.0 , 2e2", "[ 2e2"},
		{`[{"op":"remove","path":"/o"}]`, ",\n  \"o\" : { }", ""},
		{`[{"op":"add","path":"/o/a","value":1}]`, `{ }`, `{"a":1 }`},
		{`[{"op":"add","path":"/list/0","value":0}]`, `[ 1.0`, "[ 0, 1.0"},
		{`[{"op":"move","from":"/list/0","path":"/list/2"},{"op":"move","from":"/list/2","path":"/list/0"}]`, "", ""},
	} {
		got, err := fhir.ApplyJSONPatch(parse(t, body), []byte(c.patch))
		if err != nil {
			t.Errorf("%s: %v", c.patch, err)
		} else if want := strings.Replace(body, c.from, c.to, 1); string(got) != want {
			t.Errorf("%s\ngot  %q\nwant %q", c.patch, got, want)
		}
	}
}

// TestJSONPatchFaultNamesThePlace: the place in the resource, the position in the patch, no content.
func TestJSONPatchFaultNamesThePlace(t *testing.T) {
	t.Parallel()
	_, err := fhir.ApplyJSONPatch(parse(t, `{"resourceType":"Patient","name":[{"given":["a"]}]}`), []byte("[\n {\"op\":\"test\",\"path\":\"/name/0/given/0\",\n  \"value\":\"b\"}]"))
	want := fhir.Issue{Severity: "error", Type: fhir.IssueConflict, Code: fhir.CodePatchTest, Expression: "Patient.name[0].given[0]", Line: 2, Col: 22, Args: []string{"1"}}
	if got := faults(t, err)[0]; got.Code != want.Code || got.Expression != want.Expression || got.Line != want.Line || got.Col != want.Col || got.Type != want.Type || got.Text("en")[:18] != "Operation 1 (test)" {
		t.Errorf("got %+v", got)
	}
	_, err = fhir.ApplyJSONPatch(parse(t, `{"resourceType":"Patient"}`), []byte(`[{"op":"remove","path":"/01857099939/x"}]`))
	if got := faults(t, err)[0]; got.Expression != "Patient.?.x" || strings.Contains(got.Text("nb")+err.Error(), "0185") {
		t.Errorf("got %+v: %v", got, err)
	}
	var e *fhir.Error
	if !errors.As(err, &e) {
		t.Error("not a *fhir.Error")
	}
}

// TestJSONPatchBombs: documents that grow, nest or repeat beyond the limits are refused, and soon.
func TestJSONPatchBombs(t *testing.T) {
	t.Parallel()
	repeat := func(n int, f func(i int) string) string {
		list := make([]string, n)
		for i := range list {
			list[i] = f(i)
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	deep := strings.Repeat(`{"a":`, 60) + "1" + strings.Repeat("}", 60)
	for _, c := range []struct{ name, body, patch, code string }{
		{"copy doubles", `{"resourceType":"Patient","a":{"b":"x"}}`, repeat(1000, func(i int) string {
			return `{"op":"copy","from":"/a","path":"/a/c` + strconv.Itoa(i) + `"}`
		}), fhir.CodePatchCostly},
		{"copy doubles in an array", `{"resourceType":"Patient","a":[[]]}`, repeat(1000, func(int) string {
			return `{"op":"copy","from":"/a","path":"/a/-"}`
		}), fhir.CodePatchCostly},
		{"copies of what is untouched", `{"resourceType":"Patient","a":"` + strings.Repeat("x", 10_000) + `"}`, repeat(1000, func(i int) string {
			return `{"op":"copy","from":"/a","path":"/c` + strconv.Itoa(i) + `"}`
		}), fhir.CodePatchSize},
		{"copy and remove", `{"resourceType":"Patient","a":[` + strings.Repeat(`[],`, 100_000) + `[]]}`, "[" + `{"op":"add","path":"/a/-","value":1},` + repeat(998, func(i int) string {
			return [...]string{`{"op":"copy","from":"/a","path":"/b"}`, `{"op":"remove","path":"/b"}`}[i%2]
		})[1:], fhir.CodePatchCostly},
		{"copies opened and removed", `{"resourceType":"Patient","a":[` + strings.Repeat(`[],`, 100_000) + `[]]}`, repeat(999, func(i int) string {
			return [...]string{`{"op":"copy","from":"/a","path":"/b"}`, `{"op":"test","path":"/b/7","value":[]}`, `{"op":"remove","path":"/b"}`}[i%3]
		}), fhir.CodePatchCostly},
		{"nested by copies", `{"resourceType":"Patient","a":` + deep + `}`, repeat(2, func(int) string {
			return `{"op":"copy","from":"/a","path":"/a` + strings.Repeat("/a", 59) + `"}`
		}), fhir.CodeParseDepth},
		{"nested by moves", `{"resourceType":"Patient","a":` + deep + `,"b":` + deep + `}`, `[{"op":"move","from":"/b","path":"/a` + strings.Repeat("/a", 59) + `"}]`, fhir.CodeParseDepth},
		{"a pointer of 100,000 steps", `{"resourceType":"Patient","a":1}`, `[{"op":"remove","path":"` + strings.Repeat("/a", 100_000) + `"}]`, fhir.CodePatchAbsent},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := fhir.ApplyJSONPatch(parse(t, c.body), []byte(c.patch))
			if err == nil {
				t.Fatalf("%d bytes", len(got))
			}
			// The operation that goes too far is named: the next ones are not even tried.
			if issue := faults(t, err)[0]; issue.Code != c.code || issue.Code == fhir.CodePatchSize && issue.Line == 0 {
				t.Errorf("got %+v, want %s", issue, c.code)
			}
		})
	}
	// At the limit and one above.
	body := parse(t, `{"resourceType":"Patient"}`)
	fill := func(n int) []byte {
		return []byte(`[{"op":"add","path":"/a","value":"` + strings.Repeat("x", n) + `"},{"op":"copy","from":"/a","path":"/b"}]`)
	}
	half := (fhir.DefaultBytes - len(`{"resourceType":"Patient","a":"","b":""}`)) / 2
	if got, err := fhir.ApplyJSONPatch(body, fill(half)); err != nil || len(got) != fhir.DefaultBytes {
		t.Errorf("at the limit: %d bytes, %v", len(got), err)
	}
	if _, err := fhir.ApplyJSONPatch(body, fill(half+1)); err == nil || faults(t, err)[0].Code != fhir.CodePatchSize {
		t.Errorf("above the limit: %v", err)
	}
}

// TestPatchTwice: a patch is read once and applied any number of times, to the same effect.
func TestPatchTwice(t *testing.T) {
	t.Parallel()
	r := parse(t, `{"resourceType":"Patient","name":[{"family":"a"}]}`)
	p, err := fhir.ReadJSONPatch([]byte(`[{"op":"add","path":"/name/-","value":{"given":["b"]}},{"op":"add","path":"/name/1/given/0","value":"c"}]`))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := p.Apply(r)
		if want := `{"resourceType":"Patient","name":[{"family":"a"},{"given":["c","b"]}]}`; err != nil || string(got) != want {
			t.Errorf("got %s, %v", got, err)
		}
	}
	if !json.Valid(r.Bytes()) || len(r.At("name").Items()) != 1 {
		t.Error("the resource changed")
	}
}
