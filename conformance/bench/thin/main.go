// Command thin is the measuring stick of the benchmarks: the least that a FHIR server on PostgreSQL
// has to do. One statement for each create (resource, history, index), no validation, no policy, no
// ledger; what fails ends the request without an answer.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	schema = `
create table resource (key bigint generated always as identity primary key, type text not null, id text not null, version text not null,
  patient text, status text, start text, goals text[], updated timestamptz not null default now(), body bytea not null, unique (type, id));
alter table resource alter body set storage external; create index resource_patient on resource (patient, type, key desc);
create table history (type text, id text, version text, body bytea, primary key (type, id, version));
create table token (key bigint not null, value text not null);
create index token_value on token (value, key)`
	create = `
with r as (insert into resource (type, id, version, patient, status, start, goals, body) values ($1, $2, $3, $4, $5, $6, $7, $8) returning key),
     h as (insert into history (type, id, version, body) values ($1, $2, $3, $8))
insert into token (key, value) select r.key, v from r, unnest(array['status=' || $5::text, 'subject=' || $4::text] || $7::text[]) v`
	byID     = `select body from resource where type = $1 and id = $2`
	newest   = `select body from resource where patient = $1 and type = $2 order by key desc limit 20`
	compound = `
with m as (select goals, body from resource where patient = $1 and type = $2 and status = $3 and start >= $4 order by key desc limit 20)
select body from m union all
select g.body from (select distinct unnest(goals) as name from m) n join resource g on g.type = 'Goal' and g.id = split_part(n.name, '/', 2)`
)

var pool = must(pgxpool.New(context.Background(), os.Args[1]))

func main() {
	must(pool.Exec(context.Background(), schema, pgx.QueryExecModeSimpleProtocol))
	http.HandleFunc("POST /fhir/{type}", write)
	http.HandleFunc("GET /fhir/{type}/{id}", func(w http.ResponseWriter, r *http.Request) {
		must(w.Write(rows(r, byID, r.PathValue("type"), r.PathValue("id"))[0]))
	})
	http.HandleFunc("GET /fhir/{type}", func(w http.ResponseWriter, r *http.Request) {
		sql, args := newest, []any{r.FormValue("patient"), r.PathValue("type")}
		if r.FormValue("_include") != "" {
			sql, args = compound, append(args, r.FormValue("status"), strings.TrimPrefix(r.FormValue("date"), "ge"))
		}
		must(0, json.NewEncoder(w).Encode(map[string]any{"resourceType": "Bundle", "entry": rows(r, sql, args...)}))
	})
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	fmt.Printf("klar: http://%s\n", listener.Addr())
	panic(http.Serve(listener, nil))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func rows(r *http.Request, sql string, args ...any) []json.RawMessage {
	return must(pgx.CollectRows(must(pool.Query(r.Context(), sql, args...)), pgx.RowTo[json.RawMessage]))
}

type resource struct {
	ResourceType, Status string
	Subject              struct{ Reference string }
	Period               struct{ Start string }
	Goal                 []struct{ Reference string }
	Entry                []struct{ Resource json.RawMessage }
}

// write stores a resource, or those of a Bundle in one transaction; their urn:uuid stay as they are.
func write(w http.ResponseWriter, r *http.Request) {
	body, batch := must(io.ReadAll(r.Body)), &pgx.Batch{}
	list, stored := []json.RawMessage{body}, []byte(nil)
	for i := 0; i < len(list); i++ {
		one, id, version, goals := resource{}, rand.Text(), rand.Text(), []string{}
		must(0, json.Unmarshal(list[i], &one))
		for _, e := range one.Entry {
			list = append(list, e.Resource)
		}
		for _, g := range one.Goal {
			goals = append(goals, g.Reference)
		}
		if stored = append([]byte(fmt.Sprintf(`{"id":%q,"meta":{"versionId":%q},`, id, version)), list[i][1:]...); one.Entry == nil {
			batch.Queue(create, one.ResourceType, id, version, one.Subject.Reference, one.Status, one.Period.Start, goals, stored)
		}
	}
	must(0, pool.SendBatch(r.Context(), batch).Close())
	w.WriteHeader(http.StatusCreated)
	must(w.Write(stored))
}
