//! twoapi's endpoints, one file each.

pub(crate) mod calloneapi;
