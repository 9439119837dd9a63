//! What went wrong with a request, in the guest's codes and in the operator's words.

use std::io::ErrorKind;

use hyper_util::client::legacy;
use wasmtime_wasi_http::Error;

use super::causes::{chain, described};
use super::dial::DialError;

/// A request that was granted, and failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// For the guest.
    pub(super) error: Error,
    /// For the operator.
    pub(super) cause: String,
}

/// Names a failure before the head of a response. `namespace` is where networks would be granted.
pub(super) fn of_request(error: &legacy::Error, namespace: &str) -> Failure {
    let chain = chain(error);
    if let Some(error) = chain.iter().find_map(|error| error.downcast_ref::<DialError>()) {
        return of_dial(error, namespace);
    }
    match chain.iter().find_map(|error| error.downcast_ref::<hyper::Error>()) {
        Some(error) => of_hyper(error),
        None => Failure { error: Error::ConnectionTerminated, cause: described(error) },
    }
}

/// Names a failure within the body of a response.
pub(super) fn of_body(error: &hyper::Error) -> Failure {
    let Failure { error, cause } = of_hyper(error);
    // A body that breaks off is incomplete, whatever broke it.
    let error = if matches!(error, Error::ConnectionTerminated) { Error::HttpResponseIncomplete } else { error };
    Failure { error, cause }
}

fn of_dial(error: &DialError, namespace: &str) -> Failure {
    let (code, advice) = match error {
        DialError::Lookup(_) => (Error::DnsError { rcode: None, info_code: None }, None),
        DialError::NoAddress => (Error::DestinationNotFound, None),
        DialError::NotPublic => (
            Error::DestinationIpProhibited,
            Some(format!(
                "if it is meant to be reached, add its network to `networks` in worker.namespaces.{namespace}.grants.http"
            )),
        ),
        DialError::Connect(error) => (
            match error.kind() {
                ErrorKind::ConnectionRefused => Error::ConnectionRefused,
                ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Error::DestinationUnavailable,
                ErrorKind::TimedOut => Error::ConnectionTimeout,
                _ => Error::ConnectionTerminated,
            },
            None,
        ),
        DialError::Tls { certificate: true, .. } => (
            Error::TlsCertificateError,
            Some("if the server's certificate authority is your own, add it to worker.http.ca_files".to_owned()),
        ),
        DialError::Tls { certificate: false, .. } => (Error::TlsProtocolError, None),
        DialError::Timeout(_) => (Error::ConnectionTimeout, None),
    };
    let cause = match advice {
        Some(advice) => format!("{error}; {advice}"),
        None => error.to_string(),
    };
    Failure { error: code, cause }
}

fn of_hyper(error: &hyper::Error) -> Failure {
    let code = if error.is_parse_too_large() {
        Error::HttpResponseHeaderSectionSize(None)
    } else if error.is_parse() {
        Error::HttpProtocolError
    } else if error.is_timeout() {
        Error::ConnectionReadTimeout
    } else if error.is_user() {
        Error::HttpProtocolError
    } else {
        Error::ConnectionTerminated
    };
    Failure { error: code, cause: described(error) }
}
