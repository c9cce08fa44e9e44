//! How soon a provider serves a call, which is a matter of price.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The service tier that a call is billed under.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum ServiceTier {
    /// The list price.
    #[default]
    Standard,
    /// Answered within a day, commonly at half the price.
    Batch,
    /// Answered when there is room, commonly at half the price.
    Flex,
    /// Answered sooner, at a premium. Anthropic's fast mode is priced here too.
    Priority,
}

impl ServiceTier {
    /// Every tier.
    pub const ALL: [Self; 4] = [Self::Standard, Self::Batch, Self::Flex, Self::Priority];

    /// Reads a tier as providers and clients name it.
    ///
    /// `auto` is Standard: a project whose own default is another tier is told apart only by the tier that the answer
    /// names. `scale` is Standard too: such capacity is paid in advance, so that the list price is what the tokens are
    /// worth, and nothing is ever free. `None` is a tier whose price is not known: do not take it for Standard, it
    /// may be several times dearer.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "standard" | "default" | "auto" | "standard_only" | "on_demand" | "scale" => {
                Some(Self::Standard)
            }
            "batch" => Some(Self::Batch),
            "flex" => Some(Self::Flex),
            "priority" | "fast" => Some(Self::Priority),
            _ => None,
        }
    }

    /// The tier's name, which [`ServiceTier::parse`] reads.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
        }
    }
}

impl fmt::Display for ServiceTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_is_read_by_its_own_name_and_by_those_of_providers() {
        for tier in ServiceTier::ALL {
            assert_eq!(ServiceTier::parse(tier.as_str()), Some(tier));
        }
        for (text, expected) in [
            ("auto", Some(ServiceTier::Standard)),
            ("default", Some(ServiceTier::Standard)),
            ("scale", Some(ServiceTier::Standard)),
            ("fast", Some(ServiceTier::Priority)),
            ("ultrafast", None),
            ("Standard", None),
            ("", None),
        ] {
            assert_eq!(ServiceTier::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_tier_is_text_in_files() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Row {
            tier: ServiceTier,
        }
        let row = Row {
            tier: ServiceTier::Flex,
        };
        let text = toml::to_string(&row).unwrap();
        assert_eq!(text, "tier = \"flex\"\n");
        assert_eq!(toml::from_str::<Row>(&text).unwrap(), row);
    }
}
