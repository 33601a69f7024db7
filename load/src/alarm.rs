//! Waits to the microsecond. tokio's own timers are exact to a millisecond, which would be most of what is
//! measured at some thousand requests a second.

use std::{io, time::Duration};

#[cfg(target_os = "linux")]
mod system {
    use std::os::fd::OwnedFd;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::{Interest, unix::AsyncFd};

    use super::{Duration, io};

    /// A timer of the kernel, for which the runtime waits as for its sockets: without another thread, and
    /// another thread's wake-up.
    #[derive(Debug)]
    pub(crate) struct Alarm(AsyncFd<OwnedFd>);

    impl Alarm {
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            // SAFETY: the timer is a descriptor of its own, which stays open as long as its owner.
            #[allow(unsafe_code)]
            let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE)? };
            Ok(Self(timer))
        }

        pub(crate) async fn wait(&self, time: Duration) -> io::Result<()> {
            // Zero would disarm it.
            let time = time.max(Duration::from_nanos(1));
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: Timespec {
                    tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
                    tv_nsec: time.subsec_nanos().into(),
                },
            };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
            // It isn't read: that it is set again makes it silent, too.
            self.0.readable().await?.clear_ready();
            Ok(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Duration, io};

    #[derive(Debug)]
    pub(crate) struct Alarm;

    impl Alarm {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub(crate) async fn wait(&self, time: Duration) -> io::Result<()> {
            tokio::time::sleep(time).await;
            Ok(())
        }
    }
}

pub(crate) use system::Alarm;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn it_waits_each_time_as_long_as_it_is_told() {
        let alarm = Alarm::new().unwrap();
        for micros in [20_000, 0, 300, 1, 5_000] {
            let time = Duration::from_micros(micros);
            let start = Instant::now();
            alarm.wait(time).await.unwrap();
            let waited = start.elapsed();
            assert!(waited >= time, "{time:?}: {waited:?}");
            assert!(
                waited < time + Duration::from_secs(1),
                "{time:?}: {waited:?}"
            );
        }
    }
}
