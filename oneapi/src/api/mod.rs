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
