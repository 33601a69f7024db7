//! Runs jobs side by side. On a cluster they mostly wait for kubelets, so there may be more of them
//! than this machine has cores.

use std::{sync::Mutex, thread};

/// How many stories or documents run at once. With more, the pods of one wait for those of others.
pub const SIDE_BY_SIDE: usize = 4;

/// Runs `work` for each item: first for those that are not to be `alone`, side by side, then for
/// the others, one by one.
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
                        work(item);
                    }
                });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

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
}
