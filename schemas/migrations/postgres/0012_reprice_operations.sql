-- Costs that are computed again: what was asked for, how far it is, and what was there before.

-- The first cost of an operation that was priced again, and the re-pricing that it was last changed by.
alter table operations add column billed_cost_nano_usd bigint;
alter table operations add column repricing bigint;

-- Operations from from_ms to before to_ms are priced with price_version: the built-in prices below these files, a JSON object of name and text.
-- cost_policy says whether these or the reported costs count.
create table repricings (
    repricing bigint generated always as identity primary key,
    state text not null check (state in ('running', 'done', 'failed', 'undoing', 'undone')),
    from_ms bigint not null,
    to_ms bigint not null,
    price_version text not null,
    price_files text not null,
    cost_policy text not null,
    asked_at_ms bigint not null,
    finished_at_ms bigint,
    failure text,
    files bigint not null default 0,
    operations bigint not null default 0,
    changed bigint not null default 0
);

-- What a re-pricing changed, by the operations' provider and model; '' is none.
create table repricing_models (
    repricing bigint not null,
    provider text not null,
    model text not null,
    changed bigint not null,
    unpriced_before bigint not null,
    unpriced_after bigint not null,
    cost_before_nano_usd bigint not null,
    cost_after_nano_usd bigint not null,
    primary key (repricing, provider, model)
);

-- Files that the re-pricing under way is done with.
create table repriced_files (
    file_number bigint not null primary key
);

-- Each changed operation as it was before.
create table repriced_operations (
    operation_id uuid not null,
    repricing bigint not null,
    cost_nano_usd bigint,
    cost_status text not null,
    price_model text,
    price_version text not null,
    price_key text,
    input_cost_nano_usd bigint,
    cache_read_cost_nano_usd bigint,
    cache_write_cost_nano_usd bigint,
    output_cost_nano_usd bigint,
    unit_cost_nano_usd bigint,
    cache_savings_nano_usd bigint,
    catalogue_cost_nano_usd bigint,
    billed_cost_nano_usd bigint,
    earlier_repricing bigint,
    primary key (operation_id, repricing)
);

-- The re-pricing under way, or 0.
insert into settings (name, value) values ('repricing', 0);

-- Files by the time of their operations, whatever their size.
create index lake_files_operations on lake_files (min_operation_id, file_number) where kind = 'operations' and removed_at_ms is null;
