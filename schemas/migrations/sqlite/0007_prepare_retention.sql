-- Operations before settings.retention_floor_ms are dropped, and what is known of them is folded up or deleted.

-- When ranges whose operations and dead letters are gone were merged into this one; null: a range of one transaction.
alter table applied_ranges add column merged_at_ms integer;

-- window_copy_before_ms: the rebuild that is under way copies windows before it from the present generation.
insert into settings (name, value) values ('window_copy_before_ms', 0);
