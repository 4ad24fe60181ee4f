-- +goose Up
-- What each Consent gave, and from when: gateway.EncodeGrants, resolved as it was then. By it an access is
-- explained as it was decided.
create table consent_state (
  key     bigint generated always as identity primary key,
  person  bigint not null,
  at      timestamptz not null,
  consent text collate "C" not null,
  version text collate "C" not null,
  grants  bytea not null
);
create index consent_state_person on consent_state (person, consent, key desc);
create trigger consent_state_append_only before update or delete or truncate on consent_state
  for each statement execute function append_only();
