//! Keeps what this host owns: leases are renewed in one batch at a third of their length, so that two renewals may fail
//! before a live step could be taken away.

use std::sync::Arc;

use super::Shared;

pub(super) async fn run(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(shared.settings.lease / 3);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tick.tick().await;
    while shared.finished.run_until_cancelled(tick.tick()).await.is_some() {
        let leases = shared.in_flight.leases();
        if leases.is_empty() {
            continue;
        }
        match shared.store.renew_leases(&leases, shared.settings.lease).await {
            Ok(lost) => {
                for lease in leases.iter().filter(|lease| lost.contains(&lease.step_uuid)) {
                    shared.in_flight.abort(lease);
                }
            }
            Err(error) => tracing::error!(%error, "can't renew leases: trying again before they lapse"),
        }
    }
}
