-- What the catalogue says of operations whose cost was reported, whichever of the two counts, and how far the two are apart. Operations
-- and windows of before have none of it: they are not compared.

alter table operations add column catalogue_cost_nano_usd integer;

alter table windows add column compared integer not null default 0;
alter table windows add column reported_difference_nano_usd integer not null default 0;
alter table windows add column reported_as_cost_nano_usd integer not null default 0;
