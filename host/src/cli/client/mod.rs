//! What the verbs that look after tasks speak to: the REST API, of a server somewhere or of this very program over the
//! database. So a verb is written once, and what can be done on the command line can be done over the network.

mod changes;
mod remote;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use clap::Args;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tower::ServiceExt as _;

use super::{Exit, Failure, Global};
use crate::api;
use crate::config::Config;
use crate::host::{Database, FEW_CONNECTIONS, Services};
use crate::store::Store;
pub(super) use changes::Changes;
use remote::Remote;

/// Where the verb's work is done.
#[derive(Debug, Args)]
pub(super) struct ReachArgs {
    /// Speak to the API of the server at this URL, with the key or token in TASKER_API_KEY or TASKER_AUTH_TOKEN, if there is
    /// one [default: work on the database itself]
    #[arg(long, env = "TASKER_SERVER", value_name = "URL", global = true)]
    server: Option<String>,
}

/// The API.
pub(super) struct Client(Way);

enum Way {
    /// Of a server.
    Remote(Remote),
    /// Of this program.
    Local { router: Router, store: Store },
}

/// An error as the API words it.
#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    message: String,
}

impl ReachArgs {
    /// Whether a server is named.
    pub(super) fn is_remote(&self) -> bool {
        self.server.is_some()
    }

    /// Opens the way to the API, does something over it, and leaves it.
    pub(super) async fn speak(
        &self,
        global: &Global,
        act: impl AsyncFnOnce(&Client) -> Result<Exit, Failure>,
    ) -> Result<Exit, Failure> {
        if let Some(url) = &self.server {
            let remote = Remote::open(url).map_err(Failure::cannot_start)?;
            return act(&Client(Way::Remote(remote))).await;
        }
        let config = global.config()?;
        let database = Database::open(&config, FEW_CONNECTIONS).await.map_err(Failure::cannot_start)?;
        let ended = act(&Client::over(database.store.clone(), Arc::new(config))).await;
        database.close().await;
        ended
    }
}

impl Client {
    /// The API of this program over a database.
    pub(super) fn over(store: Store, config: Arc<Config>) -> Self {
        let router = api::local(Services::of_command(store.clone(), config));
        Self(Way::Local { router, store })
    }

    /// The database itself, for what no API does.
    pub(super) fn store(&self) -> Result<&Store, Failure> {
        match &self.0 {
            Way::Local { store, .. } => Ok(store),
            Way::Remote(_) => Err(Failure::not_well(anyhow::anyhow!(
                "this needs the database itself: leave --server (or TASKER_SERVER) out"
            ))),
        }
    }

    /// `GET`.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.answer(Method::GET, path, None).await
    }

    /// `GET`, with parameters; those that are none are left out.
    pub(super) async fn find<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, Option<String>)],
    ) -> Result<T, Failure> {
        self.get(&with_query(path, query)?).await
    }

    /// `DELETE`, with parameters.
    pub(super) async fn delete<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, Option<String>)],
    ) -> Result<T, Failure> {
        self.answer(Method::DELETE, &with_query(path, query)?, None).await
    }

    /// A request with a body.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.answer(method, path, Some(serde_json::to_string(body)?)).await
    }

    /// The changes of a task, or of all tasks of a namespace, or of all, as they happen.
    pub(super) async fn changes(
        &self,
        query: &[(&str, Option<String>)],
        after: Option<&str>,
    ) -> Result<Changes, Failure> {
        let mut request = Request::get(with_query("/v1/events", query)?);
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let response = self.respond(request.body(Full::default())?).await?;
        Ok(Changes::new(accepted(response).await?.into_body()))
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<T, Failure> {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let response = self.respond(request.body(Full::from(body.unwrap_or_default()))?).await?;
        let response = accepted(response).await?;
        let empty = response.status() == StatusCode::NO_CONTENT;
        let bytes = read(response).await?;
        Ok(serde_json::from_slice(if empty { b"null" } else { &bytes })?)
    }

    async fn respond(&self, request: Request<Full<Bytes>>) -> Result<Response<Body>, Failure> {
        match &self.0 {
            Way::Remote(remote) => remote.respond(request).await.map_err(Failure::not_well),
            Way::Local { router, .. } => Ok(router.clone().oneshot(request.map(Body::new)).await?),
        }
    }
}

/// A part of a path, whatever it holds.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A path with parameters; those that are none are left out.
pub(super) fn with_query(path: &str, query: &[(&str, Option<String>)]) -> Result<String, Failure> {
    let given: Vec<_> = query.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect();
    Ok(format!("{path}?{}", serde_urlencoded::to_string(given)?))
}

/// An answer that went well; what the API says otherwise is what the person is told.
async fn accepted(response: Response<Body>) -> Result<Response<Body>, Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let bytes = read(response).await?;
    let message = match serde_json::from_slice::<ErrorBody>(&bytes) {
        Ok(body) => body.error.message,
        Err(_) => format!("the server answered {status}, and not as the API of Tasker does; is the URL right?"),
    };
    Err(Failure::not_well(anyhow::anyhow!(message)))
}

async fn read(response: Response<Body>) -> Result<Bytes, Failure> {
    let read = response.into_body().collect().await;
    Ok(read.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?.to_bytes())
}
