//! The figures as a picture: a panel for each, with a bar for each program, from zero.

use std::fmt::Write as _;

use crate::figures::{Figure, Id, Run};

/// What is shown, of those that a run has.
const PANELS: [(Id, &str); 9] = [
    (Id::Requests, "/test"),
    (Id::Pipelined, "/test"),
    (Id::P99, "/test"),
    (Id::AfterLoad, "/test"),
    (Id::Size, "/test"),
    (Id::FirstAnswer, "/test"),
    (Id::Requests, "/test/calloneapi"),
    (Id::P99, "/test/calloneapi"),
    (Id::AfterLoad, "/test/calloneapi"),
];

const WIDTH: usize = 880;
const COLUMN: usize = 430;
const GAP: usize = 20;
const NAME: usize = 90;
const BAR: usize = 240; // leaves room for the number behind it
const LINE: usize = 22;
const TITLE: usize = 40;

/// The run as an SVG.
pub fn svg(run: &Run) -> String {
    let panels: Vec<&Figure> = PANELS
        .iter()
        .filter_map(|(id, path)| run.find(*id, path))
        .collect();
    let mut body = String::new();
    let (mut top, mut bottom) = (10, 10);
    for (number, figure) in panels.iter().enumerate() {
        if number % 2 == 0 {
            top = bottom;
        }
        let left = number % 2 * (COLUMN + GAP) + 10;
        bottom = bottom.max(top + TITLE + figure.programs.len() * LINE + 10);
        panel(&mut body, figure, left, top);
    }
    // The colours are legible on light and on dark pages.
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {bottom}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <style>text{{fill:#555}} .title{{font-weight:bold}} .ours{{fill:#2f7ed8}} .other{{fill:#999}}\n\
         @media (prefers-color-scheme:dark){{text{{fill:#bbb}}}}</style>\n{body}</svg>\n"
    )
}

fn panel(svg: &mut String, figure: &Figure, left: usize, top: usize) {
    let mut line = |text: String| writeln!(svg, "{text}").expect("a string takes it");
    let [label, _] = figure.id.labels();
    line(format!(
        "<text class=\"title\" x=\"{left}\" y=\"{}\">{}: {label}</text>",
        top + 18,
        escaped(&figure.path)
    ));
    let medians = figure.programs.iter().map(|it| it.median());
    let most = medians.fold(f64::MIN_POSITIVE, f64::max);
    for (number, samples) in figure.programs.iter().enumerate() {
        let y = top + TITLE + number * LINE;
        let median = samples.median();
        let length = (median / most * BAR as f64).max(1.0);
        let kind = if number == 0 { "ours" } else { "other" };
        line(format!(
            "<text x=\"{left}\" y=\"{y}\">{}</text>\
             <rect class=\"{kind}\" x=\"{}\" y=\"{}\" width=\"{length:.0}\" height=\"14\"/>\
             <text x=\"{:.0}\" y=\"{y}\">{}</text>",
            escaped(&samples.name),
            left + NAME,
            y - 12,
            (left + NAME + 6) as f64 + length,
            figure.unit.text(median)
        ));
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
