package postgres

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sluse/sluse/gateway"
)

// orNull gives NULL for the empty text.
func orNull[T ~string](s T) *string {
	if s == "" {
		return nil
	}
	text := string(s)
	return &text
}

// orNobody gives NULL for no person.
func orNobody(p gateway.PersonID) *int64 {
	if p == 0 {
		return nil
	}
	n := int64(p)
	return &n
}

// instant gives NULL for the zero time.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// moment writes a bound that is never NULL: the zero time is -infinity, so that comparisons in
// SQL come out as those of gateway.Scope do in Go.
func moment(t time.Time) pgtype.Timestamptz {
	if t.IsZero() {
		return pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
	}
	return pgtype.Timestamptz{Time: t, Valid: true}
}

// endless writes an end: the zero time is infinity.
func endless(t time.Time) pgtype.Timestamptz {
	if t.IsZero() {
		return pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}
	}
	return pgtype.Timestamptz{Time: t, Valid: true}
}

// plain reads moment and endless back.
func plain(t pgtype.Timestamptz) time.Time {
	if !t.Valid || t.InfinityModifier != pgtype.Finite {
		return time.Time{}
	}
	return t.Time.UTC()
}

// members writes one dimension of a grant: NULL is any, the empty array none.
func members[T ~string](s gateway.Set[T]) []string {
	if s.Any {
		return nil
	}
	out := make([]string, 0, len(s.Of))
	for _, v := range s.Of {
		out = append(out, string(v))
	}
	return out
}

func texts[T ~string](of []T) []string {
	out := make([]string, 0, len(of))
	for _, v := range of {
		out = append(out, string(v))
	}
	return out
}

// packParts writes the labelled parts of a version; none is NULL.
func packParts(parts []gateway.Part) ([]byte, error) {
	if len(parts) == 0 {
		return nil, nil
	}
	return json.Marshal(parts)
}

func unpackParts(b []byte) (parts []gateway.Part, err error) {
	if len(b) == 0 {
		return nil, nil
	}
	err = json.Unmarshal(b, &parts)
	return parts, err
}

// packSent writes whom a version was sent to; nobody is NULL.
func packSent(sent []gateway.Sent) (to []string, masks []int64) {
	for _, s := range sent {
		to = append(to, packReceiver(s))
		masks = append(masks, int64(s.Mask))
	}
	return to, masks
}

// packReceiver writes one receiver: the HER-id, with the kind of message after it where one is told.
func packReceiver(s gateway.Sent) string {
	if s.Message == "" {
		return string(s.To)
	}
	return string(s.To) + " " + s.Message
}

func unpackSent(to []string, masks []int64) []gateway.Sent {
	var sent []gateway.Sent
	for i := range to {
		if i < len(masks) {
			party, kind, _ := strings.Cut(to[i], " ")
			sent = append(sent, gateway.Sent{To: gateway.HERID(party), Message: kind, Mask: gateway.Labels(masks[i])})
		}
	}
	return sent
}
