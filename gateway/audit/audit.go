// Package audit renders the ledger: each access as an AuditEvent (IHE BALP with
// the extensions of the Norwegian trust framework), all of them in a hash chain,
// and the chain's head in signed checkpoints that are kept elsewhere. Whoever
// holds a checkpoint finds any change made to the ledger before it.
//
// The package is pure: bytes in, bytes out. The store keeps the rows.
package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
)

// chainDomain separates these digests from every other use of SHA-256.
const chainDomain = "sluse ledger v1\n"

// Digest continues the chain: the digest of the entry at seq (the first is 1),
// from the digest of the one before it (nil before the first). Every part is
// preceded by its length, so that no two entries have the same input.
func Digest(previous []byte, seq int64, id string, event []byte) []byte {
	h := sha256.New()
	var n [8]byte
	part := func(b []byte) {
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	h.Write([]byte(chainDomain))
	part(previous)
	binary.BigEndian.PutUint64(n[:], uint64(seq))
	h.Write(n[:])
	part([]byte(id))
	part(event)
	return h.Sum(nil)
}

// Entry is one line of the ledger as it is found.
type Entry struct {
	Seq    int64  // its place in the chain
	ID     string // id of the AuditEvent
	Event  []byte // its line: what Source.Line gave
	Digest []byte // the digest kept beside it
}

// Kind is what was done to a ledger.
type Kind string

// The kinds. A chain that was computed anew after the change is Rewritten: it
// is sound in itself and leads elsewhere than the checkpoint says.
const (
	Altered   Kind = "altered"
	Missing   Kind = "missing"
	Inserted  Kind = "inserted"
	Rewritten Kind = "rewritten"
)

// Fault is the first change found: at entry Seq, or, when the chain was
// rewritten, somewhere from Seq to To.
type Fault struct {
	Kind    Kind
	Seq, To int64
}

// Error names the change and its place.
func (f Fault) Error() string {
	if f.Kind == Rewritten {
		return fmt.Sprintf("audit: ledger rewritten between entries %d and %d", f.Seq, f.To)
	}
	return fmt.Sprintf("audit: entry %d %s", f.Seq, f.Kind)
}

// Verify walks the entries in the order of the chain from the first, and
// returns how many hold. It finds every change up to the last checkpoint, and
// names the first as a Fault; the more checkpoints, the closer it names a
// rewritten part. What lies behind the last checkpoint is checked against
// itself only. Checkpoints are in the order in which they were signed.
func Verify(entries iter.Seq2[Entry, error], checkpoints ...Checkpoint) (verified int64, err error) {
	var previous []byte
	next, sealed := int64(1), int64(1)
	for e, err := range entries {
		if err != nil {
			return verified, fmt.Errorf("audit: read entry %d: %w", next, err)
		}
		switch {
		case e.Seq < next:
			return verified, Fault{Kind: Inserted, Seq: e.Seq}
		case e.Seq > next:
			return verified, Fault{Kind: Missing, Seq: next}
		}
		digest := Digest(previous, e.Seq, e.ID, e.Event)
		if !bytes.Equal(digest, e.Digest) {
			return verified, Fault{Kind: Altered, Seq: e.Seq}
		}
		for len(checkpoints) > 0 && checkpoints[0].Seq <= e.Seq {
			c := checkpoints[0]
			if c.Seq == e.Seq && !bytes.Equal(c.Digest, digest) || c.Seq == 0 && len(c.Digest) != 0 || c.Seq < 0 {
				return verified, Fault{Kind: Rewritten, Seq: sealed, To: c.Seq}
			}
			checkpoints = checkpoints[1:]
			sealed = e.Seq + 1
		}
		previous, next = digest, next+1
		verified++
	}
	for _, c := range checkpoints {
		if c.Seq >= next {
			return verified, Fault{Kind: Missing, Seq: next}
		}
	}
	return verified, nil
}
