//! A client for HTTP with and without TLS: what reads key sets, and what the command line speaks to a server with.

use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// For a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends requests with bodies of this kind.
pub(crate) type HttpsClient<B> = Client<HttpsConnector<HttpConnector>, B>;

/// A client that trusts whom `tls` trusts.
pub(crate) fn https_client<B>(mut tls: rustls::ClientConfig) -> HttpsClient<B>
where
    B: Body<Data = Bytes> + Send,
{
    // The connector offers the protocols that it is told to, and takes no other list.
    tls.alpn_protocols.clear();
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(PATIENCE));
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(connector);
    Client::builder(TokioExecutor::new()).build(https)
}
