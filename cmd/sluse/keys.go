package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluse/sluse/gateway/audit"
)

// keySet are the secrets of one installation. The hash key belongs to its database for ever: with
// another key no search finds what was stored before.
type keySet struct {
	hash   [32]byte      // of the store's keyed hashes
	seal   []byte        // 32 bytes, of page links
	signer *audit.Signer // of checkpoints
	public string        // verifies checkpoints; a copy belongs to whoever verifies
}

// Names of the files of a keySet.
const (
	hashFile   = "hash.key"       // 32 bytes in hexadecimal
	sealFile   = "seal.key"       // 32 bytes in hexadecimal
	signFile   = "checkpoint.key" // private key of the checkpoints (C2SP signed-note)
	publicFile = "checkpoint.pub" // its public key
)

// readKeys reads the files of a directory.
func readKeys(dir string) (k keySet, err error) {
	read := func(name string) string {
		raw, fault := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(fault, os.ErrNotExist) {
			fault = fmt.Errorf("%s is missing: sluse migrate --new-keys makes it for a new database", filepath.Join(dir, name))
		}
		err = errors.Join(err, fault)
		return strings.TrimSpace(string(raw))
	}
	hash, seal, private := read(hashFile), read(sealFile), read(signFile)
	k.public = read(publicFile)
	if err != nil {
		return keySet{}, err
	}
	raw, badHash := hex.DecodeString(hash)
	k.seal, err = hex.DecodeString(seal)
	if badHash != nil || err != nil || len(raw) != len(k.hash) || len(k.seal) != 32 {
		return keySet{}, fmt.Errorf("%s and %s in %s must hold 32 bytes each, in hexadecimal", hashFile, sealFile, dir)
	}
	copy(k.hash[:], raw)
	k.signer, err = audit.NewSigner(private)
	return k, err
}

// makeKeys makes those of the files that are missing; it never replaces one. origin names the
// ledger in its checkpoints.
func makeKeys(dir, origin string, random io.Reader) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{hashFile, sealFile} {
		var key [32]byte
		if _, err := io.ReadFull(random, key[:]); err != nil {
			return fmt.Errorf("make %s: %w", name, err)
		}
		if _, err := makeFile(filepath.Join(dir, name), hex.EncodeToString(key[:])); err != nil {
			return err
		}
	}
	private, public, err := audit.NewKey(random, origin)
	if err != nil {
		return err
	}
	made, err := makeFile(filepath.Join(dir, signFile), private)
	if err != nil || !made {
		return err
	}
	_, err = makeFile(filepath.Join(dir, publicFile), public)
	return err
}

// makeFile writes a line into a new file; false when there is one already.
func makeFile(path, line string) (made bool, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = f.WriteString(line + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return false, errors.Join(err, os.Remove(path))
	}
	return true, nil
}
