-- +goose Up
-- A history reads each version by its key: without this, all versions of the record for each of them.
create unique index history_version on history (vkey);

-- +goose Down
drop index history_version;
