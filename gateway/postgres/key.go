package postgres

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/dchest/siphash"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// keyring makes the keyed hashes of the store. Without the key nobody can tell which national
// number or which code a hash stands for, nor craft two values with the same one.
type keyring struct {
	nins   [32]byte
	tokens [2]uint64 // the key of SipHash, its halves as little-endian numbers
}

func newKeyring(key [32]byte) keyring {
	tokens := derived(key, "sluse token")
	return keyring{
		nins:   derived(key, "sluse nin"),
		tokens: [2]uint64{binary.LittleEndian.Uint64(tokens[:8]), binary.LittleEndian.Uint64(tokens[8:16])},
	}
}

// derived makes a key for one purpose: HMAC-SHA256 of its name under the store's key.
func derived(key [32]byte, purpose string) [32]byte {
	m := hmac.New(sha256.New, key[:])
	m.Write([]byte(purpose))
	return [32]byte(m.Sum(nil))
}

// nin hashes a national identity number: HMAC-SHA256, whole.
func (k keyring) nin(n gateway.NIN) []byte {
	if n.IsZero() {
		return nil
	}
	m := hmac.New(sha256.New, k.nins[:])
	m.Write([]byte(n.Reveal()))
	return m.Sum(nil)
}

// token hashes the parts of a search value, each with its length before it: SipHash-2-4, the keyed
// hash of 64 bits, under the first 128 bits of a key of its own. A create makes some hundred.
func (k keyring) token(parts ...string) int64 {
	var b [512]byte
	buf := b[:0]
	for _, p := range parts {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(p))) //nolint:gosec // a value is far shorter
		buf = append(buf, p...)
	}
	return int64(siphash.Hash(k.tokens[0], k.tokens[1], buf)) //nolint:gosec // all 64 bits are wanted
}

// alias names a person towards one party. The ledger is read by several parties: a number of ours
// would tell them that they speak of the same person, and how many persons came before her.
func (k keyring) alias(party gateway.HERID, person gateway.PersonID) string {
	if person == 0 {
		return ""
	}
	return fmt.Sprintf("%016x", uint64(k.token("alias", string(party), strconv.FormatInt(int64(person), 10)))) //nolint:gosec // all 64 bits are wanted
}

// self hashes the name of a resource.
func (k keyring) self(r fhir.Reference) int64 { return k.token("self", string(r.Type), string(r.ID)) }

// link hashes a place that holds references: one to a resource is self # link.
func (k keyring) link(t, key string) int64 { return k.token(linkForm, t, key) }

// place hashes a place that holds values of a side table.
func (k keyring) place(t, key string) int64 { return k.token(placeForm, t, key) }

// presence hashes that a parameter, by its ordinal, has a value inside a part.
func (k keyring) presence(t string, ordinal int) int64 {
	return k.token(hasForm, t, strconv.Itoa(ordinal))
}
