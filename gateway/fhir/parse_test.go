package fhir_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// faults gives the codes of an error of the package.
func faults(t testing.TB, err error) []fhir.Issue {
	t.Helper()
	var e *fhir.Error
	if !errors.As(err, &e) || len(e.Issues) == 0 {
		t.Fatalf("want a *fhir.Error with issues, got %v", err)
	}
	return e.Issues
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body, code string
		line, col        int
	}{
		{"empty", "", fhir.CodeParseEnd, 1, 1},
		{"blank", " \n ", fhir.CodeParseEnd, 2, 2},
		{"array", "[]", fhir.CodeParseObject, 1, 1},
		{"no type", `{"id":"a"}`, fhir.CodeParseResourceType, 1, 1},
		{"type a number", `{"resourceType":1}`, fhir.CodeParseResourceType, 1, 17},
		{"type lower case", `{"resourceType":"patient"}`, fhir.CodeParseResourceType, 1, 17},
		{"type only in another case", `{"ResourceType":"Patient"}`, fhir.CodeParseResourceType, 1, 1},
		{"BOM", "\ufeff{\"resourceType\":\"Patient\"}", fhir.CodeParseBOM, 1, 1},
		{"Latin-1", "{\"resourceType\":\"Patient\",\n\"x\":\"s\xf8t\"}", fhir.CodeParseUTF8, 2, 7},
		{"overlong", "{\"resourceType\":\"Patient\",\"x\":\"\xc0\xaf\"}", fhir.CodeParseUTF8, 1, 32},
		{"encoded surrogate", "{\"resourceType\":\"Patient\",\"x\":\"\xed\xa0\x80\"}", fhir.CodeParseUTF8, 1, 32},
		{"duplicate", `{"resourceType":"Patient","active":true,"active":false}`, fhir.CodeParseDuplicate, 1, 41},
		{"duplicate by escape", `{"resourceType":"Patient","active":true,"\u0061ctive":false}`, fhir.CodeParseDuplicate, 1, 41},
		{"case variant", `{"resourceType":"Patient","active":true,"Active":false}`, fhir.CodeParseCase, 1, 41},
		{"Kelvin sign for k", "{\"resourceType\":\"Patient\",\"kind\":1,\"\u212aind\":2}", fhir.CodeParseCase, 1, 36},
		{"long s", "{\"resourceType\":\"Patient\",\"status\":1,\"\u017ftatus\":2}", fhir.CodeParseCase, 1, 38},
		{"duplicate in many", `{"resourceType":"Patient",` + manyNames(40) + `"n7":1}`, fhir.CodeParseDuplicate, 1, 0},
		{"case variant in many", `{"resourceType":"Patient",` + manyNames(40) + `"N7":1}`, fhir.CodeParseCase, 1, 0},
		{"duplicate type", `{"resourceType":"Patient","resourceType":"Task"}`, fhir.CodeParseDuplicate, 1, 27},
		{"null member", `{"resourceType":"Patient","active":null}`, fhir.CodeParseNull, 1, 36},
		{"lone high surrogate", `{"resourceType":"Patient","x":"\ud83d"}`, fhir.CodeParseSurrogate, 1, 32},
		{"lone low surrogate", `{"resourceType":"Patient","x":"\udc00"}`, fhir.CodeParseSurrogate, 1, 32},
		{"two high surrogates", `{"resourceType":"Patient","x":"\ud83d\ud83d"}`, fhir.CodeParseSurrogate, 1, 32},
		{"escaped NUL", `{"resourceType":"Patient","x":"\u0000"}`, fhir.CodeParseControl, 1, 32},
		{"backspace", `{"resourceType":"Patient","x":"\b"}`, fhir.CodeParseControl, 1, 32},
		{"raw newline", "{\"resourceType\":\"Patient\",\"x\":\"a\nb\"}", fhir.CodeParseControl, 1, 33},
		{"raw newline in a name", "{\"resourceType\":\"Patient\",\"a\nb\":1}", fhir.CodeParseControl, 1, 29},
		{"bad escape", `{"resourceType":"Patient","x":"\q"}`, fhir.CodeParseEscape, 1, 32},
		{"short escape", `{"resourceType":"Patient","x":"\u12"}`, fhir.CodeParseEscape, 1, 32},
		{"trailing", `{"resourceType":"Patient"} {}`, fhir.CodeParseTrailing, 1, 28},
		{"trailing comma", `{"resourceType":"Patient",}`, fhir.CodeParseSyntax, 1, 27},
		{"trailing comma in array", `{"resourceType":"Patient","a":[1,]}`, fhir.CodeParseSyntax, 1, 34},
		{"comment", `{"resourceType":"Patient"/**/}`, fhir.CodeParseSyntax, 1, 26},
		{"single quotes", `{'resourceType':'Patient'}`, fhir.CodeParseSyntax, 1, 2},
		{"NaN", `{"resourceType":"Patient","a":NaN}`, fhir.CodeParseSyntax, 1, 31},
		{"leading zero", `{"resourceType":"Patient","a":01}`, fhir.CodeParseNumber, 1, 33},
		{"leading plus", `{"resourceType":"Patient","a":+1}`, fhir.CodeParseSyntax, 1, 31},
		{"no fraction", `{"resourceType":"Patient","a":1.}`, fhir.CodeParseNumber, 1, 33},
		{"no exponent", `{"resourceType":"Patient","a":1e}`, fhir.CodeParseNumber, 1, 33},
		{"only minus", `{"resourceType":"Patient","a":-}`, fhir.CodeParseNumber, 1, 32},
		{"truncated", `{"resourceType":"Patient","a":"b`, fhir.CodeParseEnd, 1, 33},
		{"unclosed", `{"resourceType":"Patient"`, fhir.CodeParseEnd, 1, 26},
		{"no colon", `{"resourceType" "Patient"}`, fhir.CodeParseSyntax, 1, 17},
		{"too deep", `{"resourceType":"Patient","a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "}", fhir.CodeParseDepth, 1, 0},
		{"too large", `{"resourceType":"Patient","a":"` + strings.Repeat("x", fhir.DefaultBytes) + `"}`, fhir.CodeParseSize, 1, 1},
		{"too many values", `{"resourceType":"Patient","a":[` + strings.Repeat("1,", 300_000) + `1]}`, fhir.CodeParseNodes, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := fhir.Parse([]byte(c.body))
			issue := faults(t, err)[0]
			if issue.Code != c.code {
				t.Errorf("code %s, want %s", issue.Code, c.code)
			}
			if c.col > 0 && (issue.Line != c.line || issue.Col != c.col) {
				t.Errorf("at %d:%d, want %d:%d", issue.Line, issue.Col, c.line, c.col)
			}
		})
	}
}

// manyNames gives n members n0 … so that the reader's way for large objects is taken.
func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"n` + string(rune('0'+i/10)) + string(rune('0'+i%10)) + `":1,`)
	}
	return strings.ReplaceAll(b.String(), `"n0`, `"n`)
}

func TestParseReportsSeveralFaults(t *testing.T) {
	t.Parallel()
	_, err := fhir.Parse([]byte("{\"resourceType\":\"Patient\",\n\"active\":null,\n\"gender\":null,\n\"contact\":[{\"name\":null}]}"))
	issues := faults(t, err)
	if len(issues) != 3 || issues[0].Line != 2 || issues[1].Line != 3 || issues[2].Line != 4 || issues[1].Expression != "Patient.gender" || issues[2].Expression != "Patient.contact[0].name" {
		t.Errorf("%+v", issues)
	}
}

// TestParseStopsAtFaults: faults without end end at the limit, since each costs a look at all that
// stands before it.
func TestParseStopsAtFaults(t *testing.T) {
	t.Parallel()
	body := []byte(`{"resourceType":"Patient"`)
	for i := range 50_000 {
		body = append(append(append(body, `,"a`...), strconv.Itoa(i)...), `":null`...)
	}
	_, err := fhir.Parse(append(body, '}'))
	if issues := faults(t, err); len(issues) != 20 {
		t.Errorf("%d faults told, want 20", len(issues))
	}
}

// TestParseErrorNeverRepeats plants a national identity number in every place a fault can show.
func TestParseErrorNeverRepeats(t *testing.T) {
	t.Parallel()
	const nin = "14837912092"
	for _, body := range []string{
		`{"resourceType":"` + nin + `"}`,
		`{"resourceType":"Patient","` + nin + `":1,"` + nin + `":2}`,
		`{"resourceType":"Patient","n` + nin + `":null}`,
		`{"resourceType":"Patient","x":"` + nin + `\q"}`,
		`{"resourceType":"Patient","x":` + nin + `.}`,
		`{"resourceType":"Patient","a` + nin + `":{"` + nin + `":1,"` + nin + `":2}}`,
	} {
		_, err := fhir.Parse([]byte(body))
		out := string(fhir.OperationOutcome(faults(t, err), "nb")) + err.Error()
		if strings.Contains(out, nin) {
			t.Errorf("%s is repeated: %s", body, out)
		}
	}
	r := parse(t, `{"resourceType":"Patient","n`+nin+`":1,"gender":"`+nin+`","birthDate":"`+nin+`","managingOrganization":{"reference":"`+nin+`/1"},"text":{"status":"`+nin+`","div":"`+nin+`"}}`)
	out := fhir.OperationOutcome(fhir.Validate(r), "nb")
	if bytes.Contains(out, []byte(nin)) {
		t.Errorf("validation repeats: %s", out)
	}
}

func parse(t testing.TB, body string) *fhir.Resource {
	t.Helper()
	r, err := fhir.Parse([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return r
}

func TestValues(t *testing.T) {
	t.Parallel()
	r := parse(t, ` {"resourceType":"Observation","id":"a-1","valueQuantity":{"value":1.10,"code":"\u00f8l\ud83d\ude00"},"component":[{"x":[true,false]},{"y":-0e+05}],"e":"\/\"\n"} `)
	if r.Type() != "Observation" || r.ID() != "a-1" {
		t.Error(r.Type(), r.ID())
	}
	for expression, want := range map[string]string{
		"Observation.valueQuantity.value": "1.10",
		"valueQuantity.code":              "øl😀",
		"Observation.component[0].x[1]":   "false",
		"component[1].y":                  "-0e+05",
		"e":                               "/\"\n",
	} {
		v := r.At(expression)
		if v.Text() != want {
			t.Errorf("%s = %q, want %q", expression, v.Text(), want)
		}
		if full := v.Expression(); r.At(full) != v || !strings.HasPrefix(full, "Observation.") {
			t.Errorf("%s is named %s", expression, full)
		}
	}
	for _, absent := range []string{"x", "component[2]", "component[-1]", "component[0", "component[0]x", "Observation.id.x", "valueQuantity[0]"} {
		if v := r.At(absent); v != nil {
			t.Errorf("%s is %s", absent, v.Raw())
		}
	}
	if raw := string(r.At("valueQuantity").Raw()); raw != `{"value":1.10,"code":"\u00f8l\ud83d\ude00"}` {
		t.Error(raw)
	}
	var none *fhir.Value
	if none.Get("a", "b") != nil || none.Items() != nil || none.Members() != nil || none.Text() != "" || none.Raw() != nil || none.Kind() != fhir.Null || none.Expression() != "" {
		t.Error("nil is not absent")
	}
}

// FuzzParse: no panic; what is accepted is what encoding/json reads, byte ranges fit, and every
// value can be found again by its expression.
func FuzzParse(f *testing.F) {
	f.Add(carePlan(f))
	for _, seed := range []string{
		`{"resourceType":"Patient"}`, `{"resourceType":"Patient","name":[{"given":["a",null],"_given":[null,{"id":"x"}]}]}`,
		`{"resourceType":"Patient","a":null}`, `{"resourceType":"Patient","x":"\ud83d\ude00"}`, `{"resourceType":"Patient","x":"\ud83d"}`,
		"\ufeff{}", `{"resourceType":"Patient","a":1.10e-7,"A":2}`, `[[[[`, `{"":""}`, "{\"resourceType\":\"Patient\",\"\u212a\":1,\"k\":1}", `{"resourceType":"Patient","a":[null]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := fhir.Parse(bytes.Clone(body))
		if err != nil {
			faults(t, err)
			return
		}
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		if got := plain(r.Root()); !reflect.DeepEqual(got, want) {
			t.Fatalf("read %v, want %v", got, want)
		}
		fhir.Validate(r)
		fhir.Index(r)
		r.Subject()
		r.Date()
		if stamped, err := r.Stamp("x", fhir.Meta{VersionID: "1", Security: []fhir.Coding{{Code: "a"}}}); err == nil {
			if again, err := fhir.ParseLimits(stamped, fhir.Limits{Bytes: len(stamped)}); err != nil || again.ID() != "x" || len(again.Meta().Security) != 1 {
				t.Fatalf("stamped: %v: %s", err, stamped)
			}
		}
	})
}

// plain gives a value as encoding/json would, and asks that its bytes are its own.
func plain(v *fhir.Value) any {
	switch v.Kind() {
	case fhir.Object:
		m := map[string]any{}
		for _, member := range v.Members() {
			m[member.Name] = plain(member.Value)
		}
		return m
	case fhir.Array:
		list := []any{}
		for _, item := range v.Items() {
			list = append(list, plain(item))
		}
		return list
	case fhir.String:
		return v.Text()
	case fhir.Number:
		return json.Number(v.Raw())
	case fhir.Bool:
		return v.Text() == "true"
	case fhir.Null:
		return nil
	}
	return nil
}
