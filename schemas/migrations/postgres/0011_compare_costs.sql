-- What the catalogue says of operations whose cost was reported, whichever of the two counts. Operations of before have none of it.

alter table operations add column catalogue_cost_nano_usd bigint;
