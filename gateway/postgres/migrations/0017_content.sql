-- +goose Up
-- What a message consists of is packed by whoever writes it, and its links to records, which are written with it and
-- never without it, are not checked one by one.
alter table message alter column content type bytea using convert_to(content::text, 'UTF8');
alter table message alter column content set storage external;
alter table message_record drop constraint message_record_message_fkey;

-- +goose Down
alter table message_record add constraint message_record_message_fkey foreign key (message) references message (id);
alter table message alter column content type jsonb using convert_from(content, 'UTF8')::jsonb; -- not when any is packed
