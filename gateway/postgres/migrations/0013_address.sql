-- +goose Up
-- Which address receives what: a unit names its Endpoints, an Endpoint the message types that it takes and when.
alter table address
  add column endpoints text[] collate "C" not null default '{}', -- "Endpoint/id" of an Organization, HealthcareService, PractitionerRole
  add column kinds     text[] collate "C" not null default '{}', -- kodeverk 8279, of an Endpoint
  add column opens     timestamptz,                              -- Endpoint.period; null: open
  add column closes    timestamptz;
create index address_her on address (her) where her <> '';

-- What a queue hands out next is found by one index whose order is the queue's, so that no plan depends on how long it is.
drop index mailbox_outward;
create index mailbox_outward on mailbox (receiver, laid_at, key) where not read;
drop index mailbox_turn;
create index mailbox_turn on mailbox (receiver, (coalesce(person, 0)), key) where not read and not apprec;
drop index message_by_msg_id;
create index message_by_msg_id on message (msg_id, party); -- an AppRec names a message by sender and MsgId alone
create index apprec_document on apprec (document);

alter table message
 add column thread text collate "C",               -- the id of what it is about, where that alone names what it changes
 add column whole  boolean not null default false; -- the sender has said: whole, or not at all
create index message_by_thread on message (party, thread) where thread is not null;

-- A queue that is worked off leaves rows behind that every look at it passes: they are cleared away by the thousand.
alter table message set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
alter table mailbox set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
alter table outbox set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
