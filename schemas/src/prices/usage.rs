//! What one operation used, divided into the classes by which it is charged.

use super::explanation::Reason;
use super::rates::{Rates, TokenClass};

/// Token counts and other billed units of one operation, with the meaning of the fields of
/// [`crate::Operation`]: the whole prompt and the whole answer, and parts of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage<'a> {
    /// Everything in the prompt; none: unknown.
    pub input_tokens: Option<i64>,
    /// Part of the input read from a cache.
    pub cache_read_tokens: i64,
    /// Part of the input written to a cache at standard retention.
    pub cache_write_tokens: i64,
    /// Part of the input written to a cache at long retention; not in `cache_write_tokens`.
    pub cache_write_1h_tokens: i64,
    /// Everything generated; none: unknown.
    pub output_tokens: Option<i64>,
    /// Part of the output spent on reasoning.
    pub reasoning_tokens: i64,
    /// Part of the input that is audio.
    pub input_audio_tokens: i64,
    /// Part of the output that is audio.
    pub output_audio_tokens: i64,
    /// Part of the input that is images.
    pub input_image_tokens: i64,
    /// Part of the output that is images.
    pub output_image_tokens: i64,
    /// Web searches.
    pub web_searches: i64,
    /// Other units: a JSON object of name to count.
    pub billable_units: Option<&'a str>,
}

/// Tokens of a class, each token in one class.
pub(super) type ClassTokens = [(TokenClass, i64); 11];

impl Usage<'_> {
    /// Whether any tokens were used, as far as is known.
    pub(super) fn has_tokens(&self) -> bool {
        self.input_tokens.unwrap_or(0) != 0 || self.output_tokens.unwrap_or(0) != 0
    }

    /// The tokens of each class that these rates charge; a class without a rate of its own may be part of its parent.
    pub(super) fn tokens_by_class(&self, rates: &Rates) -> Result<ClassTokens, Reason> {
        let [fresh, fresh_audio, fresh_image, read, read_audio, written] = self.prompt(rates)?;
        let [text, reasoning, audio, image] = self.answer(rates)?;
        // Whether long retention is an hour or twelve is the provider's choice, not the request's.
        let long = match rates.own(TokenClass::CacheWrite1h).or(rates.own(TokenClass::CacheWrite12h)) {
            Some(_) if rates.own(TokenClass::CacheWrite1h).is_none() => TokenClass::CacheWrite12h,
            _ => TokenClass::CacheWrite1h,
        };
        Ok([
            (TokenClass::Input, fresh),
            (TokenClass::InputAudio, fresh_audio),
            (TokenClass::InputImage, fresh_image),
            (TokenClass::CacheRead, read),
            (TokenClass::CacheReadAudio, read_audio),
            (TokenClass::CacheWrite, written),
            (long, self.cache_write_1h_tokens),
            (TokenClass::Output, text),
            (TokenClass::Reasoning, reasoning),
            (TokenClass::OutputAudio, audio),
            (TokenClass::OutputImage, image),
        ])
    }

    /// The prompt: what no cache held (text, audio, images), what was read (anything, audio), and what was written.
    ///
    /// The counts say how much was audio and how much was cached, not how much of the audio was. Where that decides the
    /// price there is none, unless all of the prompt is one or the other.
    fn prompt(&self, rates: &Rates) -> Result<[i64; 6], Reason> {
        let input = self.input_tokens.ok_or(Reason::UnknownInput)?;
        let own = |tokens: i64, classes: &[TokenClass]| {
            if classes.iter().any(|class| rates.own(*class).is_some()) { tokens } else { 0 }
        };
        let audio = own(self.input_audio_tokens, &[TokenClass::InputAudio, TokenClass::CacheReadAudio]);
        let image = own(self.input_image_tokens, &[TokenClass::InputImage]);
        let (read, written) = (self.cache_read_tokens, self.cache_write_tokens);
        let cached = sum([read, written, self.cache_write_1h_tokens])?;
        let text = rest(input, [audio, image])?;
        let fresh = rest(input, [cached])?;
        if cached == 0 || (audio == 0 && image == 0) {
            Ok([fresh - audio - image, audio, image, read, 0, written])
        } else if audio == input {
            Ok([0, fresh, 0, 0, read, written])
        } else if image == input {
            Ok([0, 0, fresh, read, 0, written])
        } else if read == input {
            Ok([0, 0, 0, text + image, audio, 0])
        } else {
            Err(Reason::CachedMedia)
        }
    }

    /// The answer: text, reasoning, audio, images.
    fn answer(&self, rates: &Rates) -> Result<[i64; 4], Reason> {
        let output = match self.output_tokens {
            Some(tokens) => tokens,
            None if rates.own(TokenClass::Output).is_none() => 0,
            None => return Err(Reason::UnknownOutput),
        };
        let own = |tokens: i64, class| if rates.own(class).is_some() { tokens } else { 0 };
        let reasoning = own(self.reasoning_tokens, TokenClass::Reasoning);
        let audio = own(self.output_audio_tokens, TokenClass::OutputAudio);
        let image = own(self.output_image_tokens, TokenClass::OutputImage);
        Ok([rest(output, [reasoning, audio, image])?, reasoning, audio, image])
    }
}

fn sum<const N: usize>(parts: [i64; N]) -> Result<i64, Reason> {
    let mut sum = 0_i64;
    for part in parts {
        if part < 0 {
            return Err(Reason::Counts);
        }
        sum = sum.checked_add(part).ok_or(Reason::Counts)?;
    }
    Ok(sum)
}

/// What parts leave of a whole.
fn rest<const N: usize>(whole: i64, parts: [i64; N]) -> Result<i64, Reason> {
    whole.checked_sub(sum(parts)?).filter(|rest| *rest >= 0).ok_or(Reason::Counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::PicoUsdPerToken;

    /// Rates that name these classes.
    fn rates(classes: &[TokenClass]) -> Rates {
        let mut rates = Rates::default();
        for class in [TokenClass::Input, TokenClass::Output].iter().chain(classes) {
            rates.set(*class, PicoUsdPerToken::from_usd_per_mtok("1").unwrap());
        }
        rates
    }

    fn used(usage: Usage<'_>, classes: &[TokenClass]) -> Result<Vec<(TokenClass, i64)>, Reason> {
        let tokens = usage.tokens_by_class(&rates(classes))?;
        Ok(tokens.into_iter().filter(|(_, tokens)| *tokens != 0).collect())
    }

    const USAGE: Usage<'_> = Usage {
        input_tokens: Some(100),
        output_tokens: Some(50),
        cache_read_tokens: 0,
        cache_write_tokens: 0,
        cache_write_1h_tokens: 0,
        reasoning_tokens: 10,
        input_audio_tokens: 30,
        output_audio_tokens: 20,
        input_image_tokens: 5,
        output_image_tokens: 15,
        web_searches: 0,
        billable_units: None,
    };

    #[test]
    fn a_class_of_its_own_leaves_the_rest_to_its_parent() {
        use TokenClass::{Input, InputAudio, InputImage, Output, OutputAudio, OutputImage, Reasoning};
        assert_eq!(used(USAGE, &[]), Ok(vec![(Input, 100), (Output, 50)]));
        assert_eq!(used(USAGE, &[InputAudio]), Ok(vec![(Input, 70), (InputAudio, 30), (Output, 50)]));
        assert_eq!(
            used(USAGE, &[InputAudio, InputImage, Reasoning, OutputAudio, OutputImage]),
            Ok(vec![
                (Input, 65),
                (InputAudio, 30),
                (InputImage, 5),
                (Output, 5),
                (Reasoning, 10),
                (OutputAudio, 20),
                (OutputImage, 15)
            ])
        );
        assert_eq!(used(Usage { reasoning_tokens: 51, ..USAGE }, &[Reasoning]), Err(Reason::Counts));
        assert_eq!(used(Usage { output_image_tokens: 31, ..USAGE }, &[OutputAudio, OutputImage]), Err(Reason::Counts));
    }

    #[test]
    fn which_tokens_of_a_mixed_prompt_were_cached_nobody_says() {
        use TokenClass::{CacheRead, CacheReadAudio, CacheWrite, Input, InputAudio, Output};
        let classes = [InputAudio, CacheReadAudio, CacheRead];
        let usage = Usage { cache_read_tokens: 40, cache_write_tokens: 10, ..USAGE };
        assert_eq!(used(usage, &[]), Ok(vec![(Input, 50), (CacheRead, 40), (CacheWrite, 10), (Output, 50)]));
        assert_eq!(used(usage, &classes), Err(Reason::CachedMedia));
        let all_audio = Usage { input_audio_tokens: 100, ..usage };
        assert_eq!(
            used(all_audio, &classes),
            Ok(vec![(InputAudio, 50), (CacheReadAudio, 40), (CacheWrite, 10), (Output, 50)])
        );
        let all_read = Usage { cache_read_tokens: 100, cache_write_tokens: 0, ..usage };
        assert_eq!(used(all_read, &classes), Ok(vec![(CacheRead, 70), (CacheReadAudio, 30), (Output, 50)]));
        let no_audio = Usage { input_audio_tokens: 0, ..usage };
        assert_eq!(used(no_audio, &classes), Ok(vec![(Input, 50), (CacheRead, 40), (CacheWrite, 10), (Output, 50)]));
    }

    #[test]
    fn long_retention_is_what_the_provider_sells() {
        use TokenClass::{CacheWrite1h, CacheWrite12h, Input, Output};
        let usage = Usage { cache_write_1h_tokens: 60, ..USAGE };
        let long = |class| Ok(vec![(Input, 40), (class, 60), (Output, 50)]);
        assert_eq!(used(usage, &[]), long(CacheWrite1h));
        assert_eq!(used(usage, &[CacheWrite12h]), long(CacheWrite12h));
        assert_eq!(used(usage, &[CacheWrite1h, CacheWrite12h]), long(CacheWrite1h));
    }

    #[test]
    fn unknown_and_contradictory_counts_are_refused() {
        let refused = |usage| used(usage, &[]).unwrap_err();
        assert_eq!(refused(Usage { input_tokens: None, ..USAGE }), Reason::UnknownInput);
        assert_eq!(refused(Usage { output_tokens: None, ..USAGE }), Reason::UnknownOutput);
        assert_eq!(refused(Usage { cache_read_tokens: 101, ..USAGE }), Reason::Counts);
        assert_eq!(refused(Usage { cache_read_tokens: -1, ..USAGE }), Reason::Counts);
        assert_eq!(refused(Usage { input_tokens: Some(-1), ..USAGE }), Reason::Counts);
        assert_eq!(refused(Usage { output_tokens: Some(-1), ..USAGE }), Reason::Counts);
        let beyond = Usage { cache_read_tokens: i64::MAX, cache_write_tokens: i64::MAX, ..USAGE };
        assert_eq!(refused(beyond), Reason::Counts);
        let without_answers = Usage { output_tokens: None, ..USAGE };
        let mut embedding = Rates::default();
        embedding.set(TokenClass::Input, PicoUsdPerToken::default());
        assert!(without_answers.tokens_by_class(&embedding).is_ok());
    }
}
