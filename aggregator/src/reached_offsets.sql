select stream_id, partition, reached_offset
from (
    select
        place.stream_id,
        place.partition,
        coalesce(windowed.next_offset, place.start_offset) as windowed_to,
        -- The first range whose file is not windowed; without one, everything that is applied.
        coalesce(
            (
                select applied.from_offset
                from applied_ranges applied
                join lake_files file on file.file_number = applied.file_number
                where applied.stream_id = place.stream_id
                    and applied.partition = place.partition
                    and applied.from_offset >= coalesce(windowed.next_offset, place.start_offset)
                    and file.removed_at_ms is null
                    and not exists (
                        select 1
                        from windowed_files done
                        where done.generation = $1 and done.file_number = applied.file_number
                    )
                order by applied.from_offset
                limit 1
            ),
            place.next_offset
        ) as reached_offset
    from stream_partitions place
    left join windowed_offsets windowed
        on windowed.stream_id = place.stream_id and windowed.partition = place.partition
    where place.next_offset > coalesce(windowed.next_offset, place.start_offset)
) reached
where reached_offset > windowed_to
