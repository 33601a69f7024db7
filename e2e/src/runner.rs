//! Runs stories side by side, and tells how long each took. Arguments choose those whose names
//! contain one of them; `--list` names them all.

use std::{
    env,
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};

use crate::{
    cluster::Cluster,
    story::{Security, Story},
};

/// Stories mostly wait for kubelets, so more of them than a small machine has cores may run at
/// once; with more than this, the pods of one would wait for those of another.
const SIDE_BY_SIDE: usize = 4;

/// One lesson's story.
#[derive(Clone, Copy, Debug)]
pub struct Lesson {
    /// What it is called; its namespace is named after it.
    pub name: &'static str,
    /// The story itself.
    pub tell: fn(&Story<'_>) -> Result<()>,
    /// What its namespace enforces.
    pub security: Security,
    /// A namespace that the story itself makes, since the tutorial names it.
    pub namespace: Option<&'static str>,
    /// Whether it measures, and so wants the cluster for itself.
    pub alone: bool,
}

impl Lesson {
    /// A story in a namespace of its own, beside others.
    pub const fn new(name: &'static str, tell: fn(&Story<'_>) -> Result<()>) -> Self {
        Self {
            name,
            tell,
            security: Security::Restricted,
            namespace: None,
            alone: false,
        }
    }

    fn run(&self, cluster: &Cluster) -> (Duration, Option<String>) {
        let start = Instant::now();
        let own = format!("chester-{}", self.name.replace('_', "-"));
        let failure = match Story::begin(cluster, self.namespace.unwrap_or(&own)) {
            Err(error) => Some(format!("{error:#}")),
            Ok(story) => {
                let told = panic::catch_unwind(AssertUnwindSafe(|| {
                    if self.namespace.is_none() {
                        story.make_namespace(self.security)?;
                    }
                    (self.tell)(&story)
                }));
                story.end(&told.unwrap_or_else(|_| Err(anyhow!("it panicked"))))
            }
        };
        (start.elapsed(), failure)
    }
}

/// Runs those of the lessons that the arguments choose: those that may first, side by side, then
/// those that want to be alone.
pub fn run(lessons: &[Lesson]) -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        lessons
            .iter()
            .for_each(|lesson| println!("{}", lesson.name));
        return ExitCode::SUCCESS;
    }
    let chosen: Vec<Lesson> = lessons
        .iter()
        .filter(|lesson| {
            let mut words = arguments
                .iter()
                .filter(|word| !word.starts_with('-'))
                .peekable();
            words.peek().is_none() || words.any(|word| lesson.name.contains(word.as_str()))
        })
        .copied()
        .collect();
    if chosen.is_empty() {
        eprintln!("No story's name contains any of: {}.", arguments.join(" "));
        return ExitCode::FAILURE;
    }
    let cluster = match Cluster::from_environment() {
        Ok(cluster) => cluster,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::FAILURE;
        }
    };
    println!(
        "{} stories, with {} and {}",
        chosen.len(),
        cluster.image("oneapi", &cluster.tag),
        cluster.image("twoapi", &cluster.tag)
    );
    let start = Instant::now();
    let failed = Mutex::new(0);
    let (alone, beside): (Vec<Lesson>, Vec<Lesson>) =
        chosen.iter().partition(|lesson| lesson.alone);
    for (lessons, threads) in [(beside, SIDE_BY_SIDE), (alone, 1)] {
        let waiting = Mutex::new(lessons.into_iter());
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(lesson) = next(&waiting) {
                        let (took, failure) = lesson.run(&cluster);
                        let word = if failure.is_none() {
                            "ok    "
                        } else {
                            "FAILED"
                        };
                        let mut failed = failed.lock().expect("nobody panics with it");
                        println!("{word} {:<24} {:>6.1} s", lesson.name, took.as_secs_f64());
                        if let Some(why) = failure {
                            *failed += 1;
                            println!("{why}\n");
                        }
                    }
                });
            }
        });
    }
    let failed = failed.into_inner().expect("nobody panicked with it");
    println!(
        "{} of {} stories ok, in {:.0} s",
        chosen.len() - failed,
        chosen.len(),
        start.elapsed().as_secs_f64()
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn next(waiting: &Mutex<impl Iterator<Item = Lesson>>) -> Option<Lesson> {
    waiting.lock().expect("nobody panics with it").next()
}
