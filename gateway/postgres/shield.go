package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/sluse/sluse/gateway"
)

var _ gateway.Shields = (*Tx)(nil)

const (
	setShieldSQL = `insert into shield (person, party, grade, at) values ($1, $2, $3, $4)
on conflict (person, party) do update set grade = excluded.grade, at = excluded.at`

	liftShieldSQL = `delete from shield where person = $1 and (party = $2 or $3)`
)

// SetShield keeps what a party asks for of a person's address.
func (t *Tx) SetShield(ctx context.Context, person gateway.PersonID, party gateway.HERID, grade gateway.Shield, all bool, at time.Time) error {
	const op = "postgres.setshield"
	var err error
	if grade == gateway.NoShield {
		_, err = t.tx.Exec(ctx, liftShieldSQL, int64(person), string(party), all)
	} else {
		_, err = t.tx.Exec(ctx, setShieldSQL, int64(person), string(party), int16(grade), at)
	}
	if err != nil {
		return failure(op, err)
	}
	return t.raise(ctx, op, person)
}

// openSQL is what is covered of row r besides labels (gateway.Scope.OpenMask): for a question that names
// nobody, and for the person herself, who is the same with or without a name, unless an adressesperre stands
// for the row's own person.
func (s *scoped) openSQL(r string) string {
	open := strconv.FormatUint(uint64(s.OpenMask()), 10) + `::bigint`
	if s.Join == nil && !s.Self || s.OpenMask() == 0 {
		return open
	}
	return `(case when ` + r + `.person = any(array(select w.person from shield w)) then 0 else ` + open + ` end)`
}

// automaticSQL tells whether anything of the person of grant g crosses by itself: not under kode 6.
func automaticSQL(g string) string {
	return g + `.person <> all(array(select w.person from shield w where w.grade >= ` + strconv.Itoa(int(gateway.StrictlyConfidential)) + `))`
}

// emergencySQL adds what emergency access covers.
func (s *scoped) emergencySQL() string {
	if s.Emergency == 0 {
		return ``
	}
	return ` | ` + s.place(emergencyParameter, int64(s.Emergency), "::bigint") //nolint:gosec // fewer than 63 bits
}
