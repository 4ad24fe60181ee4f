package fhir_test

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// TestOutlineIsTheEditor does random edits on random documents twice, by an Editor that knows the
// choices taken and by the Outline of one that does not, and asks for the same bytes.
func TestOutlineIsTheEditor(t *testing.T) {
	t.Parallel()
	bodies := [][]byte{
		carePlan(t),
		[]byte(`{ "resourceType" : "CarePlan", "a" : [ 1 , 2.50 , 3 ],
  "given":["x","y"], "_given":[null,{"id":"n"}],  "birthDate":"2000","_birthDate":{"id":"b"},
  "o" : { "p" : { "q" : 1 } }, "e":[{"r":{"s":[{"t":1},{"t":2}]}},{"r":{}}], "last":true }`),
		[]byte(`{"resourceType":"Patient","_given":[ null , null ],"given":[ "a","b" ],"m":{"n":[[1],[2,[3]]]}, "z":{}}`),
	}
	seed := uint64(time.Now().UnixNano())
	for round := range 3000 {
		random := rand.New(rand.NewPCG(seed, uint64(round)))
		body := bodies[random.IntN(len(bodies))]
		if random.IntN(4) > 0 {
			body = bodies[1+random.IntN(2)]
		}
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
		some := func() *fhir.Value { return all[random.IntN(len(all))] }
		plainEditor, outlined := r.Edit(), r.Edit()
		edit := func(do func(e *fhir.Editor)) { do(plainEditor); do(outlined) }
		var choices []*fhir.Value
		var without []bool
		for range random.IntN(5) {
			choices, without = append(choices, some()), append(without, random.IntN(2) == 0)
		}
		for i, v := range choices {
			if without[i] {
				plainEditor.Remove(v)
			}
		}
		for range random.IntN(6) {
			v := some()
			switch random.IntN(4) {
			case 0:
				if v.Kind() == fhir.Object {
					edit(func(e *fhir.Editor) { e.Set(v, "new", []byte(` {"x": 1} `)); e.Set(v, "other", []byte("2")) })
				}
			case 1:
				if p := v.Parent(); p.Kind() == fhir.Object && p.Parent() != nil {
					edit(func(e *fhir.Editor) { e.Set(p, "new", []byte("[ 1 ]")) })
				}
			default:
				edit(func(e *fhir.Editor) { e.Remove(v) })
			}
		}
		want, err := plainEditor.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		o := outlined.Outline(choices)
		if o == nil {
			if !repeated(choices) {
				t.Fatalf("seed %d round %d: no outline", seed, round)
			}
			continue
		}
		got, ok := o.Apply(body, without)
		if !ok || !bytes.Equal(got, want) {
			t.Fatalf("seed %d round %d, without %v:\ngot  %s\nwant %s\nof   %s", seed, round, without, got, want, body)
		}
	}
}

// repeated tells whether two choices are the same value or go with each other.
func repeated(choices []*fhir.Value) bool {
	for i, a := range choices {
		for _, b := range choices[:i] {
			if a == b || a.Parent() == b.Parent() && ("_"+a.Name() == b.Name() || "_"+b.Name() == a.Name()) {
				return true
			}
			if pa, pb := a.Parent(), b.Parent(); pa.Kind() == fhir.Array && pb.Kind() == fhir.Array && pa.Parent() == pb.Parent() {
				return true
			}
		}
	}
	return false
}

// An Outline serves the document it was made of, and no other.
func TestOutlineKnowsItsDocument(t *testing.T) {
	t.Parallel()
	body := []byte(`{"resourceType":"Patient","text":{"div":"kanari"},"active":true}`)
	r := parse(t, string(body))
	e := r.Edit()
	e.Remove(r.At("text"))
	o := e.Outline([]*fhir.Value{r.At("active")})
	if out, ok := o.Apply(body, []bool{false}); !ok || string(out) != `{"resourceType":"Patient","active":true}` {
		t.Fatalf("%s, %v", out, ok)
	}
	other := bytes.Replace(body, []byte("kanari"), []byte("kanarj"), 1)
	if out, ok := o.Apply(other, []bool{false}); ok {
		t.Errorf("another document became %s", out)
	}
	if out, ok := o.Apply(body[:len(body)-1], []bool{false}); ok {
		t.Errorf("a shorter document became %s", out)
	}
	if out, ok := o.Apply(body, nil); ok {
		t.Errorf("without choices it became %s", out)
	}
	if o := r.Edit().Outline([]*fhir.Value{nil}); o != nil {
		t.Error("an absent choice has an outline")
	}
}
