//! What twoapi's clients share: the call to oneapi, and how names are looked up.

pub(crate) mod resolver;
pub(crate) mod upstream;
