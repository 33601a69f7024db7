//! The figures in docs/performance.md, in both languages: each stands between two comments, and is
//! written from the JSON of a run that is kept beside the document.
//!
//! ```text
//! <!-- figures: /test -->
//! | … |
//! <!-- end of figures -->
//! ```

use std::{cmp::Reverse, collections::BTreeSet, fmt::Write as _, fs, iter};

use anyhow::{Context, Result, bail};

use crate::{
    cluster::{Starts, Updates},
    figures::{Id, Run, Samples, Unit},
    instructions::Spent,
    picture, shipped,
    size::{self, Binary},
};

const BEGIN: &str = "<!-- figures: ";
const END: &str = "<!-- end of figures -->\n";

/// A document and its language: the number of its label.
const DOCUMENTS: [(&str, usize); 2] =
    [("docs/performance.md", 0), ("docs/performance.zh-CN.md", 1)];

/// Others' use of the machine, in percent, beyond which times say little.
const QUIET: f64 = 5.0;

/// Where the figures of a run are kept.
pub const SERVE: &str = "docs/bench.json";
/// Where those of a cluster are kept.
pub const CLUSTER: &str = "docs/bench-cluster.json";
/// What the binaries are made of.
pub const SIZE: &str = "docs/bench-size.json";
/// What a request's instructions are spent on.
pub const INSTRUCTIONS: &str = "docs/bench-instructions.json";
/// The picture of a run.
pub const PICTURE: &str = "docs/bench.svg";

/// Writes what is kept into the documents, and the picture.
///
/// # Errors
/// When a file can't be read or written.
pub fn write() -> Result<()> {
    let kept = Kept::read()?;
    fs::write(shipped::root().join(PICTURE), picture::svg(&kept.run))?;
    for (file, language) in DOCUMENTS {
        let path = shipped::root().join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("{file} can't be read"))?;
        let filled = kept.fill(&text, language);
        fs::write(path, filled.with_context(|| file.to_owned())?)?;
    }
    Ok(())
}

/// What the documents are written from.
struct Kept {
    run: Run,
    cluster: crate::cluster::Run,
    binaries: Vec<Binary>,
    spent: Vec<Spent>,
}

impl Kept {
    fn read() -> Result<Self> {
        let read = |file: &str| {
            let text = fs::read_to_string(shipped::root().join(file));
            text.with_context(|| format!("{file} can't be read"))
        };
        Ok(Self {
            run: serde_json::from_str(&read(SERVE)?).context(SERVE)?,
            cluster: serde_json::from_str(&read(CLUSTER)?).context(CLUSTER)?,
            binaries: serde_json::from_str(&read(SIZE)?).context(SIZE)?,
            spent: serde_json::from_str(&read(INSTRUCTIONS)?).context(INSTRUCTIONS)?,
        })
    }

    /// The document with these figures in the place of those that it has.
    fn fill(&self, document: &str, language: usize) -> Result<String> {
        let mut filled = String::new();
        let mut rest = document;
        while let Some((before, after)) = rest.split_once(BEGIN) {
            let (what, after) = after
                .split_once(" -->\n")
                .context("figures begin without a name")?;
            let (_, after) = after
                .split_once(END)
                .with_context(|| format!("the figures of {what} don't end"))?;
            let figures = self.figures(what, language)?;
            write!(filled, "{before}{BEGIN}{what} -->\n{figures}{END}")?;
            rest = after;
        }
        Ok(filled + rest)
    }

    fn figures(&self, what: &str, language: usize) -> Result<String> {
        Ok(match what {
            "on" => self.on(language),
            "burns" => self.burns(language),
            "starts" => starts(&self.cluster.starts, language),
            "updates" => updates(&self.cluster.updates, language),
            "sizes" => sizes(&self.binaries, language),
            "instructions" => instructions(&self.spent, language),
            "on cluster" => self.on_cluster(language),
            path if path.starts_with('/') => self.table(path, language)?,
            other => bail!("there are no figures of {other}"),
        })
    }

    fn on(&self, language: usize) -> String {
        let on = &self.run.on;
        let (date, commit, cpus, cpu) = (&on.date, &on.commit, on.cpus, &on.cpu);
        let (kernel, rounds, seconds) = (&on.kernel, on.rounds, on.seconds);
        let rustc: Vec<&str> = on.rustc.split(' ').take(2).collect();
        let (rustc, others) = (rustc.join(" "), on.others);
        let busy = if others > QUIET {
            [
                "\nThe machine was too busy: rates, latencies, starts and burns say little.\n",
                "\n机器过于繁忙：速率、延迟、启动和烧 CPU 的数据参考意义不大。\n",
            ][language]
        } else {
            ""
        };
        let said = [
            format!(
                "Measured on {date}, commit `{commit}`: {cpus} CPUs ({cpu}), Linux {kernel}, {rustc}, \
                 {rounds} rounds, loads of {seconds} s. Other processes used {others:.0} % of the machine meanwhile.\n"
            ),
            format!(
                "测于 {date}，提交 `{commit}`：{cpus} 个 CPU（{cpu}），Linux {kernel}，{rustc}，共 {rounds} 轮，每次负载 {seconds} 秒。\
                 期间其他进程占用了整机 {others:.0}% 的 CPU。\n"
            ),
        ][language]
            .clone();
        said + busy
    }

    fn table(&self, path: &str, language: usize) -> Result<String> {
        let figures: Vec<_> = self
            .run
            .figures
            .iter()
            .filter(|it| it.path == path)
            .collect();
        let first = figures
            .first()
            .with_context(|| format!("{path} has no figures"))?;
        let names: Vec<&str> = first.programs.iter().map(|it| &*it.name).collect();
        let ratio = ["of bare hyper's", "与 bare hyper 之比"][language];
        let mut header = vec![["What", "指标"][language], names[0], names[1], ratio];
        header.extend(&names[2..]);
        let mut rows = Vec::new();
        for figure in figures {
            let mut cells = vec![figure.id.labels()[language].to_owned()];
            for (number, samples) in figure.programs.iter().enumerate() {
                cells.push(cell(samples, figure.unit));
                if number == 1 {
                    cells.push(format!("{:.2}", figure.programs[0].ratio(samples)));
                }
            }
            cells.resize(header.len(), "–".to_owned());
            rows.push(cells);
        }
        let mut text = table(&header, &rows);
        if path == "/test/calloneapi"
            && let (Some(call), Some(plain)) = (
                self.run.find(Id::CpuPerRequest, path),
                self.run.find(Id::CpuPerRequest, "/test"),
            )
        {
            let times = call.programs[0].median() / plain.programs[0].median();
            text += &[
                format!("\nA call takes {times:.2} times the CPU time of a plain answer.\n"),
                format!("\n一次调用的 CPU 时间是直接应答的 {times:.2} 倍。\n"),
            ][language];
        }
        Ok(text)
    }

    fn burns(&self, language: usize) -> String {
        let header = [
            [
                "Program",
                "Millicores",
                "Error",
                "Worst second",
                "Wake-ups per second",
                "Others' CPU",
            ],
            [
                "程序",
                "millicores",
                "误差",
                "最差的一秒",
                "每秒唤醒次数",
                "其他进程的 CPU",
            ],
        ][language];
        let row = |burn: &crate::figures::Burn| {
            vec![
                burn.program.clone(),
                burn.millicores.clone(),
                format!("{:+.2} %", burn.error()),
                format!("{:.2} %", burn.worst),
                format!("{:.0}", burn.wakeups),
                format!("{:.0} %", burn.others),
            ]
        };
        table(&header, &self.run.burns.iter().map(row).collect::<Vec<_>>())
    }

    fn on_cluster(&self, language: usize) -> String {
        let on = &self.cluster.on;
        let (date, tag, version, nodes, cpus, others) =
            (&on.date, &on.tag, &on.version, on.nodes, on.cpus, on.others);
        [
            format!(
                "Measured on {date}, images `{tag}`: Kubernetes {version}, {nodes} node(s). The machine that measured \
                 has {cpus} CPUs, of which {others:.0} % were in use meanwhile, the cluster's own work included.\n"
            ),
            format!(
                "测于 {date}，镜像 `{tag}`：Kubernetes {version}，{nodes} 个节点。测量所在的机器有 {cpus} 个 CPU，\
                 期间 CPU 使用率为 {others:.0}%，包括集群自身的工作。\n"
            ),
        ][language]
            .clone()
    }
}

fn starts(starts: &[Starts], language: usize) -> String {
    let header = [
        ["Pods", "Container", "From `kubectl create` to Ready of all"],
        ["Pod 数", "容器", "从 `kubectl create` 到全部 Ready"],
    ][language];
    let rows: Vec<_> = starts
        .iter()
        .map(|it| {
            vec![
                it.pods.to_string(),
                it.samples.name.clone(),
                cell(&it.samples, Unit::Seconds),
            ]
        })
        .collect();
    table(&header, &rows)
}

fn updates(updates: &Updates, language: usize) -> String {
    let header = [["Part", "Time"], ["阶段", "时间"]][language];
    let rows: Vec<_> = updates
        .parts()
        .into_iter()
        .map(|(labels, samples)| vec![labels[language].to_owned(), cell(samples, Unit::Seconds)])
        .collect();
    table(&header, &rows)
}

/// What each binary is made of, a row for each part that one of them has.
fn sizes(binaries: &[Binary], language: usize) -> String {
    let mut header = vec![["Part", "组成部分"][language]];
    header.extend(binaries.iter().map(|it| &*it.name));
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in binaries.iter().flat_map(|it| &it.parts) {
        if !names.contains(&&**name) {
            names.push(name);
        }
    }
    let bytes = |binary: &Binary, name: &str| {
        let part = binary.parts.iter().find(|(part, _)| part == name);
        part.map_or(0, |(_, bytes)| *bytes)
    };
    // By the largest; what is summed up comes last.
    let summed_up = [size::SMALL_CRATES, size::NO_SYMBOL];
    names.sort_by_key(|name| {
        let largest = binaries.iter().map(|it| bytes(it, name)).max();
        (
            summed_up.contains(name),
            Reverse(largest.unwrap_or_default()),
        )
    });
    let mut rows = Vec::new();
    for name in names {
        let label = match (name, language) {
            (size::SMALL_CRATES, 1) => "小于 8 kB 的各 crate",
            (size::NO_SYMBOL, 1) => "没有符号的部分：常量、文本、栈展开表",
            ("C library", 1) => "C 库",
            (name, _) => name,
        };
        let cell = |it| match bytes(it, name) {
            0 => "–".to_owned(),
            bytes => Unit::Bytes.text(bytes as f64),
        };
        rows.push([vec![label.to_owned()], binaries.iter().map(cell).collect()].concat());
    }
    let total = |label: [&str; 2], of: fn(&Binary) -> u64| {
        let cells = binaries.iter().map(|it| Unit::Bytes.text(of(it) as f64));
        [vec![label[language].to_owned()], cells.collect()].concat()
    };
    rows.push(total(["in all", "合计"], |it| it.bytes));
    rows.push(total(["compressed", "压缩后"], |it| it.compressed));
    table(&header, &rows)
}

/// What a request's instructions are spent on, a row for each crate that takes more than a hundredth.
fn instructions(spent: &[Spent], language: usize) -> String {
    let label = ["Part", "组成部分"][language].to_owned();
    let paths = spent.iter().map(|it| format!("`{}`", it.path));
    let header: Vec<String> = iter::once(label).chain(paths).collect();
    let total = |it: &Spent| it.parts.iter().map(|(_, count)| count).sum::<u64>();
    let count = |it: &Spent, name: &str| {
        let part = it.parts.iter().find(|(part, _)| part == name);
        part.map_or(0, |(_, count)| *count)
    };
    let is_shown = |name: &str| spent.iter().any(|it| count(it, name) * 100 > total(it));
    let mut names = BTreeSet::new();
    names.extend(
        spent
            .iter()
            .flat_map(|it| &it.parts)
            .map(|(name, _)| &**name),
    );
    names.retain(|name| is_shown(name));
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_by_key(|name| Reverse(spent.iter().map(|it| count(it, name)).max()));
    let row = |label: &str, of: &dyn Fn(&Spent) -> u64| {
        let cells = spent.iter().map(|it| match of(it) {
            0 => "–".to_owned(),
            count => count.to_string(),
        });
        iter::once(label.to_owned()).chain(cells).collect()
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for name in &names {
        let label = match (*name, language) {
            ("C library", 0) => "C library: copies, allocations",
            ("C library", _) => "C 库：复制、分配",
            (name, _) => name,
        };
        rows.push(row(label, &|it| count(it, name)));
    }
    let rest = |it: &Spent| total(it) - names.iter().map(|name| count(it, name)).sum::<u64>();
    rows.push(row(
        ["crates of at most 1 % each", "各不超过 1% 的 crate"][language],
        &rest,
    ));
    rows.push(row(["in all", "合计"][language], &total));
    let header: Vec<&str> = header.iter().map(|it| &**it).collect();
    table(&header, &rows)
}

/// The median, and the lowest and the highest where they differ.
fn cell(samples: &Samples, unit: Unit) -> String {
    let (low, high) = samples.spread();
    let [low, median, high] = [low, samples.median(), high].map(|value| unit.text(value));
    if low == high {
        return median;
    }
    format!("{median} ({low}–{high})")
}

fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!(
        "| {} |\n|{}\n",
        header.join(" | "),
        " --- |".repeat(header.len())
    );
    for row in rows {
        writeln!(text, "| {} |", row.join(" | ")).expect("a string takes it");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_have_the_figures_of_the_run_that_is_kept() {
        let kept = Kept::read().unwrap();
        for (file, language) in DOCUMENTS {
            let text = fs::read_to_string(shipped::root().join(file)).unwrap();
            assert!(text.matches(BEGIN).count() >= 6, "{file} has figures");
            let filled = kept.fill(&text, language).unwrap();
            assert_eq!(text, filled, "{file}: make bench DOCS=1 writes them anew");
        }
        let picture = fs::read_to_string(shipped::root().join(PICTURE)).unwrap();
        assert_eq!(picture, picture::svg(&kept.run), "the picture");
    }

    #[test]
    fn figures_that_do_not_end_are_told() {
        let kept = Kept::read().unwrap();
        let error = kept.fill("<!-- figures: on -->\n", 0).unwrap_err();
        assert_eq!(error.to_string(), "the figures of on don't end");
        let error = kept.fill(&format!("{BEGIN}x -->\n{END}"), 0).unwrap_err();
        assert_eq!(error.to_string(), "there are no figures of x");
    }
}
