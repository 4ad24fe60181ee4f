package fhir_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// patchSpot is a value with the pointer that names it.
type patchSpot struct {
	pointer string
	value   *fhir.Value
}

// spots lists every value below v but what only the server sets.
func patchSpots(v *fhir.Value, pointer string) []patchSpot {
	var all []patchSpot
	for _, m := range v.Members() {
		p := pointer + "/" + strings.ReplaceAll(strings.ReplaceAll(m.Name, "~", "~0"), "/", "~1")
		if p != "/resourceType" && p != "/id" && !strings.HasPrefix(p, "/meta") {
			all = append(append(all, patchSpot{p, m.Value}), patchSpots(m.Value, p)...)
		}
	}
	for i, item := range v.Items() {
		p := pointer + "/" + strconv.Itoa(i)
		all = append(append(all, patchSpot{p, item}), patchSpots(item, p)...)
	}
	return all
}

// inversePatch gives a random operation and the one that undoes it; ok is false when the spot has none
// that restores the order.
func inversePatch(random *rand.Rand, s patchSpot) (forth, back string, ok bool) {
	raw := string(s.value.Raw())
	parent := s.value.Parent()
	switch random.IntN(4) {
	case 0:
		return fmt.Sprintf(`{"op":"replace","path":%q,"value":[1.50]}`, s.pointer), fmt.Sprintf(`{"op":"replace","path":%q,"value":%s}`, s.pointer, raw), true
	case 1:
		if s.value.Kind() == fhir.Array {
			at := s.pointer + "/" + strconv.Itoa(random.IntN(len(s.value.Items())+1))
			return fmt.Sprintf(`{"op":"add","path":%q,"value":{"x":1.0}}`, at), fmt.Sprintf(`{"op":"remove","path":%q}`, at), true
		}
		if s.value.Kind() == fhir.Object {
			return fmt.Sprintf(`{"op":"copy","from":"/status","path":%q}`, s.pointer+"/new~1~0"), fmt.Sprintf(`{"op":"remove","path":%q}`, s.pointer+"/new~1~0"), true
		}
	case 2:
		members, items := parent.Members(), parent.Items()
		if len(members) > 1 && members[len(members)-1].Value == s.value || len(items) > 1 {
			return fmt.Sprintf(`{"op":"remove","path":%q}`, s.pointer), fmt.Sprintf(`{"op":"add","path":%q,"value":%s}`, s.pointer, raw), true
		}
	case 3:
		if n := len(s.value.Items()); n > 1 {
			from, to := s.pointer+"/"+strconv.Itoa(random.IntN(n)), s.pointer+"/"+strconv.Itoa(random.IntN(n))
			return fmt.Sprintf(`{"op":"move","from":%q,"path":%q}`, from, to), fmt.Sprintf(`{"op":"move","from":%q,"path":%q}`, to, from), true
		}
	}
	return "", "", false
}

// TestJSONPatchInverse: operations followed by those that undo them give the original bytes, in one
// patch and through the bytes between.
func TestJSONPatchInverse(t *testing.T) {
	t.Parallel()
	body := carePlan(t)
	seed := uint64(time.Now().UnixNano())
	r := parse(t, string(body))
	all := patchSpots(r.Root(), "")
	tried := 0
	for round := range 800 {
		random := rand.New(rand.NewPCG(seed, uint64(round)))
		forth, back, ok := inversePatch(random, all[random.IntN(len(all))])
		if !ok {
			continue
		}
		tried++
		once, err := fhir.ApplyJSONPatch(r, []byte("["+forth+","+back+"]"))
		if err != nil || !bytes.Equal(once, body) {
			t.Fatalf("seed %d round %d: %s %s: %v\n%s", seed, round, forth, back, err, once)
		}
		between, err := fhir.ApplyJSONPatch(r, []byte("["+forth+"]"))
		if err != nil {
			t.Fatalf("seed %d round %d: %s: %v", seed, round, forth, err)
		}
		again, err := fhir.ApplyJSONPatch(parse(t, string(between)), []byte("["+back+"]"))
		if err != nil || !reflect.DeepEqual(decodedJSON(t, again), decodedJSON(t, body)) {
			t.Fatalf("seed %d round %d: %s %s: %v\n%s", seed, round, forth, back, err, again)
		}
	}
	if tried < 200 {
		t.Errorf("only %d pairs were tried", tried)
	}
}

func decodedJSON(t testing.TB, body []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return v
}

// patchModel is RFC 6902 over decoded JSON, written for clarity alone.
type patchModel struct{ root any }

func (m *patchModel) walk(tokens []string, f func(container any, last string, set func(any)) bool) bool {
	current, set := m.root, func(v any) { m.root = v }
	for i, token := range tokens {
		if i == len(tokens)-1 {
			return f(current, token, set)
		}
		switch c := current.(type) {
		case map[string]any:
			v, ok := c[token]
			if !ok {
				return false
			}
			current, set = v, func(v any) { c[token] = v }
		case []any:
			n, err := strconv.Atoi(token)
			if err != nil || n >= len(c) {
				return false
			}
			current, set = c[n], func(v any) { c[n] = v }
		default:
			return false
		}
	}
	return false
}

func (m *patchModel) get(tokens []string) (v any, ok bool) {
	ok = m.walk(tokens, func(c any, last string, _ func(any)) bool {
		var found bool
		switch c := c.(type) {
		case map[string]any:
			v, found = c[last]
		case []any:
			if n, err := strconv.Atoi(last); err == nil && n < len(c) {
				v, found = c[n], true
			}
		}
		return found
	})
	return v, ok
}

func (m *patchModel) remove(tokens []string) bool {
	return m.walk(tokens, func(c any, last string, set func(any)) bool {
		switch c := c.(type) {
		case map[string]any:
			_, ok := c[last]
			delete(c, last)
			return ok
		case []any:
			n, err := strconv.Atoi(last)
			if err != nil || n >= len(c) {
				return false
			}
			set(slices.Delete(slices.Clone(c), n, n+1))
			return true
		}
		return false
	})
}

func (m *patchModel) add(tokens []string, v any) bool {
	return m.walk(tokens, func(c any, last string, set func(any)) bool {
		switch c := c.(type) {
		case map[string]any:
			c[last] = v
			return true
		case []any:
			n, err := strconv.Atoi(last)
			if last == "-" {
				n, err = len(c), nil
			}
			if err != nil || n > len(c) {
				return false
			}
			set(slices.Insert(slices.Clone(c), n, v))
			return true
		}
		return false
	})
}

// clone copies decoded JSON, so that no two places share a map.
func cloneJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := maps.Clone(v)
		for k := range c {
			c[k] = cloneJSON(c[k])
		}
		return c
	case []any:
		c := slices.Clone(v)
		for i := range c {
			c[i] = cloneJSON(c[i])
		}
		return c
	}
	return v
}

// TestJSONPatchRandom applies random operations and compares result or refusal with the model.
func TestJSONPatchRandom(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	const body = `{ "resourceType" : "Basic", "a": [ 1.50, {"b" : [ ] }, [2 ,3]], "c": {"a": {"b": 1, "c": [1,2]}, "b": "x"}, "b" : 7 }`
	pointers := []string{"/a", "/a/0", "/a/1", "/a/-", "/a/1/b", "/a/1/b/0", "/a/1/b/-", "/a/2", "/a/2/0", "/a/2/-", "/b", "/b/b", "/c", "/c/a", "/c/a/b", "/c/a/c", "/c/a/c/1", "/c/b", "/c/c", "/d", "/d/a"}
	values := []string{`1.0`, `"s"`, `[]`, `{}`, `[1, {"a" : 2.50}]`, `{"a": [ 3 ], "b":{"c" :4}}`, `true`}
	applied := 0
	for round := range 2000 {
		random := rand.New(rand.NewPCG(seed, uint64(round)))
		pick := func(list []string) string { return list[random.IntN(len(list))] }
		m := &patchModel{decodedJSON(t, []byte(body))}
		var operations []string
		fits := true
		for range 1 + random.IntN(8) {
			path, from, value := pick(pointers), pick(pointers), pick(values)
			tokens, source := strings.Split(path[1:], "/"), strings.Split(from[1:], "/")
			if strings.HasPrefix(path, from+"/") {
				continue
			}
			op := pick([]string{"add", "remove", "replace", "move", "copy"})
			operations = append(operations, fmt.Sprintf(`{"op":%q,"path":%q,"from":%q,"value":%s}`, op, path, from, value))
			ok := true
			switch op {
			case "add":
				ok = m.add(tokens, decodedJSON(t, []byte(value)))
			case "remove":
				ok = m.remove(tokens)
			case "replace":
				_, ok = m.get(tokens)
				if ok {
					ok = m.remove(tokens) && m.add(tokens, decodedJSON(t, []byte(value)))
				}
			case "move", "copy":
				var v any
				if v, ok = m.get(source); ok && op == "move" && path != from {
					ok = m.remove(source)
				}
				if ok && (op == "copy" || path != from) {
					ok = m.add(tokens, cloneJSON(v))
				}
			}
			if fits = fits && ok; !fits {
				break
			}
		}
		patch := "[" + strings.Join(operations, ",") + "]"
		got, err := fhir.ApplyJSONPatch(parse(t, body), []byte(patch))
		if (err == nil) != fits {
			t.Fatalf("seed %d round %d: %s: %v, the model says %v", seed, round, patch, err, fits)
		}
		if err == nil {
			applied++
			if !reflect.DeepEqual(decodedJSON(t, got), m.root) {
				t.Fatalf("seed %d round %d: %s\ngot   %s\nmodel %v", seed, round, patch, got, m.root)
			}
		}
	}
	if applied < 200 {
		t.Errorf("only %d patches fitted", applied)
	}
}

// FuzzJSONPatch: no patch document makes the reader or the application panic, and what comes out
// is what Parse reads, with what only the server sets as it was.
func FuzzJSONPatch(f *testing.F) {
	for _, s := range []string{
		`[{"op":"add","path":"/name/-","value":null},{"op":"test","path":"/id","value":"p"}]`, `[{"op":"copy","from":"/name","path":"/meta"}]`,
		`[{"op":"move","from":"/name/0","path":"/telecom/1"},{"op":"replace","path":"/name/0/given","value":[]}]`, `[{"op":"replace","path":"","value":{"resourceType":"Patient","id":"p"}}]`,
	} {
		f.Add([]byte(s))
	}
	r := parse(f, pathPatient)
	f.Fuzz(func(t *testing.T, patch []byte) {
		got, err := fhir.ApplyJSONPatch(r, patch)
		if err != nil {
			faults(t, err)
			return
		}
		if again := parse(t, string(got)); again.Type() != "Patient" || again.ID() != "p" || again.Meta().VersionID != "" {
			t.Errorf("%s gave %s", patch, got)
		}
	})
}

// FuzzFHIRPathPatch: the same for one operation of a FHIRPath Patch.
func FuzzFHIRPathPatch(f *testing.F) {
	f.Add("add", "Patient.name.given[0]", "extension", `"part":[{"name":"url","valueUri":"u"},{"name":"value","valueString":"x"}]`, 0, 1)
	f.Add("delete", "Patient.extension('http://a').first()", "", `"valueString":"x"`, 0, 1)
	f.Add("move", "Patient.telecom", "", `"valueString":"x"`, 2, 0)
	f.Add("insert", "Patient.name[1].given", "", `"_valueString":{"extension":[{"url":"u","valueCode":"x"}]}`, 1, 0)
	f.Add("replace", "Patient.deceased", "", `"valueDateTime":"2020"`, 1, 0)
	f.Add("replace", "Patient.contained[0].name[0].family", "", `"valueString":"x"`, 1, 0)
	r := parse(f, pathPatient)
	f.Fuzz(func(t *testing.T, typ, at, name, value string, source, destination int) {
		quoted := func(s string) string { return string(fhir.AppendString(nil, s)) }
		parts := patchPart("type", "valueCode", quoted(typ)) + "," + patchPart("path", "valueString", quoted(at))
		switch typ {
		case "add":
			parts += "," + patchPart("name", "valueString", quoted(name)) + `,{"name":"value",` + value + "}"
		case "insert":
			parts += "," + patchPart("index", "valueInteger", strconv.Itoa(source)) + `,{"name":"value",` + value + "}"
		case "replace":
			parts += `,{"name":"value",` + value + "}"
		case "move":
			parts += "," + patchPart("source", "valueInteger", strconv.Itoa(source)) + "," + patchPart("destination", "valueInteger", strconv.Itoa(destination))
		}
		p, err := fhir.Parse([]byte(patchParameters(parts)))
		if err != nil {
			return
		}
		got, err := fhir.ApplyFHIRPathPatch(r, p)
		if err != nil {
			faults(t, err)
			return
		}
		if again := parse(t, string(got)); again.Type() != "Patient" || again.ID() != "p" {
			t.Errorf("%s gave %s", parts, got)
		}
	})
}

func BenchmarkJSONPatch(b *testing.B) {
	r := parse(b, string(carePlan(b)))
	patch := []byte(`[{"op":"test","path":"/status","value":"active"},{"op":"replace","path":"/status","value":"completed"},{"op":"add","path":"/activity/0/detail/description","value":"x"}]`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fhir.ApplyJSONPatch(r, patch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFHIRPathPatch(b *testing.B) {
	r := parse(b, string(carePlan(b)))
	patch := parse(b, patchParameters(replaceOp("CarePlan.status", `"valueCode":"completed"`), addOp("CarePlan.activity[0].detail", "location", `"valueReference":{"reference":"Location/a"}`)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fhir.ApplyFHIRPathPatch(r, patch); err != nil {
			b.Fatal(err)
		}
	}
}
