//! The numbers of `settings` that windows depend on. Only the lease's holder changes them, except that anyone may ask for
//! a rebuild or a re-pricing.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Database;

/// What was last committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowSettings {
    /// The generation that readers take.
    pub(crate) generation: i64,
    /// The generation that is built beside it.
    pub(crate) rebuild: Option<i64>,
    /// Minutes before this have no windows.
    pub(crate) minute_floor: UtcMillis,
    /// The same for the generation that is built: where its asker's clock had it, never above the other.
    pub(crate) rebuild_floor: UtcMillis,
    /// Windows before this are copied into the generation that is built.
    pub(crate) copy_before: UtcMillis,
    /// The re-pricing under way.
    pub(crate) repricing: Option<i64>,
}

impl WindowSettings {
    /// Reads them.
    pub(crate) async fn read(database: &Database) -> Result<Self, sqlx::Error> {
        let names = "select name, value from settings where name in ('window_generation', 'window_rebuild', \
                     'window_minute_floor_ms', 'window_rebuild_floor_ms', 'window_copy_before_ms', 'repricing')";
        let mut settings = Self {
            generation: 0,
            rebuild: None,
            minute_floor: UtcMillis::default(),
            rebuild_floor: UtcMillis::default(),
            copy_before: UtcMillis::default(),
            repricing: None,
        };
        for row in database.fetch_all(names, &[]).await? {
            let value = row.int("value")?;
            match row.text("name")?.as_str() {
                "window_generation" => settings.generation = value,
                "window_rebuild_floor_ms" => settings.rebuild_floor = UtcMillis::from_millis(value),
                "window_copy_before_ms" => settings.copy_before = UtcMillis::from_millis(value),
                "repricing" => settings.repricing = (value > 0).then_some(value),
                "window_rebuild" => settings.rebuild = (value > 0).then_some(value),
                _ => settings.minute_floor = UtcMillis::from_millis(value),
            }
        }
        Ok(settings)
    }
}
