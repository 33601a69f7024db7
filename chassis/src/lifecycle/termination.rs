//! The pod's termination message: the one line that `kubectl describe pod` shows of a container
//! that has ended. <https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/>

use std::{fs::OpenOptions, io::Write};

/// Where the kubelet mounts the file, by default.
const PATH: &str = "/dev/termination-log";

/// Leaves a line for `kubectl describe`. Outside a pod there is no such file, and none is made. A line
/// that can't be left is no reason to fail: the log has it too.
pub fn write(line: &str) {
    if let Ok(mut file) = OpenOptions::new().append(true).open(PATH) {
        let _ = writeln!(file, "{line}");
    }
}
