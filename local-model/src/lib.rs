#![doc = include_str!("../README.md")]
#![cfg_attr(
    test,
    expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "numbers in tests are small"
    )
)]

mod catalog;
mod checkpoint;
mod checksum;
mod encoding;
mod engine;
mod error;
#[cfg(test)]
mod fixture;
mod gguf;
mod load;
mod model;
mod pull;
mod reply;
mod request;
pub mod sampler;
mod stop;
mod store;
mod structure;
mod template;
mod tokenizer;
mod tool_syntax;

pub use catalog::{CATALOG, CatalogEntry, CatalogFile, Layout, Package, Part, Purpose};
pub use encoding::{
    Classified, ClassifiedToken, DEFAULT_MAX_TEXTS, DEFAULT_MEMO_BYTES, Embedder, Embeddings,
    EncoderOptions, TokenClassifier, TokenEncoder, TokenStates,
};
pub use engine::{
    DEFAULT_CACHE_LIMIT_BYTES, DEFAULT_MAX_SEQUENCES, DEFAULT_MAX_TOKENS, Engine, EngineOptions,
    EngineStats, Event, Finish, Generation, Histogram, ModelInfo, Prefix, ScoreRequest, Scores,
    TTFT_BUCKETS, TokenLogprob, TokenUsage,
};
pub use error::{
    EncodeFault, EngineFault, GenerateError, LoadError, LoadFault, ScoreError, StructureError,
    StructureFault,
};
pub use pull::hub::{HubFile, HubListing, HubPull, ListingError, Wanted};
pub use pull::{Progress, PullError, pull};
pub use request::{
    Chat, Format, GenerateRequest, Prompt, Role, Sampling, Tool, ToolCall, ToolChoice, Turn,
};
pub use skinflint_kernels::{Precision, Team};
pub use store::{
    HubName, HubNameError, KnownFile, Listed, Manifest, ManifestFile, NoRoom, RemoveError, Removed,
    State, StoreError, ensure_room, inventory, is_path, known_files, locate, locate_path, remove,
};
pub use tokenizer::encoder::EncodeError;
pub use tokenizer::pieces::TextPiece;
