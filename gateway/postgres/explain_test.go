package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// explaining shows the plan of each query that runs through it: the one made once for whatever
// values, as a cached statement has it.
type explaining struct {
	querier
	plans []string
}

func (e *explaining) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	name := "explained_" + strconv.Itoa(len(e.plans))
	if err := e.run(ctx, `prepare `+name+` as `+sql); err != nil {
		return nil, err
	}
	places := make([]string, len(args))
	for i := range args {
		places[i] = "$" + strconv.Itoa(i+1)
	}
	rows, err := e.querier.Query(ctx, `explain (costs off) execute `+name+`(`+strings.Join(places, ", ")+`)`, append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...)
	if err != nil {
		return nil, err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	e.plans = append(e.plans, strings.Join(lines, "\n"))
	if err := e.run(ctx, `deallocate `+name); err != nil {
		return nil, err
	}
	return e.querier.Query(ctx, sql, args...)
}

func (e *explaining) run(ctx context.Context, sql string) error {
	rows, err := e.querier.Query(ctx, sql, pgx.QueryExecModeDescribeExec)
	if err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}
