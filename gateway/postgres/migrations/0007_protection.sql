-- +goose Up

-- What else a decision about the person may look at, beside her grants: shield is the strictest grade of
-- adressesperre that stands (policies/data/shield.json), holders are the parties that have had a
-- Patient of her, withheld is what gateway.EncodeWithholdings made of what she may not read herself.
alter table epoch add column shield smallint not null default 0;
alter table epoch add column holders text[] collate "C" not null default '{}';
alter table epoch add column withheld bytea not null default '';

-- Who has asked that the person's address be kept secret: one row for each party that has.
create table shield (
  person bigint not null,
  party  text collate "C" not null,
  grade  smallint not null,
  at     timestamptz not null,
  primary key (person, party),
  constraint shield_grade check (grade > 0)
);

-- What a named person at the custodian has withheld from the person herself.
create table withholding (
  type   text collate "C" not null,
  id     text collate "C" not null,
  person bigint not null,
  body   bytea not null,
  primary key (type, id)
);
create index withholding_person on withholding (person);

-- Who has been told of an emergency access: an actor's accesses to one person within one spell are told
-- once to each.
create table emergency_spell (
  actor  bytea not null,
  person bigint not null,
  told   text collate "C" not null,
  until  timestamptz not null,
  primary key (actor, person, told)
);

-- Tasks that ask for an emergency access to be reviewed, by whose access it was.
create table review (
  task  text collate "C" primary key,
  party text collate "C" not null,
  actor bytea not null,
  at    timestamptz not null
);
create index review_party on review (party, at desc);
