//! What fails when: `commit.coming=crash@3; aggregation.begun=stall:2000@5` crashes the process the third time that it is about to
//! commit, and holds the fifth transaction of windows for two seconds.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Step;

/// What happens at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The process is killed.
    Crash,
    /// The step reports an error of input and output.
    Error,
    /// The step takes so much longer.
    Stall {
        /// Milliseconds.
        millis: u64,
    },
}

/// Which faults happen at which visits of which steps. Clones count visits together.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    entries: Arc<[Entry]>,
}

#[derive(Debug)]
struct Entry {
    step: Step,
    fault: Fault,
    /// The visit at which it happens, counted from 1.
    at: u64,
    visits: AtomicU64,
}

/// A plan that cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlanError {
    /// Another form.
    #[error(
        "{text:?} is no planned fault; expected STEP=crash@N, STEP=error@N or STEP=stall:MILLISECONDS@N, separated by ;"
    )]
    Form {
        /// The entry.
        text: String,
    },
    /// A step that nothing reaches.
    #[error("there is no step {step:?}{near}; docs/reliability.md lists all")]
    Step {
        /// Its name.
        step: String,
        /// Those of the same part of the pipeline, as the rest of the sentence.
        near: String,
    },
}

impl FaultPlan {
    /// Counts a visit and returns the fault that is planned for it.
    pub fn due(&self, step: Step) -> Option<Fault> {
        // All entries count, also behind the one that is due.
        self.entries.iter().filter(|entry| entry.step == step).fold(None, |due, entry| {
            let visit = entry.visits.fetch_add(1, Ordering::Relaxed) + 1;
            due.or((visit == entry.at).then_some(entry.fault))
        })
    }
}

impl FromStr for FaultPlan {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let pieces = text.split(';').map(str::trim).filter(|piece| !piece.is_empty());
        let entries = pieces.map(read_entry);
        Ok(Self { entries: entries.collect::<Result<_, _>>()? })
    }
}

fn read_entry(text: &str) -> Result<Entry, PlanError> {
    let form = || PlanError::Form { text: text.to_owned() };
    let (name, rest) = text.split_once('=').ok_or_else(form)?;
    let (fault, at) = read_fault(rest).ok_or_else(form)?;
    let step = Step::from_name(name).ok_or_else(|| unknown_step(name))?;
    Ok(Entry { step, fault, at, visits: AtomicU64::new(0) })
}

fn unknown_step(name: &str) -> PlanError {
    let part = name.split('.').next().unwrap_or_default();
    let names: Vec<&str> = Step::all().filter(|step| step.part() == part).map(Step::name).collect();
    let near = if names.is_empty() { String::new() } else { format!("; those of {part:?} are {}", names.join(", ")) };
    PlanError::Step { step: name.to_owned(), near }
}

fn read_fault(rest: &str) -> Option<(Fault, u64)> {
    let (fault, at) = rest.split_once('@')?;
    let fault = match (fault, fault.strip_prefix("stall:")) {
        ("crash", _) => Fault::Crash,
        ("error", _) => Fault::Error,
        (_, Some(millis)) => Fault::Stall { millis: millis.parse().ok()? },
        _ => return None,
    };
    let at = at.parse().ok().filter(|at| *at > 0)?;
    Some((fault, at))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash => f.write_str("crash"),
            Self::Error => f.write_str("error"),
            Self::Stall { millis } => write!(f, "stall:{millis}"),
        }
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Entry { step, fault, at, .. }) in self.entries.iter().enumerate() {
            let separator = if place == 0 { "" } else { "; " };
            write!(f, "{separator}{}={fault}@{at}", step.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_happens_at_its_visit_and_at_no_other() {
        let plan: FaultPlan =
            "commit.coming=crash@2; commit.coming=stall:50@3;aggregation.begun=error@1".parse().unwrap();
        let visits: Vec<_> = (0..4).map(|_| plan.due(Step::CommitComing)).collect();
        assert_eq!(visits, [None, Some(Fault::Crash), Some(Fault::Stall { millis: 50 }), None]);
        assert_eq!(plan.due(Step::Committed), None);
        assert_eq!(plan.clone().due(Step::WindowsBegun), Some(Fault::Error));
        assert_eq!(plan.due(Step::WindowsBegun), None, "clones count together");
    }

    #[test]
    fn a_plan_is_written_as_it_is_read_and_a_wrong_one_is_named() {
        let text = "ingest.file_named=error@7; claim.claimed=stall:10@1";
        assert_eq!(text.parse::<FaultPlan>().unwrap().to_string(), text);
        assert_eq!(" ; ".parse::<FaultPlan>().unwrap().to_string(), "");
        for wrong in ["commit.coming", "commit.coming=crash@0", "commit.coming=panic@1", "nothing@1"] {
            assert!(wrong.parse::<FaultPlan>().unwrap_err().to_string().contains(wrong), "{wrong}");
        }
        let error = |text: &str| text.parse::<FaultPlan>().unwrap_err().to_string();
        let near = error("commit.begun=crash@1; commit.comming=crash@1");
        assert!(near.contains("\"commit.comming\"") && near.contains(", commit.coming, "), "{near}");
        assert_eq!(error("what.ever=crash@1"), "there is no step \"what.ever\"; docs/reliability.md lists all");
    }

    #[test]
    fn every_step_has_one_name() {
        let names: std::collections::BTreeSet<_> = Step::all().map(Step::name).collect();
        assert_eq!(names.len(), Step::all().count());
        assert!(Step::all().all(|step| Step::from_name(step.name()) == Some(step)));
    }
}
