-- +goose Up
-- A patient's way between hospital and municipality: the messages that tell of it, and what is owed after them.
create table step (
  message      uuid not null references message (id),
  to_party     text collate "C" not null,
  from_party   text collate "C" not null,
  person       bigint not null,
  kind         text collate "C" not null,
  msg_id       text collate "C" not null,
  parent       text collate "C",
  conversation text collate "C",
  change       text collate "C",
  crossed      boolean not null,
  made         timestamptz not null,
  at           timestamptz not null,
  primary key (message, to_party)
);
create index step_person on step (person);

create table duty (
  message  uuid not null,
  to_party text collate "C" not null,
  code     text collate "C" not null,                -- of the Task
  person   bigint not null,
  debtor   text collate "C" not null,
  task     text collate "C" not null,
  state    text collate "C" not null,
  due      timestamptz not null,
  primary key (message, to_party, code),
  foreign key (message, to_party) references step (message, to_party)
);
create index duty_person on duty (person);

-- An AppRec that is here before what it answers.
create table early_apprec (
  sender   text collate "C" not null,                -- HER-id of the sender of the original
  original text collate "C" not null,                -- MsgId of the original
  receiver text collate "C" not null,                -- HER-id of who answers
  message  uuid not null references message (id),
  primary key (sender, original, receiver, message)
);

-- Tasks about a message in a mailbox, which end when what they wait for comes.
create table message_task (
  message  uuid not null references message (id),
  receiver text collate "C" not null,
  party    text collate "C" not null,
  task     text collate "C" not null,
  primary key (message, receiver, party, task)
);

-- By when a message must be fetched, and when to look whether it still may be. Null: nobody waits for it.
alter table mailbox
  add column fetch_by timestamptz,
  add column look_at  timestamptz;
drop index mailbox_unfetched;
create index mailbox_look on mailbox (look_at) where fetched_at is null and not reminded and fetch_by is not null;
create index mailbox_unfetched_person on mailbox (person) where fetched_at is null and not reminded and fetch_by is not null;
