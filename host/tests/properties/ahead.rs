//! Steps that a simulated host has run before they are claimed: their ends are sent with those of what they wait for.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use serde_json::value::RawValue;
use tasker_wasm_host::orchestration::successors::{Done, Successors};
use tasker_wasm_host::store::{ClaimedStep, GoOn, Verdict};
use uuid::Uuid;

use super::cluster::{Cluster, Complaint, Due, Ended};
use super::script::End;

/// Most steps of a task that are run ahead one after the other.
const TURNS: usize = 3;
/// Most steps that are foreseen of a task.
const MOST: usize = 10;

/// Results that a host has brought.
pub type Results = Vec<(Arc<ClaimedStep>, Box<RawValue>)>;

/// Adds ends of steps that follow these and those `before`, as if the host had run them meanwhile. Answers how many.
pub async fn run_ahead(
    cluster: &Cluster<'_>,
    rng: &mut Rng,
    before: &Results,
    ended: &mut Vec<Ended>,
) -> Result<usize, Complaint> {
    let namespace = |ended: &Ended| ended.step.lease.namespace.clone();
    let is_one = ended.windows(2).all(|two| namespace(&two[0]) == namespace(&two[1]));
    let own = ended.len();
    if is_one && ended.iter().all(|one| one.completion.growth.is_none()) {
        for _ in 0..TURNS {
            for step in following(cluster, before, ended)? {
                let (_, script, turn) = cluster.turn(&step)?;
                let first = &script.turns[turn];
                if first.end.is_verdict() && first.checkpoints.is_empty() && !script.races && rng.bool() {
                    ended.push(cluster.end(&Arc::new(step), first.end, Due::Either).await?);
                }
            }
        }
    }
    Ok(ended.len() - own)
}

/// The ends of all steps of a planned task that this host holds all first steps of, as if it had run them, where each succeeds
/// the first time.
pub async fn whole(
    cluster: &Cluster<'_>,
    task: Uuid,
    held: &[Arc<ClaimedStep>],
) -> Result<Option<Vec<Ended>>, Complaint> {
    let mut ended = Vec::new();
    let mut next: Vec<_> = held.iter().filter(|step| step.lease.task_uuid == task).cloned().collect();
    while !next.is_empty() {
        for step in next {
            let (_, script, turn) = cluster.turn(&step)?;
            let first = &script.turns[turn];
            if first.end != End::Succeed || !first.checkpoints.is_empty() || script.races {
                return Ok(None);
            }
            ended.push(cluster.end(&step, first.end, Due::Either).await?);
        }
        next = following(cluster, &Results::new(), &ended)?.into_iter().map(Arc::new).collect();
    }
    let all =
        ended.first().and_then(|end| end.step.lease.planned.as_ref()).map_or(0, |planned| planned.steps.get() as usize);
    Ok((ended.len() == all).then_some(ended))
}

/// Some of the steps that follow, which the host has begun with and that have not ended.
pub fn begun(cluster: &Cluster<'_>, rng: &mut Rng, before: &Results, ended: &[Ended]) -> Result<Vec<Uuid>, Complaint> {
    let mut begun = following(cluster, before, ended)?;
    begun.retain(|_| rng.bool());
    Ok(begun.into_iter().map(|step| step.lease.step_uuid).collect())
}

/// The steps that may run once all of these ends are committed, but those that are among them.
fn following(cluster: &Cluster<'_>, before: &Results, ended: &[Ended]) -> Result<Vec<ClaimedStep>, Complaint> {
    let mut tasks: BTreeMap<_, Vec<Done<'_>>> = BTreeMap::new();
    for Ended { step, completion, due } in ended {
        if let (Verdict::Complete { result }, Due::Accepted | Due::Either) = (&completion.verdict, due) {
            tasks.entry(step.lease.task_uuid).or_default().push(Done { step, result });
        }
    }
    let mut following = Vec::new();
    for (task, done) in tasks {
        if let Some(successors) = Successors::of(&cluster.tasks[&task].template) {
            let before = before.iter().filter(|(step, _)| step.lease.task_uuid == task);
            let before: Vec<_> = before.map(|(step, result)| Done { step, result }).collect();
            following.extend(successors.foresee(&done, &before, MOST).map_err(|error| error.to_string())?);
        }
    }
    following.retain(|step| ended.iter().all(|one| one.step.lease.step_uuid != step.lease.step_uuid));
    Ok(following)
}

/// Asks for what a commit may ask for in which so many steps end that are not claimed: steps of the one namespace its ends
/// are of.
pub fn end_unclaimed(go_on: &mut GoOn, ended: &[Ended], unclaimed: usize) {
    if unclaimed == 0 {
        return;
    }
    let namespace = &ended[0].step.lease.namespace;
    let place = go_on.namespaces.iter().position(|name| name == namespace).unwrap();
    (go_on.namespaces, go_on.places) = (vec![namespace.clone()], vec![go_on.places[place]]);
    go_on.unclaimed = unclaimed as u32;
}
