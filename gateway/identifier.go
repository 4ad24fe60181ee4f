package gateway

import (
	"encoding/hex"
	"errors"
	"io"

	"github.com/sluse/sluse/gateway/fhir"
)

var (
	errNotCovered       = errors.New("record outside the scope reached release")
	errCustodianUnknown = errors.New("custodian is not in the directory")
	errCoverDiffers     = errors.New("covered labels differ between SQL and Go")
)

// newID makes a random UUID (RFC 9562 version 4), for ids and versions: they tell nothing of
// order, number or time.
func newID(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", Failed("gateway.newid", Unavailable, err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:]), nil
}

func (g *Gateway) newReference(t fhir.Type, id fhir.ID) (fhir.Reference, error) {
	if id == "" {
		s, err := newID(g.Random)
		if err != nil {
			return fhir.Reference{}, err
		}
		id = fhir.ID(s)
	}
	v, err := newID(g.Random)
	return fhir.Reference{Type: t, ID: id, Version: v}, err
}
