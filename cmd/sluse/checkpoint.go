package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sluse/sluse/gateway/audit"
	"github.com/sluse/sluse/gateway/postgres"
)

// checkpointEvery is how often the head of the ledger is signed when it has moved.
const checkpointEvery = time.Second

// checkpoints signs the head of the ledger and keeps what it signed in a directory outside the
// database's, one file a day: whoever holds a copy finds any change made before it.
type checkpoints struct {
	dir    string
	signer *audit.Signer
	clock  func() time.Time
	log    *slog.Logger

	mu     sync.Mutex
	head   postgres.Head
	moved  bool
	failed error // of the last write
}

func newCheckpoints(dir string, signer *audit.Signer, clock func() time.Time, log *slog.Logger) (*checkpoints, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &checkpoints{dir: dir, signer: signer, clock: clock, log: log}, nil
}

// advanced notes a new head; it is the store's callback.
func (c *checkpoints) advanced(h postgres.Head) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head, c.moved = h, true
}

// run signs until the context ends, and once more then.
func (c *checkpoints) run(ctx context.Context) {
	ticker := time.NewTicker(checkpointEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			c.sign(context.WithoutCancel(ctx))
			return
		case <-ticker.C:
			c.sign(ctx)
		}
	}
}

// sign writes a checkpoint of the head if it has moved since the last one. What fails is tried
// again the next time, and readiness tells of it.
func (c *checkpoints) sign(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.moved {
		return
	}
	now := c.clock().UTC()
	signed, err := c.signer.Sign(c.head.Seq, c.head.Digest, now)
	if err == nil {
		err = appendCheckpoint(c.path(now), signed)
	}
	if c.failed = err; err != nil {
		c.log.LogAttrs(ctx, slog.LevelError, "checkpoint", slog.Any("error", err))
		return
	}
	c.moved = false
}

// path is the file of a day.
func (c *checkpoints) path(at time.Time) string {
	return filepath.Join(c.dir, at.UTC().Format("2006-01-02")+".checkpoints")
}

// ready tells whether the last checkpoint could be kept.
func (c *checkpoints) ready(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// appendCheckpoint adds to a file what a power cut leaves whole or not at all: a torn end of an
// earlier write is cut off first.
func appendCheckpoint(path string, signed []byte) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	whole, err := wholeCheckpoints(f)
	if err == nil {
		err = f.Truncate(whole)
	}
	if err == nil {
		_, err = f.WriteAt(signed, whole)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// wholeCheckpoints gives the length of a file up to its last whole checkpoint, whose last line
// begins with an em dash (C2SP signed-note). It looks at the end of the file only.
func wholeCheckpoints(f *os.File) (int64, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return 0, err
	}
	begin := max(0, size-4096)
	tail := make([]byte, size-begin)
	if _, err := f.ReadAt(tail, begin); err != nil {
		return 0, err
	}
	for end := len(tail); ; {
		end = bytes.LastIndexByte(tail[:end], '\n')
		if end < 0 {
			break
		}
		if line := bytes.LastIndexByte(tail[:end], '\n') + 1; bytes.HasPrefix(tail[line:end], []byte("— ")) {
			return begin + int64(end) + 1, nil
		}
	}
	if begin > 0 {
		return 0, fmt.Errorf("%s holds no checkpoint at its end", f.Name())
	}
	return 0, nil
}
