//! `/v1/events`: the changes of tasks and steps as server-sent events, as they happen.
//!
//! A stream reads the database, not this process: what any host changes is told, once and in order, and a client that was
//! cut off goes on from the `id` of the last change it was told (`Last-Event-ID`).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream::{self, Stream};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::access::{Caller, Permission};
use super::error::ApiError;
use super::extract::InQuery;
use super::state::App;
use super::tasks::seen;
use crate::store::{Change, ChangePoint, StoreError};

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// Changes read at once.
const PAGE: u32 = 500;
/// How long a stream lasts. Clients of event streams come again by themselves, and whether they still may is asked then.
const LIFE: Duration = Duration::from_secs(600);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(follow))
}

/// What to follow.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ChangesQuery {
    /// Only this task, from its beginning.
    task_uuid: Option<Uuid>,
    /// Only tasks of this namespace, from now on.
    namespace: Option<String>,
}

/// Follow the changes of tasks and steps: a stream of `task` and `step` events.
///
/// The data of each is a change as JSON, in the fields of `Change`. Give the `id` of the last one you were told as `Last-Event-ID` to go on after it.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(ChangesQuery, ("Last-Event-ID" = Option<String>, Header, pattern = r"^\d+\.\d+$", description = "The `id` of the last change")),
    responses((status = 200, body = String, content_type = "text/event-stream")))]
async fn follow(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    InQuery(query): InQuery<ChangesQuery>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    caller.may(Permission::TasksRead)?;
    caller.may(Permission::StepsRead)?;
    if let Some(task) = query.task_uuid {
        seen(&app, &caller, task).await?;
    }
    let point = match (headers.get("last-event-id"), query.task_uuid) {
        (Some(last), _) => {
            let last = last.to_str().unwrap_or_default();
            last.parse().map_err(|error| ApiError::bad_request(format!("`Last-Event-ID` is {last:?}: {error}")))?
        }
        (None, Some(_)) => ChangePoint::BEGINNING,
        (None, None) => app.store.changes_end().await?,
    };
    let place = Arc::clone(&app.streams).try_acquire_owned().map_err(|_| ApiError::backpressure())?;
    let following = Following {
        namespaces: caller.namespaces.narrowed(query.namespace.as_deref()),
        task: query.task_uuid,
        point,
        told: Vec::new().into_iter(),
        until: Instant::now() + LIFE,
        app,
        _place: place,
    };
    let events = stream::unfold(following, async |mut following| {
        let change = following.next().await?;
        Some((Ok(event(&change)), following))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new()))
}

/// One who follows.
struct Following {
    app: App,
    task: Option<Uuid>,
    namespaces: Option<Vec<String>>,
    point: ChangePoint,
    /// Read, and not told yet.
    told: std::vec::IntoIter<Change>,
    until: Instant,
    _place: OwnedSemaphorePermit,
}

impl Following {
    /// The next change, when there is one; none when the stream ends.
    async fn next(&mut self) -> Option<Change> {
        loop {
            if let Some(change) = self.told.next() {
                self.point = change.point();
                return Some(change);
            }
            match self.read().await {
                Ok(changes) if !changes.is_empty() => self.told = changes.into_iter(),
                Ok(_) => {
                    tokio::select! {
                        () = self.app.services.draining() => return None,
                        () = tokio::time::sleep_until(self.until) => return None,
                        () = tokio::time::sleep(LOOK) => {}
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a stream of changes ends: they can't be read");
                    return None;
                }
            }
        }
    }

    async fn read(&self) -> Result<Vec<Change>, StoreError> {
        self.app.store.changes_after(self.point, self.task, self.namespaces.as_deref(), PAGE).await
    }
}

fn event(change: &Change) -> Event {
    let kind = if change.step_uuid.is_some() { "step" } else { "task" };
    let data = serde_json::to_string(change).unwrap_or_default();
    Event::default().event(kind).id(change.point().to_string()).data(data)
}
