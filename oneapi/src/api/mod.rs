//! The endpoints over HTTP, a file each; `query` reads what requests say. What they
//! ask for is done by `burn`, which knows no HTTP.

pub(crate) mod burns;
pub(crate) mod highcpu;
mod query;
pub(crate) mod test;

pub(crate) use burns::Unattended;
pub(crate) use query::RequestLimits;
