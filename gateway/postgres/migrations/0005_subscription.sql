-- +goose Up
-- What is told to subscribers: versions of the types that anybody can subscribe to, in an order that no
-- transaction changes afterwards. tx: the transaction that wrote it; whoever reads only what is older
-- than every open transaction, and remembers how far, loses nothing. Other types pay nothing.
create table change (
  tx        xid8 not null default pg_current_xact_id(),
  key       bigint generated always as identity,
  person    bigint,
  at        timestamptz not null,
  deleted   boolean not null,
  ended     boolean not null,                    -- Consent: the version before it had provisions that counted
  type      text collate "C" not null,
  id        text collate "C" not null,
  version   text collate "C" not null,
  custodian text collate "C" not null,
  told      text[] collate "C",                  -- Consent: parties that a permit of the version before it named
  primary key (type, tx, key)
);

-- +goose StatementBegin
create function tell_change() returns trigger language plpgsql as $$
declare
  named text[];
  before boolean := false;
begin
  if new.type = 'Consent' then
    select array_agg(distinct split_part(x.key, ':', 2)) into named
    from grant_ g cross join lateral unnest(g.recipients) as x(key)
    where g.consent = new.id and g.allow and g.starts <= new.updated and new.updated < g.ends;
    before := exists (select from grant_ g where g.consent = new.id);
  end if;
  insert into change (person, at, deleted, ended, type, id, version, custodian, told)
  values (new.person, new.updated, new.deleted, before, new.type, new.id, new.version, new.custodian, named);
  return null;
end $$;
-- +goose StatementEnd

create trigger resource_created after insert on resource for each row
  when (new.type in ('ServiceRequest', 'Task', 'CarePlan', 'Consent')) execute function tell_change();
create trigger resource_changed after update of version on resource for each row
  when (new.type in ('ServiceRequest', 'Task', 'CarePlan', 'Consent') and old.version <> new.version) execute function tell_change();

-- The state of each Subscription. header: sealed, the only place that has it. tx, key: how far the
-- feed is read; began: what was written before it is not told of.
create table subscription (
  id        text collate "C" primary key,
  party     text collate "C" not null,
  attested  bigint not null,
  each_one  boolean not null,                    -- the token attested each patient asked for
  tx        xid8 not null,
  key       bigint not null,
  number    bigint not null default 0,
  delivered bigint not null default 0,
  tries     int not null default 0,
  heart     interval not null,
  next_at   timestamptz not null,
  claimed   timestamptz,
  sent      timestamptz,
  ends      timestamptz,
  began     pg_snapshot not null,
  status    text collate "C" not null,
  attempt   text collate "C" not null default '',
  topic     text collate "C" not null,
  endpoint  text collate "C" not null,
  types     text[] collate "C" not null,
  settings  jsonb not null,
  actor     jsonb not null,
  header    bytea
) with (fillfactor = 70);
create index subscription_party on subscription (party, id);
create index subscription_due on subscription (next_at) where status in ('requested', 'active');

create table subscription_event (
  subscription text collate "C" not null,
  number       bigint not null,
  person       bigint,
  at           timestamptz not null,
  deleted      boolean not null,
  told         boolean not null,
  type         text collate "C" not null,
  id           text collate "C" not null,
  version      text collate "C" not null,
  custodian    text collate "C" not null,
  primary key (subscription, number)
);
