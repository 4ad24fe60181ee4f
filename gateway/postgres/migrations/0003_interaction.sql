-- +goose Up
-- Conditional writes that found nothing, in queues by party, type and condition: see TakeTurn.
create table condition_turn (
  queue int primary key,
  turn  bigint not null
) with (fillfactor = 50);

-- The history of a type, of one party or of the system, is read in the order of time.
alter table history add column custodian text collate "C" not null;
alter table history add column type text collate "C" not null;
create index history_custodian on history (custodian, type, updated desc, vkey desc);
create index resource_updated on resource (custodian, type, updated desc, vkey desc);
