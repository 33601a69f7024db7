//! The documents of this repository agree with each other, with its files and with its programs.

#![allow(clippy::unwrap_used)] // a test may

use std::path::Path;

use axum::body::HttpBody as _;
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use chassis::{
    Chassis,
    config::{Build, defaults},
    faults::Name,
    http::Routes,
};
use clap::{Args, Command};
use documents::{
    check::{self, Programs, tables},
    document::{Document, documents},
    elements::Element,
};

/// What a service answers, asked of the service itself: a method that no route has gets those that it
/// has.
async fn requests(
    service: &'static str,
    routes: impl FnOnce(&Chassis) -> Routes,
) -> Vec<(String, String)> {
    let chassis = Chassis::new(Build::new(service, "1.0", None, None), defaults());
    let app = chassis.app(routes(&chassis));
    let mut requests = Vec::new();
    for template in app.templates() {
        let path = template.replace(['{', '}'], "");
        let request = Request::builder().method("TRACE").uri(&path);
        let response = app.answer(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed = response.headers()[header::ALLOW].to_str().unwrap();
        // A GET answers HEAD too, and each path OPTIONS.
        let own = |method: &&str| !matches!(*method, "HEAD" | "OPTIONS");
        for method in allowed.split(',').filter(own) {
            requests.push((service.to_owned(), format!("{method} {template}")));
        }
    }
    requests
}

/// As the reference says of each path: `OPTIONS` names its methods, and `HEAD` has the headers of `GET`.
async fn check_options_and_head(service: &'static str, routes: impl FnOnce(&Chassis) -> Routes) {
    let chassis = Chassis::new(Build::new(service, "1.0", None, None), defaults());
    let app = chassis.app(routes(&chassis));
    let ask = async |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path);
        app.answer(request.body(Body::empty()).unwrap()).await
    };
    for template in app.templates() {
        let path = template.replace(['{', '}'], "");
        let options = ask("OPTIONS", &path).await;
        assert_eq!(options.status(), StatusCode::NO_CONTENT, "{path}");
        assert!(options.body().is_end_stream(), "{path}");
        let refused = ask("TRACE", &path).await;
        let allowed = &options.headers()[header::ALLOW];
        assert_eq!(allowed, refused.headers()[header::ALLOW], "{path}");
        if !allowed.to_str().unwrap().contains("GET") {
            continue;
        }
        let (get, head) = (ask("GET", &path).await, ask("HEAD", &path).await);
        assert_eq!(head.status(), get.status(), "{path}");
        assert!(head.body().is_end_stream(), "{path}");
        for (name, value) in head.headers() {
            // A server adds it to what has none, and the metrics have grown meanwhile.
            if name != header::CONTENT_LENGTH {
                assert_eq!(get.headers().get(name), Some(value), "{path}: {name}");
            }
        }
        assert!(head.headers().contains_key(header::CONTENT_TYPE), "{path}");
    }
}

#[tokio::test]
async fn each_path_answers_options_and_head() {
    check_options_and_head("oneapi", |chassis| oneapi::routes(chassis, &defaults())).await;
    check_options_and_head("twoapi", |chassis| twoapi::routes(chassis, &defaults())).await;
}

async fn programs() -> Programs {
    let oneapi = requests("oneapi", |chassis| oneapi::routes(chassis, &defaults())).await;
    let twoapi = requests("twoapi", |chassis| twoapi::routes(chassis, &defaults())).await;
    Programs {
        commands: vec![
            oneapi::cli::CommandLine::augment_args(Command::new("oneapi")),
            twoapi::cli::CommandLine::augment_args(Command::new("twoapi")),
        ],
        requests: [oneapi, twoapi].concat(),
    }
}

#[tokio::test]
async fn the_documents_of_this_repository_have_no_findings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let programs = programs().await;
    if std::env::var_os("BLESS").is_some_and(|bless| !bless.is_empty()) {
        tables::write(&root, &programs).unwrap();
    }
    let findings = check::check(&root, &programs).unwrap();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn each_manifest_of_the_lessons_is_in_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let documents = documents(&root).unwrap();
    for manifest in std::fs::read_dir(root.join("k8s/lessons")).unwrap() {
        let name = manifest.unwrap().file_name().into_string().unwrap();
        let mut lessons = documents.iter().filter(|it| it.path.starts_with("docs"));
        assert!(lessons.any(|it| it.text.contains(&name)), "{name}");
    }
}

#[tokio::test]
async fn each_setting_has_a_flag_of_the_same_name() {
    for program in programs().await.commands {
        let commands = std::iter::once(&program).chain(program.get_subcommands());
        for argument in commands.flat_map(Command::get_arguments) {
            if let Some(variable) = argument.get_env() {
                let flag = variable.to_string_lossy().to_lowercase().replace('_', "-");
                assert_eq!(argument.get_long(), Some(flag.as_str()));
            }
        }
    }
}

#[test]
fn the_table_of_fault_switches_has_what_they_can_be_given() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for path in ["docs/reference.md", "docs/reference.zh-CN.md"] {
        let document = Document::read(&root, Path::new(path)).unwrap();
        for name in Name::ALL {
            let mut rows = document.elements.iter().filter_map(Element::row);
            let row = rows.find(|row| row[0].code.iter().any(|code| code == name.as_str()));
            let row = row.unwrap_or_else(|| panic!("{path} has no {name:?}"));
            let words = name.parameters().flat_map(|shape| shape.split([',', ' ']));
            let words = words.filter(|word| !matches!(*word, "" | "or"));
            let mut given = row[1].code.clone();
            given.retain(|word| word != "0s"); // a default
            assert_eq!(given, words.collect::<Vec<_>>(), "{path}: {name:?}");
            assert_eq!(row[3].code, name.ends(), "{path}: {name:?}");
        }
    }
}
