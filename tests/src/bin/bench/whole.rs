//! The whole way of a step, beside the sum of its parts: what is left between them is what the host itself costs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::value::RawValue;
use tasker_wasm_host::config::{Config, LoadOptions};
use tasker_wasm_host::host::{Host, register_template};
use tasker_wasm_host::orchestration::create::{TaskRequest, plan_task};
use tasker_wasm_host::orchestration::event;
use tasker_wasm_host::orchestration::outcome::{Terms, completion};
use tasker_wasm_host::orchestration::retry::BackoffDefaults;
use tasker_wasm_host::sandbox::{Invocation, Limits, Prepared, Sandbox};
use tasker_wasm_host::store::{ClaimRequest, NewTask, Store, TaskState, TemplateRow};
use tasker_wasm_host::template::{self, Template};
use tasker_wasm_tests::{TestDatabase, package, workspace};
use uuid::Uuid;

use super::samples::Samples;

/// Linear tasks that are timed one by one, each beside one whose parts are.
const ROUNDS: usize = 150;
/// Rounds before that, which open connections and plan statements.
const WARM_UP: usize = 20;
/// Tasks of the saturated run.
pub const TASKS: usize = 1000;
/// Tasks created in one commit of the saturated run.
const CREATED_AT_ONCE: usize = 100;

/// What the whole way costs, and its parts.
#[derive(Default)]
pub struct Whole {
    /// Create to commit of the last step.
    pub linear: Samples,
    /// One task created.
    pub create: Samples,
    /// One step claimed.
    pub claim: Samples,
    /// One handler called.
    pub call: Samples,
    /// One step completed.
    pub complete: Samples,
    /// Steps committed in a second while there is always work.
    pub steps_per_second: f64,
}

impl Whole {
    /// One create, four claims, four calls, four completions, one after the other.
    pub fn sum_of_parts(&self) -> Duration {
        self.create.percentile(50)
            + 4 * (self.claim.percentile(50) + self.call.percentile(50) + self.complete.percentile(50))
    }
}

/// Times the host on one database and its parts on another, in turns.
pub async fn measure(sandbox: &Sandbox, linear: &Arc<Prepared>) -> anyhow::Result<Whole> {
    let (for_host, for_parts) = (TestDatabase::create().await, TestDatabase::create().await);
    let host = Host::start(&config(&for_host, "linear")?).await?;
    let loaded = template::load(&package("linear").join("template.yaml"))?;
    let in_host = registered(host.store(), &loaded).await?;
    let parts = Parts {
        store: &for_parts.store,
        sandbox,
        linear,
        template: registered(&for_parts.store, &loaded).await?,
        definition: loaded.template,
    };

    let mut whole = Whole::default();
    let mut warm_up = Whole::default();
    for round in 0..WARM_UP + ROUNDS {
        let into = if round < WARM_UP { &mut warm_up } else { &mut whole };
        into.linear.push(run_one(&host, &in_host).await?);
        parts.run_one(into).await?;
    }
    whole.steps_per_second = saturate(&host, &in_host).await?;
    host.drain().await;
    for_host.drop().await;
    for_parts.drop().await;
    Ok(whole)
}

/// What a host on `database` that serves `name` is given.
pub fn config(database: &TestDatabase, name: &str) -> anyhow::Result<Config> {
    let folder = package(name);
    let options =
        LoadOptions { path: None, variables: BTreeMap::from([("DATABASE_URL".into(), database.url.clone())]) };
    let mut config = Config::load(&options)?.config;
    config.worker.component_path = vec![folder.join("dist")];
    config.worker.sandbox.cache_dir = workspace().join("target/test-cache/components");
    config.common.task_templates.search_paths = vec![folder];
    Ok(config)
}

/// The row of a template, registered if it is new.
pub async fn registered(store: &Store, loaded: &template::LoadedTemplate) -> anyhow::Result<TemplateRow> {
    let uuid = register_template(store, loaded).await?;
    store.template(uuid).await?.context("the template was registered")
}

/// One more linear task.
pub fn task(template: &TemplateRow) -> anyhow::Result<NewTask> {
    let request = TaskRequest {
        name: template.name.clone(),
        namespace: template.namespace.clone(),
        version: None,
        context: RawValue::from_string(r#"{"even_number": 6}"#.into())?,
        initiator: "bench".into(),
        source_system: "bench".into(),
        reason: "to be timed".into(),
        tags: Vec::new(),
        priority: 0,
        correlation_id: None,
        parent_correlation_id: None,
        // Each is a task of its own, though the context is the same.
        idempotency_key: Some(Uuid::now_v7().to_string()),
    };
    Ok(plan_task(template, request, "test")?)
}

async fn run_one(host: &Host, template: &TemplateRow) -> anyhow::Result<Duration> {
    let mut changes = host.dispatch().task_changes();
    let task = task(template)?;
    let start = Instant::now();
    host.create_tasks(std::slice::from_ref(&task)).await?;
    while changes.recv().await?.task_uuid != task.task_uuid {}
    Ok(start.elapsed())
}

async fn saturate(host: &Host, template: &TemplateRow) -> anyhow::Result<f64> {
    let mut changes = host.dispatch().task_changes();
    let tasks = (0..TASKS).map(|_| task(template)).collect::<anyhow::Result<Vec<_>>>()?;
    let start = Instant::now();
    for batch in tasks.chunks(CREATED_AT_ONCE) {
        host.create_tasks(batch).await?;
    }
    let mut complete = 0;
    while complete < TASKS {
        complete += usize::from(changes.recv().await?.state == TaskState::Complete);
    }
    Ok((TASKS * template_steps(template)?) as f64 / start.elapsed().as_secs_f64())
}

fn template_steps(template: &TemplateRow) -> anyhow::Result<usize> {
    Ok(serde_json::from_str::<Template>(template.configuration.get())?.steps.len())
}

/// The same work without the host: one call after the other.
struct Parts<'a> {
    store: &'a Store,
    sandbox: &'a Sandbox,
    linear: &'a Arc<Prepared>,
    template: TemplateRow,
    definition: Template,
}

impl Parts<'_> {
    async fn run_one(&self, into: &mut Whole) -> anyhow::Result<()> {
        let request = ClaimRequest {
            namespaces: vec![self.template.namespace.clone()],
            places: Vec::new(),
            limit: 1,
            host: "bench".into(),
            lease: Duration::from_secs(30),
        };
        let backoff = BackoffDefaults { base: Duration::from_secs(1), cap: Duration::from_secs(60), jitter: 0.0 };
        let task = task(&self.template)?;
        let start = Instant::now();
        self.store.create_tasks(std::slice::from_ref(&task)).await?;
        into.create.push(start.elapsed());
        for _ in &task.steps {
            let start = Instant::now();
            let claimed = self.store.claim_steps(&request).await?;
            into.claim.push(start.elapsed());

            let step = claimed.first().context("a step is ready")?;
            let definition = self.definition.step(&step.name).context("the template has the step")?;
            let context = event::context(step, definition, &event::definition(definition)?)?;
            let invocation = Invocation::new(context, Limits::default());
            let start = Instant::now();
            let report = self.sandbox.invoke(self.linear, invocation).await?;
            into.call.push(start.elapsed());

            let terms = Terms { policy: &definition.retry, defaults: &backoff, result_schema: None, host: "bench" };
            let done = completion(step, &terms, chrono::Utc::now(), report)?;
            let start = Instant::now();
            let report = self.store.complete_steps(std::slice::from_ref(&done)).await?;
            into.complete.push(start.elapsed());
            anyhow::ensure!(report.refused() == 0, "a completion was refused");
        }
        Ok(())
    }
}
