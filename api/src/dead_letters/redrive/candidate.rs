//! A letter and what is to become of it. Pure.

use opstream_records::decode::WriterSchemas;
use opstream_records::record::Headers;
use opstream_records::trial::try_value;

use super::Rules;
use crate::dead_letters::REDRIVEN_FROM;
use crate::dead_letters::letter::Letter;
use crate::dead_letters::place::Place;

/// A letter that was looked at.
#[derive(Debug)]
pub struct Candidate {
    /// What to call it in the report: its place, or the line of the file.
    pub name: String,
    /// What is to become of it.
    pub fate: Fate,
}

/// What is to become of a letter.
#[derive(Debug)]
pub enum Fate {
    /// It goes to the topic.
    Send {
        /// The letter.
        place: Place,
        /// Id of the cluster that its record was on.
        cluster_id: String,
        /// What is sent.
        record: Record,
    },
    /// It went there before.
    AlreadyRedriven,
    /// It does not go.
    Refused {
        /// Counted under this code.
        code: &'static str,
        /// Why.
        reason: String,
    },
}

/// What is sent for a letter. It has no timestamp of its own: the topic's retention counts from when it is sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value; none is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers, the letter's place among them.
    pub headers: Headers,
}

impl Record {
    /// Bytes of key, value and headers.
    pub fn size(&self) -> usize {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + length(value)).sum::<usize>();
        length(&self.key) + length(&self.value) + headers
    }
}

impl Candidate {
    /// A letter that is to be sent as it is.
    pub fn as_it_was(letter: Letter, schemas: &WriterSchemas, rules: Rules) -> Self {
        let name = letter.place.to_string();
        let verdict = try_value(letter.value.as_deref(), schemas, rules.accepted);
        let fate = match verdict {
            _ if letter.redriven_at.is_some() && !rules.again => Fate::AlreadyRedriven,
            Err(poison) if !rules.unchecked => Fate::Refused { code: poison.code(), reason: poison.to_string() },
            _ => {
                let headers = headers(&letter);
                let Letter { place, cluster_id, key, value, .. } = letter;
                Fate::Send { place, cluster_id, record: Record { key, value, headers } }
            }
        };
        Self { name, fate }
    }
}

/// The record's own headers and one more that names the letter.
pub fn headers(letter: &Letter) -> Headers {
    let place = letter.place.to_string().into_bytes();
    let mut headers = letter.headers.clone();
    headers.push((REDRIVEN_FROM.to_owned(), Some(place)));
    headers
}
