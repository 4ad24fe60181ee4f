// Command thin is the measuring stick of the benchmarks: the least that a FHIR server on
// PostgreSQL has to do. One statement for each create (resource, history, index), no validation,
// no policy, no ledger.
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

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const schema = `
create table if not exists resource (key bigint generated always as identity primary key, type text not null, id text not null,
  version text not null, patient text, updated timestamptz not null default now(), body bytea not null, unique (type, id));
alter table resource alter body set storage external;
create index if not exists resource_patient on resource (patient, type, key desc);
create table if not exists history (type text, id text, version text, body bytea, primary key (type, id, version));
create table if not exists token (key bigint not null, value text not null);
create index if not exists token_value on token (value, key)`

const create = `
with r as (insert into resource (type, id, version, patient, body) values ($1, $2, $3, $4, $5) returning key),
     h as (insert into history (type, id, version, body) values ($1, $2, $3, $5))
insert into token (key, value) select r.key, v from r, unnest($6::text[]) v`

type server struct{ pool *pgxpool.Pool }

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "thin:", err)
		os.Exit(1)
	}
}

func run(dsn string) error {
	pool, err := pgxpool.New(context.Background(), dsn)
	if err != nil {
		return err
	}
	if _, err := pool.Exec(context.Background(), schema, pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("klar: http://%s\n", listener.Addr())
	s := server{pool}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /fhir/{type}", s.create)
	mux.HandleFunc("GET /fhir/{type}/{id}", s.read)
	mux.HandleFunc("GET /fhir/{type}", s.search)
	return http.Serve(listener, mux)
}

func (s server) create(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var head struct {
		Status  string
		Subject struct{ Reference string }
	}
	if err != nil || json.Unmarshal(body, &head) != nil {
		http.Error(w, "malformed", http.StatusBadRequest)
		return
	}
	id, version := rand.Text(), rand.Text()
	stamped := append([]byte(fmt.Sprintf(`{"id":%q,"meta":{"versionId":%q},`, id, version)), body[1:]...)
	tokens := []string{"status=" + head.Status, "subject=" + head.Subject.Reference}
	if _, err := s.pool.Exec(r.Context(), create, r.PathValue("type"), id, version, head.Subject.Reference, stamped, tokens); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(stamped)
}

func (s server) read(w http.ResponseWriter, r *http.Request) {
	var body []byte
	if err := s.pool.QueryRow(r.Context(), `select body from resource where type = $1 and id = $2`, r.PathValue("type"), r.PathValue("id")).Scan(&body); err != nil {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(body)
}

func (s server) search(w http.ResponseWriter, r *http.Request) {
	rows, _ := s.pool.Query(r.Context(), `select body from resource where patient = $1 and type = $2 order by key desc limit 20`, r.FormValue("patient"), r.PathValue("type"))
	bodies, err := pgx.CollectRows(rows, pgx.RowTo[json.RawMessage])
	if err != nil || json.NewEncoder(w).Encode(map[string]any{"resourceType": "Bundle", "entry": bodies}) != nil {
		http.Error(w, "search", http.StatusInternalServerError)
	}
}
