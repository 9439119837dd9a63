//! Steps that a simulated host has run before they are claimed: their ends are sent with those of what they wait for.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use tasker_wasm_host::orchestration::successors::{Done, Successors};
use tasker_wasm_host::store::{ClaimedStep, GoOn, Verdict};

use super::cluster::{Cluster, Complaint, Due, Ended};

/// Most turns that are added.
const TURNS: usize = 3;
/// Most steps that are foreseen of a task.
const MOST: usize = 10;

/// Adds ends of steps that follow, as if the host had run them meanwhile. Answers how many ends there are up to the end of each
/// turn; nothing where none is added.
pub async fn run_ahead(cluster: &Cluster<'_>, rng: &mut Rng, ended: &mut Vec<Ended>) -> Result<Vec<u32>, Complaint> {
    let namespace = |ended: &Ended| ended.step.lease.namespace.clone();
    let is_one = ended.windows(2).all(|two| namespace(&two[0]) == namespace(&two[1]));
    let mut turns = vec![ended.len() as u32];
    while is_one && turns.len() <= TURNS && ended.iter().all(|one| one.completion.growth.is_none()) {
        for step in following(cluster, ended)? {
            let (_, script, turn) = cluster.turn(&step)?;
            let first = &script.turns[turn];
            if first.end.is_verdict() && first.checkpoints.is_empty() && !script.races && rng.bool() {
                ended.push(cluster.end(&Arc::new(step), first.end, Due::Either).await?);
            }
        }
        match ended.len() as u32 {
            all if all == turns[turns.len() - 1] => break,
            all => turns.push(all),
        }
    }
    Ok(if turns.len() > 1 { turns } else { Vec::new() })
}

/// The steps that may run once all of these ends are committed, but those that are among them.
fn following(cluster: &Cluster<'_>, ended: &[Ended]) -> Result<Vec<ClaimedStep>, Complaint> {
    let mut tasks: BTreeMap<_, Vec<Done<'_>>> = BTreeMap::new();
    for Ended { step, completion, due } in ended {
        if let (Verdict::Complete { result }, Due::Accepted | Due::Either) = (&completion.verdict, due) {
            tasks.entry(step.lease.task_uuid).or_default().push(Done { step, result });
        }
    }
    let mut following = Vec::new();
    for (task, done) in tasks {
        if let Some(successors) = Successors::of(&cluster.tasks[&task].template) {
            following.extend(successors.foresee(&done, MOST).map_err(|error| error.to_string())?);
        }
    }
    following.retain(|step| ended.iter().all(|one| one.step.lease.step_uuid != step.lease.step_uuid));
    Ok(following)
}

/// Asks for what a commit in turns may ask for: steps of the one namespace its ends are of.
pub fn in_turns(go_on: &mut GoOn, ended: &[Ended], turns: &[u32]) {
    if turns.is_empty() {
        return;
    }
    let namespace = &ended[0].step.lease.namespace;
    let place = go_on.namespaces.iter().position(|name| name == namespace).unwrap();
    (go_on.namespaces, go_on.places) = (vec![namespace.clone()], vec![go_on.places[place]]);
    (go_on.foresees, go_on.turns) = (true, turns.to_vec());
}
