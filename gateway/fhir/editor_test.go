package fhir_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

func TestEdit(t *testing.T) {
	t.Parallel()
	const body = `{ "resourceType" : "CarePlan", "a" : [ 1 , 2.50 , 3 ],
  "given":["x","y"], "_given":[null,{"id":"n"}],  "birthDate":"2000","_birthDate":{"id":"b"},
  "o" : { "p" : { "q" : 1 } }, "last":true }`
	at := func(r *fhir.Resource, e string) *fhir.Value {
		v := r.At(e)
		if v == nil {
			t.Fatalf("no %s", e)
		}
		return v
	}
	for _, c := range []struct {
		name string
		edit func(e *fhir.Editor, r *fhir.Resource)
		from string
		to   string
	}{
		{"first element", func(e *fhir.Editor, r *fhir.Resource) { e.Remove(at(r, "a[0]")) }, `[ 1 , 2.50 , 3 ]`, `[ 2.50 , 3 ]`},
		{"middle element", func(e *fhir.Editor, r *fhir.Resource) { e.Remove(at(r, "a[1]")) }, `[ 1 , 2.50 , 3 ]`, `[ 1 , 3 ]`},
		{"last element", func(e *fhir.Editor, r *fhir.Resource) { e.Remove(at(r, "a[2]")) }, `[ 1 , 2.50 , 3 ]`, `[ 1 , 2.50 ]`},
		{"all elements", func(e *fhir.Editor, r *fhir.Resource) {
			for _, v := range r.At("a").Items() {
				e.Remove(v)
			}
		}, `, "a" : [ 1 , 2.50 , 3 ]`, ``},
		{"first member", func(e *fhir.Editor, r *fhir.Resource) { e.Remove(at(r, "resourceType")) }, `"resourceType" : "CarePlan", `, ``},
		{"last member", func(e *fhir.Editor, r *fhir.Resource) { e.Remove(at(r, "last")) }, `, "last":true`, ``},
		{"nested to nothing", func(e *fhir.Editor, r *fhir.Resource) { e.Remove(at(r, "o.p.q")) }, ",\n  \"o\" : { \"p\" : { \"q\" : 1 } }", ``},
		{"primitive member takes its sibling", func(e *fhir.Editor, r *fhir.Resource) { e.Remove(at(r, "birthDate")) }, `,  "birthDate":"2000","_birthDate":{"id":"b"}`, ``},
		{"primitive element takes its slot", func(e *fhir.Editor, r *fhir.Resource) { e.Remove(at(r, "given[0]")) }, `["x","y"], "_given":[null,{"id":"n"}]`, `["y"], "_given":[{"id":"n"}]`},
		{"only nulls left", func(e *fhir.Editor, r *fhir.Resource) { e.Remove(at(r, "given[1]")) }, `["x","y"], "_given":[null,{"id":"n"}]`, `["x"]`},
		{"sibling alone", func(e *fhir.Editor, r *fhir.Resource) { e.Remove(at(r, "_birthDate")) }, `,"_birthDate":{"id":"b"}`, ``},
		{"replace", func(e *fhir.Editor, r *fhir.Resource) { e.Replace(at(r, "a[1]"), []byte(` {"z":1.00} `)) }, `2.50`, `{"z":1.00}`},
		{"set new", func(e *fhir.Editor, r *fhir.Resource) { e.Set(at(r, "o"), "n", []byte(`[1]`)) }, `{ "q" : 1 } }`, `{ "q" : 1 },"n":[1] }`},
		{"set old", func(e *fhir.Editor, r *fhir.Resource) { e.Set(at(r, "o"), "p", []byte(`"s"`)) }, `{ "q" : 1 }`, `"s"`},
		{"set on the root twice", func(e *fhir.Editor, r *fhir.Resource) {
			e.Set(r.Root(), "n", []byte(`1`))
			e.Set(r.Root(), "n", []byte(`2`))
		}, `true }`, `true,"n":2 }`},
		{"remove then set", func(e *fhir.Editor, r *fhir.Resource) {
			e.Remove(at(r, "last"))
			e.Set(r.Root(), "last", []byte("false"))
		}, `true`, `false`},
		{"remove all, append one", func(e *fhir.Editor, r *fhir.Resource) {
			for _, v := range r.At("a").Items() {
				e.Remove(v)
			}
			e.Append(r.At("a"), []byte("9"))
		}, `[ 1 , 2.50 , 3 ]`, `[9 ]`},
		{"edit below what is removed", func(e *fhir.Editor, r *fhir.Resource) {
			e.Remove(at(r, "o"))
			e.Set(at(r, "o.p"), "n", []byte("1"))
		}, ",\n  \"o\" : { \"p\" : { \"q\" : 1 } }", ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := parse(t, body)
			e := r.Edit()
			c.edit(e, r)
			got, err := e.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Replace(body, c.from, c.to, 1); string(got) != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if string(r.Bytes()) != body {
				t.Error("the source changed")
			}
		})
	}
}

func TestEditRefuses(t *testing.T) {
	t.Parallel()
	r := parse(t, `{"resourceType":"Patient","a":[1]}`)
	other := parse(t, `{"resourceType":"Patient","a":[1]}`)
	for name, edit := range map[string]func(e *fhir.Editor){
		"the root":         func(e *fhir.Editor) { e.Remove(r.Root()) },
		"another document": func(e *fhir.Editor) { e.Remove(other.At("a")) },
		"nothing":          func(e *fhir.Editor) { e.Replace(nil, []byte("1")) },
		"no object":        func(e *fhir.Editor) { e.Set(r.At("a"), "n", []byte("1")) },
		"half a value":     func(e *fhir.Editor) { e.Set(r.Root(), "n", []byte(`1,"active":true`)) },
		"duplicate inside": func(e *fhir.Editor) { e.Set(r.Root(), "n", []byte(`{"a":1,"a":2}`)) },
		"no array":         func(e *fhir.Editor) { e.Append(r.Root(), []byte("1")) },
	} {
		e := r.Edit()
		edit(e)
		if b, err := e.Bytes(); err == nil {
			t.Errorf("%s: %s", name, b)
		}
	}
}

// TestEditRandom removes random values from the CarePlan and compares with a model that does the
// same to a decoded tree; then it asks that the result is a subsequence of the source: no byte
// that was not removed has changed.
func TestEditRandom(t *testing.T) {
	t.Parallel()
	body := carePlan(t)
	seed := uint64(time.Now().UnixNano())
	for round := range 300 {
		random := rand.New(rand.NewPCG(seed, uint64(round)))
		r := parse(t, string(body))
		var all []*fhir.Value
		var collect func(v *fhir.Value)
		collect = func(v *fhir.Value) {
			for _, m := range v.Members() {
				if m.Name != "resourceType" {
					all = append(all, m.Value)
				}
				collect(m.Value)
			}
			for _, i := range v.Items() {
				all = append(all, i)
				collect(i)
			}
		}
		collect(r.Root())
		e := r.Edit()
		gone := map[*fhir.Value]bool{}
		for range 1 + random.IntN(12) {
			v := all[random.IntN(len(all))]
			e.Remove(v)
			gone[v] = true
			if p := v.Parent(); p.Kind() == fhir.Object {
				if s := p.Get("_" + v.Name()); s != nil {
					gone[s] = true
				}
			}
		}
		got, err := e.Bytes()
		if err != nil {
			t.Fatalf("seed %d round %d: %v", seed, round, err)
		}
		again, err := fhir.Parse(got)
		if err != nil {
			t.Fatalf("seed %d round %d: %v\n%s", seed, round, err, got)
		}
		want, _ := without(r.Root(), gone)
		if !reflect.DeepEqual(plain(again.Root()), want) {
			t.Fatalf("seed %d round %d: got %s", seed, round, got)
		}
		if !subsequence(got, body) {
			t.Fatalf("seed %d round %d: bytes changed: %s", seed, round, got)
		}
	}
}

// without is the model: a decoded tree less what is gone and what that empties.
func without(v *fhir.Value, gone map[*fhir.Value]bool) (any, bool) {
	if gone[v] {
		return nil, false
	}
	switch v.Kind() {
	case fhir.Object:
		m := map[string]any{}
		for _, member := range v.Members() {
			if x, ok := without(member.Value, gone); ok {
				m[member.Name] = x
			}
		}
		return m, len(m) > 0
	case fhir.Array:
		list := []any{}
		for _, item := range v.Items() {
			if x, ok := without(item, gone); ok {
				list = append(list, x)
			}
		}
		return list, len(list) > 0
	}
	return plain(v), true
}

func subsequence(sub, of []byte) bool {
	for _, c := range sub {
		i := bytes.IndexByte(of, c)
		if i < 0 {
			return false
		}
		of = of[i+1:]
	}
	return true
}

func TestStamp(t *testing.T) {
	t.Parallel()
	m := fhir.Meta{
		VersionID: "v2", LastUpdated: time.Date(2026, 11, 21, 12, 0, 0, 123456789, time.FixedZone("", 3600)),
		Custodian: fhir.Reference{Type: "Organization", ID: "own"},
		Security:  []fhir.Coding{{System: "s", Code: "rus"}}, Tag: []fhir.Coding{{System: "t", Code: "x"}},
	}
	const stamp = `"extension":[{"url":"http://sluse.no/fhir/StructureDefinition/custodian","valueReference":{"reference":"Organization/own"}}],` +
		`"versionId":"v2","lastUpdated":"2026-11-21T11:00:00.123Z"`
	const security = `"security":[{"system":"s","code":"rus"}]`
	for _, c := range []struct{ name, body, want string }{
		{"nothing there", `{"resourceType":"Patient" , "active" : true}`,
			`{"resourceType":"Patient","id":"new","meta":{` + stamp + `,` + security + `,"tag":[{"system":"t","code":"x"}]} , "active" : true}`},
		{"only the type", `{"resourceType":"Patient"}`,
			`{"resourceType":"Patient","id":"new","meta":{` + stamp + `,` + security + `,"tag":[{"system":"t","code":"x"}]}}`},
		{"id there", "{\"id\" : \"old\",\n\"resourceType\":\"Patient\"}",
			"{\"id\" : \"new\",\n\"resourceType\":\"Patient\",\"meta\":{" + stamp + `,` + security + `,"tag":[{"system":"t","code":"x"}]}}`},
		{"meta before the type", `{"meta":{"source":"a"},"x":1.10,"resourceType":"Patient"}`,
			`{"meta":{` + stamp + `,"source":"a",` + security + `,"tag":[{"system":"t","code":"x"}]},"x":1.10,"resourceType":"Patient","id":"new"}`},
		{"the server's own are replaced, the client's kept", `{"resourceType":"Patient","id":"old","meta":{"versionId":"9","_versionId":{"id":"q"},"lastUpdated":"2000-01-01T00:00:00Z",` +
			`"security":[{"code":"forged"}],"extension":[{"url":"http://sluse.no/fhir/StructureDefinition/custodian","valueReference":{"reference":"Organization/forged"}},{"url":"http://other", "valueString":"k"}],` +
			`"profile" : ["p"],"tag":[ {"system":"t","code":"x"} ],"source":"s"},"z":[1.0]}`,
			`{"resourceType":"Patient","id":"new","meta":{"extension":[{"url":"http://other", "valueString":"k"},{"url":"http://sluse.no/fhir/StructureDefinition/custodian","valueReference":{"reference":"Organization/own"}}],` +
				`"versionId":"v2","lastUpdated":"2026-11-21T11:00:00.123Z","profile" : ["p"],"tag":[ {"system":"t","code":"x"} ],"source":"s",` + security + `},"z":[1.0]}`},
		{"a tag is added", `{"resourceType":"Patient","meta":{"tag":[ {"code":"k"} ]}}`,
			`{"resourceType":"Patient","id":"new","meta":{` + stamp + `,"tag":[ {"code":"k"},{"system":"t","code":"x"}],` + security + `}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := parse(t, c.body)
			got, err := r.Stamp("new", m)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if !json.Valid(got) {
				t.Error("not JSON")
			}
			back := parse(t, string(got)).Meta()
			if back.VersionID != "v2" || back.Custodian != m.Custodian || !reflect.DeepEqual(back.Security, m.Security) || back.LastUpdated.UnixMilli() != m.LastUpdated.UnixMilli() {
				t.Errorf("read back %+v", back)
			}
		})
	}
	for _, body := range []string{`{"resourceType":"Patient","meta":[]}`, `{"resourceType":"Patient","id":5}`, `{"resourceType":"Patient","meta":{"tag":{}}}`, `{"resourceType":"Patient","meta":{"extension":{}}}`} {
		if b, err := parse(t, body).Stamp("new", m); err == nil {
			t.Errorf("%s became %s", body, b)
		}
	}
}
