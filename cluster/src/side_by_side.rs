//! Runs jobs side by side. On a cluster they mostly wait for kubelets, so there may be more of them
//! than this machine has cores.

use std::{
    env,
    fs::{File, OpenOptions},
    io,
    sync::Mutex,
    thread,
};

/// How many stories or documents run at once. With more, the pods of one wait for those of others.
pub const SIDE_BY_SIDE: usize = 4;

/// Runs `work` for each item: first for those that are not to be `alone`, side by side, then for
/// the others, one by one. Another program on this machine that runs jobs so may run at the same time:
/// what is to be alone waits for its jobs too.
pub fn run<T: Send>(
    items: impl IntoIterator<Item = T>,
    alone: impl Fn(&T) -> bool,
    work: impl Fn(T) + Sync,
) {
    let (alone, together): (Vec<T>, Vec<T>) = items.into_iter().partition(alone);
    for (items, threads) in [(together, SIDE_BY_SIDE), (alone, 1)] {
        let waiting = Mutex::new(items.into_iter());
        let next = || waiting.lock().expect("nobody panics with it").next();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(item) = next() {
                        // A turn that can't be had, as with a file of another user, only has measurements
                        // disturbed.
                        let _turn = turn(threads == 1);
                        work(item);
                    }
                });
            }
        });
    }
}

/// Waits until a job may run: until none that is alone runs, or if it is `alone` itself, until none runs.
/// The turn ends with the file that is returned.
fn turn(alone: bool) -> io::Result<File> {
    // The tests wait for no run on this machine.
    let name = if cfg!(test) { "tests" } else { "turns" };
    let path = env::temp_dir().join(format!("chesterapi-{name}.lock"));
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    if alone {
        file.lock()?;
    } else {
        file.lock_shared()?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use super::*;

    #[test]
    fn each_item_has_its_turn_and_those_alone_come_last() {
        let (running, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let is_odd = |item: &i32| item % 2 == 1;
        run(0..20, is_odd, |item| {
            let before = running.fetch_add(1, Ordering::SeqCst);
            assert!(before == 0 || (!is_odd(&item) && before < SIDE_BY_SIDE));
            done.lock().unwrap().push(item);
            running.fetch_sub(1, Ordering::SeqCst);
        });
        let done = done.into_inner().unwrap();
        assert_eq!(done.len(), 20);
        assert!(!done[..10].iter().any(is_odd), "{done:?}");
        assert!(done[10..].is_sorted(), "{done:?}");
    }

    #[test]
    fn a_job_that_is_alone_waits_for_those_of_other_programs() {
        let [one, another] = [false, false].map(|alone| turn(alone).unwrap());
        thread::scope(|scope| {
            let alone = scope.spawn(|| turn(true).unwrap());
            drop(one);
            thread::sleep(Duration::from_millis(50));
            assert!(!alone.is_finished(), "another one still runs");
            drop(another);
            let alone = alone.join().unwrap();
            let next = scope.spawn(|| turn(false).unwrap());
            thread::sleep(Duration::from_millis(50));
            assert!(!next.is_finished(), "it is alone");
            drop(alone);
            drop(next.join().unwrap());
        });
    }
}
