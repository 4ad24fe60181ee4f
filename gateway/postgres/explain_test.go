package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// explaining shows the plan of each query that runs through it, as it runs.
type explaining struct {
	querier
	plans []string
}

func (e *explaining) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := e.querier.Query(ctx, `explain (analyze, costs off) `+sql, args...)
	if err != nil {
		return nil, err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	e.plans = append(e.plans, strings.Join(lines, "\n"))
	return e.querier.Query(ctx, sql, args...)
}
