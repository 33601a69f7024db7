//! The endpoints over HTTP. What a request asks for is done by `burn`, which knows no HTTP.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `test`, `highcpu`, `burns` | the endpoints |
//! | `query` | what the query of a request asks for |
//! | `attend` | waits for the end of a burn |
//! | `summary` | what a burn came to, as an answer says it |
//! | `unattended` | the burns that no request waits for |
//! | `state` | what the handlers share |

mod attend;
pub(crate) mod burns;
pub(crate) mod highcpu;
mod query;
mod state;
mod summary;
pub(crate) mod test;
mod unattended;

pub(crate) use self::{query::RequestLimits, state::Oneapi, unattended::UnattendedBurns};

#[cfg(fuzzing)]
#[allow(missing_docs)]
pub(crate) mod fuzz {
    use chassis::http::Refusal;

    use super::query::{self, RequestLimits};
    use crate::burn::{BurnRequest, Caller, Millicores};

    pub fn burn_request(
        query: &str,
        max_minutes: f64,
        max_millicores: Millicores,
    ) -> Result<BurnRequest, Refusal> {
        let limits = RequestLimits {
            max_minutes,
            max_millicores,
        };
        query::burn_request(query, limits)
    }

    pub fn only_caller(query: &str) -> Result<Option<Caller>, Refusal> {
        query::only_caller(query)
    }
}
