-- +goose Up
-- An export goes through its persons in the order of the party's own Patients: the order of their numbers would tell whom
-- another party knew first. An export that is under way goes on in the order in which it has begun.
alter table export_person add column place bigint;
update export_person set place = person;
alter table export_person alter column place set not null;
create index export_person_place on export_person (export, place);
alter table export rename column after_person to after_patient;

-- +goose Down
alter table export rename column after_patient to after_person;
drop index export_person_place;
alter table export_person drop column place;
