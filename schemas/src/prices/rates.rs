//! Prices of the token classes of one model.

use std::fmt;

use serde::Deserialize;

use crate::money::PicoUsdPerToken;

/// A kind of token that a provider may charge differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenClass {
    /// Prompt tokens that have no other class.
    Input,
    /// Generated tokens that have no other class.
    Output,
    /// Prompt tokens read from a cache.
    CacheRead,
    /// Prompt tokens written to a cache at standard retention (5 or 30 minutes).
    CacheWrite,
    /// Prompt tokens written to a cache for an hour.
    #[serde(rename = "cache_write_1h")]
    CacheWrite1h,
    /// Prompt tokens written to a cache for twelve hours.
    #[serde(rename = "cache_write_12h")]
    CacheWrite12h,
    /// Generated tokens spent on reasoning.
    Reasoning,
    /// Audio in the prompt.
    InputAudio,
    /// Generated audio.
    OutputAudio,
    /// Audio in the prompt, read from a cache.
    CacheReadAudio,
    /// Images in the prompt.
    InputImage,
    /// Generated images.
    OutputImage,
}

impl TokenClass {
    /// Every class.
    pub const ALL: [Self; 12] = [
        Self::Input,
        Self::Output,
        Self::CacheRead,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::CacheWrite12h,
        Self::Reasoning,
        Self::InputAudio,
        Self::OutputAudio,
        Self::CacheReadAudio,
        Self::InputImage,
        Self::OutputImage,
    ];

    /// The name in price files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::CacheWrite12h => "cache_write_12h",
            Self::Reasoning => "reasoning",
            Self::InputAudio => "input_audio",
            Self::OutputAudio => "output_audio",
            Self::CacheReadAudio => "cache_read_audio",
            Self::InputImage => "input_image",
            Self::OutputImage => "output_image",
        }
    }

    /// The class whose price applies where this one has none of its own.
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::Input | Self::Output => None,
            Self::CacheRead | Self::CacheWrite | Self::InputAudio | Self::InputImage => Some(Self::Input),
            Self::CacheWrite1h | Self::CacheWrite12h => Some(Self::CacheWrite),
            Self::CacheReadAudio => Some(Self::CacheRead),
            Self::Reasoning | Self::OutputAudio | Self::OutputImage => Some(Self::Output),
        }
    }
}

impl fmt::Display for TokenClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The prices that are named for a model, one per class at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates([Option<PicoUsdPerToken>; TokenClass::ALL.len()]);

impl Rates {
    /// The price named for this very class.
    pub const fn own(&self, class: TokenClass) -> Option<PicoUsdPerToken> {
        self.0[class as usize]
    }

    /// The class whose price applies to this one, and that price: its own, else its parent's.
    pub fn effective(&self, class: TokenClass) -> Option<(TokenClass, PicoUsdPerToken)> {
        match self.own(class) {
            Some(rate) => Some((class, rate)),
            None => self.effective(class.parent()?),
        }
    }

    /// Lays other prices over these: where the others name none, these stay.
    pub fn lay_over(&mut self, others: &Self) {
        for (rate, other) in self.0.iter_mut().zip(others.0) {
            *rate = other.or(*rate);
        }
    }

    /// The classes that have a price of their own.
    pub fn named(&self) -> impl Iterator<Item = (TokenClass, PicoUsdPerToken)> {
        TokenClass::ALL.into_iter().zip(self.0).filter_map(|(class, rate)| Some((class, rate?)))
    }

    /// Whether every named price is 0.
    pub fn are_zero(&self) -> bool {
        self.0.iter().flatten().all(|rate| *rate == PicoUsdPerToken::default())
    }

    pub(super) const fn set(&mut self, class: TokenClass, rate: PicoUsdPerToken) {
        self.0[class as usize] = Some(rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_own_place_and_its_file_name() {
        for (place, class) in TokenClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, place);
            let read = TokenClass::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(
                class.name(),
            ));
            assert_eq!(read, Ok(class));
        }
    }

    fn price(text: &str) -> PicoUsdPerToken {
        PicoUsdPerToken::from_usd_per_mtok(text).unwrap()
    }

    #[test]
    fn a_class_without_a_price_takes_its_parents() {
        let mut rates = Rates::default();
        assert_eq!(rates.effective(TokenClass::CacheWrite1h), None);
        rates.set(TokenClass::Input, price("2"));
        assert_eq!(rates.effective(TokenClass::CacheWrite1h), Some((TokenClass::Input, price("2"))));
        rates.set(TokenClass::CacheWrite, price("2.5"));
        assert_eq!(rates.effective(TokenClass::CacheWrite1h), Some((TokenClass::CacheWrite, price("2.5"))));
        assert_eq!(rates.own(TokenClass::CacheWrite1h), None);
        assert_eq!(rates.effective(TokenClass::Reasoning), None);
    }

    #[test]
    fn prices_laid_over_others_hide_only_their_own_classes() {
        let mut rates = Rates::default();
        rates.set(TokenClass::Input, price("2"));
        rates.set(TokenClass::CacheRead, price("0.2"));
        let mut others = Rates::default();
        others.set(TokenClass::Input, price("1"));
        others.set(TokenClass::Output, price("5"));
        rates.lay_over(&others);
        let named: Vec<_> = rates.named().collect();
        let expected =
            [(TokenClass::Input, price("1")), (TokenClass::Output, price("5")), (TokenClass::CacheRead, price("0.2"))];
        assert_eq!(named, expected);
    }
}
