package gateway

import (
	"context"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// FeedChange is one version of a record as the change feed tells of it: that it came, never what it says.
type FeedChange struct {
	Place     Place
	Record    fhir.Reference // with Version
	Custodian HERID
	Person    PersonID
	Deleted   bool
	Ended     bool    // Consent: the version before it had provisions that counted
	Told      []HERID // Consent: parties that a permit of the version before it named
	At        time.Time
}

// Place is a place in the change feed: by the transaction that wrote, and the order within it. A
// transaction that is still open has no place yet, so what comes later never lies before a place that
// was read.
type Place struct {
	Tx  uint64
	Key int64
}

// Feed is the part of a transaction that tells of changes. Errors are *Error.
type Feed interface {
	// Changes lists, in order, what was written after the place of the subscription and after it
	// began, of its types: only what no open transaction can come before.
	Changes(ctx context.Context, s Subscription, limit int) ([]FeedChange, error)
	// Forget removes changes older than the time that no subscription waits for, at most limit.
	Forget(ctx context.Context, before time.Time, limit int) (int, error)
}
