-- +goose Up
-- What the controller of a party has decided of a legal basis other than samtykke (policies/data/hjemler.json): one
-- row for each decision, the highest version is the one that holds.
create table hjemmel (
  id      text collate "C" not null,
  party   text collate "C" not null,
  version bigint not null,
  active  boolean not null,
  decider text not null,
  reason  text not null,
  at      timestamptz not null,
  primary key (id, party, version)
);
create trigger hjemmel_append_only before update or delete or truncate on hjemmel
  for each statement execute function append_only();

-- +goose Down
drop table hjemmel;
