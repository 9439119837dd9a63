//! Outbound HTTP of one attempt.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::capture_connection;
use tokio::time::{Instant, sleep, sleep_until};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::admit::{Admitted, Refusal, admit};
use super::bodies::{Progress, Relay, RequestBody};
use super::budget::{Budget, response_head};
use super::causes::Causes;
use super::failure;
use super::gateway::{Client, Gateway};
use super::secrets::Placeholders;
use crate::sandbox::limits::Limits;
use crate::sandbox::output_commit::OutputCommit;
use crate::sandbox::violations::Violations;

/// What the connector's own timeout is given before a request that is not connected is given up anyway: it may wait for
/// the connection of another.
const GRACE: Duration = Duration::from_secs(1);

/// Ends when the transfer of a body does.
pub(in crate::sandbox) type Transfer = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// The requests of one attempt. Dropping it ends them.
pub(in crate::sandbox) struct Session {
    /// What requests wait for.
    pub(in crate::sandbox) output: OutputCommit,
    shared: Arc<Shared>,
}

struct Shared {
    gateway: Arc<Gateway>,
    placeholders: Placeholders,
    budget: Arc<Budget>,
    causes: Causes,
}

impl Session {
    pub(in crate::sandbox) fn new(
        gateway: Arc<Gateway>,
        placeholders: Placeholders,
        limits: &Limits,
        violations: Violations,
    ) -> Self {
        let budget = Arc::new(Budget::new(limits, violations));
        let shared = Arc::new(Shared { gateway, placeholders, budget, causes: Causes::default() });
        Self { output: OutputCommit::done(), shared }
    }

    /// Requests so far, refused ones included.
    pub(in crate::sandbox) fn requests(&self) -> u32 {
        self.shared.budget.requests()
    }

    /// What the guest has in place of its secrets: names and placeholders.
    pub(in crate::sandbox) fn placeholders(&self) -> impl Iterator<Item = (&str, &str)> {
        self.shared.placeholders.variables()
    }

    /// What was refused, and what failed.
    pub(in crate::sandbox) fn causes(&self) -> Option<String> {
        self.shared.causes.text()
    }

    /// Counts a body that the guest begins to write.
    pub(in crate::sandbox) fn begin_body(&self) {
        // The violation ends the attempt; there is nobody else to tell.
        let _ = self.shared.budget.body();
    }

    /// Sends a request that is granted. It is counted and checked at once, whatever becomes of the future; the second part
    /// of the result has to run for the body to arrive.
    pub(in crate::sandbox) fn send(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> impl Future<Output = Result<(Response<WasiBody>, Transfer), Error>> + Send + 'static {
        let (shared, output) = (Arc::clone(&self.shared), self.output.clone());
        let admitted = admit(request, &shared.gateway, &shared.placeholders, &shared.budget);
        async move {
            match admitted {
                Ok(admitted) => {
                    output.wait().await;
                    shared.exchange(admitted, options.unwrap_or_default()).await
                }
                Err(Refusal { error, cause }) => {
                    cause.inspect(|cause| shared.causes.note(cause));
                    Err(error)
                }
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.budget.end();
    }
}

impl Shared {
    async fn exchange(
        &self,
        admitted: Admitted,
        options: RequestOptions,
    ) -> Result<(Response<WasiBody>, Transfer), Error> {
        let Admitted { request, client, echoes, label } = admitted;
        let place = self.budget.place().await.map_err(|_| Error::HttpRequestDenied)?;
        let response = match self.response(client, request, options).await {
            Ok(response) => response,
            Err(failure) => {
                // What an end or a limit cut off has no cause of its own.
                if !self.budget.is_spent() {
                    self.causes.note(&format!("HTTP {label} failed: {}", failure.cause));
                }
                return Err(failure.error);
            }
        };

        let (mut head, body) = response.into_parts();
        self.budget.receive(response_head(&head)).map_err(|_| Error::HttpResponseHeaderSectionSize(None))?;
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            self.causes.note(&format!("HTTP {label} failed: the server wants another protocol than HTTP"));
            return Err(Error::HttpUpgradeFailed);
        }
        head.extensions.clear();
        echoes.conceal(&mut head.headers);
        if body.is_end_stream() {
            let none = Empty::new().map_err(|never| match never {}).boxed_unsync();
            return Ok((Response::from_parts(head, none), Box::new(std::future::ready(Ok(())))));
        }
        let idle_timeout = shorter(self.gateway.settings.idle_timeout, options.between_bytes_timeout);
        let (budget, causes) = (Arc::clone(&self.budget), self.causes.clone());
        let (body, transfer) = Relay { body, budget, causes, echoes, label, idle_timeout, place }.start();
        Ok((Response::from_parts(head, body), Box::new(transfer)))
    }

    /// Sends the request and waits for the head of the response.
    async fn response(
        &self,
        client: Client,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Response<Incoming>, failure::Failure> {
        let settings = &self.gateway.settings;
        let connect_timeout = shorter(settings.connect_timeout + GRACE, options.connect_timeout);
        let response_timeout = shorter(settings.response_timeout, options.first_byte_timeout);

        let progress = Progress::new();
        let mut request = request.map(|body| RequestBody::new(body, Arc::clone(&self.budget), progress.clone()));
        let mut captured = capture_connection(&mut request);
        let mut response = pin!(client.request(request));
        let failed = |error| failure::of_request(&error, &self.gateway.namespace);
        tokio::select! {
            biased;
            response = &mut response => return response.map_err(failed),
            () = async { drop(captured.wait_for_connection_metadata().await) } => progress.made(),
            () = sleep(connect_timeout) => {
                let cause = format!("there was no connection within {} s", connect_timeout.as_secs_f64());
                return Err(failure::Failure { error: Error::ConnectionTimeout, cause });
            }
        }
        loop {
            let until = progress.last() + response_timeout;
            tokio::select! {
                biased;
                response = &mut response => return response.map_err(failed),
                () = sleep_until(until) => {
                    if progress.last() + response_timeout <= Instant::now() {
                        let cause = format!("no response came within {} s", response_timeout.as_secs_f64());
                        return Err(failure::Failure { error: Error::HttpResponseTimeout, cause });
                    }
                }
            }
        }
    }
}

/// The host's limit, or the guest's if that is shorter.
fn shorter(host: Duration, guest: Option<Duration>) -> Duration {
    guest.map_or(host, |guest| guest.min(host))
}
