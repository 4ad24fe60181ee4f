-- +goose Up
-- Answers in Sluse's own words to what a party has asked: one for each question.
create index outbox_notice on outbox (party, parent) where notice and parent is not null;

-- The sender has said for this receiver: whole, or not at all. A repetition may say so for a receiver more.
alter table mailbox add column whole boolean not null default false;

-- +goose Down
alter table mailbox drop column whole;
drop index outbox_notice;
