//! Hosts that are simulated down to what they ask of the store: they claim, play the scripts, and commit, in an order drawn
//! from the case's seed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fastrand::Rng;
use tasker_wasm_host::store::{Acceptance, Checkpoint, ClaimRequest, ClaimedStep, Completion, GoOn, Lease, Verdict};
use uuid::Uuid;

use super::ahead::{Results, begun, end_unclaimed, run_ahead, whole};
use super::cluster::{Cluster, Complaint, Due, Ended, told};
use super::script::End;
use super::support::{LEASE, raw};

/// Most steps a simulated host holds.
const SLOTS: usize = 12;

/// A host.
#[derive(Default)]
pub struct Host {
    held: Vec<Arc<ClaimedStep>>,
    ended: Vec<Ended>,
    /// What it has brought.
    results: Results,
    /// Results of leases that have lapsed, kept until the step is claimed again.
    late: Vec<Ended>,
    /// Results that were accepted once and are sent again.
    twice: Vec<Ended>,
    /// The changes there had been when a claim came back empty: until there are more, another one is not worth it.
    nothing_at: Option<u64>,
    name: String,
}

impl Host {
    pub fn new(number: usize) -> Self {
        Self { name: format!("host-{number}"), ..Self::default() }
    }

    /// Whether it has nothing left to do or to send.
    pub fn is_idle(&self) -> bool {
        self.held.is_empty() && self.ended.is_empty() && self.late.is_empty() && self.twice.is_empty()
    }

    /// Does one thing.
    pub async fn act(&mut self, cluster: &Cluster<'_>, rng: &mut Rng) -> Result<(), Complaint> {
        match rng.u8(..20) {
            0..5 if self.held.len() < SLOTS && self.nothing_at != Some(cluster.changes()) => {
                self.claim(cluster, rng).await
            }
            5..11 if !self.held.is_empty() => {
                let step = self.held.swap_remove(rng.usize(..self.held.len()));
                self.play(cluster, rng, step).await
            }
            11..15 if !self.ended.is_empty() => {
                rng.shuffle(&mut self.ended);
                let some = self.ended.split_off(rng.usize(..self.ended.len()));
                self.commit(cluster, rng, some).await
            }
            15..17 if !self.late.is_empty() || !self.twice.is_empty() => {
                let (mut late, early): (Vec<_>, Vec<_>) = std::mem::take(&mut self.late)
                    .into_iter()
                    .partition(|ended| cluster.newest_claim(&ended.step) > ended.step.lease.claim);
                self.late = early;
                late.append(&mut self.twice);
                self.commit(cluster, rng, late).await
            }
            17 if rng.bool() => self.complete_planned(cluster, rng).await,
            17 => self.renew(cluster).await,
            18.. if self.is_idle() => self.look_for_work(cluster, rng).await,
            18 => cluster.enqueue_due().await,
            // Others may go on, also those on the same thread.
            _ => {
                tokio::task::yield_now().await;
                Ok(())
            }
        }
    }

    async fn look_for_work(&mut self, cluster: &Cluster<'_>, rng: &mut Rng) -> Result<(), Complaint> {
        cluster.enqueue_due().await?;
        self.claim(cluster, rng).await?;
        if self.held.is_empty() && cluster.live_steps().await? == 0 {
            cluster.at_rest.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn claim(&mut self, cluster: &Cluster<'_>, rng: &mut Rng) -> Result<(), Complaint> {
        let request = ClaimRequest {
            namespaces: cluster.namespaces.clone(),
            places: Vec::new(),
            limit: rng.u32(1..=(SLOTS - self.held.len()) as u32),
            host: self.name.clone(),
            lease: LEASE,
        };
        let before = cluster.changes();
        let claimed = cluster.store.claim_steps(&request).await.map_err(told("claim_steps"))?;
        if claimed.len() > request.limit as usize {
            return Err(format!("{} steps were claimed where {} were asked for", claimed.len(), request.limit));
        }
        self.nothing_at = claimed.is_empty().then_some(before);
        for step in claimed {
            cluster.check_claim(&step)?;
            self.held.push(Arc::new(step));
        }
        Ok(())
    }

    /// Plays the turn of a claimed step.
    async fn play(&mut self, cluster: &Cluster<'_>, rng: &mut Rng, step: Arc<ClaimedStep>) -> Result<(), Complaint> {
        let (_, script, turn) = cluster.turn(&step)?;
        for items in &script.turns[turn].checkpoints {
            let checkpoint = Checkpoint {
                cursor: raw(&items.to_string()),
                items_processed: *items,
                accumulated_results: rng.bool().then(|| raw(&format!(r#"{{"sum": {items}}}"#))),
            };
            let saved =
                cluster.store.save_checkpoint(&step.lease, &checkpoint).await.map_err(told("save_checkpoint"))?;
            if saved.is_none() {
                return Err(format!("{}: a checkpoint was refused under a current claim", step.name));
            }
        }
        match script.turns[turn].end {
            End::Lapse => {
                let races = cluster.at_once && script.races && turn + 2 == script.turns.len();
                if races {
                    self.ended.push(cluster.end(&step, script.turns[turn + 1].end, Due::Either).await?);
                } else if rng.bool() {
                    let end = *rng.choice(&[End::Succeed, End::FailRetryably, End::FailForGood]).unwrap();
                    self.late.push(cluster.end(&step, end, Due::Refused).await?);
                }
                let lapsed = cluster.lapse(&step.lease).await;
                cluster.changes.fetch_add(1, Ordering::Relaxed);
                lapsed
            }
            End::PutBack => {
                let released = cluster.store.release_steps(std::slice::from_ref(&step.lease)).await;
                cluster.changes.fetch_add(1, Ordering::Relaxed);
                match released.map_err(told("release_steps"))? {
                    1 => Ok(()),
                    other => Err(format!("{}: {other} steps were put back instead of one", step.name)),
                }
            }
            end => {
                let races = cluster.at_once && script.races && turn + 1 == script.turns.len();
                let due = if races { Due::Either } else { Due::Accepted };
                self.ended.push(cluster.end(&step, end, due).await?);
                Ok(())
            }
        }
    }

    /// Begins with first steps of a task that was created for this host.
    pub fn begin(&mut self, cluster: &Cluster<'_>, steps: Vec<ClaimedStep>) -> Result<(), Complaint> {
        for step in steps {
            cluster.check_claim(&step)?;
            self.held.push(Arc::new(step));
        }
        Ok(())
    }

    /// Completes a planned task at once, unless its steps are written by now.
    async fn complete_planned(&mut self, cluster: &Cluster<'_>, rng: &mut Rng) -> Result<(), Complaint> {
        let planned: Vec<_> = self.held.iter().filter(|step| step.lease.planned.is_some()).collect();
        let Some(task) = rng.choice(planned).map(|step| step.lease.task_uuid) else { return Ok(()) };
        let Some(ended) = whole(cluster, task, &self.held).await? else { return Ok(()) };
        let completions: Vec<Completion> = ended.iter().map(|one| one.completion.clone()).collect();
        if cluster.store.complete_planned(&completions).await.map_err(told("complete_planned"))? {
            self.held.retain(|step| step.lease.task_uuid != task);
            for one in &ended {
                if cluster.newest_claim(&one.step) == 0 {
                    cluster.check_claim(&one.step)?;
                }
                cluster.note_accepted(one);
            }
            cluster.seen.lock().unwrap().whole += 1;
        }
        Ok(())
    }

    /// Commits results; one whose growth was planned too early is planned and sent again.
    async fn commit(&mut self, cluster: &Cluster<'_>, rng: &mut Rng, mut ended: Vec<Ended>) -> Result<(), Complaint> {
        let mut unclaimed = if rng.bool() { run_ahead(cluster, rng, &self.results, &mut ended).await? } else { 0 };
        while !ended.is_empty() {
            let completions: Vec<Completion> = ended.iter().map(|one| one.completion.clone()).collect();
            let mut go_on = self.room(cluster, rng);
            go_on.begun = begun(cluster, rng, &self.results, &ended)?;
            end_unclaimed(&mut go_on, &ended, unclaimed);
            let mut claimed = Vec::new();
            let report = cluster.store.complete_and_go_on(&completions, &go_on, &mut claimed).await;
            let report = report.map_err(told("complete_and_go_on"))?;
            cluster.changes.fetch_add(1, Ordering::Relaxed);
            if go_on.places.iter().sum::<u32>() + (go_on.begun.len() as u32) < claimed.len() as u32 {
                return Err(format!("{} steps go on by {go_on:?}", claimed.len()));
            }
            for step in claimed {
                cluster.check_claim(&step)?;
                self.held.push(Arc::new(step));
            }
            let mut again = Vec::new();
            let own = ended.len() - unclaimed;
            for (place, (mut one, acceptance)) in ended.into_iter().zip(report.accepted).enumerate() {
                if let (Acceptance::Accepted, Verdict::Complete { result }) = (acceptance, &one.completion.verdict) {
                    self.results.push((one.step.clone(), result.clone()));
                }
                match (acceptance, one.due) {
                    (Acceptance::Accepted, _) if place >= own => {
                        cluster.check_claim(&one.step)?;
                        cluster.note_accepted(&one);
                        cluster.seen.lock().unwrap().ahead += 1;
                    }
                    (Acceptance::Refused, _) if place >= own => {}
                    (Acceptance::Accepted, Due::Accepted | Due::Either) => {
                        cluster.note_accepted(&one);
                        if rng.u8(..8) == 0 {
                            self.twice.push(Ended { due: Due::Refused, ..one });
                        }
                    }
                    (Acceptance::Refused, Due::Refused | Due::Either) => cluster.seen.lock().unwrap().refused += 1,
                    (Acceptance::Outgrown, _) => {
                        cluster.seen.lock().unwrap().outgrown += 1;
                        cluster.plan(&mut one).await?;
                        again.push(one);
                    }
                    (met, due) => {
                        return Err(format!(
                            "{} of {}: {met:?} where {due:?} was due",
                            one.step.name, one.step.lease.task_uuid
                        ));
                    }
                }
            }
            ended = again;
            unclaimed = 0;
        }
        Ok(())
    }

    /// Some of the places it has, for some of the namespaces.
    fn room(&self, cluster: &Cluster<'_>, rng: &mut Rng) -> GoOn {
        let mut left = (SLOTS.saturating_sub(self.held.len())) as u32;
        let mut go_on = GoOn { lease: LEASE, ..GoOn::default() };
        for namespace in &cluster.namespaces {
            let places = rng.u32(..=left);
            left -= places;
            go_on.namespaces.push(namespace.clone());
            go_on.places.push(places);
        }
        go_on
    }

    async fn renew(&mut self, cluster: &Cluster<'_>) -> Result<(), Complaint> {
        let ours = self.ended.iter().filter(|ended| ended.due == Due::Accepted).map(|ended| &ended.step);
        let held: Vec<Lease> = self.held.iter().chain(ours).map(|step| step.lease.clone()).collect();
        let lapsed: Vec<Lease> = self
            .late
            .iter()
            .filter(|ended| cluster.newest_claim(&ended.step) > ended.step.lease.claim)
            .map(|ended| ended.step.lease.clone())
            // The step may be this host's own again.
            .filter(|lapsed| held.iter().all(|lease| lease.step_uuid != lapsed.step_uuid))
            .collect();
        let leases: Vec<Lease> = held.into_iter().chain(lapsed.iter().cloned()).collect();
        if leases.is_empty() {
            return Ok(());
        }
        let mut lost = cluster.store.renew_leases(&leases, LEASE).await.map_err(told("renew_leases"))?;
        let mut due: Vec<Uuid> = lapsed.into_iter().map(|lease| lease.step_uuid).collect();
        for steps in [&mut lost, &mut due] {
            steps.sort_unstable();
            steps.dedup();
        }
        if lost == due { Ok(()) } else { Err(format!("the leases of {lost:?} were lost, and {due:?} have lapsed")) }
    }
}
