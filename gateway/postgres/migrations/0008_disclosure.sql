-- +goose Up
-- What was laid ready for a receiver by message, by each Consent version that let it: to whom, whose it
-- is, and on which provisions. What is read, notified of, exported or fetched is found in the ledger. body:
-- a list of gateway.AuditEntity.
create table delivered (
  key       bigint generated always as identity primary key,
  person    bigint not null,
  at        timestamptz not null,
  consent   text collate "C" not null,
  version   text collate "C" not null,
  party     text collate "C" not null,               -- the receiver's
  receiver  text collate "C" not null,               -- HER-id
  custodian text collate "C" not null,               -- the sender's
  message   uuid not null references message (id),
  body      jsonb not null,
  unique (consent, version, message, receiver)
);
create index delivered_consent on delivered (consent, at desc, key desc);
create trigger delivered_append_only before update or delete or truncate on delivered
  for each statement execute function append_only();

-- A version that took permits away, and from whom. settled: accesses that were under way when it was
-- stored have been looked for, and told of, too.
create table withdrawal (
  consent text collate "C" not null,
  version text collate "C" not null,
  person  bigint not null,
  at      timestamptz not null,
  ended   text[] collate "C" not null,               -- parties that no permit names any more
  lost    text[] collate "C" not null,               -- all that have lost something, those of ended among them
  settled boolean not null default false,
  primary key (consent, version)
);
create index withdrawal_open on withdrawal (at) where not settled;

-- Who has been told of it: once each.
create table withdrawal_notice (
  consent       text collate "C" not null,
  version       text collate "C" not null,
  party         text collate "C" not null,
  task          text collate "C" not null,
  communication text collate "C" not null,           -- '' when none was sent
  primary key (consent, version, party)
);

-- An order that tells of a withdrawal: it crosses without the samtykke that is gone, and holds nothing but
-- that and the head of the Patient.
alter table outbox add column notice boolean not null default false;

-- When somebody is to be reminded that a samtykke ends. version: of the Consent, the latest that ends then.
create table reminder (
  consent text collate "C" not null,
  days    int not null,
  version text collate "C" not null,
  ends    timestamptz not null,
  next_at timestamptz not null,                      -- the day that many days before, or of the next try
  tries   int not null default 0,
  done    boolean not null default false,
  parties text[] collate "C" not null default '{}',  -- who has a Task
  tasks   text[] collate "C" not null default '{}',  -- and which, in the same order
  primary key (consent, days)
);
create index reminder_due on reminder (next_at) where not done;

-- +goose Down
drop table reminder;
alter table outbox drop column notice;
drop table withdrawal_notice;
drop table withdrawal;
drop table delivered;
