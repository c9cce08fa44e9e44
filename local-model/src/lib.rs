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
mod checksum;
mod engine;
mod error;
#[cfg(test)]
mod fixture;
mod gguf;
mod model;
mod pull;
mod request;
pub mod sampler;
mod stop;
mod store;
mod tokenizer;
mod tool_syntax;
mod transcript;

pub use catalog::{CATALOG, CatalogEntry, CatalogFile, Layout, Package, Part, Purpose};
pub use engine::{
    DEFAULT_MAX_TOKENS, Engine, EngineOptions, Event, Finish, Generation, ModelInfo, TokenLogprob,
    TokenUsage,
};
pub use error::{EngineFault, GenerateError, LoadError, LoadFault};
pub use pull::hub::{HubFile, HubListing, HubPull, ListingError, Wanted};
pub use pull::{Progress, PullError, pull};
pub use request::{
    Chat, Format, GenerateRequest, Prompt, Role, Sampling, Tool, ToolCall, ToolChoice, Turn,
};
pub use store::{
    HubName, HubNameError, KnownFile, Listed, Manifest, ManifestFile, NoRoom, RemoveError, Removed,
    State, StoreError, ensure_room, inventory, is_path, known_files, locate, locate_path, remove,
};
