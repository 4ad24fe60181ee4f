package gateway

import (
	"encoding/json"
	"fmt"
)

// EncodeGrants is the form in which the store keeps a person's grants beside her epoch, so that
// one statement brings all that a decision may look at.
func EncodeGrants(grants []Grant) ([]byte, error) {
	b, err := json.Marshal(grants)
	if err != nil {
		return nil, fmt.Errorf("encode grants: %w", err)
	}
	return b, nil
}

// DecodeGrants reads EncodeGrants. Nothing and an empty list are no grants; anything else that
// cannot be read is an error, and so a deny.
func DecodeGrants(b []byte) ([]Grant, error) {
	if len(b) == 0 {
		return nil, nil
	}
	var grants []Grant
	if err := json.Unmarshal(b, &grants); err != nil {
		return nil, fmt.Errorf("decode grants: %w", err)
	}
	return grants, nil
}
