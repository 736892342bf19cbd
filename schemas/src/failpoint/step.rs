//! The steps, in the order of an operation's way.

/// A place between two things that can be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A batch was read from the topic; nothing of it is written.
    BatchRead,
    /// The file of operations has its name and no content.
    FileNamed,
    /// Its content is written; neither it nor its entry in the folder need be on disk.
    FileWritten,
    /// All files of the batch are durable; no row names them.
    FilesReady,
    /// The transaction of a batch has begun.
    CommitBegun,
    /// In it: fences were checked and checkpoints moved.
    CheckpointMoved,
    /// In it: the manifest names the files.
    FilesListed,
    /// In it: some of the rows are sent.
    RowsSending,
    /// In it: all rows and dead letters are inserted.
    RowsInserted,
    /// In it: everything is there and the commit comes next.
    CommitComing,
    /// The transaction is committed, and the pipeline does not know it yet.
    Committed,
    /// The broker was told the offsets.
    BrokerHinted,
    /// The fence of a partition was raised, in a transaction that is not committed.
    FenceRaised,
    /// The claim is committed; reading has not begun.
    Claimed,
    /// Dead letters were copied to their topic and not marked.
    LettersSent,
    /// They are marked.
    LettersMarked,
    /// Files were read and added up; no window is written.
    FilesAdded,
    /// The transaction of windows has begun.
    WindowsBegun,
    /// In it: the files are marked as windowed.
    FilesMarked,
    /// In it: the windows are written and the commit comes next.
    WindowsWritten,
    /// The windows are committed, and the aggregator does not know it yet.
    WindowsCommitted,
    /// Windows were sent to their topic and not marked.
    WindowsSent,
    /// They are marked.
    WindowsMarked,
    /// A rule was looked at; nothing is written.
    AlertsJudged,
    /// In the transaction of its alerts: the commit comes next.
    AlertsComing,
    /// It is committed, and nobody is told yet.
    AlertsCommitted,
    /// Alerts were sent to their topic and not marked.
    AlertsSent,
    /// They are marked.
    AlertsMarked,
    /// Webhooks were called, and what they answered is not stored.
    WebhooksCalled,
    /// Small files were merged into new ones, which no row names.
    MergeWritten,
    /// In the transaction that lists the new files instead of the old: the commit comes next.
    MergeComing,
    /// It is committed, and the aggregator does not know it yet.
    MergeCommitted,
    /// A file with other costs was written, which no row names.
    RepriceWritten,
    /// In the transaction of its rows, the file and its windows: the commit comes next.
    RepriceComing,
    /// It is committed, and the aggregator does not know it yet.
    RepriceCommitted,
}

/// Every step with its name, which begins with the part of the pipeline that it belongs to.
const NAMES: &[(Step, &str)] = &[
    (Step::BatchRead, "ingest.batch_read"),
    (Step::FileNamed, "ingest.file_named"),
    (Step::FileWritten, "ingest.file_written"),
    (Step::FilesReady, "ingest.files_ready"),
    (Step::CommitBegun, "commit.begun"),
    (Step::CheckpointMoved, "commit.checkpoint_moved"),
    (Step::FilesListed, "commit.files_listed"),
    (Step::RowsSending, "commit.rows_sending"),
    (Step::RowsInserted, "commit.rows_inserted"),
    (Step::CommitComing, "commit.coming"),
    (Step::Committed, "commit.committed"),
    (Step::BrokerHinted, "commit.broker_hinted"),
    (Step::FenceRaised, "claim.fence_raised"),
    (Step::Claimed, "claim.claimed"),
    (Step::LettersSent, "letters.sent"),
    (Step::LettersMarked, "letters.marked"),
    (Step::FilesAdded, "aggregation.files_added"),
    (Step::WindowsBegun, "aggregation.begun"),
    (Step::FilesMarked, "aggregation.files_marked"),
    (Step::WindowsWritten, "aggregation.windows_written"),
    (Step::WindowsCommitted, "aggregation.committed"),
    (Step::WindowsSent, "publication.sent"),
    (Step::WindowsMarked, "publication.marked"),
    (Step::AlertsJudged, "alerts.judged"),
    (Step::AlertsComing, "alerts.coming"),
    (Step::AlertsCommitted, "alerts.committed"),
    (Step::AlertsSent, "alerts.sent"),
    (Step::AlertsMarked, "alerts.marked"),
    (Step::WebhooksCalled, "webhooks.called"),
    (Step::MergeWritten, "compaction.written"),
    (Step::MergeComing, "compaction.coming"),
    (Step::MergeCommitted, "compaction.committed"),
    (Step::RepriceWritten, "repricing.written"),
    (Step::RepriceComing, "repricing.coming"),
    (Step::RepriceCommitted, "repricing.committed"),
];

impl Step {
    /// All steps.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(step, _)| *step)
    }

    /// Its name in a plan and in the log.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(step, _)| *step == self).map_or("unknown", |(_, name)| *name)
    }

    /// The part of the pipeline that it belongs to, such as `commit`.
    pub fn part(self) -> &'static str {
        self.name().split('.').next().unwrap_or_default()
    }

    /// The step of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(step, _)| *step)
    }
}
