-- How many partitions the topic has, written with the marks: "complete to" is only known when each of them has one. 0: not known.
alter table streams add column partitions bigint not null default 0;

-- Older marks do not say whether a partition was missing. New ones come within a second.
delete from watermarks;
