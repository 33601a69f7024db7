//! Runs stories side by side, and prints how long each took. One that the cluster lacks something for
//! is printed as skipped, with the reason. Arguments choose those whose names contain one of them.

use std::{env, process::ExitCode, sync::Mutex, time::Instant};

use anyhow::{Result, ensure};
use cluster::{
    Cluster, Namespace, exit_code,
    life::{self, Security, Skipped},
    may_be_skipped, side_by_side,
};

/// What a story does in its namespace.
pub type Test = dyn Fn(&Namespace<'_>) -> Result<()> + Send + Sync;

/// A story: an end-to-end test.
pub struct Story {
    /// Its name, by which it is chosen; its namespace is named after it.
    pub name: &'static str,
    /// The test.
    pub test: Box<Test>,
    /// What its namespace enforces.
    pub security: Security,
    /// Whether it measures, and so needs the cluster for itself.
    pub alone: bool,
}

impl Story {
    /// A story in a `restricted` namespace, which may run beside others.
    pub fn new(
        name: &'static str,
        test: impl Fn(&Namespace<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            test: Box::new(test),
            security: Security::Restricted,
            alone: false,
        }
    }
}

/// Runs the stories that the arguments choose: first those that may run side by side, then those
/// that need the cluster for themselves.
pub fn run(mut stories: Vec<Story>) -> ExitCode {
    // Flags are cargo's, such as `--quiet`.
    let words = env::args().skip(1).filter(|word| !word.starts_with('-'));
    let words: Vec<_> = words.collect();
    stories.retain(|story| words.is_empty() || words.iter().any(|it| story.name.contains(it)));
    exit_code(run_all(stories, &words.join(" ")))
}

fn run_all(stories: Vec<Story>, words: &str) -> Result<bool> {
    ensure!(
        !stories.is_empty(),
        "No story's name contains any of: {words}."
    );
    let cluster = Cluster::from_environment()?;
    let [oneapi, twoapi] = ["oneapi", "twoapi"].map(|it| cluster.image(it, &cluster.tag));
    println!(
        "{} stories in namespaces named chester-*-{}, with {oneapi} and {twoapi}. If this is killed, \
         kubectl delete namespaces -l {} deletes what is left, of all runs.",
        stories.len(),
        cluster.run,
        life::LABEL
    );
    let start = Instant::now();
    let ends = Mutex::new(Vec::new());
    side_by_side::run(
        stories,
        |story| story.alone,
        |story| {
            let (name, start) = (story.name, Instant::now());
            let result = life::run(&cluster, name, story.security, story.test);
            let (end, seconds) = (end(&result), start.elapsed().as_secs_f64());
            let namespace = life::namespace_name(&cluster, name);
            // One story's lines stay together while the others run.
            let mut ends = ends.lock().expect("nobody panics with it");
            println!("{end:<7} {name:<20} {seconds:>6.1} s  {namespace}");
            if let Err(report) = result {
                println!("{report:#}\n");
            }
            ends.push((name, end));
        },
    );
    let ends = ends.into_inner().expect("nobody panicked with it");
    let may_skip = env::var("MAY_SKIP").ok();
    let (summary, good) = summary(&ends, may_skip.as_deref());
    println!("{summary}, in {:.0} s", start.elapsed().as_secs_f64());
    Ok(good)
}

/// How a story has ended, in a word.
fn end(result: &Result<()>) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(error) if error.is::<Skipped>() => "skipped",
        Err(_) => "FAILED",
    }
}

/// How many stories are ok, and whether none has failed. One that was skipped has failed unless it is among
/// those that may be skipped, if these are named.
fn summary(ends: &[(&str, &str)], may_skip: Option<&str>) -> (String, bool) {
    let may = |name| may_be_skipped(may_skip, name);
    let count = |word| ends.iter().filter(|it| it.1 == word).count();
    let (mut ok, mut skipped, mut text) = (count("FAILED") == 0, count("skipped"), String::new());
    for (name, _) in ends.iter().filter(|it| it.1 == "skipped" && !may(it.0)) {
        text += &format!("{name} was skipped, and MAY_SKIP doesn't name it\n");
        (ok, skipped) = (false, skipped - 1);
    }
    text += &format!("{} of {} stories ok", count("ok"), ends.len());
    if skipped > 0 {
        text += &format!(", {skipped} skipped");
    }
    (text, ok)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_story_that_is_skipped_is_neither_ok_nor_failed() {
        let skipped = Skipped("it needs a newer cluster".to_owned());
        let results = [Ok(()), Err(skipped.into()), Err(anyhow!("it failed"))];
        let names = ["good", "new", "bad"].into_iter();
        let ends: Vec<_> = names.zip(results.iter().map(end)).collect();
        for (number, may_skip, text, good) in [
            (1, None, "1 of 1 stories ok", true),
            (2, None, "1 of 2 stories ok, 1 skipped", true),
            (2, Some("old new"), "1 of 2 stories ok, 1 skipped", true),
            (3, None, "1 of 3 stories ok, 1 skipped", false),
            (
                2,
                Some("old"),
                "new was skipped, and MAY_SKIP doesn't name it\n1 of 2 stories ok",
                false,
            ),
        ] {
            let said = summary(&ends[..number], may_skip);
            assert_eq!(said, (text.to_owned(), good), "{may_skip:?}");
        }
    }
}
