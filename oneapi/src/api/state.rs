//! What the handlers share.

use chassis::lifecycle::Life;

use super::{query::RequestLimits, unattended::UnattendedBurns};
use crate::burn::Burns;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Oneapi {
    pub(crate) life: Life,
    pub(crate) burns: Burns,
    pub(crate) unattended: UnattendedBurns,
    pub(crate) limits: RequestLimits,
}
