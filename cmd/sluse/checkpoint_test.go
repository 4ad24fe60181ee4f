package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/audit"
	"github.com/sluse/sluse/gateway/postgres"
)

func TestCheckpointsAreKept(t *testing.T) {
	t.Parallel()
	private, public, err := audit.NewKey(rand.Reader, "sluse.example")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := audit.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	c, err := newCheckpoints(filepath.Join(t.TempDir(), "kept"), signer, func() time.Time { now = now.Add(time.Second); return now }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	digest := bytes.Repeat([]byte{7}, 32)
	for _, seq := range []int64{1, 2} {
		c.advanced(postgres.Head{Seq: seq, Digest: digest})
		c.sign(t.Context())
		c.sign(t.Context()) // has not moved: nothing is written
	}
	read := func() ([]audit.Checkpoint, error) {
		raw, err := os.ReadFile(c.path(now))
		if err != nil {
			t.Fatal(err)
		}
		return audit.ReadCheckpoints(bytes.NewReader(raw), public)
	}
	if all, err := read(); err != nil || len(all) != 2 || all[1].Seq != 2 {
		t.Fatalf("%v %v", all, err)
	}
	// A power cut tears the third; the fourth is written over what is left of it.
	f, err := os.OpenFile(c.path(now), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString("sluse checkpoint v1\nsluse.exa")
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	c.advanced(postgres.Head{Seq: 4, Digest: digest})
	c.sign(t.Context())
	if all, err := read(); err != nil || len(all) != 3 || all[2].Seq != 4 {
		t.Errorf("after a torn write: %v %v", all, err)
	}
}

// What cannot be kept makes the server not ready, and is tried again.
func TestCheckpointFailureIsTold(t *testing.T) {
	t.Parallel()
	private, _, err := audit.NewKey(rand.Reader, "sluse.example")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := audit.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "kept")
	c, err := newCheckpoints(dir, signer, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	c.advanced(postgres.Head{Seq: 1, Digest: bytes.Repeat([]byte{7}, 32)})
	c.sign(t.Context())
	if c.ready(t.Context()) == nil {
		t.Error("ready, though the checkpoint is not kept")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c.sign(t.Context())
	if err := c.ready(t.Context()); err != nil {
		t.Errorf("not ready after the second try: %v", err)
	}
}
