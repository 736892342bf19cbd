//! Of what kind a payload is: what JSON around it says, or its first bytes.

use serde_json::{Map, Value};

use super::marker;

/// Names of fields that hold a media type, in the spellings of the providers.
const MEDIA_TYPES: [&str; 6] = ["media_type", "mediaType", "mime_type", "mimeType", "content_type", "contentType"];
/// Longest media type that is repeated in a marker.
const LONGEST_MEDIA_TYPE: usize = 100;

/// What is known of the media around a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Media {
    stated: Option<String>,
    format: Option<String>,
    kind: Option<&'static str>,
    is_blob: bool,
}

impl Media {
    /// Of this type, if it is one.
    pub(super) fn stated(media_type: Option<String>) -> Self {
        Self { stated: media_type.filter(|text| is_media_type(text)), ..Self::default() }
    }

    /// What an object says about itself, and of what is around it whatever it leaves open.
    pub(super) fn within(&self, fields: &Map<String, Value>) -> Self {
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let media_type = MEDIA_TYPES.iter().find_map(|name| text(name)).filter(|text| is_media_type(text));
        let format = text("format").filter(|text| is_format(text));
        let types = [text("type"), text("modality")];
        Self {
            stated: media_type.map(str::to_owned).or_else(|| self.stated.clone()),
            format: format.map(str::to_owned).or_else(|| self.format.clone()),
            kind: types.into_iter().flatten().find_map(kind_in).or(self.kind),
            is_blob: matches!(types[0], Some("blob")),
        }
    }

    /// What is known in the field of this name.
    pub(super) fn under(&self, name: &str) -> Self {
        Self { kind: kind_in(name).or(self.kind), ..self.clone() }
    }

    pub(super) fn is_known(&self) -> bool {
        self.stated.is_some() || self.kind.is_some()
    }

    /// OpenTelemetry's part of this name.
    pub(super) fn is_blob(&self) -> bool {
        self.is_blob
    }

    /// What stands in the place of a payload: its media type as stated, else by its first bytes, else what is known of it; and
    /// its size in bytes.
    pub(super) fn marker(&self, sniffed: Option<&'static str>, size: usize) -> String {
        let stated = self.stated.as_deref().or(sniffed).map(str::to_owned);
        let guessed = || match (self.kind, self.format.as_deref()) {
            (Some("file"), Some(format)) => format!("application/{format}"),
            (Some(kind), Some(format)) => format!("{kind}/{format}"),
            (Some(kind), None) => kind.to_owned(),
            (None, _) => "base64".to_owned(),
        };
        marker(&format!("{}, {size} bytes", stated.unwrap_or_else(guessed)))
    }
}

/// The kind of media that a name or a type speaks of, such as `input_audio`, `inlineImage` or `image_url`.
fn kind_in(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let kinds = [("image", "image"), ("audio", "audio"), ("video", "video"), ("document", "file"), ("file", "file")];
    kinds
        .into_iter()
        .find(|(part, _)| name.contains(part))
        .map(|(_, kind)| kind)
        .or((name == "base64").then_some("file"))
}

fn is_media_type(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-'))
    };
    text.len() <= LONGEST_MEDIA_TYPE && text.split_once('/').is_some_and(|(kind, name)| is_name(kind) && is_name(name))
}

/// Bedrock's and OpenAI's word for the second half of a media type.
fn is_format(text: &str) -> bool {
    (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The media type of base64 by its first bytes.
pub(super) fn sniff(base64: &str) -> Option<&'static str> {
    const BEGINNINGS: [(&str, &str); 10] = [
        ("iVBORw0KGgo", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGODdh", "image/gif"),
        ("R0lGODlh", "image/gif"),
        ("JVBERi0", "application/pdf"),
        ("SUQz", "audio/mpeg"),
        ("T2dnUw", "audio/ogg"),
        ("ZkxhQw", "audio/flac"),
        ("GkXfo", "video/webm"),
        ("UEsDB", "application/zip"),
    ];
    if let Some((_, media_type)) = BEGINNINGS.iter().find(|(beginning, _)| base64.starts_with(beginning)) {
        return Some(media_type);
    }
    // A container whose type stands behind its length: RIFF of WAVE or WEBP, and the box `ftyp`.
    match (base64.get(..4)?, base64.get(6..10)?, base64.get(12..16)?) {
        ("UklG", _, "QVZF") => Some("audio/wav"),
        ("UklG", _, "RUJQ") => Some("image/webp"),
        ("AAAA", "Z0eX", _) => Some("video/mp4"),
        _ => None,
    }
}
