-- +goose Up
-- Who stands by one version of a Consent or CareTeam: a custodian for its records, or the person herself.
create table confirmation (
  type    text collate "C" not null,
  id      text collate "C" not null,
  version text collate "C" not null,
  party   text collate "C" not null,
  patient boolean not null,
  person  bigint not null,
  at      timestamptz not null,
  primary key (type, id, version, party, person)
);
create trigger confirmation_append_only before update or delete or truncate on confirmation
  for each statement execute function append_only();

-- roles: the Consent names roles of the person, and follows who has them.
alter table consent_grants add column roles boolean not null default false;

-- The registrar whom a custodian must trust by agreement for the grant to count; null: nobody.
alter table grant_ add column trust text collate "C";

-- +goose Down
alter table grant_ drop column trust;
alter table consent_grants drop column roles;
drop table confirmation;
