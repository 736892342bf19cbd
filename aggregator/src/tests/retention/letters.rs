//! Dead letters go with the ranges that count them, and not before they are on the topic.

use opstream_schemas::database::Value;
use opstream_schemas::time::DAY_MILLIS;

use super::{NOON, Station, days_ago, take_everything};

const LETTERS: &str = "select count(*) as n from dead_letters";
const RANGES: &str = "select count(*) as n from applied_ranges";

impl Station {
    /// A range of one dead letter at this offset, behind what is there.
    async fn add_letter(&self, offset: i64, applied_at_ms: i64, published_at_ms: Option<i64>) {
        let range = "insert into applied_ranges (stream_id, partition, from_offset, to_offset, reason, rows, duplicates, dead, \
                     skipped, file_number, applied_at_ms) values (1, 1, $1, $1 + 1, 'batch', 0, 0, 1, 0, null, $2)";
        self.execute(range, &[offset.into(), applied_at_ms.into()]).await;
        let letter = "insert into dead_letters (stream_id, partition, source_offset, reason_code, reason, record_headers, \
                      stored_at_ms, published_at_ms) values (1, 1, $1, 'undecodable', '', '[]', $2, $3)";
        let values: [Value; 3] = [offset.into(), applied_at_ms.into(), published_at_ms.into()];
        self.execute(letter, &values).await;
        let checkpoint = "update stream_partitions set next_offset = $1 where partition = 1";
        self.execute(checkpoint, &[(offset + 1).into()]).await;
    }
}

#[tokio::test]
async fn old_letters_go_once_they_are_on_the_topic_and_their_ranges_become_one() {
    Station::each(async |station| {
        let mut windower = station.windower();
        station.commit(&[days_ago(0)]).await;
        let old = NOON - 3 * DAY_MILLIS;
        for (offset, published) in [(0, Some(old)), (1, Some(old)), (2, None), (3, Some(old))] {
            station.add_letter(offset, old, published).await;
        }
        station.add_letter(4, NOON, Some(NOON)).await;
        station.settle(&mut windower).await;
        take_everything(station, &windower, NOON).await;
        assert_eq!((station.int(LETTERS).await, station.int(RANGES).await), (3, 1 + 4));
        let merged = "select dead as n from applied_ranges where merged_at_ms is not null";
        assert_eq!(station.int(merged).await, 2, "the letters are gone and still counted");

        station.execute("update dead_letters set published_at_ms = 1 where source_offset = 2", &[]).await;
        take_everything(station, &windower, NOON).await;
        assert_eq!((station.int(LETTERS).await, station.int(RANGES).await), (1, 1 + 2), "the last is of today");
        assert_eq!(station.int("select source_offset as n from dead_letters").await, 4);
    })
    .await;
}

#[tokio::test]
async fn a_gap_of_the_broker_is_remembered_for_ever() {
    Station::each(async |station| {
        let mut windower = station.windower();
        station.commit(&[days_ago(0)]).await;
        let old = NOON - 3 * DAY_MILLIS;
        for offset in 0..5 {
            station.add_letter(offset, old, Some(old)).await;
        }
        let gap = "update applied_ranges set reason = 'retention_gap', dead = 0, skipped = 1 where partition = 1 and from_offset = 2";
        station.execute(gap, &[]).await;
        station.execute("delete from dead_letters where source_offset = 2", &[]).await;
        station.settle(&mut windower).await;
        take_everything(station, &windower, NOON).await;
        assert_eq!((station.int(LETTERS).await, station.int(RANGES).await), (0, 1 + 3));
        let lost = "select sum(skipped) as n from applied_ranges where reason = 'retention_gap'";
        let lost = lost.replace("sum(skipped)", "cast(sum(skipped) as bigint)");
        let row = station.database.fetch_optional(sqlx::AssertSqlSafe(lost), &[]).await.unwrap().unwrap();
        assert_eq!(row.int("n").unwrap(), 1);
    })
    .await;
}
