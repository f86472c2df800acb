//! Cards by their figures: what a GPU that is not at hand could do at the most, what it allows, and how wide it is.
//!
//! The table of the box is `data/cards.toml`, each figure with its source; a user's file has one card. `read` makes
//! cards of either. From a card follow the profile that a plan is made for, and the [`Floor`] of each dispatch.

mod read;

use crate::documents;
pub use crate::documents::Error;
use crate::ops::Cost;
use crate::profile::{Class, Profile};
use glob::{MatchOptions, Pattern};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

/// The cards of the box, in the order of their names.
pub static CARDS: LazyLock<Vec<Card>> = LazyLock::new(|| {
    read::all("data/cards.toml", include_str!("../../data/cards.toml"))
        .unwrap_or_else(|error| panic!("{error}"))
});

/// Workgroups of each compute unit that keep it busy: while one waits at a barrier another computes.
const PER_UNIT: u64 = 2;

/// Workgroups that fill a GPU of which nothing is known: two for each compute unit of all but the largest.
const OF_ANY: u64 = 400;

/// What is known of a GPU.
#[derive(Clone, Debug)]
pub struct Card {
    /// What `--on` calls it: its name in the table, or the path of its file.
    pub key: String,
    /// The profile's name is the card's.
    pub profile: Profile,
    /// What drivers call it.
    adapters: Vec<Pattern>,
    /// Operations of f32 a second.
    pub flops: f64,
    /// Bytes a second of its memory.
    pub bytes: f64,
    /// What workgroups run on.
    pub compute_units: u32,
    /// Seconds of a dispatch that does nothing, behind one that it must wait for.
    pub launch: f64,
    /// Key -> where its figure is from.
    pub sources: BTreeMap<String, String>,
}

/// What keeps a dispatch from being faster still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    Arithmetic,
    Bytes,
    Launch,
}

impl Bound {
    pub fn name(self) -> &'static str {
        match self {
            Bound::Arithmetic => "arithmetic",
            Bound::Bytes => "bytes",
            Bound::Launch => "launch",
        }
    }
}

/// The least time of a dispatch by a card's figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Floor {
    pub seconds: f64,
    /// What takes so long.
    pub bound: Bound,
}

/// How many workgroups fill an adapter, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Full {
    pub workgroups: u64,
    pub because: String,
}

impl Card {
    /// What `--on` means: a card of the box, or a file.
    ///
    /// # Errors
    /// If there is none, or its text is wrong.
    pub fn named(card: &str) -> Result<Card, Error> {
        if documents::is_path(card) {
            return Card::read(Path::new(card));
        }
        let unknown = || {
            let names: Vec<&str> = CARDS.iter().map(|card| card.key.as_str()).collect();
            Error::unknown("card", card, &names)
        };
        let found = CARDS.iter().find(|known| known.key == card);
        found.cloned().ok_or_else(unknown)
    }

    /// The card of a file.
    ///
    /// # Errors
    /// If it cannot be read, or its text is wrong.
    pub fn read(path: &Path) -> Result<Card, Error> {
        let (path, text) = documents::read(path)?;
        read::one(&path, &text)
    }

    /// The card of the box that a driver calls so.
    pub fn of_adapter(name: &str) -> Option<&'static Card> {
        CARDS.iter().find(|card| card.is_called(name))
    }

    /// How many workgroups fill it.
    pub fn full(&self) -> Full {
        Full {
            workgroups: PER_UNIT * u64::from(self.compute_units),
            because: format!(
                "{PER_UNIT} for each of the {} compute units of this card",
                self.compute_units
            ),
        }
    }

    /// Did nobody measure what a launch takes?
    pub fn launch_is_estimated(&self) -> bool {
        let source = self.sources.get(read::FIGURES[3]);
        source.is_some_and(|source| source == "estimate")
    }

    fn is_called(&self, name: &str) -> bool {
        let options = MatchOptions {
            case_sensitive: false,
            ..MatchOptions::default()
        };
        let mut adapters = self.adapters.iter();
        adapters.any(|pattern| pattern.matches_with(name, options))
    }

    /// The least time of a dispatch: its operations at the card's peak, its operands once through the memory, or
    /// its launch, whichever takes longest. Operands that lie in a cache may undercut the memory's rate.
    pub fn floor(&self, cost: Cost) -> Floor {
        let candidates = [
            (cost.flops as f64 / self.flops, Bound::Arithmetic),
            (cost.bytes as f64 / self.bytes, Bound::Bytes),
            (self.launch, Bound::Launch),
        ];
        let longest = candidates
            .into_iter()
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        let (seconds, bound) = longest.expect("three candidates");
        Floor { seconds, bound }
    }
}

/// How many workgroups fill the adapter of that name and class; software runs them on a few threads, which any
/// number fills.
pub fn full(adapter: &str, class: Class) -> Option<Full> {
    match (Card::of_adapter(adapter), class) {
        (_, Class::Software) => None,
        (Some(card), Class::Gpu) => Some(card.full()),
        (None, Class::Gpu) => Some(Full {
            workgroups: OF_ANY,
            because: "as many as most GPUs need; this one is not in the table of cards".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_of_the_box_has_a_source() {
        let wanted = [
            "h100",
            "rtx4070",
            "rx7900xtx",
            "a770",
            "m2",
            "iris-xe",
            "adreno740",
        ];
        for name in wanted {
            Card::named(name).unwrap_or_else(|error| panic!("{error}"));
        }
        for card in CARDS.iter() {
            for figure in read::FIGURES.iter().chain(&["limits"]) {
                let source = card.sources.get(*figure);
                assert!(
                    source.is_some_and(|s| !s.is_empty()),
                    "{} {figure}",
                    card.key
                );
            }
        }
    }

    #[test]
    fn drivers_names_find_their_card() {
        let found = |name| Card::of_adapter(name).map(|card| card.key.as_str());
        for (name, card) in [
            ("NVIDIA H100 80GB HBM3", Some("h100")),
            ("NVIDIA H100 PCIe", None),
            ("NVIDIA H200", Some("h200")),
            ("NVIDIA GeForce RTX 4070", Some("rtx4070")),
            ("NVIDIA GeForce RTX 4070/PCIe/SSE2", Some("rtx4070")),
            ("NVIDIA GeForce RTX 4070 Ti", None),
            ("AMD Radeon RX 7900 XTX (RADV NAVI31)", Some("rx7900xtx")),
            ("Intel(R) Arc(tm) A770 Graphics (DG2)", Some("a770")),
            ("Intel(R) Arc(TM) A770 Graphics", Some("a770")),
            ("Apple M2", Some("m2")),
            ("Apple M2 Pro", None),
            ("Intel(R) Iris(R) Xe Graphics (TGL GT2)", Some("iris-xe")),
            ("Turnip Adreno (TM) 740", Some("adreno740")),
            ("llvmpipe (LLVM 15.0.6, 256 bits)", None),
        ] {
            assert_eq!(found(name), card, "{name}");
        }
    }

    #[test]
    fn the_longest_of_three_is_the_floor() {
        let card = Card::named("h100").expect("a card");
        let floor = |flops, bytes| card.floor(Cost { flops, bytes });
        let launch = floor(1_000, 1_000);
        assert_eq!((launch.bound, launch.seconds), (Bound::Launch, 3e-6));
        let bytes = floor(1_000, 3_350_000_000);
        assert_eq!(bytes.bound, Bound::Bytes);
        assert!((bytes.seconds - 1e-3).abs() < 1e-12);
        let arithmetic = floor(66_900_000_000, 1_000);
        assert_eq!(arithmetic.bound, Bound::Arithmetic);
        assert!((arithmetic.seconds - 1e-3).abs() < 1e-12);
    }

    #[test]
    fn the_width_of_a_card_is_known_or_usual_and_software_has_none() {
        let width = |name, class| full(name, class).map(|full| full.workgroups);
        assert_eq!(width("NVIDIA H200", Class::Gpu), Some(264));
        assert_eq!(width("a GPU", Class::Gpu), Some(400));
        assert_eq!(width("llvmpipe", Class::Software), None);
    }
}
