package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// serverError is what may be known of an error of the server: never its text, which may repeat
// values of a row.
type serverError struct {
	state      string // SQLSTATE
	constraint string
	routine    string
}

// Error gives the SQLSTATE, the constraint and the routine of the server that raised it.
func (e *serverError) Error() string {
	return strings.TrimSpace("SQLSTATE " + e.state + " " + e.constraint + " " + e.routine)
}

// reduced takes from a driver's error what could be personal.
func reduced(err error) error {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return &serverError{state: server.Code, constraint: server.ConstraintName, routine: server.Routine}
	}
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) {
		return errors.New("cannot connect to the database")
	}
	return err
}

// failure gives an error of the driver its Code. An *Error passes through; an error that lets the
// transaction run again keeps its SQLSTATE.
func failure(op string, err error) error {
	if err == nil {
		return nil
	}
	var later *laterError
	if errors.As(err, &later) {
		op, err = later.op, later.err
	}
	var known *gateway.Error
	if errors.As(err, &known) || errors.Is(err, errAlone) {
		return err
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return absent(op)
	}
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return gateway.Failed(op, codeOf(server.Code), reduced(err))
	}
	// A lost connection, a deadline, a pool without a connection: nothing is known to be wrong
	// with the question.
	return gateway.Failed(op, gateway.Unavailable, reduced(err))
}

// codeOf maps an SQLSTATE (PostgreSQL, appendix A).
func codeOf(state string) gateway.Code {
	switch state {
	case "23505": // unique_violation
		return gateway.Conflict
	case "40001", "40P01", "55P03", "57014", "25006", "25P02":
		return gateway.Unavailable
	}
	switch state[:2] {
	case "08", "53", "57", "58": // connection, resources, operator intervention, system
		return gateway.Unavailable
	}
	return gateway.Internal
}

// again tells whether the same transaction may succeed when it is run once more: a serialization
// failure or a deadlock.
func again(err error) bool {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code == "40001" || server.Code == "40P01"
	}
	var kept *serverError
	return errors.As(err, &kept) && (kept.state == "40001" || kept.state == "40P01")
}

// absent is the one answer for what does not exist and for what is hidden.
func absent(op string) error {
	return gateway.Fault(op, gateway.NotFound, fhir.Issue{Severity: "error", Type: "not-found", Code: "absent"})
}

// unsure is the answer when nobody can tell whether the transaction was committed.
func unsure(op string, err error) error {
	return gateway.Failed(op, gateway.Unavailable, errors.Join(errors.New("the outcome of the commit is not known"), reduced(err)))
}
