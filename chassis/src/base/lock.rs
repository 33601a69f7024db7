//! One rule for all locks: a panic of their holder is no reason for another one.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a holder of the lock has panicked: nothing here is left half done under a lock.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
