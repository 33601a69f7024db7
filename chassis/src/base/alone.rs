//! For tests of what a whole process has open or takes: other tests of the same process would change it.

use std::{env, process::Command};

/// Set in a process that runs one test.
const ALONE: &str = "CHASSIS_TEST_ALONE";

/// Whether this process runs the test of that path alone. Otherwise it starts one that does, and waits for it;
/// the test fails if it fails there.
pub(crate) fn is_alone(test: &str) -> bool {
    if env::var_os(ALONE).is_some() {
        return true;
    }
    let mut alone = Command::new(env::current_exe().unwrap());
    alone.args([test, "--exact", "--nocapture"]).env(ALONE, "1");
    let output = alone.output().unwrap();
    let [said, errors] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{errors}"
    );
    false
}
