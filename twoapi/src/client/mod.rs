//! What twoapi's clients share: the call to oneapi, how names are looked up, and how much of an
//! answer is read.

pub(crate) mod body;
pub(crate) mod resolver;
pub(crate) mod upstream;
