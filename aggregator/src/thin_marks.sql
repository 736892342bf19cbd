-- The youngest mark of each minute or hour ($2, in milliseconds) stays.
delete from watermarks as mark
where mark.observed_at_ms < $1
    and exists (
        select 1
        from watermarks younger
        where younger.stream_id = mark.stream_id
            and younger.partition = mark.partition
            and younger.observed_at_ms > mark.observed_at_ms
            and younger.observed_at_ms < $1
            and younger.observed_at_ms / $2 = mark.observed_at_ms / $2
    )
