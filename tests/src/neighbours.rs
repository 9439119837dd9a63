//! Two tenants of one host: one takes small steps at a steady pace, the other misbehaves in as many slots as it gets.

use std::sync::Arc;
use std::time::Duration;

use tasker_wasm_host::config::Config;
use tasker_wasm_host::config::limits::Limit;
use tasker_wasm_host::host::Host;
use tasker_wasm_host::store::{Operator, TemplateRow};
use uuid::Uuid;

use super::{TestDatabase, config, one_step, stream, task};

/// Time between two steps of the well-behaved tenant.
const PACE: Duration = Duration::from_millis(10);
/// Hostile steps that wait when a turn begins: more than can end in it.
const BACKLOG: usize = 200;

/// A host in this process that serves both.
pub struct Street {
    host: Arc<Host>,
    database: TestDatabase,
    quiet: TemplateRow,
}

impl Street {
    /// Starts it, with what `change` makes of the configuration.
    ///
    /// # Errors
    ///
    /// The host does not start.
    ///
    /// # Panics
    ///
    /// If a component has not been built, or there is no database.
    pub async fn open(change: impl FnOnce(&mut Config)) -> anyhow::Result<Self> {
        let database = TestDatabase::create().await;
        // Whoever else uses the disk would be measured with the neighbour.
        let no_waiting =
            "do $$ begin execute format('alter database %I set synchronous_commit = off', current_database()); end $$";
        sqlx::query(no_waiting).execute(database.pool()).await?;
        let mut config = config(&database, &["linear", "hostile", "probe"]);
        config.common.task_templates.search_paths = Vec::new();
        // The time is what ends those that never end by themselves.
        config.worker.sandbox.limits.set(Limit::Fuel, Some(1_000_000_000_000));
        config.worker.mpsc_channels.handler_dispatch.handler_timeout = Duration::from_secs(1);
        change(&mut config);
        let host = Arc::new(Host::start(&config).await?);
        let quiet = one_step(host.store(), "linear_workflow", "LinearWorkflow.StepHandlers.LinearStep1Handler").await?;
        Ok(Self { host, database, quiet })
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The host's database.
    pub fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// A template of one step that calls `callable`.
    ///
    /// # Errors
    ///
    /// The database refuses.
    pub async fn template(&self, namespace: &str, callable: &str) -> anyhow::Result<TemplateRow> {
        one_step(self.host.store(), namespace, callable).await
    }

    /// Runs `steps` steps of the well-behaved tenant, one at each tick; gives how long each took from before the creation
    /// of its task until its commit was known.
    ///
    /// # Errors
    ///
    /// The database refuses.
    pub async fn trickle(&self, steps: usize) -> anyhow::Result<Vec<Duration>> {
        stream(&self.host, PACE, steps, || task(&self.quiet, r#"{"even_number": 6}"#)).await
    }

    /// Does `work` while `hostile` templates keep every slot busy that they can get, and waits until none of their steps
    /// runs any more.
    ///
    /// # Errors
    ///
    /// What `work` fails with, the database refuses, or the hostile steps were over before the work was.
    pub async fn beside<T>(
        &self,
        hostile: &[TemplateRow],
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        self.let_loose(hostile).await?;
        while self.hostile_in("in_progress").await?.is_empty() {
            tokio::time::sleep(PACE).await;
        }
        let done = work.await;
        let left = self.hostile_in("enqueued").await?;
        anyhow::ensure!(!left.is_empty(), "the hostile steps were over before the work was");
        let over = Operator { actor: "test".into(), reason: "the turn is over".into() };
        for task in left {
            // One that was claimed meanwhile winds down, or meets its deadline.
            self.host.store().cancel_task(task, &over).await?;
        }
        while !self.hostile_in("in_progress").await?.is_empty() {
            tokio::time::sleep(PACE).await;
        }
        done
    }

    /// Creates hostile steps, more than there are slots, and leaves them to themselves.
    ///
    /// # Errors
    ///
    /// The database refuses.
    pub async fn let_loose(&self, hostile: &[TemplateRow]) -> anyhow::Result<()> {
        let tasks = hostile.iter().cycle().take(BACKLOG).map(|kind| task(kind, r#"{"lines": 20000}"#));
        self.host.create_tasks(&tasks.collect::<anyhow::Result<Vec<_>>>()?).await?;
        Ok(())
    }

    /// The tasks whose hostile step is in this state.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub async fn hostile_in(&self, state: &str) -> anyhow::Result<Vec<Uuid>> {
        let tasks = sqlx::query_scalar(
            "select t.task_uuid from tasker.tasks t cross join lateral tasker.steps_of(t.task_uuid) s
            where t.namespace = 'hostile' and s.state::text = $1",
        );
        Ok(tasks.bind(state).fetch_all(self.database.pool()).await?)
    }

    /// Stops the host and drops its database.
    pub async fn close(self) {
        if let Some(host) = Arc::into_inner(self.host) {
            // What still runs is put back instead of waited for.
            host.aborter().cancel();
            host.drain().await;
        }
        self.database.drop().await;
    }
}
