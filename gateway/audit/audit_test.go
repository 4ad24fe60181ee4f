package audit_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/audit"
)

var at = time.Date(2026, 11, 21, 22, 4, 5, 0, time.UTC)

// chain makes a ledger of n entries.
func chain(n int) (entries []audit.Entry) {
	for i := range n {
		entries = append(entries, audit.Entry{ID: fmt.Sprintf("id-%d", i+1), Event: fmt.Appendf(nil, `{"resourceType":"AuditEvent","n":%d}`, i+1)})
	}
	return rechain(entries)
}

// rechain numbers and hashes entries anew, as somebody would who owns the database.
func rechain(entries []audit.Entry) []audit.Entry {
	var previous []byte
	for i := range entries {
		entries[i].Seq = int64(i + 1)
		entries[i].Digest = audit.Digest(previous, entries[i].Seq, entries[i].ID, entries[i].Event)
		previous = entries[i].Digest
	}
	return entries
}

func all(entries []audit.Entry) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func TestDigestTellsInputsApart(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, tt := range []struct {
		name     string
		previous []byte
		seq      int64
		id       string
		event    string
	}{
		{"one", nil, 1, "a", "b"},
		{"seq", nil, 2, "a", "b"},
		{"id", nil, 1, "x", "b"},
		{"event", nil, 1, "a", "x"},
		{"border moved right", nil, 1, "ab", ""},
		{"border moved left", nil, 1, "", "ab"},
		{"blank event", nil, 1, "", "\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"blank id", nil, 1, "\x00\x00\x00\x00\x00\x00\x00\x00", ""},
		{"previous", []byte("a"), 1, "", "b"},
		{"previous and id", []byte("ab"), 1, "", ""},
	} {
		d := string(audit.Digest(tt.previous, tt.seq, tt.id, []byte(tt.event)))
		if len(d) != 32 {
			t.Fatalf("%s: %d bytes", tt.name, len(d))
		}
		if other, twice := seen[d]; twice {
			t.Errorf("%s and %s have one digest", tt.name, other)
		}
		seen[d] = tt.name
	}
}

// Each kind of change by somebody who may write the database, and what Verify
// says of it against checkpoints held outside, at entries 4, 7 and 10 of 12.
func TestVerifyFindsEachChange(t *testing.T) {
	t.Parallel()
	private, public, err := audit.NewKey(rand.Reader, "sluse-test")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := audit.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	good := chain(12)
	var file bytes.Buffer
	for _, seq := range []int64{4, 7, 10} {
		signed, err := signer.Sign(seq, good[seq-1].Digest, at.Add(time.Duration(seq)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		file.Write(signed)
	}
	checkpoints, err := audit.ReadCheckpoints(&file, public)
	if err != nil || len(checkpoints) != 3 || checkpoints[2].Seq != 10 || !checkpoints[2].At.Equal(at.Add(10*time.Second)) {
		t.Fatalf("checkpoints %+v, %v", checkpoints, err)
	}
	if n, err := audit.Verify(all(good), checkpoints...); n != 12 || err != nil {
		t.Fatalf("an untouched ledger: %d, %v", n, err)
	}
	if n, err := audit.Verify(all(good[:10]), checkpoints...); n != 10 || err != nil {
		t.Fatalf("a ledger of an hour ago: %d, %v", n, err)
	}
	foreign := audit.Entry{ID: "foreign", Event: []byte(`{}`)}
	for _, tt := range []struct {
		name string
		edit func([]audit.Entry) []audit.Entry
		want audit.Fault
	}{
		{"event edited", func(e []audit.Entry) []audit.Entry { e[5].Event = []byte(`{"n":6}`); return e }, audit.Fault{Kind: audit.Altered, Seq: 6}},
		{"one byte of an event", func(e []audit.Entry) []audit.Entry {
			e[0].Event = bytes.Replace(e[0].Event, []byte("n"), []byte("m"), 1)
			return e
		}, audit.Fault{Kind: audit.Altered, Seq: 1}},
		{"id edited", func(e []audit.Entry) []audit.Entry { e[5].ID = "other"; return e }, audit.Fault{Kind: audit.Altered, Seq: 6}},
		{"digest edited", func(e []audit.Entry) []audit.Entry { e[5].Digest = e[4].Digest; return e }, audit.Fault{Kind: audit.Altered, Seq: 6}},
		{"event and digest edited", func(e []audit.Entry) []audit.Entry {
			e[5].Event = []byte(`{}`)
			e[5].Digest = audit.Digest(e[4].Digest, 6, e[5].ID, e[5].Event)
			return e
		}, audit.Fault{Kind: audit.Altered, Seq: 7}},
		{"edited and hashed anew to the end", func(e []audit.Entry) []audit.Entry { e[5].Event = []byte(`{}`); return rechain(e) }, audit.Fault{Kind: audit.Rewritten, Seq: 5, To: 7}},
		{"first deleted", func(e []audit.Entry) []audit.Entry { return e[1:] }, audit.Fault{Kind: audit.Missing, Seq: 1}},
		{"one deleted", func(e []audit.Entry) []audit.Entry { return slices.Delete(e, 5, 6) }, audit.Fault{Kind: audit.Missing, Seq: 6}},
		{"deleted and numbered anew", func(e []audit.Entry) []audit.Entry {
			e = slices.Delete(e, 5, 6)
			for i := range e {
				e[i].Seq = int64(i + 1)
			}
			return e
		}, audit.Fault{Kind: audit.Altered, Seq: 6}},
		{"deleted and hashed anew", func(e []audit.Entry) []audit.Entry { return rechain(slices.Delete(e, 8, 9)) }, audit.Fault{Kind: audit.Rewritten, Seq: 8, To: 10}},
		{"inserted under a taken number", func(e []audit.Entry) []audit.Entry {
			twin := foreign
			twin.Seq, twin.Digest = 6, e[5].Digest
			return slices.Insert(e, 6, twin)
		}, audit.Fault{Kind: audit.Inserted, Seq: 6}},
		{"inserted and hashed anew", func(e []audit.Entry) []audit.Entry { return rechain(slices.Insert(e, 2, foreign)) }, audit.Fault{Kind: audit.Rewritten, Seq: 1, To: 4}},
		{"two swapped", func(e []audit.Entry) []audit.Entry { e[4], e[5] = e[5], e[4]; return e }, audit.Fault{Kind: audit.Missing, Seq: 5}},
		{"two swapped under each other's number", func(e []audit.Entry) []audit.Entry {
			e[4], e[5] = e[5], e[4]
			e[4].Seq, e[5].Seq = 5, 6
			return e
		}, audit.Fault{Kind: audit.Altered, Seq: 5}},
		{"swapped and hashed anew", func(e []audit.Entry) []audit.Entry { e[4], e[5] = e[5], e[4]; return rechain(e) }, audit.Fault{Kind: audit.Rewritten, Seq: 5, To: 7}},
		{"tail cut", func(e []audit.Entry) []audit.Entry { return e[:9] }, audit.Fault{Kind: audit.Missing, Seq: 10}},
		{"all gone", func([]audit.Entry) []audit.Entry { return nil }, audit.Fault{Kind: audit.Missing, Seq: 1}},
		{"another ledger altogether", func([]audit.Entry) []audit.Entry {
			e := chain(12)
			e[0].ID = "other"
			return rechain(e)
		}, audit.Fault{Kind: audit.Rewritten, Seq: 1, To: 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := audit.Verify(all(tt.edit(chain(12))), checkpoints...)
			var fault audit.Fault
			if !errors.As(err, &fault) || fault != tt.want {
				t.Errorf("found %v, want %v", err, tt.want)
			}
		})
	}
}

func TestVerifyPassesReadErrorsOn(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk")
	_, err := audit.Verify(func(yield func(audit.Entry, error) bool) { yield(audit.Entry{}, broken) })
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// A checkpoint that was changed, or is another ledger's, is none.
func TestCheckpointForgeriesAreRefused(t *testing.T) {
	t.Parallel()
	private, public, err := audit.NewKey(rand.Reader, "sluse-test")
	if err != nil {
		t.Fatal(err)
	}
	otherPrivate, _, err := audit.NewKey(rand.Reader, "sluse-test")
	if err != nil {
		t.Fatal(err)
	}
	sign := func(key string, seq int64, digest []byte) string {
		t.Helper()
		signer, err := audit.NewSigner(key)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign(seq, digest, at)
		if err != nil {
			t.Fatal(err)
		}
		return string(signed)
	}
	digest := chain(5)[4].Digest
	good := sign(private, 5, digest)
	if c, err := audit.OpenCheckpoint([]byte(good), public); err != nil || c.Seq != 5 || !bytes.Equal(c.Digest, digest) || c.Origin != "sluse-test" {
		t.Fatalf("%+v, %v", c, err)
	}
	for name, bad := range map[string]string{
		"number changed":             strings.Replace(good, "\n5\n", "\n4\n", 1),
		"time changed":               strings.Replace(good, "2026", "2025", 1),
		"signature cut":              good[:strings.Index(good, "— ")],
		"key of another ledger":      sign(otherPrivate, 5, digest),
		"empty":                      "",
		"half written at the end":    good + good[:20],
		"going back":                 good + sign(private, 4, chain(4)[3].Digest),
		"two truths about one entry": good + sign(private, 5, chain(4)[3].Digest),
		"digest of nothing":          sign(private, 0, digest),
		"nothing of a digest":        sign(private, 5, nil),
	} {
		if _, err := audit.ReadCheckpoints(strings.NewReader(bad), public); !errors.Is(err, audit.ErrCheckpoint) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := audit.NewSigner("PRIVATE+KEY+secret"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a malformed key: %v", err)
	}
	empty := sign(private, 0, nil)
	checkpoints, err := audit.ReadCheckpoints(strings.NewReader(empty+good), public)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := audit.Verify(all(chain(5)), checkpoints...); n != 5 || err != nil {
		t.Errorf("from the empty ledger on: %d, %v", n, err)
	}
}

func BenchmarkVerify(b *testing.B) {
	entries := chain(1000)
	for i := range entries {
		entries[i].Event = bytes.Repeat([]byte("x"), 2500)
	}
	rechain(entries)
	b.ReportAllocs()
	for b.Loop() {
		if n, err := audit.Verify(all(entries)); n != 1000 || err != nil {
			b.Fatal(n, err)
		}
	}
}
