//! Reads settings from the command line, the environment and `.env`, in this order, and names the variable of a wrong one.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command};

use crate::env_file::EnvFile;

/// Takes the command line apart; what neither it nor the environment sets comes from the file.
///
/// # Errors
/// clap's, which include the requests for help and for the version.
pub(crate) fn parse(command: Command, words: &[OsString], file: &EnvFile) -> Result<ArgMatches, clap::Error> {
    let mut command = with_values_of(file, command);
    let parsed = command.try_get_matches_from_mut(words);
    parsed.map_err(|error| explain(error, &command, words))
}

/// A value of the file takes the place of the default, which is what clap asks last.
fn with_values_of(file: &EnvFile, command: Command) -> Command {
    let with_value = |arg: Arg| {
        let value = arg.get_env().and_then(|name| file.get(name.to_str()?)).map(str::to_owned);
        let Some(value) = value else { return arg };
        let is_secret = arg.is_hide_env_values_set();
        // clap keeps texts of the program only; these few are needed until it ends.
        let value: &'static str = value.leak();
        arg.default_value(value).hide_default_value(is_secret)
    };
    command.mut_args(with_value).mut_subcommands(|subcommand| with_values_of(file, subcommand))
}

/// clap names only the flag, even when the value came from elsewhere.
fn explain(mut error: clap::Error, command: &Command, words: &[OsString]) -> clap::Error {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return error };
    let subcommand = words.iter().skip(1).fold(command, |at, word| at.find_subcommand(word).unwrap_or(at));
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(meant) = longer_flag(flag, subcommand)
    {
        error.insert(ContextKind::SuggestedArg, ContextValue::String(meant));
        return error;
    }
    let Some(arg) = subcommand.get_arguments().find(|arg| arg.to_string() == *flag) else { return error };
    let Some(variable) = arg.get_env().map(|name| name.to_string_lossy().into_owned()) else { return error };
    if arg.is_hide_env_values_set() {
        let text = format!("the value of '{flag}' ({variable}) is not usable\n");
        return clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(subcommand);
    }
    let mut tips = vec![format!("{variable} sets it too, in the environment or in the file .env").into()];
    if arg.get_value_names().is_some_and(|names| names.iter().any(|name| name == "ADDR")) {
        tips.push("expected IP:PORT, such as 127.0.0.1:8080".into());
    }
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    error
}

/// The flag that is meant by another command's shorter name of it: `opstream broker` has `--broker-listen` for `--listen`.
fn longer_flag(flag: &str, command: &Command) -> Option<String> {
    let ending = flag.strip_prefix("--").map(|name| format!("-{name}"))?;
    let names = command.get_arguments().filter_map(Arg::get_long);
    names.filter(|name| name.ends_with(&ending)).min_by_key(|name| name.len()).map(|name| format!("--{name}"))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn command() -> Command {
        let listen = Arg::new("listen").long("listen").value_name("ADDR").env("TEST_LISTEN");
        let secret = Arg::new("secret").long("secret").env("TEST_SECRET").hide_env_values(true);
        let longer = Arg::new("door").long("front-door").value_name("N");
        let serve = Command::new("serve")
            .arg(longer)
            .arg(listen.value_parser(clap::value_parser!(SocketAddr)).default_value("127.0.0.1:1"));
        Command::new("test").subcommand(serve.arg(secret.value_parser(clap::value_parser!(u8))))
    }

    fn file(text: &str) -> EnvFile {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env"), text).unwrap();
        EnvFile::read(&folder.path().join(".env")).unwrap()
    }

    fn listen(words: &[&str], text: &str) -> Result<SocketAddr, String> {
        let words: Vec<OsString> = ["test", "serve"].iter().chain(words).map(OsString::from).collect();
        let matches = parse(command(), &words, &file(text)).map_err(|error| error.to_string())?;
        Ok(*matches.subcommand_matches("serve").unwrap().get_one("listen").unwrap())
    }

    #[test]
    fn a_value_of_the_file_stands_between_the_flag_and_the_default() {
        assert_eq!(listen(&[], "OTHER=1").unwrap().port(), 1);
        assert_eq!(listen(&[], "TEST_LISTEN=127.0.0.1:2").unwrap().port(), 2);
        assert_eq!(listen(&["--listen", "127.0.0.1:3"], "TEST_LISTEN=127.0.0.1:2").unwrap().port(), 3);
    }

    #[test]
    fn a_wrong_value_names_its_variable_and_an_example_wherever_it_came_from() {
        for error in [listen(&["--listen", "8080"], ""), listen(&[], "TEST_LISTEN=8080")].map(Result::unwrap_err) {
            for word in ["8080", "--listen <ADDR>", "TEST_LISTEN", "127.0.0.1:8080"] {
                assert!(error.contains(word), "{word}: {error}");
            }
        }
    }

    #[test]
    fn a_shorter_name_of_a_flag_is_answered_with_the_flag() {
        let error = listen(&["--door", "1"], "").unwrap_err();
        assert!(error.contains("'--front-door'"), "{error}");
        let error = listen(&["--window", "1"], "").unwrap_err();
        assert!(error.contains("--window") && !error.contains("--front-door"), "{error}");
    }

    #[test]
    fn a_secret_is_neither_repeated_in_an_error_nor_shown_in_the_help() {
        let error = listen(&[], "TEST_SECRET=hunter2").unwrap_err();
        assert!(error.contains("TEST_SECRET") && !error.contains("hunter2"), "{error}");
        let help = listen(&["--help"], "TEST_SECRET=hunter2\nTEST_LISTEN=127.0.0.1:2").unwrap_err();
        assert!(help.contains("127.0.0.1:2") && !help.contains("hunter2"), "{help}");
    }
}
