-- For SQLite only: Postgres keeps large sketches apart from the rows by itself.
select 1;
