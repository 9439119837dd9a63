//! The way out of one package: its grants, and its pools of connections.
//!
//! A pool belongs to one package and one list of networks. A package rarely has more than one list, and its grants bound how
//! many there can be, so pools are made when they are first needed and kept as long as the package.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use ipnet::IpNet;
use rustls::ClientConfig;
use rustls::client::Resumption;
use tokio::sync::Semaphore;

use super::HttpSettings;
use super::bodies::RequestBody;
use super::dial::{Connector, Dial, Lookup, Places, system_lookup};
use super::tls::{self, TlsError};
use crate::grants::Granted;

/// Connections that one package keeps, and of these idle ones to one server.
const KEPT: usize = 64;
const IDLE: usize = 8;
/// How long an idle connection is kept.
const IDLE_FOR: Duration = Duration::from_secs(30);
/// Lookups of one package at once.
const LOOKUPS: usize = 8;
/// TLS sessions one package can resume.
const SESSIONS: usize = 64;

/// Bytes of a response's head, and of what HTTP/1.1 reads ahead.
const HEAD: usize = 64 << 10;
/// Bytes an HTTP/2 server may send of a response that is not read, and of all responses of a connection. The second is
/// large enough that a handler which reads nothing does not hold up the others.
const STREAM_WINDOW: u32 = 128 << 10;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// Sends requests of one package to what one list of networks allows.
pub(super) type Client = legacy::Client<Connector, RequestBody>;

/// What all packages share: whom TLS trusts, how names are looked up, how long things may take.
pub(in crate::sandbox) struct Outbound {
    settings: HttpSettings,
    tls: ClientConfig,
    lookup: Lookup,
}

impl Outbound {
    /// Reads the system's certificate authorities, and the operator's.
    pub(in crate::sandbox) fn new(settings: &HttpSettings) -> Result<Self, TlsError> {
        Ok(Self { settings: settings.clone(), tls: tls::client(&settings.ca_files)?, lookup: system_lookup() })
    }

    /// As [`Outbound::new`], with another way to look names up.
    #[cfg(test)]
    pub(super) fn with_lookup(settings: &HttpSettings, lookup: Lookup) -> Result<Self, TlsError> {
        Ok(Self { lookup, ..Self::new(settings)? })
    }

    /// The way out of a package of this namespace.
    pub(in crate::sandbox) fn gateway(&self, namespace: &str, granted: Arc<Granted>) -> Gateway {
        let mut tls = self.tls.clone();
        tls.resumption = Resumption::in_memory_sessions(SESSIONS);
        Gateway {
            namespace: namespace.to_owned(),
            granted,
            settings: self.settings.clone(),
            tls: Arc::new(tls),
            lookup: Arc::clone(&self.lookup),
            places: Places { lookups: Arc::new(Semaphore::new(LOOKUPS)), kept: Arc::new(Semaphore::new(KEPT)) },
            pools: Mutex::default(),
        }
    }
}

/// The way out of one package, shared by its attempts.
pub(in crate::sandbox) struct Gateway {
    pub(super) namespace: String,
    pub(super) granted: Arc<Granted>,
    pub(super) settings: HttpSettings,
    tls: Arc<ClientConfig>,
    lookup: Lookup,
    places: Places,
    pools: Mutex<Vec<(Vec<IpNet>, Client)>>,
}

impl Gateway {
    /// The client whose connections lead to public addresses and to these networks.
    pub(super) fn client(&self, mut networks: Vec<IpNet>) -> Client {
        networks.sort_unstable();
        networks.dedup();
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = pools.iter().find(|(known, _)| *known == networks) {
            return client.clone();
        }
        let client = self.new_client(networks.clone());
        pools.push((networks, client.clone()));
        client
    }

    fn new_client(&self, networks: Vec<IpNet>) -> Client {
        let lookup = Arc::clone(&self.lookup);
        let dial = Dial::new(lookup, networks, self.settings.connect_timeout, self.places.clone());
        legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_FOR)
            .pool_max_idle_per_host(IDLE)
            .http1_max_buf_size(HEAD)
            .http2_max_header_list_size(HEAD as u32)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            // A connection that died unnoticed is found before requests wait for it.
            .http2_keep_alive_interval(Duration::from_secs(15))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .build(Connector::new(dial, Arc::clone(&self.tls)))
    }
}
