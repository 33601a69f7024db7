//! Notes clients' requests that come after the stop signal, for the log of the stop. The cluster's
//! own requests don't count: they don't tell whether endpoints lag.

use crate::{http::kind::Kind, lifecycle::Life};

pub(in crate::http) fn note(life: &Life, kind: Kind) {
    if life.is_stopping() && !kind.is_of_the_cluster() {
        life.note_late_request();
    }
}
