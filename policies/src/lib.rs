#![doc = include_str!("../README.md")]

mod config;
mod file;
mod folder;
mod key;
mod pattern;
mod secret;
mod tenant;
mod units;

pub use config::{
    AdminAccess, Config, FieldFault, Limits, Listen, Local, LocalModel, ModelEntry, ModelTable,
    ModelTarget, Source, Timeouts, Transport, Upstream, UpstreamProtocol, Weights,
};
pub use file::{FileError, Invalid};
pub use folder::{EditError, PolicyFolder};
pub use key::{KeyError, KeyHash, KeyId, VirtualKey};
pub use pattern::ModelPattern;
pub use secret::{Environment, ProcessEnvironment};
pub use tenant::{ClientCredentials, KeyRecord, PolicyFile, Tenant, TenantId, Tenants, UnknownKey};
pub use units::ByteSize;
