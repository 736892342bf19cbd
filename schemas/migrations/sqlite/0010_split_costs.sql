-- What a cost consists of, and which prices it was made with. Operations and windows of before have none of it: what their parts do not
-- add up to is the cost of such.

alter table operations add column price_key text;
alter table operations add column input_cost_nano_usd integer;
alter table operations add column cache_read_cost_nano_usd integer;
alter table operations add column cache_write_cost_nano_usd integer;
alter table operations add column output_cost_nano_usd integer;
alter table operations add column unit_cost_nano_usd integer;
alter table operations add column cache_savings_nano_usd integer;

alter table windows add column input_cost_nano_usd integer not null default 0;
alter table windows add column cache_read_cost_nano_usd integer not null default 0;
alter table windows add column cache_write_cost_nano_usd integer not null default 0;
alter table windows add column output_cost_nano_usd integer not null default 0;
alter table windows add column unit_cost_nano_usd integer not null default 0;
alter table windows add column cache_savings_nano_usd integer not null default 0;
