-- +goose Up
-- Messages: what was handed in or written by Sluse, what lies ready for whom, what is to be sent.

create table message (
  id           uuid primary key,
  party        text collate "C" not null,           -- the sender's; '' when it is none of ours
  sender       text collate "C" not null,           -- HER-id
  msg_id       text collate "C" not null,
  kind         text collate "C" not null,           -- kodeverk 8279, or APPREC
  receivers    jsonb not null,
  conversation text collate "C",
  parent       text collate "C",
  change       text collate "C",                    -- what it does to its parent, once settled
  generated    timestamptz,
  gen_date     text,                                -- as written
  kind_name    text,
  claimed_at   timestamptz not null,
  state        text collate "C" not null,
  digest       bytea not null,
  document     bytea not null,                      -- zstd, the bytes as they came
  actor        jsonb not null,
  person       bigint,
  content      jsonb,
  tries        int not null default 0,
  next_at      timestamptz not null,
  reused       boolean not null default false,      -- the sender knows that the name was used twice
  unique (party, sender, msg_id)
);
alter table message alter column document set storage external;
create index message_pending on message (next_at, claimed_at) where state = 'received';
create index message_parent on message (party, parent) where parent is not null;
create index message_by_msg_id on message (party, msg_id);

-- Which records came with, or were sent as, which message.
create table message_record (
  type    text collate "C" not null,
  id      text collate "C" not null,
  message uuid not null references message (id),
  primary key (type, id, message)
);

-- One row for each sender and person: those who write it follow each other.
create table message_turn (
  key  bytea primary key,
  turn bigint not null
);

create table mailbox (
  key        bigint generated always as identity primary key,
  party      text collate "C" not null,             -- the receiver's
  receiver   text collate "C" not null,             -- HER-id
  message    uuid not null references message (id),
  generated  timestamptz not null,
  person     bigint,
  apprec     boolean not null,
  withheld   text[] not null,                       -- sections withheld at receipt
  read       boolean not null default false,
  fetched    bytea,                                 -- zstd, the document as it was fetched
  fetched_at timestamptz,
  laid_at    timestamptz not null,
  reminded   boolean not null default false,        -- the sender knows that it was not fetched
  unique (party, message, receiver)
);
alter table mailbox alter column fetched set storage external;
create index mailbox_unread on mailbox (party, receiver, generated, key) where not read;
create index mailbox_unfetched on mailbox (laid_at) where fetched_at is null and not apprec and not reminded;
create index mailbox_message on mailbox (message, party);

-- The one AppRec of each receiver for each message.
create table apprec (
  message  uuid not null references message (id),
  receiver text collate "C" not null,
  status   smallint not null,
  errors   jsonb not null,
  document uuid not null references message (id),
  at       timestamptz not null,
  primary key (message, receiver)
);

-- What the receiver's own system has said of a message, once.
create table statement (
  message  uuid not null references message (id),
  receiver text collate "C" not null,
  status   smallint not null,
  errors   jsonb not null,
  document uuid not null references message (id) deferrable initially deferred,
  at       timestamptz not null,
  primary key (message, receiver)
);

create table outbox (
  key            bigint generated always as identity primary key,
  party          text collate "C" not null,         -- the sender's
  communication  text collate "C" not null,
  version        text collate "C" not null,
  sender         text collate "C" not null,
  sender_hpr     text collate "C" not null,
  receiver       text collate "C" not null,
  receiver_hpr   text collate "C" not null,
  receiver_party text collate "C" not null,
  person         bigint not null,
  msg_id         text collate "C" not null,
  conversation   text collate "C",
  parent         text collate "C",
  message        uuid references message (id),
  tries          int not null default 0,
  state          text collate "C" not null,
  next_at        timestamptz not null,
  deadline       timestamptz,
  reason         text,
  actor          jsonb not null,
  queued_at      timestamptz not null,
  unique (party, communication, receiver)
);
create index outbox_queued on outbox (next_at, key) where state = 'queued';
create index outbox_order on outbox (sender, receiver, person, key) where state = 'queued';
create index outbox_waiting on outbox (deadline) where state = 'sent';
create index outbox_message on outbox (message) where message is not null;
