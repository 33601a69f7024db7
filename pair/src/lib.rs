//! Tests of the real oneapi and the real twoapi against each other, without a cluster: a fake on
//! either side would share the assumptions of those who wrote it. They stand in a crate of their
//! own since the services don't know each other. There is nothing here but `tests`.
