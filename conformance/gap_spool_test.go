package conformance_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// spoolSide is the other side of a transport by a directory.
type spoolSide struct {
	*carrierRun
	directory string
}

func (s *spoolSide) configuration(receiver, _ string) string {
	return fmt.Sprintf("{name: spool, receivers: [%s], spool: %q}", receiver, s.directory)
}

// lay puts a document into in/: whole, by a rename.
func (s *spoolSide) lay(name, text string) {
	s.t.Helper()
	half := filepath.Join(s.directory, name)
	err := os.WriteFile(half, []byte(text), 0o600)
	if err == nil {
		err = os.Rename(half, filepath.Join(s.directory, "in", name+".xml"))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// files gives the files of a directory of the spool that hold the text.
func (s *spoolSide) files(directory, text string) map[string][]byte {
	s.t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.directory, directory))
	if err != nil {
		s.t.Fatal(err)
	}
	found := map[string][]byte{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(s.directory, directory, e.Name()))
		if err != nil && !os.IsNotExist(err) { // moved meanwhile
			s.t.Fatal(err)
		}
		if bytes.Contains(b, []byte(text)) {
			found[e.Name()] = b
		}
	}
	return found
}

func (s *spoolSide) collect() map[string][]byte {
	s.t.Helper()
	list := map[string][]byte{}
	for file, b := range s.files("out", "") {
		list[strings.TrimSuffix(file, ".xml")] = b
		if err := os.Remove(filepath.Join(s.directory, "out", file)); err != nil {
			s.t.Fatal(err)
		}
	}
	return list
}

// tear leaves half a file.
func (s *spoolSide) tear(parcel string) {
	s.t.Helper()
	err := os.WriteFile(filepath.Join(s.directory, "tmp", parcel+".xml"), []byte("<?xml version=\"1.0\"?>\n<Halv"+strings.Repeat("x", 100_000)), 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
}

// takenIn: nothing lies in in/, and the file is among those taken in, once.
func (s *spoolSide) takenIn(name string) bool {
	s.t.Helper()
	if len(s.files("in", "")) > 0 {
		return false
	}
	if n := len(s.files("done", ">"+name+"<")); n != 1 {
		s.t.Errorf("%d files of %s in done", n, name)
	}
	return true
}

func (s *spoolSide) rest() (list []string) {
	s.t.Helper()
	for _, directory := range []string{"in", "failed"} {
		for file := range s.files(directory, "") {
			list = append(list, file+" lies in "+directory)
		}
	}
	return list
}

// TestKilledInEachGapOfTheSpool: the transport by a directory.
func TestKilledInEachGapOfTheSpool(t *testing.T) {
	killCarrier(t, func(r *carrierRun) otherSide { return &spoolSide{r, dataDir(t)} })
}
