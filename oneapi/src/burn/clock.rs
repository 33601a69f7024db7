//! What a thread has burnt, by the clock that can be trusted here.
//!
//! The kernel's clock of a thread's CPU time is exact to the nanosecond on Linux and macOS. A sandbox may
//! look only a hundred times a second which threads run, and count a whole step for each, as gVisor does
//! (`runCPUClockTicker` in <https://github.com/google/gvisor/blob/master/pkg/sentry/kernel/task_sched.go>)
//! while its clock claims nanoseconds. A thread that works until the clock moves, and then sleeps, uses half
//! of what such a clock says. So the first burn looks how far the clock steps. Where it steps too far, each
//! thread counts the time on the wall of its pieces of work, which are too short to be interrupted often.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Reads the CPU time of the calling thread.
pub type ReadCpuTime = fn() -> Duration;

/// The clock by which burns are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The CPU time of each thread.
    Cpu,
    /// The wall clock, since the clock of CPU time steps too far.
    Wall,
}

impl Clock {
    /// The name that answers have.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Wall => "wall",
        }
    }
}

/// The clock of CPU time, and how far it steps.
#[derive(Debug)]
pub(super) struct CpuClock {
    read: ReadCpuTime,
    step: OnceLock<Duration>,
}

/// A tenth of the shortest period of a burner thread: what a longer step hides can't be steered.
const LONGEST_STEP: Duration = Duration::from_millis(1);

/// How many steps a burn looks at: one may be long because a virtual machine was paused.
const STEPS: u32 = 3;

/// A clock that hasn't moved after so much work has steps of that length at least.
const LONGEST_LOOK: Duration = Duration::from_millis(100);

impl CpuClock {
    pub(super) fn new(read: ReadCpuTime) -> Self {
        Self {
            read,
            step: OnceLock::new(),
        }
    }

    /// How far the clock steps; `None` before a burn has looked.
    pub(super) fn step(&self) -> Option<Duration> {
        self.step.get().copied()
    }

    pub(super) fn chosen(&self) -> Option<Clock> {
        self.step().map(choice)
    }

    /// A meter for the calling thread. The first thread finds out how far the clock steps, and has burnt the
    /// CPU time that this took.
    pub(super) fn meter(&self) -> Meter {
        let mut burnt = Duration::ZERO;
        let step = *self.step.get_or_init(|| {
            let (step, burnt_by_looking) = look(self.read);
            burnt = burnt_by_looking;
            if choice(step) == Clock::Wall {
                tracing::warn!(
                    step_seconds = step.as_secs_f64(),
                    "the clock of CPU time is too coarse here: burns are measured by the wall clock \
                     of short pieces of work, and are less exact"
                );
            }
            step
        });
        match choice(step) {
            // All that the thread has used since its start.
            Clock::Cpu => Meter::Cpu {
                read: self.read,
                last: Duration::ZERO,
            },
            Clock::Wall => Meter::Wall {
                burnt,
                begun: None,
                pieces: Pieces::default(),
            },
        }
    }
}

fn choice(step: Duration) -> Clock {
    if step > LONGEST_STEP {
        Clock::Wall
    } else {
        Clock::Cpu
    }
}

/// The shortest of a few steps, and the CPU time that finding it has burnt. The resolution that the clock
/// claims is not asked for, since it may be wrong.
fn look(read: ReadCpuTime) -> (Duration, Duration) {
    let mut looks = Pieces::default();
    let (mut shortest, mut steps, mut burnt) = (LONGEST_LOOK, 0, Duration::ZERO);
    let (mut before, mut looked) = (read(), Instant::now());
    while steps < STEPS && shortest > LONGEST_STEP && burnt < LONGEST_LOOK {
        let (now, used) = (Instant::now(), read());
        burnt += looks.without_interruption(now.saturating_duration_since(looked));
        looked = now;
        let step = used.saturating_sub(before);
        if !step.is_zero() {
            (shortest, before, steps) = (shortest.min(step), used, steps + 1);
        }
    }
    (shortest, burnt)
}

/// Measures what a thread burns.
#[derive(Debug)]
pub(super) enum Meter {
    Cpu {
        read: ReadCpuTime,
        last: Duration,
    },
    Wall {
        /// What looking at the clock has burnt.
        burnt: Duration,
        /// When the piece of work began that hasn't been counted yet.
        begun: Option<Instant>,
        pieces: Pieces,
    },
}

impl Meter {
    /// A piece of work begins. It lasts until [`burnt`](Self::burnt) is called.
    pub(super) fn begin_piece(&mut self, now: Instant) {
        if let Self::Wall { begun, .. } = self {
            *begun = Some(now);
        }
    }

    /// What the thread has burnt since the call before.
    pub(super) fn burnt(&mut self, now: Instant) -> Duration {
        match self {
            Self::Cpu { read, last } => {
                let used = read();
                used.saturating_sub(std::mem::replace(last, used))
            }
            Self::Wall {
                burnt,
                begun,
                pieces,
            } => {
                let took = begun
                    .take()
                    .map(|begun| now.saturating_duration_since(begun));
                let worked = took.map(|took| pieces.without_interruption(took));
                std::mem::take(burnt) + worked.unwrap_or_default()
            }
        }
    }
}

/// Pieces of work that are all alike, by the wall clock.
#[derive(Debug)]
pub(super) struct Pieces {
    /// The shortest of the last pieces, and the shortest of as many before them.
    shortest: [Duration; 2],
    seen: u32,
}

/// How many pieces tell how long one takes, some milliseconds of work: a CPU changes its speed, and not
/// all of them can have been interrupted.
const PIECES: u32 = 64;

/// A piece was interrupted if it took more than this many times as long as the shortest. Other work on the same core
/// makes a thread half as fast; an interruption takes a hundred times as long as a piece.
const INTERRUPTED: u32 = 4;

impl Default for Pieces {
    fn default() -> Self {
        Self {
            shortest: [Duration::MAX; 2],
            seen: 0,
        }
    }
}

impl Pieces {
    /// The time for which the thread worked on the piece that took so long on the wall.
    fn without_interruption(&mut self, took: Duration) -> Duration {
        self.shortest[0] = self.shortest[0].min(took);
        let usual = self.shortest[0].min(self.shortest[1]);
        self.seen += 1;
        if self.seen == PIECES {
            self.seen = 0;
            self.shortest = [Duration::MAX, self.shortest[0]];
        }
        if took > usual.saturating_mul(INTERRUPTED) {
            usual
        } else {
            took
        }
    }
}

#[allow(unsafe_code)] // the standard library has no clock of a thread's CPU time
/// CPU time that the calling thread has used, user and system, to the nanosecond.
pub(super) fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes to `time` and keeps no pointer to it.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "Linux and macOS both have this clock");
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(
        seconds.expect("a thread has run for a positive time"),
        nanos.expect("nanoseconds are fewer than a billion"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_own_clock_is_fine_enough() {
        let clock = CpuClock::new(thread_cpu_time);
        assert_eq!(
            (clock.step(), clock.chosen()),
            (None, None),
            "nobody looked"
        );
        assert!(matches!(clock.meter(), Meter::Cpu { .. }));
        assert_eq!(clock.chosen(), Some(Clock::Cpu));
    }

    #[test]
    fn a_clock_that_steps_by_ten_milliseconds_is_found_out() {
        let read = || {
            let tens = thread_cpu_time().as_millis() / 10;
            Duration::from_millis(u64::try_from(tens).unwrap() * 10)
        };
        let clock = CpuClock::new(read);
        let mut meter = clock.meter();
        assert_eq!(clock.chosen(), Some(Clock::Wall));
        assert_eq!(clock.step(), Some(Duration::from_millis(10)));
        let looked = meter.burnt(Instant::now());
        // Three steps, the first of which may have begun before. Looks may take longer than they did.
        let expected = Duration::from_millis(15)..Duration::from_millis(60);
        assert!(expected.contains(&looked), "{looked:?}");
        assert_eq!(
            meter.burnt(Instant::now()),
            Duration::ZERO,
            "no piece began"
        );
        let mut second = clock.meter();
        assert_eq!(
            second.burnt(Instant::now()),
            Duration::ZERO,
            "it didn't look"
        );
    }

    #[test]
    fn a_clock_that_stands_still_is_given_up() {
        let clock = CpuClock::new(|| Duration::from_secs(1));
        clock.meter();
        assert_eq!(clock.step(), Some(LONGEST_LOOK));
    }

    #[test]
    fn an_interrupted_piece_counts_as_one_that_was_not() {
        let mut pieces = Pieces::default();
        let mut counted = |micros| {
            let took = Duration::from_micros(micros);
            pieces.without_interruption(took).as_micros()
        };
        assert_eq!(
            [30, 33, 60, 4000, 30].map(&mut counted),
            [30, 33, 60, 30, 30]
        );
        // The CPU has become five times slower for good.
        for _ in 0..2 * PIECES {
            counted(150);
        }
        assert_eq!(counted(150), 150);
    }
}
