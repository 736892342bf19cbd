//! A stored operation, as far as its cost depends on it, and the cost that it has.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use opstream_schemas::database::{Database, Row};
use opstream_schemas::prices::CostStatus;
use opstream_schemas::{NanoUsd, Operation, OperationId, UtcMicros};

use crate::data_folder::{DEFAULT_DATA, Place};
use crate::foreign_tables::refuse_foreign;
use crate::settings::DatabaseArgs;

/// Where stored operations are.
#[derive(clap::Args)]
pub(super) struct StoredArgs {
    /// Folder of `opstream up`, with its database; wins over --database-url [default: ./opstream-data]
    #[arg(long, value_name = "DIR", env = "OPSTREAM_DATA")]
    data: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// What a row says.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// The operation, without what no price depends on.
    pub(super) operation: Operation,
    /// Its cost; none is unknown.
    pub(super) cost: Option<NanoUsd>,
    /// How that came about.
    pub(super) status: String,
    /// Which prices were used; none without a cost, and in rows of earlier versions.
    pub(super) price_key: Option<String>,
    /// The catalogue that they are from.
    pub(super) price_version: String,
    /// What the provider or the application said that it costs.
    pub(super) reported: Option<NanoUsd>,
    /// What the catalogue said beside a reported cost; none in rows of earlier versions.
    pub(super) catalogue_cost: Option<NanoUsd>,
    /// The re-pricing that its cost is of, if it is of one.
    pub(super) repricing: Option<i64>,
    /// What it cost at first, where a re-pricing changed that.
    pub(super) billed: Option<NanoUsd>,
}

impl Stored {
    /// Whether the reported cost is the one that counts.
    pub(super) fn counts_reported(&self) -> bool {
        self.status == CostStatus::Reported.name()
    }

    /// What the catalogue said when it was stored; none is "no price".
    pub(super) fn by_catalogue(&self) -> Option<NanoUsd> {
        if self.counts_reported() { self.catalogue_cost } else { self.cost }
    }

    /// The reported cost less the catalogue's, where there are both.
    pub(super) fn difference(&self) -> Option<NanoUsd> {
        let (reported, catalogue) = (self.reported?.nanos(), self.by_catalogue()?.nanos());
        reported.checked_sub(catalogue).map(NanoUsd::from_nanos)
    }
}

/// Reads the row of this operation; creates and changes nothing.
///
/// # Errors
/// When there is no such database or operation, or the database does not answer.
pub(super) async fn find(args: &StoredArgs, id: OperationId) -> anyhow::Result<Stored> {
    let place = Place::of(args.data.as_deref(), Path::new(DEFAULT_DATA), &args.database)?;
    place.require_file()?;
    if place.is_shared {
        Box::pin(refuse_foreign(&place.url)).await?;
    }
    let database = Box::pin(Database::connect(&place.url)).await?;
    let found = database.fetch_optional(include_str!("operation.sql"), &[id.into()]).await;
    let row = found.with_context(|| {
        format!("{} has no operations of this version of opstream; start its roles with this version once", place.url)
    })?;
    let row = row.with_context(|| format!("there is no operation {id} in {}", place.url))?;
    let stored = read(id, &row).context("cannot read the operation")?;
    database.close().await;
    Ok(stored)
}

fn read(id: OperationId, row: &Row) -> Result<Stored, sqlx::Error> {
    let money = |column| row.optional_int(column).map(|nanos| nanos.map(NanoUsd::from_nanos));
    Ok(Stored {
        operation: Operation {
            operation_id: id,
            workspace: row.text("workspace")?,
            operation_type: row.text("operation_type")?,
            provider: row.optional_text("provider")?,
            model: row.optional_text("model")?,
            response_model: row.optional_text("response_model")?,
            service_tier: row.optional_text("service_tier")?,
            processing: row.optional_text("processing")?,
            started_at: UtcMicros::from_micros(row.int("started_at_us")?),
            http_status: row.optional_int("http_status")?.and_then(|status| i32::try_from(status).ok()),
            input_tokens: row.optional_int("input_tokens")?,
            cache_read_tokens: row.int("cache_read_tokens")?,
            cache_write_tokens: row.int("cache_write_tokens")?,
            cache_write_1h_tokens: row.int("cache_write_1h_tokens")?,
            output_tokens: row.optional_int("output_tokens")?,
            reasoning_tokens: row.int("reasoning_tokens")?,
            input_audio_tokens: row.int("input_audio_tokens")?,
            output_audio_tokens: row.int("output_audio_tokens")?,
            input_image_tokens: row.int("input_image_tokens")?,
            output_image_tokens: row.int("output_image_tokens")?,
            web_searches: row.int("web_searches")?,
            billable_units: row.optional_text("billable_units")?,
            metadata: row.optional_text("metadata")?,
            ..Operation::default()
        },
        cost: money("cost_nano_usd")?,
        status: row.text("cost_status")?,
        price_key: row.optional_text("price_key")?,
        price_version: row.text("price_version")?,
        reported: money("reported_cost_nano_usd")?,
        catalogue_cost: money("catalogue_cost_nano_usd")?,
        repricing: row.optional_int("repricing")?,
        billed: money("billed_cost_nano_usd")?,
    })
}
