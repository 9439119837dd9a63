//! Whom TLS trusts: the system's certificate authorities, and those the operator adds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// TLS cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file of certificate authorities cannot be used.
    #[error(
        "cannot use the certificate authorities in {}: {detail}; `worker.http.ca_files` names PEM files, with one or more \
         certificates each",
        path.display()
    )]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The TLS library refused its configuration.
    #[error("cannot set up TLS: {0}")]
    Setup(String),
}

/// A TLS client that trusts the system's certificate authorities and these: HTTP/2 where the server offers it, HTTP/1.1
/// else.
///
/// # Errors
///
/// A file can't be used.
pub fn client(ca_files: &[PathBuf]) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    let (found, _) = roots.add_parsable_certificates(system.certs);
    if found == 0 {
        tracing::warn!(
            errors = ?system.errors,
            "the system has no certificate authorities, so handlers trust only those of worker.http.ca_files"
        );
    }
    for path in ca_files {
        for certificate in certificates(path)? {
            roots
                .add(certificate)
                .map_err(|error| TlsError::CaFile { path: path.clone(), detail: error.to_string() })?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |detail: String| TlsError::CaFile { path: path.to_owned(), detail };
    let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(failed("it has no certificate".to_owned())),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_no_certificates_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (name, text) in [("missing.pem", None), ("empty.pem", Some("no PEM")), ("broken.pem", Some(broken))] {
            let path = directory.path().join(name);
            if let Some(text) = text {
                std::fs::write(&path, text).unwrap();
            }
            let error = client(&[path]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("worker.http.ca_files"), "{error}");
        }
    }
}
