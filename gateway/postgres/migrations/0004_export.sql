-- +goose Up
-- Bulk data: who asked for what, how far it has come, and the lines of the files. No body of a record
-- is kept here: a line names a version, and whoever downloads it is decided anew.

-- owner: keyed digest of the actor with everything that decides what it may see. place: index in types,
-- -1 before the persons are counted up. after_person, after_rid: the last row that a line was made of.
-- fence: no transaction from before this one may still run when the first page is read.
create table export (
  key          bigint generated always as identity primary key,
  id           text collate "C" not null unique,
  party        text collate "C" not null,
  owner        bytea not null,
  actor        jsonb not null,
  request      text not null,
  canonical    text not null,
  types        text[] collate "C" not null,
  left_out     text[] not null,
  since        timestamptz not null,
  at           timestamptz not null,
  fence        xid8 not null default pg_current_xact_id(),
  state        text collate "C" not null,
  place        int not null,
  after_person bigint not null,
  after_rid    bigint not null,
  lines        bigint not null default 0,
  tries        int not null default 0,
  next_at      timestamptz not null,
  lease        text collate "C" not null default '',
  leased_until timestamptz not null default '-infinity',
  completed    timestamptz,
  expires      timestamptz not null
);
create index export_party on export (party);
create index export_waiting on export (next_at, key) where state = 'running';
create index export_expires on export (expires);

-- The persons whose records an export is about, fixed when it begins.
create table export_person (
  export bigint not null references export (key) on delete cascade,
  person bigint not null,
  primary key (export, person)
);

-- A file holds the lines after first to last, all of one type.
create table export_file (
  export bigint not null references export (key) on delete cascade,
  number int not null,
  id     text collate "C" not null unique,
  type   text collate "C" not null,
  first  bigint not null,
  last   bigint not null,
  bytes  bigint not null,
  primary key (export, number)
);

create table export_line (
  export  bigint not null references export (key) on delete cascade,
  line    bigint not null,
  rid     bigint not null,
  version text collate "C" not null,
  primary key (export, line),
  constraint export_once unique (export, rid)
);
