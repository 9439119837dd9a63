//! The API of a server, over HTTP.

use std::time::Duration;

use anyhow::Context;
use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use http_body_util::Full;

use crate::api::{HttpsClient, https_client};
use crate::sandbox::tls_client;

/// Until an answer begins: longer than a server takes to give up by its own settings.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where a server is, and how to say who asks.
pub(super) struct Remote {
    base: Uri,
    credentials: Option<(HeaderName, HeaderValue)>,
    client: HttpsClient<Full<Bytes>>,
}

impl Remote {
    /// Reads where the server is. Nothing is sent yet.
    pub(super) fn open(url: &str) -> anyhow::Result<Self> {
        let base: Uri = url.parse().with_context(|| format!("--server is {url:?}: give it a URL"))?;
        let is_url = matches!(base.scheme_str(), Some("http" | "https")) && base.host().is_some();
        anyhow::ensure!(is_url, "--server is {url:?}: give it a URL such as http://127.0.0.1:8080");
        let credentials = credentials("TASKER_API_KEY", HeaderName::from_static("x-api-key"), "")?;
        let credentials = match credentials {
            None => credentials_of_token()?,
            key => key,
        };
        Ok(Self { base, credentials, client: https_client(tls_client(&[])?) })
    }

    pub(super) async fn respond(&self, mut request: Request<Full<Bytes>>) -> anyhow::Result<Response<Body>> {
        *request.uri_mut() = self.uri(request.uri())?;
        if let Some((name, value)) = &self.credentials {
            request.headers_mut().insert(name, value.clone());
        }
        let base = &self.base;
        let answered = tokio::time::timeout(PATIENCE, self.client.request(request)).await;
        let answered =
            answered.map_err(|_| anyhow::anyhow!("{base} gave no answer within {} s", PATIENCE.as_secs()))?;
        Ok(answered.with_context(|| format!("can't reach {base}"))?.map(Body::new))
    }

    /// A path below the server's.
    fn uri(&self, path: &Uri) -> anyhow::Result<Uri> {
        let mut parts = self.base.clone().into_parts();
        let below = format!("{}{}", self.base.path().trim_end_matches('/'), path);
        parts.path_and_query = Some(below.parse::<PathAndQuery>()?);
        Ok(Uri::from_parts(parts)?)
    }
}

fn credentials_of_token() -> anyhow::Result<Option<(HeaderName, HeaderValue)>> {
    credentials("TASKER_AUTH_TOKEN", AUTHORIZATION, "Bearer ")
}

/// Keys come from the environment: arguments are seen by everybody on the machine.
fn credentials(variable: &str, header: HeaderName, before: &str) -> anyhow::Result<Option<(HeaderName, HeaderValue)>> {
    let Some(secret) = std::env::var_os(variable).filter(|secret| !secret.is_empty()) else { return Ok(None) };
    let text = secret.to_str().map(|secret| format!("{before}{secret}"));
    let value = text.and_then(|text| HeaderValue::try_from(text).ok());
    let mut value = value.with_context(|| format!("{variable} holds what no header can"))?;
    value.set_sensitive(true);
    Ok(Some((header, value)))
}
