//! The networks of the box: files of `networks/`, built into the binary.

use super::Network;
use std::sync::LazyLock;

/// Their texts, in the order in which they are listed.
const TEXTS: &[(&str, &str)] = &[
    (
        "networks/inception.toml",
        include_str!("../../networks/inception.toml"),
    ),
    (
        "networks/inception-gap.toml",
        include_str!("../../networks/inception-gap.toml"),
    ),
    (
        "networks/inception-2.toml",
        include_str!("../../networks/inception-2.toml"),
    ),
    (
        "networks/inception-3.toml",
        include_str!("../../networks/inception-3.toml"),
    ),
    (
        "networks/googlenet.toml",
        include_str!("../../networks/googlenet.toml"),
    ),
    (
        "networks/googlenet-48.toml",
        include_str!("../../networks/googlenet-48.toml"),
    ),
    (
        "networks/mollahosseini.toml",
        include_str!("../../networks/mollahosseini.toml"),
    ),
    (
        "networks/mini-xception.toml",
        include_str!("../../networks/mini-xception.toml"),
    ),
    (
        "networks/fer-inception.toml",
        include_str!("../../networks/fer-inception.toml"),
    ),
];

/// Every network of the box.
pub static NETWORKS: LazyLock<Vec<Network>> = LazyLock::new(|| {
    let read = |&(origin, text): &(&str, &str)| {
        Network::from_text(origin, text).unwrap_or_else(|error| panic!("{error}"))
    };
    TEXTS.iter().map(read).collect()
});

#[cfg(test)]
mod tests {
    use super::{NETWORKS, TEXTS};
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Each file of the folder is in the box under its own name, and can be built.
    #[test]
    fn every_file_is_in_the_box() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks");
        let files = std::fs::read_dir(folder).expect("a folder");
        let files = files.map(|file| file.expect("a file").file_name());
        let names = files.map(|name| name.to_string_lossy().into_owned());
        let files: BTreeSet<String> = names.filter(|name| name.ends_with(".toml")).collect();
        let listed = TEXTS
            .iter()
            .map(|(origin, _)| origin["networks/".len()..].to_string());
        assert_eq!(files, listed.collect());
        for (network, (origin, text)) in NETWORKS.iter().zip(TEXTS) {
            assert_eq!(format!("networks/{}.toml", network.name), *origin);
            assert_eq!(network.text, *text);
            assert!(!network.about.is_empty(), "{origin}");
            network
                .try_build_for(network.image, 7)
                .unwrap_or_else(|error| panic!("{error}"));
        }
    }
}
