-- +goose Up
-- +goose StatementBegin
create function append_only() returns trigger language plpgsql as $$
begin
  raise exception 'this table is append only' using errcode = 'restrict_violation';
end $$;
-- +goose StatementEnd

-- +goose StatementBegin
do $$
begin
  -- a setting of the database, not of a session, so that it holds behind a pooler too
  execute format('alter database %I set jit = off', current_database());
exception when insufficient_privilege then
  raise notice 'the settings of this database could not be changed';
end $$;
-- +goose StatementEnd

-- A patient as Sluse knows her. nin: keyed hash of the current national identifier; null: known
-- by the one Patient only.
create table person (
  person bigint generated always as identity primary key,
  nin    bytea unique
);

-- Raised by every write that could change a decision about the person; grants: what
-- gateway.EncodeGrants made of all her effective provisions, so that one statement brings both.
create table epoch (
  person bigint primary key,
  epoch  bigint not null default 0,
  grants bytea  not null default ''
);
alter table epoch alter column grants set storage external;

create sequence version_key;

-- One row per resource: its current version. low, high: the record's date, half-open; both
-- -infinity when undated. sent_to, sent_mask: parties it was sent to by message and what was
-- covered then. tok: keyed hashes of token and reference values outside labelled parts.
create table resource (
  rid          bigint generated always as identity primary key,
  vkey         bigint not null default nextval('version_key'),
  person       bigint,
  labels       bigint not null,
  added        bigint not null,
  low          timestamptz not null,
  high         timestamptz not null,
  updated      timestamptz not null,
  deleted      boolean not null default false,
  type         text collate "C" not null,
  id           text collate "C" not null,
  version      text collate "C" not null,
  custodian    text collate "C" not null,
  method       text collate "C" not null,
  subject      text collate "C",
  context_type text collate "C",
  context_id   text collate "C",
  sent_to      text[] collate "C",
  sent_mask    bigint[],
  date_params  text[] collate "C",
  parts        bytea,
  tok          bigint[] not null,
  body         bytea not null,
  constraint resource_name unique (type, id),
  constraint resource_sent check (coalesce(cardinality(sent_to), 0) = coalesce(cardinality(sent_mask), 0))
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
alter table resource alter column body set storage external;
create index resource_person on resource (person, type, low desc, rid desc) where person is not null;
create index resource_custodian on resource (custodian, type, low desc, rid desc);
create index resource_tok on resource using gin (tok) with (fastupdate = off);
create index resource_orphan on resource (custodian, subject) where person is null and subject is not null;

-- Versions that were current once, each with the labels, person and date it had then.
create table history (
  rid       bigint not null,
  vkey      bigint not null,
  person    bigint,
  labels    bigint not null,
  added     bigint not null,
  low       timestamptz not null,
  high      timestamptz not null,
  updated   timestamptz not null,
  deleted   boolean not null,
  version   text collate "C" not null,
  method    text collate "C" not null,
  sent_to   text[] collate "C",
  sent_mask bigint[],
  parts     bytea,
  body      bytea not null,
  primary key (rid, version)
);
alter table history alter column body set storage external;
create trigger history_append_only before update or delete or truncate on history
  for each statement execute function append_only();

-- Values that arrays of hashes do not fit. mask: labels of the part that holds the value, 0 for
-- a value outside labelled parts.
create table text_value (
  rid   bigint not null,
  mask  bigint not null,
  type  text collate "C" not null,
  param text collate "C" not null,
  value text collate "C" not null
);
create index text_value_rid on text_value (rid);
create index text_value_prefix on text_value (type, param, value);

create table date_value (
  rid   bigint not null,
  mask  bigint not null,
  low   timestamptz not null,
  high  timestamptz not null,
  param text collate "C" not null
);
create index date_value_rid on date_value (rid);

create table part_value (
  rid  bigint not null,
  mask bigint not null,
  tok  bigint not null
);
create index part_value_rid on part_value (rid);

-- The normal form of a Consent version's provisions. Arrays: null is any, the empty array none.
create table grant_ (
  person     bigint not null,
  labels     bigint not null,
  low        timestamptz not null,
  high       timestamptz not null,
  starts     timestamptz not null,
  ends       timestamptz not null,
  allow      boolean not null,
  objection  boolean not null,
  consent    text collate "C" not null,
  version    text collate "C" not null,
  path       text collate "C" not null,
  law        text collate "C" not null,
  paragraph  text collate "C" not null,
  custodians text[] collate "C",
  recipients text[] collate "C",
  roles      text[] collate "C",
  purposes   text[] collate "C",
  actions    text[] collate "C",
  types      text[] collate "C",
  items      text[] collate "C"
);
create index grant_person on grant_ (person);
create index grant_consent on grant_ (consent);
create index grant_recipient on grant_ using gin (recipients) with (fastupdate = off);

-- The grants of each Consent as gateway.EncodeGrants wrote them, and the gateway.Basis (JSON) that
-- it was resolved against.
create table consent_grants (
  consent text collate "C" primary key,
  version text collate "C" not null,
  person  bigint not null,
  grants  bytea not null,
  basis   bytea not null
);
create index consent_grants_person on consent_grants (person);

-- CareTeam versions that a Consent was stored with.
create table consent_team (
  consent text collate "C" not null,
  team    text collate "C" not null,
  version text collate "C" not null,
  primary key (consent, team)
);
create index consent_team_team on consent_team (team);

-- Versions that a party has in its own journal by message.
create table fetched (
  party   text collate "C" not null,
  version text collate "C" not null,
  rid     bigint not null,
  mask    bigint not null,
  primary key (party, rid, version)
);

-- Who accessed what. tok: keyed hashes of what an AuditEvent is searched by.
create table ledger (
  key         bigint generated always as identity primary key,
  person      bigint,
  recorded    timestamptz not null,
  id          text collate "C" not null,
  party       text collate "C" not null,
  outcome     text collate "C" not null,
  result      text collate "C" not null,
  interaction text collate "C" not null,
  policy      text collate "C" not null,
  custodians  text[] collate "C" not null,
  tok         bigint[] not null,
  body        bytea not null,
  constraint ledger_id unique (id)
);
alter table ledger alter column body set storage external;
create index ledger_person on ledger (person, recorded desc, key desc) where person is not null;
create index ledger_party on ledger (party, recorded desc, key desc);
create index ledger_tok on ledger using gin (tok) with (fastupdate = off);
create trigger ledger_append_only before update or delete or truncate on ledger
  for each statement execute function append_only();

-- Entries that have no place in the chain yet. A row is here from the commit of its entry until
-- the commit of its place.
create table ledger_queue (
  key bigint not null,
  at  timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

create table ledger_chain (
  seq    bigint primary key,
  key    bigint not null unique,
  digest bytea not null
);
create trigger ledger_chain_append_only before update or delete or truncate on ledger_chain
  for each statement execute function append_only();

-- What the directory's resources say in numbers; names: their other references by "Type/id".
create table address (
  type         text collate "C" not null,
  id           text collate "C" not null,
  active       boolean not null,
  her          text collate "C" not null,
  orgnr        text collate "C" not null,
  hpr          text collate "C" not null,
  name         text collate "C" not null,
  sector       text collate "C" not null,
  lovgrunnlag  text collate "C" not null,
  role         text collate "C" not null,
  parent       text collate "C" not null,
  practitioner text collate "C" not null,
  primary key (type, id)
);

create table directory (
  one      boolean primary key default true check (one),
  revision bigint not null
);
insert into directory (revision) values (1);
