//! The price files that are compiled in.

use std::sync::{Arc, LazyLock};

use super::catalogue::Catalogue;

/// File name and text of every price file.
const FILES: [(&str, &str); 13] = [
    ("anthropic.toml", include_str!("../../prices/anthropic.toml")),
    ("cohere.toml", include_str!("../../prices/cohere.toml")),
    ("deepseek.toml", include_str!("../../prices/deepseek.toml")),
    ("gcp_gemini.toml", include_str!("../../prices/gcp_gemini.toml")),
    ("groq.toml", include_str!("../../prices/groq.toml")),
    ("minimax.toml", include_str!("../../prices/minimax.toml")),
    ("mistral_ai.toml", include_str!("../../prices/mistral_ai.toml")),
    ("moonshot_ai.toml", include_str!("../../prices/moonshot_ai.toml")),
    ("openai.toml", include_str!("../../prices/openai.toml")),
    ("perplexity.toml", include_str!("../../prices/perplexity.toml")),
    ("voyageai.toml", include_str!("../../prices/voyageai.toml")),
    ("x_ai.toml", include_str!("../../prices/x_ai.toml")),
    ("z_ai.toml", include_str!("../../prices/z_ai.toml")),
];

static EMBEDDED: LazyLock<Arc<Catalogue>> = LazyLock::new(|| {
    Arc::new(Catalogue::parse(&FILES).expect("the embedded price files are checked by this crate's tests"))
});

impl Catalogue {
    /// The catalogue that is compiled in, parsed at first use.
    pub fn embedded() -> &'static Arc<Self> {
        &EMBEDDED
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_price_file_in_the_folder_is_compiled_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("prices");
        let on_disk: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        let compiled: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(compiled, on_disk);
    }
}
