package postgres

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
)

// What lies there without an Outline, or with that of another binary, gets one, and stays the version that it is; what has
// been replaced meanwhile, and what cannot be read, is left alone.
func TestOutlinesAreStoredAnew(t *testing.T) {
	b := newBench(t)
	var written []gateway.Record
	for _, id := range []string{"own", "none", "other", "broken"} {
		d := b.draft("100", ref("CarePlan", id), "", gateway.Plan)
		d.Body = []byte(strings.Replace(string(d.Body), `{`, `{"activity":[{"id":"1"},{"id":"2"}],`, 1))
		d.Parts = []gateway.Part{{Path: "CarePlan.activity[1]", Labels: gateway.Rus}}
		r := b.make(d)
		if len(r.Outline) == 0 {
			t.Fatal("what is written has no Outline")
		}
		written = append(written, r)
	}
	other := bytes.Clone(written[2].Outline)
	other[0] ^= 1
	for key, body := range map[int][]byte{1: compress(written[1].Body), 2: packBody(written[2].Body, other), 3: []byte("damaged")} {
		b.run(`update resource set body = $2 where rid = $1`, written[key].Key, body)
	}
	dsn := b.pool.Config().ConnString()
	if made, err := Outline(b.ctx, dsn); err != nil || made != 2 {
		t.Fatalf("%d are made, %v, want 2", made, err)
	}
	for i, r := range written[:3] {
		got := b.must(r.Reference)
		if string(got.Body) != string(r.Body) || got.Reference != r.Reference || !bytes.Equal(got.Outline, r.Outline) {
			t.Errorf("%d: %s %x, want %s %x", i, got.Body, got.Outline, r.Body, r.Outline)
		}
	}
	if made, err := Outline(b.ctx, dsn); err != nil || made != 0 {
		t.Errorf("%d are made again, %v", made, err)
	}
	own := written[0]
	if tag, err := b.pool.Exec(b.ctx, outlineSQL, own.Key, b.one(`select vkey from resource where rid = $1`, own.Key)+1, []byte("older")); err != nil || tag.RowsAffected() != 0 {
		t.Errorf("a version that has been replaced is written over: %v", err)
	}
}
