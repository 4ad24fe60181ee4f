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
-- covered then. tok: keyed hashes of selective values outside labelled parts, by which rows are
-- found; mark: those by which rows found otherwise are filtered; present: one bit for each search
-- parameter that has a value there. self: the hash of type and id; a reference to this resource is
-- self # (hash of the place that holds it). date_params: places whose one value is the record's date.
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
  mark         bigint[] not null default '{}',
  present      bigint not null default 0,
  self         bigint not null default 0,
  body         bytea not null,
  constraint resource_name unique (type, id),
  constraint resource_sent check (coalesce(cardinality(sent_to), 0) = coalesce(cardinality(sent_mask), 0))
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
alter table resource alter column body set storage external;
create index resource_person on resource (person, type, low desc, rid desc) where person is not null;
create index resource_custodian on resource (custodian, type, low desc, rid desc);
create index resource_tok on resource using gin (tok) with (fastupdate = off);
create index resource_self on resource (self);
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

-- Values that arrays of hashes do not fit. mask: labels of the parts that hold the value, 0 for
-- a value outside labelled parts. key: hash of the type and the place.
create table text_value (
  rid   bigint not null,
  mask  bigint not null,
  key   bigint not null,
  value text collate "C" not null
);
create index text_value_rid on text_value (rid);
create index text_value_value on text_value (key, value, rid);

-- Texts of codes (:text), one row for each resource and mask: rows are never found by them.
create table word_value (
  rid   bigint not null,
  mask  bigint not null,
  keys  bigint[] not null,
  texts text[] collate "C" not null
);
create index word_value_rid on word_value (rid);

create table date_value (
  rid  bigint not null,
  mask bigint not null,
  key  bigint not null,
  low  timestamptz not null,
  high timestamptz not null
);
create index date_value_rid on date_value (rid);

-- Numbers and quantities; a null bound is without limit. slack: half a unit of the last place
-- written. exact, code, word: hashes of system and code, of the code alone, of the unit as written.
-- base: hash of the UCUM base unit in which base_low, base_high and base_slack are.
create table amount_value (
  rid        bigint not null,
  mask       bigint not null,
  key        bigint not null,
  exact      bigint not null,
  code       bigint not null,
  word       bigint not null,
  base       bigint not null,
  low        numeric,
  high       numeric,
  slack      numeric not null,
  base_low   numeric,
  base_high  numeric,
  base_slack numeric not null
);
create index amount_value_rid on amount_value (rid);

-- Every hash inside a labelled part: what would be in tok or mark, and presence.
create table part_value (
  rid  bigint not null,
  mask bigint not null,
  tok  bigint not null
);
create index part_value_rid on part_value (rid);
create index part_value_tok on part_value (tok, rid);

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

-- Who accessed what. tok, exact: keyed hashes of what an AuditEvent is searched by, the selective and
-- the others; body: audit.Line, zstd when it is long.
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
  exact       bigint[] not null default '{}',
  body        bytea not null,
  constraint ledger_id unique (id)
);
alter table ledger alter column body set storage external;
create index ledger_person on ledger (person, recorded, key) where person is not null;
create index ledger_party on ledger (party, recorded, key);
-- Lines come by every access and are seldom searched: their tokens wait in a list of at most 256 kB,
-- which every search looks through, and are put in their places together.
create index ledger_tok on ledger using gin (tok) with (fastupdate = on, gin_pending_list_limit = 256);
create trigger ledger_append_only before update or delete or truncate on ledger
  for each statement execute function append_only();

-- Entries that have no place in the chain yet: those of one commit in one row, which is here from
-- that commit until the commit of their places.
create table ledger_queue (
  at   timestamptz not null default clock_timestamp(),
  keys bigint[] not null
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
