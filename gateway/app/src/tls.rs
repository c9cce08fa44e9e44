//! TLS of the calls listener.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ServerConfig,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};
use skinflint_policies::{FieldFault, Listen, Source, Transport};

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
enum TlsError {
    /// A PEM file cannot be read, or has nothing of the right kind in it.
    #[error("{}: {source}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: pem::Error,
    },
    /// The certificate file has no certificate in it.
    #[error("{}: no certificate in it", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The key does not fit the certificate, or is of an unknown kind.
    #[error("{}: {source}", path.display())]
    Key {
        /// The certificate file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
}

/// TLS as the configuration asks for it; none for a plain listener.
pub(crate) fn of(
    listen: &Listen,
    source: &Source,
) -> Result<Option<Arc<ServerConfig>>, FieldFault> {
    let Transport::Tls { cert, key } = &listen.transport else {
        return Ok(None);
    };
    server_config(cert, key).map(Some).map_err(|error| {
        let field = match &error {
            TlsError::Pem { path, .. } if path == key => "listen.tls.key",
            TlsError::Pem { .. } | TlsError::NoCertificate { .. } => "listen.tls.cert",
            TlsError::Key { .. } => "listen.tls",
        };
        source.fault(field, &error.to_string())
    })
}

/// Reads the certificate chain and its key; offers HTTP/2 and HTTP/1.1.
fn server_config(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let pem = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Pem { path, source }
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(pem(cert))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate {
            path: cert.to_owned(),
        });
    }
    let private_key = PrivateKeyDer::from_pem_file(key).map_err(pem(key))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, private_key)
        .map_err(|source| TlsError::Key {
            path: cert.to_owned(),
            source,
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Chooses the cryptography of the whole process; both directions use it.
pub(crate) fn install_provider() -> io::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| io::Error::other("another TLS provider is already installed"))
}
