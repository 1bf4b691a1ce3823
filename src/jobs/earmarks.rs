//! What runs of an account that have begun will still ask for.
//!
//! Jobs come due together. Each would find the same rest of the window, and of two that it pays for one by one the second
//! would be cut in the middle. So what a run said that it takes is set aside until it has taken it or is over. Kept in
//! this process alone: a run that a person starts beside the agent is rare, and the gate counts it all the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{JobName, RequestClass, RunId};
use crate::policy::deferral::{Cost, Earmarked};
use crate::store::{StoreError, Tx, requests};

/// What is set aside of one account's requests, by the job. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Earmarks(Arc<Mutex<HashMap<JobName, Earmark>>>);

#[derive(Debug, Clone, Copy)]
struct Earmark {
    run: RunId,
    /// Of the whole run, with the requests that it has made.
    cost: Cost,
}

/// A run's place among them: what is set aside for it is free when this is dropped, however the run ends.
#[derive(Debug)]
pub struct Place {
    earmarks: Earmarks,
    job: JobName,
}

impl Earmarks {
    /// Sets aside what a run takes in all.
    pub fn set(&self, job: &JobName, run: RunId, cost: Cost) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(job.clone(), Earmark { run, cost });
    }

    /// What the runs of all jobs but this one will still ask for.
    pub fn beside(&self, tx: &Tx<'_>, job: &JobName) -> Result<Earmarked, StoreError> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut beside = Earmarked::default();
        for (_, Earmark { run, cost }) in all.into_iter().filter(|(other, _)| other != job) {
            let left = cost.requests.saturating_sub(requests::count_for_run(tx, run)?).max(0);
            let sum = match cost.class {
                RequestClass::Orders | RequestClass::ReadBack => &mut beside.orders,
                RequestClass::Stock | RequestClass::Prices | RequestClass::Public => &mut beside.stock,
            };
            *sum = sum.saturating_add(left);
        }
        Ok(beside)
    }

    /// A place for the next run of a job, of which there is one at a time.
    pub fn place(&self, job: &JobName) -> Place {
        Place { earmarks: self.clone(), job: job.clone() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.earmarks.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.job);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::clock::Clock;
    use crate::domain::Trigger;
    use crate::store::runs::{self, NewRun};

    #[tokio::test(start_paused = true)]
    async fn what_a_run_has_not_asked_for_yet_is_set_aside_until_it_is_over() {
        let place = testing::Place::new();
        let (store, now) = (place.store.clone(), place.clock.now());
        let new = NewRun {
            job: "pull".into(),
            kind: "stock-pull".to_owned(),
            account: Some("cm".into()),
            due_at: now,
            trigger: Trigger::Schedule,
            started_at: now,
        };
        let run = store.write(move |tx| runs::open(tx, &new)).await.unwrap().unwrap();
        let (earmarks, pull) = (Earmarks::default(), JobName::from("pull"));
        let held = earmarks.place(&pull);
        let stock = |requests| Cost { requests, class: RequestClass::Stock };
        earmarks.set(&pull, run, stock(2));
        let beside = async |job: &'static str| {
            let earmarks = earmarks.clone();
            store.read(move |tx| earmarks.beside(tx, &job.into())).await.unwrap()
        };
        assert_eq!((beside("poll").await.stock, beside("pull").await.stock), (2, 0), "its own is no other's");
        for left in [1, 0, 0] {
            let request = requests::NewRequest {
                account: "cm".into(),
                epoch: 1,
                run: Some(run),
                method: "GET".to_owned(),
                template: "stock/{start}".to_owned(),
                class: RequestClass::Stock,
                attempt: 1,
                writes: false,
                at: now,
            };
            store.write(move |tx| requests::open(tx, &request)).await.unwrap();
            assert_eq!(beside("poll").await, Earmarked { orders: 0, stock: left });
        }
        earmarks.set(&pull, run, stock(9));
        assert_eq!(beside("poll").await.stock, 6, "its plan takes more");
        drop(held);
        assert_eq!(beside("poll").await, Earmarked::default());
    }
}
