//! Whether what an installation gathers slows it down: the same steps claimed and completed where there is little and
//! where there is much, in turns.

use std::time::Instant;

use anyhow::{Context, ensure};
use tasker_wasm_host::host::Host;
use tasker_wasm_host::store::{ClaimRequest, Store, TemplateRow};
use tasker_wasm_tests::{TestDatabase, claim_of, config, succeeded, task};
use uuid::Uuid;

use super::bulk;
use super::latency::run_one;
use super::report::{Row, Section};
use super::samples::Samples;
use super::setup::{EVEN, flat, registered};

/// Finished tasks of one step each. The first is what the others are held against.
const FINISHED: [(&str, i64); 3] = [("10²", 100), ("10⁴", 10_000), ("10⁶", 1_000_000)];
/// Steps that wait.
const QUEUED: i64 = 1_000_000;
const NAMESPACES: i32 = 1_000;
/// Namespaces made in one transaction: it holds a lock on each of their tables.
const MADE_AT_ONCE: i32 = 50;
/// Steps that a host with free slots asks for.
const SLOTS: u32 = 32;
/// Workers of a batch.
const NARROW: u32 = 10;
const WIDE: u32 = 1_000;
/// Tasks that are timed in each database.
const ROUNDS: usize = 200;
/// Tasks before those, which open connections and plan statements.
const WARM_UP: usize = 20;
/// Tasks where claims are slow.
const FEW_ROUNDS: usize = 5;
/// Wide batches, and narrow ones beside each of them.
const BATCHES: usize = 3;
const NARROW_BATCHES: usize = 20;
/// How much dearer anything may be where there is much.
const MOST: f64 = 1.2;

/// Times each kind of growth.
pub async fn measure() -> anyhow::Result<Section> {
    let mut section = Section::new("growth: one claim and one completion of a step, p50, where nothing else is said");
    finished(&mut section).await.context("finished tasks")?;
    queued(&mut section).await.context("queued steps")?;
    namespaces(&mut section).await.context("namespaces")?;
    fan_out(&mut section).await.context("a fan-out")?;
    Ok(section)
}

async fn finished(section: &mut Section) -> anyhow::Result<()> {
    let mut places = Vec::new();
    for (_, count) in FINISHED {
        let database = TestDatabase::create().await;
        let (flat, linear) = (flat(&database.store).await?, registered(&database.store, "linear").await?);
        let pattern = Turns::of(&database.store, &flat).run().await?;
        bulk::multiply(&database, pattern, count).await?;
        let turns = Turns::of(&database.store, &linear);
        places.push((database, turns));
    }
    let count = "select count(*) from tasker.tasks where state = 'complete'";
    for ((database, _), (_, least)) in places.iter().zip(FINISHED) {
        let finished: i64 = sqlx::query_scalar(count).fetch_one(database.pool()).await?;
        ensure!(finished > least, "only {finished} tasks are finished instead of {least}");
    }
    take_turns(&mut places).await?;
    let [(_, few), others @ ..] = &places[..] else { anyhow::bail!("nothing to compare") };
    for ((name, _), (_, many)) in FINISHED[1..].iter().zip(others) {
        section.push(
            Row::new(format!("beside {name} finished tasks"), many.stepped.median())
                .beside(format!("beside {}", FINISHED[0].0), few.stepped.median())
                .ratio_at_most(MOST),
        );
        section.push(
            Row::new("  one creation of a task of four steps", many.created.median())
                .beside(format!("beside {}", FINISHED[0].0), few.created.median())
                .ratio_at_most(MOST),
        );
    }
    drop_all(places).await;
    Ok(())
}

async fn queued(section: &mut Section) -> anyhow::Result<()> {
    let (empty, deep) = (TestDatabase::create().await, TestDatabase::create().await);
    let template = flat(&deep.store).await?;
    let waiting = task(&template, EVEN)?;
    deep.store.create_tasks(std::slice::from_ref(&waiting)).await?;
    bulk::multiply(&deep, waiting.task_uuid, QUEUED).await?;
    bulk::enqueue(&deep, waiting.task_uuid, &template.namespace).await?;

    let in_empty = Turns::of(&empty.store, &flat(&empty.store).await?);
    let in_deep = Turns::of(&deep.store, &template);
    let mut places = [(empty, in_empty), (deep, in_deep)];
    take_turns(&mut places).await?;
    let views = places[1].0.store.namespace_views().await?;
    ensure!(views.iter().any(|view| view.queued > QUEUED), "the queue was not deep: {views:?}");
    let [(_, empty), (_, deep)] = &places;
    section.push(
        Row::new("behind 10⁶ queued steps", deep.stepped.median())
            .beside("in an empty queue", empty.stepped.median())
            .ratio_at_most(MOST),
    );
    drop_all(places).await;
    Ok(())
}

async fn namespaces(section: &mut Section) -> anyhow::Result<()> {
    let (one, many) = (TestDatabase::create().await, TestDatabase::create().await);
    for first in (0..NAMESPACES).step_by(MADE_AT_ONCE as usize) {
        let make = "select tasker.create_namespace('other_' || n) from generate_series($1, $2) n";
        sqlx::query(make).bind(first).bind(first + MADE_AT_ONCE - 1).execute(many.pool()).await?;
    }
    sqlx::query("vacuum analyze").execute(many.pool()).await?;

    let in_one = Turns::of(&one.store, &registered(&one.store, "linear").await?);
    let in_many = Turns::of(&many.store, &registered(&many.store, "linear").await?);
    let mut places = [(one, in_one), (many, in_many)];
    take_turns(&mut places).await?;
    let [(_, one), (many, in_many)] = &places;
    section.push(
        Row::new(format!("beside {NAMESPACES} other namespaces"), in_many.stepped.median())
            .beside("in the only namespace", one.stepped.median())
            .ratio_at_most(MOST),
    );
    let mut all = Turns::of(&many.store, &in_many.template);
    all.request.namespaces.extend((0..NAMESPACES).map(|n| format!("other_{n}")));
    all.request.limit = SLOTS;
    for _ in 0..FEW_ROUNDS {
        all.run().await?;
    }
    section.push(
        Row::new("  asking for all of them", all.stepped.median())
            .beside("asking for the one with work", in_many.stepped.median()),
    );
    drop_all(places).await;
    Ok(())
}

async fn fan_out(section: &mut Section) -> anyhow::Result<()> {
    let database = TestDatabase::create().await;
    let host = Host::start(&config(&database, &["probe"])).await?;
    let template = host.store().find_template("probe", "batches", None).await?.context("the template is registered")?;
    let batch = async |workers: u32| {
        let took = run_one(&host, &template, &format!(r#"{{"batches": {workers}, "ms": 0}}"#)).await?;
        // With the step that cuts and the one that joins.
        anyhow::Ok(took / (workers + 2))
    };
    batch(NARROW).await?;
    let (mut narrow, mut wide) = (Samples::default(), Samples::default());
    for _ in 0..BATCHES {
        wide.push(batch(WIDE).await?);
        for _ in 0..NARROW_BATCHES {
            narrow.push(batch(NARROW).await?);
        }
    }
    host.drain().await;
    database.drop().await;
    section.push(
        Row::new(format!("a whole batch of {WIDE} workers, for each step"), wide.median())
            .beside(format!("of {NARROW} workers"), narrow.median())
            .ratio_at_most(MOST),
    );
    Ok(())
}

/// Tasks in one database, and how long they took.
struct Turns {
    store: Store,
    template: TemplateRow,
    request: ClaimRequest,
    created: Samples,
    stepped: Samples,
}

impl Turns {
    fn of(store: &Store, template: &TemplateRow) -> Self {
        Self {
            store: store.alone(),
            template: template.clone(),
            request: claim_of(&template.namespace, 1),
            created: Samples::default(),
            stepped: Samples::default(),
        }
    }

    /// Creates one task and runs as many steps as it has, one at a time: its own, or older ones that wait.
    async fn run(&mut self) -> anyhow::Result<Uuid> {
        let store = &self.store;
        let task = task(&self.template, EVEN)?;
        self.created.time(store.create_tasks(std::slice::from_ref(&task))).await?;
        for _ in &task.steps {
            let start = Instant::now();
            let claimed = store.claim_steps(&self.request).await?;
            let claiming = start.elapsed();
            let done = succeeded(claimed.first().context("a step is ready")?);
            let start = Instant::now();
            let report = store.complete_steps(std::slice::from_ref(&done)).await?;
            self.stepped.push(claiming + start.elapsed());
            ensure!(report.refused() == 0, "a completion was refused");
        }
        Ok(task.task_uuid)
    }
}

/// Runs tasks in each database in turns.
async fn take_turns(places: &mut [(TestDatabase, Turns)]) -> anyhow::Result<()> {
    for round in 0..WARM_UP + ROUNDS {
        for (_, turns) in &mut *places {
            if round == WARM_UP {
                (turns.created, turns.stepped) = Default::default();
            }
            turns.run().await?;
        }
    }
    Ok(())
}

async fn drop_all(places: impl IntoIterator<Item = (TestDatabase, Turns)>) {
    for (database, turns) in places {
        turns.store.close().await;
        database.drop().await;
    }
}
