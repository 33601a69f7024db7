//! Runs stories side by side, and prints how long each took. One that the cluster lacks something for
//! is printed as skipped, with the reason. Arguments choose those whose names contain one of them;
//! `--list` prints all names.

use std::{env, fmt, process::ExitCode, sync::Mutex, time::Instant};

use anyhow::Result;
use cluster::{
    Cluster, Namespace,
    life::{self, Security, Skipped},
    side_by_side,
};

/// A story: an end-to-end test.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    /// Its name, by which it is chosen; its namespace is named after it.
    pub name: &'static str,
    /// The test.
    pub test: fn(&Namespace<'_>) -> Result<()>,
    /// What its namespace enforces.
    pub security: Security,
    /// Whether it measures, and so needs the cluster for itself.
    pub alone: bool,
}

impl Story {
    /// A story in a `restricted` namespace, which may run beside others.
    pub const fn new(name: &'static str, test: fn(&Namespace<'_>) -> Result<()>) -> Self {
        Self {
            name,
            test,
            security: Security::Restricted,
            alone: false,
        }
    }
}

/// Runs the stories that the arguments choose: first those that may run side by side, then those
/// that need the cluster for themselves.
pub fn run(stories: &[Story]) -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        stories.iter().for_each(|story| println!("{}", story.name));
        return ExitCode::SUCCESS;
    }
    let chosen: Vec<Story> = stories
        .iter()
        .filter(|story| {
            let mut words = arguments
                .iter()
                .filter(|word| !word.starts_with('-'))
                .peekable();
            words.peek().is_none() || words.any(|word| story.name.contains(word.as_str()))
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
        "{} stories in namespaces named chester-*-{}, with {} and {}",
        chosen.len(),
        cluster.run,
        cluster.image("oneapi", &cluster.tag),
        cluster.image("twoapi", &cluster.tag)
    );
    match life::namespaces_of_other_runs(&cluster) {
        Ok(others) if others.is_empty() => {}
        Ok(others) => println!(
            "Other runs have namespaces here: {}. When those runs are over, this deletes them: \
             kubectl delete namespaces -l {}",
            others.join(", "),
            life::LABEL
        ),
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::FAILURE;
        }
    }
    let start = Instant::now();
    let count = Mutex::new(Count::default());
    side_by_side::run(
        chosen,
        |story| story.alone,
        |story| {
            let start = Instant::now();
            let name = life::namespace_name(&cluster, story.name);
            let result = life::run(&cluster, &name, story.security, story.test);
            let seconds = start.elapsed().as_secs_f64();
            let mut count = count.lock().expect("nobody panics with it");
            let word = count.add(story.name, &result);
            println!("{word:<7} {:<20} {seconds:>6.1} s  {name}", story.name);
            if let Err(report) = result {
                println!("{report:#}\n");
            }
        },
    );
    let mut count = count.into_inner().expect("nobody panicked with it");
    if let Ok(may_skip) = env::var("MAY_SKIP") {
        for name in count.skip_of_others(&may_skip) {
            println!("{name} was skipped, and MAY_SKIP doesn't name it");
        }
    }
    println!("{count}, in {:.0} s", start.elapsed().as_secs_f64());
    if count.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What has become of the stories.
#[derive(Debug, Default)]
struct Count {
    ok: usize,
    skipped: Vec<&'static str>,
    failed: usize,
}

impl Count {
    /// Counts a story; returns the word for how it ended.
    fn add(&mut self, name: &'static str, result: &Result<()>) -> &'static str {
        match result {
            Ok(()) => {
                self.ok += 1;
                "ok"
            }
            Err(error) if error.is::<Skipped>() => {
                self.skipped.push(name);
                "skipped"
            }
            Err(_) => {
                self.failed += 1;
                "FAILED"
            }
        }
    }

    /// Makes failures of those that were skipped without being named, and returns them.
    fn skip_of_others(&mut self, may_skip: &str) -> Vec<&'static str> {
        let may_skip: Vec<&str> = may_skip.split_whitespace().collect();
        let others = self.skipped.extract_if(.., |name| !may_skip.contains(name));
        let others: Vec<_> = others.collect();
        self.failed += others.len();
        others
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ok, skipped) = (self.ok, self.skipped.len());
        write!(f, "{ok} of {} stories ok", ok + skipped + self.failed)?;
        if skipped > 0 {
            write!(f, ", {skipped} skipped")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_story_that_is_skipped_is_neither_ok_nor_failed() {
        let mut count = Count::default();
        assert_eq!(count.add("good", &Ok(())), "ok");
        assert_eq!(count.to_string(), "1 of 1 stories ok");
        let skipped = Skipped("it needs a newer cluster".to_owned());
        assert_eq!(count.add("new", &Err(skipped.into())), "skipped");
        assert_eq!(count.to_string(), "1 of 2 stories ok, 1 skipped");
        assert_eq!(count.failed, 0);
        assert_eq!(count.add("bad", &Err(anyhow!("it failed"))), "FAILED");
        assert_eq!(count.to_string(), "1 of 3 stories ok, 1 skipped");
        assert_eq!(count.failed, 1);
        assert!(count.skip_of_others("old new").is_empty());
        assert_eq!(count.skip_of_others("old"), ["new"]);
        assert_eq!(count.to_string(), "1 of 3 stories ok");
        assert_eq!(count.failed, 2);
    }
}
