//! Records that several gateways share, in Redis: [`SharedRecords`].

use std::{fmt, time::Duration};

use redis::{
    Client, RedisError, SetExpiry, SetOptions,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use skinflint_compressor::ChainHash;
use thiserror::Error;
use tokio::time::timeout;

use crate::Record;

/// Records in Redis; cheap to clone.
#[derive(Clone)]
pub struct SharedRecords {
    connection: ConnectionManager,
}

/// No server is at the address.
#[derive(Debug, Error)]
#[error("the address of redis is not valid")]
pub struct SharedRecordsError(#[from] RedisError);

/// Redis did not answer, or not in time.
#[derive(Debug, Error)]
pub(crate) enum NoAnswer {
    #[error("redis does not answer within {} ms", ANSWER_WITHIN.as_millis())]
    Silent,
    #[error("redis failed")]
    Failed(#[from] RedisError),
}

/// A call does not wait longer for what others have decided.
const ANSWER_WITHIN: Duration = Duration::from_millis(100);
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// After its last use. The longest that a provider keeps a prefix is an hour, or a day with OpenAI's extended caching; a
/// conversation that is taken up later is written anew at the provider in any case.
const KEPT_SECONDS: u64 = 48 * 60 * 60;
/// Changes with the form of the values.
const PREFIX: &[u8] = b"sf1:record:";

impl SharedRecords {
    /// Connects when it is first asked, and again whenever the connection is lost.
    pub fn new(url: &str) -> Result<Self, SharedRecordsError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN))
            .set_number_of_retries(1);
        let client = Client::open(url)?;
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client, config)?,
        })
    }

    /// What is known by these keys, each then kept as if it were new.
    pub(crate) async fn find(&self, keys: &[ChainHash]) -> Result<Vec<Option<Record>>, NoAnswer> {
        let mut pipeline = redis::pipe();
        for key in keys {
            let command = pipeline.cmd("GETEX").arg(name(key));
            command.arg("EX").arg(KEPT_SECONDS);
        }
        let values: Vec<Option<Vec<u8>>> = self.ask(&pipeline).await?;
        Ok(values.into_iter().map(read).collect())
    }

    /// Writes these down where nothing is known by their keys, and says what holds.
    pub(crate) async fn settle(
        &self,
        records: &[(ChainHash, Record)],
    ) -> Result<Vec<Option<Record>>, NoAnswer> {
        let options = SetOptions::default()
            .conditional_set(redis::ExistenceCheck::NX)
            .with_expiration(SetExpiry::EX(KEPT_SECONDS));
        let mut pipeline = redis::pipe();
        for (key, record) in records {
            // Plain data, which always encodes.
            let value = serde_json::to_vec(record).unwrap_or_default();
            pipeline
                .set_options(name(key), value, options.clone())
                .ignore();
            pipeline.cmd("GET").arg(name(key));
        }
        let values: Vec<Option<Vec<u8>>> = self.ask(&pipeline).await?;
        Ok(values.into_iter().map(read).collect())
    }

    async fn ask(&self, pipeline: &redis::Pipeline) -> Result<Vec<Option<Vec<u8>>>, NoAnswer> {
        let mut connection = self.connection.clone();
        let asked = pipeline.query_async(&mut connection);
        let answer = timeout(ANSWER_WITHIN, asked).await;
        Ok(answer.map_err(|_| NoAnswer::Silent)??)
    }
}

fn name(key: &ChainHash) -> Vec<u8> {
    [PREFIX, key.as_bytes()].concat()
}

/// What another version wrote is as if it were not there.
fn read(value: Option<Vec<u8>>) -> Option<Record> {
    serde_json::from_slice(&value?).ok()
}

impl fmt::Debug for SharedRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedRecords").finish_non_exhaustive()
    }
}
