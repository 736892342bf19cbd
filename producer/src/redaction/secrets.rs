//! Secrets that are known by their looks: keys of providers, tokens in headers and URLs, private keys.
//!
//! Word boundaries are ASCII's, so that text in any language is searched by the quick automaton. What every pattern asks
//! for beyond a prefix keeps words such as "bearer authentication" and `api_key=os.environ` where they are: a token has 8 or
//! more characters and a digit among its first 65, which words and names of variables rarely have.

/// Names and patterns, the more special before the more general.
pub(super) const PATTERNS: [(&str, &str); 27] = [
    ("anthropic key", r"(?-u:\b)sk-ant-[A-Za-z0-9_-]{16,}"),
    ("openrouter key", r"(?-u:\b)sk-or-[A-Za-z0-9_-]{16,}"),
    ("langfuse key", r"(?-u:\b)[sp]k-lf-[A-Za-z0-9-]{16,}"),
    ("openai key", r"(?-u:\b)sk-(?:proj|svcacct|admin|service|None)-[A-Za-z0-9_-]{16,}"),
    ("api key", r"(?-u:\b)sk-[A-Za-z0-9]{20,}"),
    ("google key", r"(?-u:\b)AIza[A-Za-z0-9_-]{35}"),
    ("google token", r"(?-u:\b)ya29\.[A-Za-z0-9_-]{20,}"),
    ("xai key", r"(?-u:\b)xai-[A-Za-z0-9]{20,}"),
    ("groq key", r"(?-u:\b)gsk_[A-Za-z0-9]{20,}"),
    ("hugging face token", r"(?-u:\b)hf_[A-Za-z0-9]{20,}"),
    ("perplexity key", r"(?-u:\b)pplx-[A-Za-z0-9]{20,}"),
    ("nvidia key", r"(?-u:\b)nvapi-[A-Za-z0-9_-]{20,}"),
    ("replicate token", r"(?-u:\b)r8_[A-Za-z0-9]{20,}"),
    ("fireworks key", r"(?-u:\b)fw_[A-Za-z0-9]{20,}"),
    ("cerebras key", r"(?-u:\b)csk-[A-Za-z0-9]{20,}"),
    ("tavily key", r"(?-u:\b)tvly-[A-Za-z0-9-]{20,}"),
    ("langsmith key", r"(?-u:\b)lsv2_(?:pt|sk)_[A-Za-z0-9_]{20,}"),
    ("aws access key id", r"(?-u:\b)(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?-u:\b)"),
    ("bedrock key", r"(?-u:\b)(?:bedrock-api-key-|ABSK)[A-Za-z0-9+/=]{40,}"),
    ("github token", r"(?-u:\b)(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{20,}"),
    ("slack token", r"(?-u:\b)xox[abeprs]-[A-Za-z0-9-]{10,}"),
    ("stripe key", r"(?-u:\b)[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    ("jwt", r"(?-u:\b)eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    ("private key", r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[\s\S]*?-----END [A-Z ]{0,20}PRIVATE KEY-----"),
    // With a scheme before it, whatever follows is one.
    (
        "token",
        concat!(
            r#"(?i-u:\bauthorization["'\\]{0,4}\s{0,4}[:=]\s{0,4}["'\\]{0,4}(?:bearer|basic|token)\s+)"#,
            r"(?P<secret>[A-Za-z0-9_.~+/=-]{8,})"
        ),
    ),
    // `"x-api-key": "…"`, `?api_key=…`, `Authorization: …`, and the scheme alone.
    (
        "token",
        concat!(
            r#"(?i-u:\b(?:bearer\s+|(?:authorization|(?:x-)?(?:goog-)?api[_-]?key|access[_-]?token|refresh[_-]?token|"#,
            r#"client[_-]?secret|secret[_-]?access[_-]?key|session[_-]?token|x-amz-security-token|password|passwd)"#,
            r#"["'\\]{0,4}\s{0,4}[:=]\s{0,4}["'\\]{0,4}(?:(?:bearer|basic|token)\s+)?))"#,
            r"(?P<secret>[A-Za-z_.~+/-]{0,64}[0-9][A-Za-z0-9_.~+/-]{7,}=*)"
        ),
    ),
    ("password", r"(?-u:\b)[A-Za-z][A-Za-z0-9+.-]{1,20}://[^/\s:@?#]{0,256}:(?P<secret>[^/\s:@?#]{1,256})@"),
];

/// Whether the text under this name of a JSON object is a secret whatever it looks like.
pub(super) fn is_secret_name(name: &str) -> bool {
    const NAMES: [&str; 19] = [
        "apikey",
        "authorization",
        "proxyauthorization",
        "xapikey",
        "xgoogapikey",
        "openaiapikey",
        "anthropicapikey",
        "accesstoken",
        "refreshtoken",
        "idtoken",
        "clientsecret",
        "secretaccesskey",
        "awssecretaccesskey",
        "awssessiontoken",
        "sessiontoken",
        "xamzsecuritytoken",
        "privatekey",
        "password",
        "passwd",
    ];
    /// Each name ends in one of them, without a separator in it: the prefilter looks for them.
    const LAST_WORDS: [&str; 6] = ["key", "token", "secret", "authorization", "password", "passwd"];
    let ends_in = |word: &&str| {
        let start = name.len().checked_sub(word.len());
        start.and_then(|start| name.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(word))
    };
    // As they are spelled in headers, in JSON and in code: `X-Api-Key`, `api_key`, `apiKey`.
    let letters = || name.bytes().filter(|byte| !matches!(byte, b'-' | b'_')).map(|byte| byte.to_ascii_lowercase());
    LAST_WORDS.iter().any(ends_in) && NAMES.iter().any(|secret| letters().eq(secret.bytes()))
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::super::Redaction;
    use super::*;

    /// A secret of each kind, of made-up characters; in two parts, so that no scanner takes this file for a leak.
    pub(in super::super) fn examples() -> BTreeMap<&'static str, String> {
        let fill = |length: usize| "aB3dE6gH9j".chars().cycle().take(length).collect::<String>();
        let upper = |length: usize| "AB2CD3EF4G".chars().cycle().take(length).collect::<String>();
        BTreeMap::from([
            ("anthropic key", format!("sk-{}-api03-{}", "ant", fill(40))),
            ("openrouter key", format!("sk-{}-v1-{}", "or", fill(40))),
            ("langfuse key", format!("sk-{}-{}", "lf", "4f1c7a52-9d1e-4a53-8c41-6f8b2f0d7e11")),
            ("openai key", format!("sk-{}-{}_{}", "proj", fill(30), fill(30))),
            ("api key", format!("{}-{}", "sk", fill(32))),
            ("google key", format!("{}za{}", "AI", fill(35))),
            ("google token", format!("{}29.{}", "ya", fill(40))),
            ("xai key", format!("{}-{}", "xai", fill(40))),
            ("groq key", format!("{}_{}", "gsk", fill(40))),
            ("hugging face token", format!("{}_{}", "hf", fill(34))),
            ("perplexity key", format!("{}-{}", "pplx", fill(40))),
            ("nvidia key", format!("{}-{}", "nvapi", fill(40))),
            ("replicate token", format!("{}_{}", "r8", fill(37))),
            ("fireworks key", format!("{}_{}", "fw", fill(24))),
            ("cerebras key", format!("{}-{}", "csk", fill(40))),
            ("tavily key", format!("{}-dev-{}", "tvly", fill(32))),
            ("langsmith key", format!("{}_pt_{}_{}", "lsv2", fill(32), fill(10))),
            ("aws access key id", format!("{}IA{}", "AK", upper(16))),
            ("bedrock key", format!("{}SK{}", "AB", fill(80))),
            ("github token", format!("{}p_{}", "gh", fill(36))),
            ("slack token", format!("{}b-{}", "xox", fill(40))),
            ("stripe key", format!("{}_live_{}", "sk", fill(24))),
            ("jwt", format!("{}hbGciOiJI.{}hdWQiOiJ.{}", "eyJ", "eyJ", fill(43))),
            ("private key", format!("-----BEGIN RSA {0}-----\n{1}\n-----END RSA {0}-----", "PRIVATE KEY", fill(64))),
        ])
    }

    #[test]
    fn a_secret_of_each_kind_is_named_and_gone() {
        let redaction = Redaction::builtin();
        for (name, secret) in examples() {
            for (before, behind) in [("", ""), ("use ", " now"), ("key='", "'"), ("ключ ", "。")] {
                let redacted = redaction.redact(&format!("{before}{secret}{behind}"));
                assert_eq!(redacted, Some(format!("{before}[redacted {name}]{behind}")), "{name}");
            }
        }
        let tested = examples().len() + 3; // `token`, twice, and `password` have a test of their own
        assert_eq!(tested, PATTERNS.len());
    }

    #[test]
    fn tokens_are_found_behind_the_names_of_headers_and_parameters() {
        let redaction = Redaction::builtin();
        for (text, expected) in [
            ("Authorization: Bearer 8sGq0b2x9Lk3", "Authorization: Bearer [redacted token]"),
            ("authorization: Basic dXNlcjpwYXNzd29yZDE=", "authorization: Basic [redacted token]"),
            ("x-api-key: 8sGq0b2x9Lk3", "x-api-key: [redacted token]"),
            ("api_key='8sGq0b2x9Lk3', n=1", "api_key='[redacted token]', n=1"),
            (r#"{\"apiKey\": \"8sGq0b2x9Lk3\"}"#, r#"{\"apiKey\": \"[redacted token]\"}"#),
            ("https://host/v1?api-key=8sGq0b2x9Lk3&n=1", "https://host/v1?api-key=[redacted token]&n=1"),
            ("token of type bearer 8sGq0b2x9Lk3", "token of type bearer [redacted token]"),
            ("postgres://user:p4ss!@db:5432/x", "postgres://user:[redacted password]@db:5432/x"),
        ] {
            assert_eq!(redaction.redact(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_only_resembles_a_secret_stays() {
        let redaction = Redaction::builtin();
        for text in [
            "bearer authentication is required",
            "api_key=os.environ['OPENAI_API_KEY']",
            "Authorization: Bearer <token>",
            "sk-estimator-checker-of-the-project",
            "the password: please choose one",
            "https://example.com:8080/a@b",
            "AKIA is how access keys begin",
            "task-force-of-many-people-in-one-place",
        ] {
            assert_eq!(redaction.redact(text), None, "{text}");
        }
    }

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in ["X-Api-Key", "api_key", "apiKey", "APIKEY", "Authorization", "AWS_SECRET_ACCESS_KEY"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["token", "key", "max_tokens", "author", "api_key_name", ""] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
