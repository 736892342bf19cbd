//! Webhooks of the deployment: of `opstream aggregator` and `opstream up`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use opstream_aggregator::alerts::webhooks::{PrivateAddresses, SigningSecret, Target, Webhooks};

use crate::listen::first_line;

/// Who is told of alerts.
#[derive(Args, Clone)]
pub(crate) struct WebhookArgs {
    /// Webhook that is told of alerts, NAME=https://…, or NAME=slack+https://… for one that is compatible with Slack's; NAME=@FILE reads the
    /// address from a file's first line. May be repeated; in the environment separated by spaces
    #[arg(
        long = "webhook",
        value_name = "NAME=URL",
        env = "OPSTREAM_WEBHOOKS",
        value_delimiter = ' ',
        hide_env_values = true
    )]
    webhooks: Vec<String>,
    /// Host that webhooks may be at; may be repeated, or separated by commas
    #[arg(long = "webhook-allow", value_name = "HOST", env = "OPSTREAM_WEBHOOK_ALLOW", value_delimiter = ',')]
    allowed: Vec<String>,
    /// File whose first line signs what webhooks are sent: 16 bytes at least
    #[arg(long = "webhook-secret-file", value_name = "FILE", env = "OPSTREAM_WEBHOOK_SECRET_FILE")]
    secret_file: Option<PathBuf>,
    /// Let webhooks be at private addresses, of this machine too, and without https
    #[arg(long = "webhook-allow-private", env = "OPSTREAM_WEBHOOK_ALLOW_PRIVATE", value_parser = clap::builder::BoolishValueParser::new())]
    allow_private: bool,
}

impl WebhookArgs {
    /// The webhooks.
    ///
    /// # Errors
    /// When an address or a file is not usable, or a host is not allowed; the text repeats no address.
    pub(crate) fn webhooks(&self) -> anyhow::Result<Webhooks> {
        let given = self.webhooks.iter().filter(|text| !text.is_empty());
        let targets = given.map(|text| target(text)).collect::<anyhow::Result<Vec<Target>>>();
        let targets = targets.context("--webhook (OPSTREAM_WEBHOOKS)")?;
        let named = |file: &Path| format!("--webhook-secret-file (OPSTREAM_WEBHOOK_SECRET_FILE) {}", file.display());
        let secret = match &self.secret_file {
            None => None,
            Some(file) => {
                let secret = first_line(file, || named(file))?;
                Some(SigningSecret::new(&secret).with_context(|| named(file))?)
            }
        };
        let private = if self.allow_private { PrivateAddresses::Allowed } else { PrivateAddresses::Refused };
        Webhooks::new(targets, &self.allowed, secret, private).context(
            "webhooks: see --webhook-allow (OPSTREAM_WEBHOOK_ALLOW), --webhook-secret-file and --webhook-allow-private",
        )
    }
}

fn target(text: &str) -> anyhow::Result<Target> {
    let file = text.split_once('=').and_then(|(name, address)| Some((name, address.strip_prefix('@')?)));
    let Some((name, file)) = file else { return Ok(Target::parse(text)?) };
    let address = first_line(Path::new(file), || format!("the file of the webhook {name}, {file}"))?;
    Ok(Target::parse(&format!("{name}={address}"))?)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        args: WebhookArgs,
    }

    fn webhooks(arguments: &[&str]) -> Result<Vec<String>, String> {
        let args = CommandLine::try_parse_from([&["x"], arguments].concat()).unwrap().args;
        args.webhooks().map(|webhooks| webhooks.names()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn webhooks_are_read_and_what_is_wrong_repeats_no_address() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let secret = file("secret", "sixteen bytes or more\n");
        let chat = format!("chat=@{}", file("chat", "slack+https://chat.example/hunter2\n"));
        let allow = ["--webhook-allow", "hooks.example,chat.example"];
        let signed = [&allow[..], &["--webhook-secret-file", &secret]].concat();
        let both = [&signed[..], &["--webhook", "ops=https://Hooks.example./hunter2", "--webhook", &chat]].concat();
        assert_eq!(webhooks(&both), Ok(vec!["ops".to_owned(), "chat".to_owned()]));
        assert_eq!(webhooks(&[]), Ok(Vec::new()));
        let short = file("short", "hunter2\n");
        for (arguments, words) in [
            (vec!["--webhook", "https://hooks.example/hunter2"], "no NAME=URL"),
            (vec!["--webhook", "ops=ftp://hooks.example/hunter2"], "is neither https:// nor http://"),
            (vec!["--webhook", "ops=hunter2"], "is no URL"),
            (vec!["--webhook", "ops=https://a:hunter2@hooks.example/"], "has a user or password"),
            (vec!["--webhook", "ops=https://hooks.example.evil/hunter2"], "is not among those that are allowed"),
            (vec!["--webhook", "ops=http://hooks.example/hunter2"], "is not https://"),
            (
                vec!["--webhook", "ops=https://hooks.example/hunter2", "--webhook", "ops=https://hooks.example/"],
                "given twice",
            ),
            (vec!["--webhook", "ops=@/nowhere"], "/nowhere"),
        ] {
            let error = webhooks(&[&signed[..], &arguments[..]].concat()).unwrap_err();
            assert!(error.contains(words) && !error.contains("hunter2"), "{arguments:?}: {error}");
        }
        let unsigned = webhooks(&[&allow[..], &["--webhook", "ops=https://hooks.example/"]].concat()).unwrap_err();
        assert!(unsigned.contains("webhook ops needs a secret"), "{unsigned}");
        let error = webhooks(&["--webhook-secret-file", &short]).unwrap_err();
        assert!(error.contains("fewer than 16 bytes") && !error.contains("hunter2"), "{error}");
        assert!(webhooks(&[&allow[..], &["--webhook", &chat]].concat()).is_ok(), "a chat asks for no signature");
    }
}
