package audit

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Checkpoint says how the ledger stood: its last entry, that entry's digest,
// and when. Signed, it is a note (C2SP signed-note): text, an empty line, and
// one line for each signature.
type Checkpoint struct {
	Origin string // which ledger: the name in the signing key
	Seq    int64  // last entry, 0 for an empty ledger
	Digest []byte // of that entry, empty for an empty ledger
	At     time.Time
}

// checkpointVersion is the first line of every checkpoint.
const checkpointVersion = "sluse checkpoint v1"

func (c Checkpoint) text() string {
	return checkpointVersion + "\n" + c.Origin + "\n" + strconv.FormatInt(c.Seq, 10) + "\n" +
		base64.StdEncoding.EncodeToString(c.Digest) + "\n" + c.At.UTC().Format(time.RFC3339Nano) + "\n"
}

// NewKey makes the pair of keys of a ledger: private signs and is kept where
// the database is not; public verifies. Origin is the name of the ledger,
// without blanks and plus signs.
func NewKey(random io.Reader, origin string) (private, public string, err error) {
	private, public, err = note.GenerateKey(random, origin)
	if err != nil {
		return "", "", fmt.Errorf("audit: key: %w", err)
	}
	return private, public, nil
}

// Signer signs checkpoints of one ledger. It is safe for concurrent use.
type Signer struct{ signer note.Signer }

// NewSigner reads a private key made by NewKey.
func NewSigner(private string) (*Signer, error) {
	signer, err := note.NewSigner(private)
	if err != nil {
		return nil, errors.New("audit: signing key is malformed") // the cause could quote the key
	}
	return &Signer{signer: signer}, nil
}

// Sign makes a checkpoint of the ledger as it stands.
func (s *Signer) Sign(seq int64, digest []byte, at time.Time) ([]byte, error) {
	c := Checkpoint{Origin: s.signer.Name(), Seq: seq, Digest: digest, At: at}
	signed, err := note.Sign(&note.Note{Text: c.text()}, s.signer)
	if err != nil {
		return nil, fmt.Errorf("audit: sign checkpoint: %w", err)
	}
	return signed, nil
}

// ErrCheckpoint is wrapped by every error about a checkpoint that is not one
// of the ledger, or was changed.
var ErrCheckpoint = errors.New("audit: not a checkpoint of this ledger")

// OpenCheckpoint reads one signed checkpoint and checks it against the public key.
func OpenCheckpoint(signed []byte, public string) (Checkpoint, error) {
	verifier, err := note.NewVerifier(public)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: public key: %w", ErrCheckpoint, err)
	}
	n, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 6 || lines[0] != checkpointVersion || lines[1] != verifier.Name() || lines[5] != "" {
		return Checkpoint{}, fmt.Errorf("%w: another form or ledger", ErrCheckpoint)
	}
	c := Checkpoint{Origin: lines[1]}
	var badSeq, badDigest, badTime error
	c.Seq, badSeq = strconv.ParseInt(lines[2], 10, 64)
	c.Digest, badDigest = base64.StdEncoding.DecodeString(lines[3])
	c.At, badTime = time.Parse(time.RFC3339Nano, lines[4])
	if err := errors.Join(badSeq, badDigest, badTime); err != nil || c.Seq < 0 || (c.Seq == 0) != (len(c.Digest) == 0) {
		return Checkpoint{}, fmt.Errorf("%w: another form", ErrCheckpoint)
	}
	return c, nil
}

// signatureMark begins a signature's line (C2SP signed-note).
const signatureMark = "— "

// ReadCheckpoints reads a file to which signed checkpoints were appended, in
// their order. It refuses a line that belongs to none, a checkpoint that goes
// back, and two that say different things of the same entry: a forked ledger.
func ReadCheckpoints(r io.Reader, public string) ([]Checkpoint, error) {
	var all []Checkpoint
	var signed bytes.Buffer
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		signed.Write(lines.Bytes())
		signed.WriteByte('\n')
		if !strings.HasPrefix(lines.Text(), signatureMark) {
			continue
		}
		c, err := OpenCheckpoint(signed.Bytes(), public)
		if err != nil {
			return nil, err
		}
		if n := len(all); n > 0 {
			last := all[n-1]
			if c.Seq < last.Seq || c.Seq == last.Seq && !bytes.Equal(c.Digest, last.Digest) {
				return nil, fmt.Errorf("%w: it contradicts the one before it", ErrCheckpoint)
			}
		}
		all = append(all, c)
		signed.Reset()
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("audit: read checkpoints: %w", err)
	}
	if len(all) == 0 || signed.Len() > 0 {
		return nil, fmt.Errorf("%w: no whole checkpoint at the end", ErrCheckpoint)
	}
	return all, nil
}
