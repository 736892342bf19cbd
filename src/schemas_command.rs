//! `opstream schemas`: puts our schemas into a Schema Registry of the deployment, or says whether they are there.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use opstream_registry::{RegistryError, Subjects};
use opstream_schemas::avro::Record;
use tokio_util::sync::CancellationToken;

use crate::schema_registry::RegistryArgs;
use crate::settings::topics_of;

/// What a subject of ours allows: any version reads any other.
const COMPATIBILITY: &str = "FULL_TRANSITIVE";

/// Registers the schemas of the topics in a Schema Registry, or checks that they are there.
///
/// Only for deployments with a registry of their own: without one, the api serves the schemas under /registry.
#[derive(Args, Clone)]
#[command(after_long_help = "Examples:
  as a step of a deployment, with rights to write:
    OPSTREAM_SCHEMA_REGISTRY=https://registry:8081 opstream schemas register
  whether everything is there, with rights to read:
    OPSTREAM_SCHEMA_REGISTRY=https://registry:8081 opstream schemas check

Credentials: https://USER:PASSWORD@host in the variable, or a file with
USER:PASSWORD or a token, named by --schema-registry-credentials-file.

Exit code 0: the subjects are as they should be. 1: they are not, or the
registry refused. 2: the command could not run; standard error says why.")]
pub(crate) struct SchemasArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Clone)]
enum Action {
    /// Register what is missing, and have each subject accept only schemas that every version reads
    Register(PlaceArgs),
    /// Look whether the schemas are registered and how they may change; changes nothing
    Check(PlaceArgs),
}

#[derive(Args, Clone)]
struct PlaceArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// First part of every topic's name
    #[arg(long, value_name = "NAME", env = "OPSTREAM_TOPIC_PREFIX", default_value = "llm")]
    topic_prefix: String,
}

/// Does what was asked for and says what it found.
///
/// # Errors
/// When the settings are not usable, or the registry does not answer as one.
pub(crate) async fn run(args: SchemasArgs, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let (Action::Register(place) | Action::Check(place)) = &args.action;
    let subjects = place.registry.subjects(&topics_of(&place.topic_prefix)?)?;
    let subjects = subjects.context("no registry is named; set --schema-registry or OPSTREAM_SCHEMA_REGISTRY")?;
    let work = async {
        let mut is_well = true;
        for record in [Record::Operation, Record::Window, Record::Alert] {
            let found = match &args.action {
                Action::Register(_) => register(&subjects, record).await,
                Action::Check(_) => check(&subjects, record).await,
            };
            is_well &= answered(&subjects.name(record), found)?;
        }
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    };
    shutdown.run_until_cancelled(work).await.context("interrupted; subjects may be half registered")?
}

/// What was found or done, and whether all is as it should be.
struct Finding {
    said: String,
    is_well: bool,
}

/// Prints a finding. What the registry refuses is one; that it does not answer is none.
#[expect(clippy::print_stdout, reason = "what was found is what the command answers")]
fn answered(subject: &str, found: Result<Finding, RegistryError>) -> anyhow::Result<bool> {
    let finding = match found {
        Ok(finding) => finding,
        Err(error @ (RegistryError::Unavailable { .. } | RegistryError::NotRegistry { .. })) => {
            return Err(error.into());
        }
        Err(error) => Finding { said: error.to_string(), is_well: false },
    };
    println!("{subject}: {}", finding.said);
    Ok(finding.is_well)
}

async fn register(subjects: &Subjects, record: Record) -> Result<Finding, RegistryError> {
    let subject = subjects.name(record);
    let mut said = match subjects.look_up(record).await {
        Ok(found) => format!("is registered already, as version {} with id {}", found.version, found.id),
        Err(RegistryError::NotFound { .. }) => {
            let id = subjects.registry().register(&subject, record.newest().text).await?;
            format!("registered with id {id}")
        }
        Err(error) => return Err(error),
    };
    match subjects.registry().compatibility(&subject).await? {
        Some(level) if level == COMPATIBILITY => {}
        level => {
            subjects.registry().set_compatibility(&subject, COMPATIBILITY).await?;
            let before = level.unwrap_or_else(|| "the registry's general level".to_owned());
            said = format!("{said}; compatibility is {COMPATIBILITY} from now on, before it was {before}");
        }
    }
    Ok(Finding { said, is_well: true })
}

async fn check(subjects: &Subjects, record: Record) -> Result<Finding, RegistryError> {
    let subject = subjects.name(record);
    let found = match subjects.look_up(record).await {
        Ok(found) => found,
        Err(RegistryError::NotFound { .. }) => {
            let said = "is not registered in this version; `opstream schemas register` does it".to_owned();
            return Ok(Finding { said, is_well: false });
        }
        Err(error) => return Err(error),
    };
    let said = format!("is registered, as version {} with id {}", found.version, found.id);
    Ok(match subjects.registry().compatibility(&subject).await? {
        Some(level) if level == COMPATIBILITY => Finding { said, is_well: true },
        level => {
            let level = level.unwrap_or_else(|| "the registry's general level".to_owned());
            Finding { said: format!("{said}; compatibility is {level}, not {COMPATIBILITY}"), is_well: false }
        }
    })
}
