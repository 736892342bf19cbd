-- For SQLite only, where it matters in which order the columns of a row are.
select 1;
