package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/sluse/sluse/gateway"
)

// The directories of a spool. A file has its name in one of them only when it is whole.
const (
	spoolIn     = "in"     // laid here by the other side, by a rename; names ending in .xml are read, .udelt.xml as whole or not at all
	spoolOut    = "out"    // laid here by us, for the other side to take away
	spoolDone   = "done"   // what was taken in
	spoolFailed = "failed" // what was not, each with a .txt that tells why
	spoolTmp    = "tmp"    // half-written
)

// The name of a file tells by its ending that the message goes whole or not at all: there is no other place for it that
// comes with the file.
const (
	spoolEnding      = ".xml"
	spoolWholeEnding = ".udelt.xml"
)

func spoolName(name string, whole bool) string {
	if whole {
		return name + spoolWholeEnding
	}
	return name + spoolEnding
}

// Spool is a Transport by a directory, for test benches and simple systems that share a disk with Sluse.
// Files are named by ids and digests, so that no name tells of anybody; they hold health information and
// are readable to the owner only. Whoever can write to in/ speaks for every party that the route reaches.
type Spool struct{ root *os.Root }

var _ Transport = (*Spool)(nil)

// OpenSpool opens a directory, and makes what is missing in it. Close gives it back.
func OpenSpool(directory string) (*Spool, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{spoolIn, spoolOut, spoolDone, spoolFailed, spoolTmp} {
		if err := root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, errors.Join(err, root.Close())
		}
	}
	return &Spool{root}, nil
}

// Close gives the directory back.
func (s *Spool) Close() error { return s.root.Close() }

// Send lays the document in out/, named by the message and its receiver: a second time it is the same file.
func (s *Spool) Send(_ context.Context, p gateway.Parcel) (reference string, err error) {
	name := spoolName(parcelName(p), p.Whole)
	err = s.write(spoolOut, name, func(w io.Writer) error {
		_, err := p.Document.WriteTo(w)
		return err
	})
	if err != nil {
		return "", gateway.Failed("exchange.spool.send", gateway.Unavailable, err)
	}
	return name, nil
}

// write makes a file whole and durable before it has its name.
func (s *Spool) write(directory, name string, fill func(io.Writer) error) error {
	half := spoolTmp + "/" + name
	f, err := s.root.OpenFile(half, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(fill(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	return s.move(half, directory+"/"+name)
}

// move renames and makes the new name durable.
func (s *Spool) move(from, to string) error {
	if err := s.root.Rename(from, to); err != nil {
		return err
	}
	directory, _, _ := strings.Cut(to, "/")
	d, err := s.root.Open(directory)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Receive hands over the files of in/ by name. It moves each to done/ once it is taken in, or to failed/
// with the reason; one that cannot be taken in now stays.
func (s *Spool) Receive(ctx context.Context, take func(context.Context, gateway.Arrival) error) error {
	const op = "exchange.spool.receive"
	entries, err := fs.ReadDir(s.root.FS(), spoolIn)
	if err != nil {
		return gateway.Failed(op, gateway.Unavailable, err)
	}
	var failed []error
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), spoolEnding) || !e.Type().IsRegular() {
			continue
		}
		if err := s.takeFile(ctx, spoolIn+"/"+e.Name(), take); err != nil {
			failed = append(failed, gateway.Failed(op, gateway.Unavailable, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

var errSpool = errors.New("a file of the spool cannot be read") // its name may tell of somebody

func (s *Spool) takeFile(ctx context.Context, path string, take func(context.Context, gateway.Arrival) error) error {
	f, err := s.root.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) { // another process was faster
			return nil
		}
		return errSpool
	}
	document, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if errors.Join(err, f.Close()) != nil {
		return errSpool
	}
	digest := sha256.Sum256(document)
	whole := strings.HasSuffix(path, spoolWholeEnding)
	name := hex.EncodeToString(digest[:16])
	if len(document) > maxDocument {
		err = gateway.Fault("exchange.spool.receive", gateway.TooLarge)
	} else {
		err = take(ctx, gateway.Arrival{Document: document, Whole: whole})
	}
	switch {
	case refused(err):
		reason := reasonOf(err)
		if err := s.write(spoolFailed, name+".txt", func(w io.Writer) error { _, err := io.WriteString(w, reason); return err }); err != nil {
			return errSpool
		}
		err = s.move(path, spoolFailed+"/"+spoolName(name, whole))
	case err == nil:
		err = s.move(path, spoolDone+"/"+spoolName(name, whole))
	default:
		return err
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errSpool
	}
	return nil
}

// reasonOf tells people why a document was not taken in: code and place, never content.
func reasonOf(err error) string {
	f, ok := failures[gateway.CodeOf(err)]
	if !ok {
		f = failures[gateway.Internal]
	}
	lines := []string{f.text}
	for _, i := range issues(err) {
		if line := explained(i, f.text); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}
