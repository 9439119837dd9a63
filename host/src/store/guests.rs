//! What guests make the database do.
//!
//! A guest that asks the orchestrator holds a slot of the dispatch and waits for a connection. Were every slot allowed to,
//! claims, completions and renewals of all tenants would queue behind them, so guests share a part of the pool. What is
//! asked runs to its end even if its attempt is over by then: a statement that is dropped half-way leaves its
//! connection busy, and the next to take it would wait.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::Store;

/// The part of a pool's connections that guests may have at once: half of them, at least one.
pub(super) fn slots(connections: u32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new((connections / 2).max(1) as usize))
}

impl Store {
    /// Does what a guest asked for, when one of the connections that guests share is free. The wait can be given up; what
    /// has begun cannot.
    ///
    /// # Panics
    /// If `asked` does.
    pub async fn for_guest<T: Send + 'static>(&self, asked: impl Future<Output = T> + Send + 'static) -> T {
        // Never closed, so this is always a permit.
        let slot = Arc::clone(&self.guests).acquire_owned().await.ok();
        let asked = tokio::spawn(async move {
            let answer = asked.await;
            drop(slot);
            answer
        });
        match asked.await {
            Ok(answer) => answer,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is shutting down, and this task with it.
            Err(_) => std::future::pending().await,
        }
    }
}
