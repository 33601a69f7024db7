//! What twoapi's HTTP clients share: how a client is built (`http`), how much of an answer is read
//! (`body`), and the call to oneapi (`upstream`).

pub(crate) mod body;
pub(crate) mod http;
pub(crate) mod upstream;
