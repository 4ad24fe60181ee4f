-- +goose Up
-- Conditional writes that found nothing, in queues by party, type and condition: see TakeTurn.
create table condition_turn (
  queue int primary key,
  turn  bigint not null
) with (fillfactor = 50);

-- The history of a type, of one party or of the system, is read in the order of time.
alter table history add column custodian text collate "C" not null;
alter table history add column type text collate "C" not null;
-- What a version had in an order by values, outside labelled parts, by the hash of the place: a page that
-- follows another gives what has changed between them where it was.
alter table history
  add column date_params   text[] collate "C",
  add column text_keys     bigint[],
  add column text_values   text[] collate "C",
  add column date_keys     bigint[],
  add column date_values   timestamptz[],
  add column amount_keys   bigint[],
  add column amount_values numeric[];
create index history_custodian on history (custodian, type, updated desc, vkey desc);
create index resource_updated on resource (custodian, type, updated desc, vkey desc);
