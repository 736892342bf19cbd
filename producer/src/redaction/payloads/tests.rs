//! Images, audio and files in the shape of every provider, and what only resembles them.

use serde_json::{Value, json};

use super::super::Redaction;

/// Base64 of 30 bytes that begin like this.
fn payload(beginning: &str) -> String {
    beginning.chars().chain("AbCd1234+/".chars().cycle()).take(40).collect()
}

fn png() -> String {
    payload("iVBORw0KGgo")
}

fn redacted(value: &Value) -> Option<Value> {
    let redacted = Redaction::builtin().redact(&value.to_string())?;
    Some(serde_json::from_str(&redacted).unwrap())
}

/// Every `payload` in the value is replaced by this marker, and nothing else.
#[track_caller]
fn assert_found(value: &Value, payload: &str, marker: &str) {
    let expected = value.to_string().replace(payload, marker);
    assert_ne!(expected, value.to_string(), "the example holds the payload");
    let redacted = redacted(value).unwrap_or_else(|| panic!("nothing found in {value}"));
    assert_eq!(redacted.to_string(), expected);
}

#[test]
fn openai_images_files_and_audio() {
    let url = format!("data:image/png;base64,{}", png());
    let marker = "[redacted image/png, 30 bytes]";
    assert_found(
        &json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]),
        &url,
        marker,
    );
    assert_found(&json!([{"type": "input_image", "image_url": url, "detail": "low"}]), &url, marker);
    assert_found(&json!({"data": [{"b64_json": png()}]}), &png(), marker);
    assert_found(&json!({"type": "image_generation.partial_image", "partial_image_b64": png()}), &png(), marker);
    let pdf = format!("data:application/pdf;base64,{}", payload("JVBERi0x"));
    let file = json!({"type": "file", "file": {"filename": "a.pdf", "file_data": pdf}});
    assert_found(&file, &pdf, "[redacted application/pdf, 30 bytes]");
    let wav = payload("Unknown");
    let input = json!({"type": "input_audio", "input_audio": {"data": wav, "format": "wav"}});
    assert_found(&input, &wav, "[redacted audio/wav, 30 bytes]");
    let answer = json!({"audio": {"id": "audio_1", "data": wav, "expires_at": 9, "transcript": "hello"}});
    assert_found(&answer, &wav, "[redacted audio, 30 bytes]");
    assert_found(&json!({"type": "response.audio.delta", "delta": wav}), &wav, "[redacted audio, 30 bytes]");
    let long: String = png().chars().chain("aB3".chars().cycle()).take(800).collect();
    let generated = json!({"type": "image_generation_call", "result": long});
    assert_found(&generated, &long, "[redacted image/png, 600 bytes]");
}

#[test]
fn anthropic_images_and_documents() {
    let data = payload("");
    let image = json!({"type": "image", "source": {"data": data, "media_type": "image/webp", "type": "base64"}});
    assert_found(&image, &data, "[redacted image/webp, 30 bytes]");
    let untyped = json!({"type": "document", "source": {"type": "base64", "data": payload("JVBERi0x")}});
    assert_found(&untyped, &payload("JVBERi0x"), "[redacted application/pdf, 30 bytes]");
}

#[test]
fn gemini_inline_data_in_both_spellings() {
    let data = payload("");
    let python = json!({"parts": [{"inline_data": {"mime_type": "audio/mp3", "data": data}}]});
    assert_found(&python, &data, "[redacted audio/mp3, 30 bytes]");
    let rest = json!({"parts": [{"inlineData": {"mimeType": "video/mp4", "data": data}}]});
    assert_found(&rest, &data, "[redacted video/mp4, 30 bytes]");
}

#[test]
fn bedrock_bytes_as_base64_as_numbers_and_as_typed_arrays() {
    let data = payload("");
    let base64 = json!({"image": {"format": "jpeg", "source": {"bytes": data}}});
    assert_found(&base64, &data, "[redacted image/jpeg, 30 bytes]");
    let document = json!({"document": {"name": "a", "format": "pdf", "source": {"bytes": data}}});
    assert_found(&document, &data, "[redacted application/pdf, 30 bytes]");
    let numbers: Vec<u8> = (0..40).map(|number| number * 6).collect();
    let list = json!({"video": {"format": "mp4", "source": {"bytes": numbers}}});
    assert_found(&list, &json!(numbers).to_string(), "\"[redacted video/mp4, 40 bytes]\"");
    let buffer = json!({"image": {"format": "png", "source": {"bytes": {"type": "Buffer", "data": numbers}}}});
    assert_found(&buffer, &json!(numbers).to_string(), "\"[redacted image/png, 40 bytes]\"");
    let typed: Value = numbers.iter().enumerate().map(|(at, byte)| (at.to_string(), json!(byte))).collect();
    let array = json!({"image": {"format": "gif", "source": {"bytes": typed}}});
    assert_found(&array, &typed.to_string(), "\"[redacted image/gif, 40 bytes]\"");
}

#[test]
fn the_shapes_of_opentelemetry_and_of_frameworks() {
    let data = payload("");
    let blob = json!({"type": "blob", "modality": "image", "mime_type": "image/png", "content": data});
    assert_found(&blob, &data, "[redacted image/png, 30 bytes]");
    let audio = json!({"type": "blob", "modality": "audio", "content": data});
    assert_found(&audio, &data, "[redacted audio, 30 bytes]");
    let chain = json!({"type": "image", "source_type": "base64", "mime_type": "image/png", "data": data});
    assert_found(&chain, &data, "[redacted image/png, 30 bytes]");
    let chain = json!({"type": "image", "base64": data, "mime_type": "image/png"});
    assert_found(&chain, &data, "[redacted image/png, 30 bytes]");
    let vercel = json!({"type": "file", "mediaType": "application/pdf", "data": data});
    assert_found(&vercel, &data, "[redacted application/pdf, 30 bytes]");
    let long: String = "/9j/".chars().chain("aB3".chars().cycle()).take(400).collect();
    assert_found(&json!({"role": "user", "images": [long]}), &long, "[redacted image/jpeg, 300 bytes]");
    assert_found(&json!({"type": "input_audio", "input_audio": long}), &long, "[redacted image/jpeg, 300 bytes]");
}

#[test]
fn payloads_in_the_arguments_of_tools_and_in_text() {
    let arguments = json!({"image": {"format": "png", "bytes": payload("")}}).to_string();
    let call = json!([{"type": "tool_call", "name": "show", "arguments": arguments}]);
    assert_found(&call, &payload(""), "[redacted image/png, 30 bytes]");
    let redaction = Redaction::builtin();
    let text = format!("![a](data:image/png;base64,{}) and (data:;base64,AAAA)", png());
    let expected = "![a]([redacted image/png, 30 bytes]) and ([redacted base64, 3 bytes])";
    assert_eq!(redaction.redact(&text).as_deref(), Some(expected));
    let parameters = format!("data:audio/wav;rate=16000;base64,{}%3D%3D", payload(""));
    assert_eq!(redaction.redact(&parameters).as_deref(), Some("[redacted audio/wav, 30 bytes]"));
    let unknown: String = "aB3+".repeat(128);
    assert_eq!(redaction.redact(&unknown).as_deref(), Some("[redacted base64, 384 bytes]"));
}

#[test]
fn payloads_are_known_by_their_first_bytes() {
    for (beginning, media_type) in [
        ("iVBORw0KGgo", "image/png"),
        ("/9j/4AAQ", "image/jpeg"),
        ("R0lGODlh", "image/gif"),
        ("UklGRiQAAABXQVZF", "audio/wav"),
        ("UklGRiQAAABXRUJQ", "image/webp"),
        ("JVBERi0x", "application/pdf"),
        ("SUQzBAAA", "audio/mpeg"),
        ("T2dnUwAC", "audio/ogg"),
        ("ZkxhQwAA", "audio/flac"),
        ("GkXfowEA", "video/webm"),
        ("AAAAIGZ0eXBpc29t", "video/mp4"),
        ("UEsDBBQA", "application/zip"),
    ] {
        let value = json!({"bytes": payload(beginning)});
        assert_found(&value, &payload(beginning), &format!("[redacted {media_type}, 30 bytes]"));
    }
}

#[test]
fn what_is_no_payload_stays() {
    for value in [
        json!({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}),
        json!({"type": "file", "file": {"file_id": "file-abcdefghijklmnopqrstuvwxyz012345"}}),
        json!({"type": "input_file", "data": "short"}),
        json!({"data": "abcdefghijklmnopqrstuvwxyz0123456789"}),
        json!({"image": "registry/team/service-of-the-project"}),
        json!({"content": "abcdefghijklmnopqrstuvwxyz0123456789"}),
        json!({"data": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]}),
        json!({"embedding": [0.5, 0.25], "hash": "0123456789abcdef".repeat(40)}),
        json!({"text": "word ".repeat(300)}),
        json!({"text": "a".repeat(2_000)}),
        json!({"bytes": 1024}),
    ] {
        assert_eq!(redacted(&value), None, "{value}");
    }
}

#[test]
fn a_media_type_that_is_none_is_not_repeated() {
    let data = payload("");
    for media_type in ["hunter2 is the password", "a/b/c", "<b>/x", &format!("a/{}", "x".repeat(200))] {
        let value = json!({"image": {"media_type": media_type, "data": data}});
        assert_found(&value, &data, "[redacted image, 30 bytes]");
    }
}
