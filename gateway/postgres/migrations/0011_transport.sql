-- +goose Up
-- What lies ready for parties outside leaves by a transport, and what came by one is answered by it.
alter table mailbox
  add column tries     int not null default 0,           -- how often it was handed to a transport
  add column next_at   timestamptz,                      -- when it may be handed over again
  add column reference text collate "C";                 -- the transport's own name of it, once it took over
create index mailbox_outward on mailbox (receiver, key) where not read;
create index mailbox_turn on mailbox (receiver, person, key) where not read and not apprec;

-- What a transport calls a message that came by it.
create table arrival (
  message   uuid primary key references message (id),
  transport text collate "C" not null,
  reference text collate "C" not null
);

drop index outbox_waiting;
create index outbox_waiting on outbox (deadline) where state in ('sent', 'delivered');
