#![doc = include_str!("../README.md")]

mod config;
mod file;
mod folder;
mod hub;
mod key;
mod name;
mod pattern;
mod prices;
mod secret;
mod share;
mod tenant;
mod tenants;
mod units;

pub use config::{
    ActivationBits, AdminAccess, Alerts, Anomaly, Config, Counters, DEFAULT_EMBEDDER, Decisions,
    DrainCaps, Durability, FieldFault, Ledger, LedgerFile, LedgerSettings, LedgerStore, Limits,
    Listen, Local, LocalClassifier, LocalEmbedder, LocalModel, LocalServing, LocalSettings,
    ModelEntry, ModelTable, ModelTarget, OnDisconnect, Policies, PolicySource, Reload, Source,
    TRAINED_CLASSIFIER, Timeouts, Transport, Upstream, UpstreamProtocol, Weights, WhenDown,
};
pub use file::{FileError, Invalid};
pub use folder::{EditError, PolicyFolder};
pub use hub::ModelHub;
pub use key::{KeyError, KeyHash, KeyId, VirtualKey};
pub use pattern::ModelPattern;
pub use prices::{PriceSource, PriceTable, Prices, UnknownPrice, provider_of_host};
pub use secret::{Environment, ProcessEnvironment};
pub use share::{NotAShare, Share};
pub use tenant::{
    AllowedModels, Budget, BudgetScope, ClientCredentials, Compress, CompressMode, KeyRecord,
    OnExceed, PolicyFile, Prose, ProseMethod, RateLimit, Tenant, TenantId, Window,
};
pub use tenants::{Identity, Tenants, UnknownKey};
pub use units::ByteSize;
