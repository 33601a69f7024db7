//! Every row of oneapi's contract and its refusals, over the app.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use chassis::{
    Chassis,
    config::{Build, defaults},
    http::App,
};
use http_body_util::BodyExt;
use tokio::time::timeout;

const BUILD: Build = Build::new("oneapi", "1.0.0", Some("1.0"), Some("abc1234"));

/// Half of what the burns here would go on for, so that it tells those that end from those that were ended.
const LONG: Duration = Duration::from_secs(30);

fn oneapi(own: oneapi::Settings) -> App {
    let mut settings: chassis::Settings = defaults();
    settings.identity.pod_ip = Some("10.244.36.66".parse().unwrap());
    settings.identity.pod_name = Some("chesterapi".into());
    settings.identity.pod_namespace = Some("chesterns".into());
    settings.identity.node_name = Some("node-1".into());
    let chassis = Chassis::new(BUILD, settings);
    chassis.app(oneapi::routes(&chassis, &own))
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e} in {}", self.body))
    }
}

async fn ask_with(app: &App, method: Method, path: &str, accept: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("accept", accept)
        .body(Body::empty());
    ask(app, request.unwrap()).await
}

async fn ask(app: &App, request: Request<Body>) -> Answer {
    let response = app.answer(request).await;
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

async fn get(app: &App, path: &str) -> Answer {
    ask_with(app, Method::GET, path, "*/*").await
}

async fn delete(app: &App, path: &str) -> Answer {
    ask_with(app, Method::DELETE, path, "*/*").await
}

#[tokio::test]
async fn test_says_the_pods_ip() {
    let answer = get(&oneapi(defaults()), "/test").await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (StatusCode::OK, "ip is 10.244.36.66")
    );
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
}

#[tokio::test]
async fn the_three_probes_answer_ok() {
    let app = oneapi(defaults());
    for path in ["/livez", "/readyz", "/startupz"] {
        let answer = get(&app, path).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (StatusCode::OK, "ok"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_slow_starter_is_alive_but_neither_started_nor_ready() {
    let mut settings: chassis::Settings = defaults();
    settings.lifecycle.startup_delay = Duration::from_secs(60);
    let chassis = Chassis::new(BUILD, settings);
    let app = chassis.app(oneapi::routes(&chassis, &defaults()));
    assert_eq!(get(&app, "/livez").await.status, StatusCode::OK);
    assert_eq!(get(&app, "/burns").await.body, "[]", "to look is allowed");
    for (method, path) in [
        (Method::GET, "/readyz"),
        (Method::GET, "/startupz"),
        (Method::GET, "/test"),
        (Method::DELETE, "/burns"),
    ] {
        let answer = ask_with(&app, method, path, "*/*").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(
            answer.body.starts_with("starting, "),
            "{path}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn info_says_who_answers_and_what_it_may_use() {
    let info = get(&oneapi(defaults()), "/info").await.json();
    for (field, value) in [
        ("service", "oneapi"),
        ("version", "1.0"),
        ("commit", "abc1234"),
        ("pod", "chesterapi"),
        ("namespace", "chesterns"),
        ("node", "node-1"),
        ("ip", "10.244.36.66"),
    ] {
        assert_eq!(info[field], value, "{field} in {info}");
    }
    assert!(info["started"].as_str().unwrap().ends_with('Z'), "{info}");
    assert!(info["limits"]["cpus"].as_u64().unwrap() >= 1, "{info}");
    assert_eq!(info["readiness"]["ready"], true, "{info}");
    assert!(info["readiness"]["why"].is_null(), "{info}");
    assert_eq!(info["faults_allowed"], false, "{info}");
    assert!(
        info["usage"]["memory_bytes"].as_u64().unwrap() > 0,
        "{info}"
    );
}

#[tokio::test]
async fn metrics_count_requests_by_route_and_not_by_path() {
    let app = oneapi(defaults());
    for _ in 0..3 {
        get(&app, "/test").await;
    }
    get(&app, "/made-up-1").await;
    get(&app, "/made-up-2").await;
    delete(&app, "/burns/77").await;
    let answer = get(&app, "/metrics").await;
    assert!(
        answer
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    for line in [
        r#"http_requests_total{method="GET",route="/test",status="200"} 3"#,
        r#"http_requests_total{method="GET",route="unmatched",status="404"} 2"#,
        r#"http_requests_total{method="DELETE",route="/burns/{id}",status="404"} 1"#,
        r#"http_request_duration_seconds_count{method="GET",route="/test",status="200"} 3"#,
        r#"build_info{service="oneapi",version="1.0",commit="abc1234"} 1"#,
        "http_requests_in_flight 0",
        "burns_running 0",
    ] {
        assert!(
            answer.body.contains(line),
            "{line} is not in\n{}",
            answer.body
        );
    }
    for name in [
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_open_fds",
    ] {
        assert!(answer.body.contains(&format!("\n{name} ")), "{name}");
    }
    assert!(
        !answer.body.contains("made-up"),
        "labels never come from a path"
    );
}

#[tokio::test]
async fn nothing_by_that_name_and_not_by_that_method() {
    let app = oneapi(defaults());
    let lost = get(&app, "/test1").await;
    assert_eq!(
        (lost.status, lost.body.as_str()),
        (StatusCode::NOT_FOUND, "there is no /test1")
    );
    let proxied = ask_with(&app, Method::CONNECT, "example.com:80", "*/*").await;
    assert_eq!(proxied.body, "there is no example.com:80");
    let posted = ask_with(&app, Method::POST, "/test", "*/*").await;
    assert_eq!(posted.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(
        posted.body,
        "/test can't be asked with POST; allowed: GET, HEAD, OPTIONS"
    );
    assert!(
        posted.header("allow").contains("GET"),
        "{:?}",
        posted.headers
    );
}

#[tokio::test]
async fn a_burn_of_no_time_is_ok_at_once() {
    let app = oneapi(defaults());
    for path in ["/test/highcpu", "/test/highcpu?minutes=0"] {
        let answer = get(&app, path).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (StatusCode::OK, "ok"),
            "{path}"
        );
        assert_eq!(answer.header("burn-asked-seconds").parse(), Ok(0.0));
    }
}

#[tokio::test]
async fn a_burn_says_what_was_asked_and_what_was_achieved() {
    let path = "/test/highcpu?minutes=0.01&millicores=200"; // 0.6 s of a fifth of a core
    let app = oneapi(defaults());
    let answer = get(&app, path).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (StatusCode::OK, "ok")
    );
    assert_eq!(answer.header("burn-asked-seconds"), "0.120000");
    let achieved: f64 = answer.header("burn-achieved-seconds").parse().unwrap();
    // A busy machine gives it less, which the tests of the burn itself take into account.
    assert!((0.001..0.2).contains(&achieved), "{achieved}");

    let json = ask_with(&app, Method::GET, path, "application/json").await;
    assert_eq!(json.header("content-type"), "application/json");
    let json = json.json();
    assert_eq!(json["asked_millicores"], 200);
    assert_eq!(json["asked_seconds"], 0.12);
    assert!(json["achieved_seconds"].as_f64().unwrap() > 0.0, "{json}");
    assert!(json["wall_seconds"].as_f64().unwrap() >= 0.6, "{json}");
    assert!(json.get("throttled_periods").is_some() && json.get("throttled_share").is_some());
}

#[tokio::test]
async fn the_clock_that_burns_are_measured_by_is_told() {
    let app = oneapi(defaults());
    let info = get(&app, "/info").await.json();
    assert_eq!(
        info["burn_clock"],
        serde_json::Value::Null,
        "nobody looked: {info}"
    );
    assert!(
        info.as_object().unwrap().contains_key("burn_clock"),
        "{info}"
    );
    let path = "/test/highcpu?minutes=0.0005&millicores=100";
    let answer = ask_with(&app, Method::GET, path, "application/json").await;
    assert_eq!(answer.json()["clock"], "cpu");
    assert_eq!(answer.header("burn-clock"), "", "nothing to tell");
    assert_eq!(get(&app, "/info").await.json()["burn_clock"], "cpu");
    let metrics = get(&app, "/metrics").await.body;
    let step = metrics
        .lines()
        .find_map(|line| line.strip_prefix("burn_clock_step_seconds "));
    let step: f64 = step.unwrap().parse().unwrap();
    assert!(step > 0.0 && step < 0.001, "{step}");
}

#[tokio::test]
async fn a_report_is_json_for_those_who_prefer_it() {
    let app = oneapi(defaults());
    for (accept, content_type) in [
        ("*/*", "text/plain; charset=utf-8"),
        ("application/json", "application/json"),
        ("application/json, */*", "application/json"),
        ("application/json;q=0", "text/plain; charset=utf-8"),
        (
            "text/plain, application/json;q=0.5",
            "text/plain; charset=utf-8",
        ),
    ] {
        let answer = ask_with(&app, Method::GET, "/test/highcpu", accept).await;
        assert_eq!(answer.header("content-type"), content_type, "{accept}");
    }
}

#[tokio::test]
async fn head_is_answered_without_burning() {
    let app = oneapi(defaults());
    let head = async |query: &str| {
        let path = format!("/test/highcpu?{query}");
        let answered = ask_with(&app, Method::HEAD, &path, "*/*");
        let answer = timeout(LONG, answered).await;
        answer.expect("the burn of a minute would take longer")
    };
    let answer = head("minutes=1&millicores=100").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("content-length"), "2", "as long as ok");
    assert_eq!(answer.header("burn-asked-seconds"), "6.000000");
    assert_eq!(answer.header("burn-achieved-seconds"), "", "none is known");
    assert_eq!(head("minutes=x").await.status, StatusCode::BAD_REQUEST);

    let metrics = get(&app, "/metrics").await.body;
    for line in ["burns_running 0.0", "burn_cpu_asked_seconds_total 0.0"] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn what_cannot_be_burnt_is_refused_with_a_sentence() {
    let app = oneapi(oneapi::Settings {
        max_minutes: 5.0,
        ..defaults()
    });
    for (query, said) in [
        (
            "minutes=many",
            "minutes can't be 'many': it is a number from 0 to 5, such as 2 or 0.05",
        ),
        (
            "minutes=6",
            "minutes can't be '6': it is a number from 0 to 5, such as 2 or 0.05",
        ),
        ("minutes=1&minutes=2", "minutes is given twice"),
        (
            "minutes=1&caller=%ff",
            "the query is not UTF-8 when its percent-encoding is decoded",
        ),
        (
            "minutes=1&caller=",
            "caller can't be '': it is 1 to 64 printable ASCII characters",
        ),
        (
            "milicores=5",
            "there is no parameter 'milicores'; allowed: minutes, millicores, force, caller",
        ),
    ] {
        let answer = get(&app, &format!("/test/highcpu?{query}")).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (StatusCode::BAD_REQUEST, said),
            "{query}"
        );
    }
    let too_many = get(&app, "/test/highcpu?millicores=10000000").await;
    assert_eq!(too_many.status, StatusCode::BAD_REQUEST);
    assert!(
        too_many.body.contains("it is a whole number from 1 to "),
        "{}",
        too_many.body
    );
}

/// Starts a burn of a minute in the background, and waits until it is listed.
async fn burn(app: &App, query: &str) -> (u64, tokio::task::JoinHandle<Answer>) {
    let before = get(app, "/burns").await.json().as_array().unwrap().len();
    let asked = tokio::spawn({
        let app = app.clone();
        let path = format!("/test/highcpu?minutes=1&{query}");
        async move { get(&app, &path).await }
    });
    let listed = async {
        loop {
            let burns = get(app, "/burns").await.json();
            if let Some(id) = burns[before]["id"].as_u64() {
                return id;
            }
            tokio::task::yield_now().await;
        }
    };
    let id = timeout(LONG, listed).await;
    (id.expect("the burn is never listed"), asked)
}

#[tokio::test]
async fn burns_are_listed_and_each_can_be_ended_and_its_caller_learns_how_far_it_came() {
    let app = oneapi(defaults());
    let (first, first_caller) = burn(&app, "millicores=30").await;
    let (second, second_caller) = burn(&app, "millicores=20&caller=somebody").await;
    let list = get(&app, "/burns").await.json();
    assert_eq!(list[0]["asked_millicores"], 30, "{list}");
    assert_eq!(list[0]["caller"], serde_json::Value::Null, "{list}");
    assert_eq!(list[1]["caller"], "somebody", "{list}");
    assert_eq!(list[1]["asked_seconds"], 1.2, "{list}");
    assert!(list[1]["left_seconds"].as_f64().unwrap() > 50.0, "{list}");

    assert_eq!(delete(&app, &format!("/burns/{first}")).await.body, "ended");
    let answer = timeout(LONG, first_caller).await;
    let answer = answer.expect("its minute isn't waited for").unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer.body.starts_with("ended after 0.") && answer.body.ends_with("of 1.800 CPU seconds"),
        "{}",
        answer.body
    );

    assert_eq!(delete(&app, "/burns").await.body, "1 ended");
    assert_eq!(second_caller.await.unwrap().status, StatusCode::OK);
    assert_eq!(get(&app, "/burns").await.body, "[]");
    for lost in [
        first.to_string(),
        second.to_string(),
        "x".into(),
        "+1".into(),
    ] {
        let answer = delete(&app, &format!("/burns/{lost}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.body, format!("no burn '{lost}' is running"));
    }
    let answer = delete(&app, "/burns/%ff").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let sentence = "the path is not UTF-8 when its percent-encoding is decoded";
    assert_eq!(answer.body, sentence);
}

#[tokio::test]
async fn more_burns_than_allowed_are_told_when_to_come_again() {
    let app = oneapi(oneapi::Settings {
        max_burns: 1,
        ..defaults()
    });
    let (_, caller) = burn(&app, "millicores=1").await;
    let answer = get(&app, "/test/highcpu?minutes=1&millicores=1").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((50..=61).contains(&seconds), "{seconds}");
    assert!(answer.body.starts_with("too many burns"), "{}", answer.body);
    delete(&app, "/burns").await;
    caller.await.unwrap();
}

async fn post(app: &App, path: &str) -> Answer {
    ask_with(app, Method::POST, path, "*/*").await
}

/// Asks until a burn that `POST` started has ended.
async fn ended(app: &App, location: &str) -> serde_json::Value {
    let ended = async {
        loop {
            let burn = get(app, location).await.json();
            if burn["state"] != "running" && burn["left_seconds"] != serde_json::Value::Null {
                return burn;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, ended).await.expect("the burn never ends")
}

#[tokio::test]
async fn a_posted_burn_belongs_to_nobody_and_says_how_far_it_is_and_how_it_ended() {
    let app = oneapi(defaults());
    let path = "/burns?minutes=0.005&millicores=100&caller=me"; // 0.3 s
    let answer = post(&app, path).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    assert_eq!(answer.header("location"), "/burns/1");
    let started = answer.json();
    assert_eq!(started["id"], 1, "{started}");
    assert_eq!(started["state"], "running", "{started}");
    assert_eq!(started["caller"], "me", "{started}");
    assert_eq!(started["asked_millicores"], 100, "{started}");
    assert_eq!(started["asked_seconds"], 0.03, "{started}");
    assert_eq!(get(&app, "/burns").await.json()[0]["id"], 1);
    let burn = get(&app, "/burns/1").await.json();
    assert_eq!(burn["state"], "running", "{burn}");

    let burn = ended(&app, "/burns/1").await;
    assert_eq!(burn["state"], "completed", "{burn}");
    assert_eq!(burn["left_seconds"], 0.0, "{burn}");
    let seconds = |name: &str| burn[name].as_f64().unwrap();
    assert!((0.3..5.0).contains(&seconds("wall_seconds")), "{burn}");
    assert!(
        (0.001..0.06).contains(&seconds("achieved_seconds")),
        "{burn}"
    );
    assert_eq!(get(&app, "/burns").await.body, "[]", "only those that run");
    let again = get(&app, "/burns/1").await.json();
    assert_eq!(again, burn, "it stays as it ended");
}

#[tokio::test]
async fn a_posted_burn_is_ended_by_its_number_and_says_what_it_left() {
    let app = oneapi(defaults());
    let location = post(&app, "/burns?minutes=1&millicores=10").await;
    let location = location.header("location");
    assert_eq!(delete(&app, location).await.body, "ended");
    assert_eq!(
        get(&app, location).await.json()["state"],
        "ended",
        "at once"
    );
    let burn = ended(&app, location).await;
    assert!(burn["left_seconds"].as_f64().unwrap() > 50.0, "{burn}");
    let twice = delete(&app, location).await;
    assert_eq!(twice.status, StatusCode::NOT_FOUND, "{}", twice.body);
    post(&app, "/burns?minutes=1&millicores=10&caller=me").await;
    post(&app, "/burns?minutes=1&millicores=10").await;
    assert_eq!(delete(&app, "/burns?caller=me").await.body, "1 ended");
    assert_eq!(delete(&app, "/burns").await.body, "1 ended");
}

#[tokio::test]
async fn the_last_32_posted_burns_are_kept_and_burns_of_requests_do_not_displace_them() {
    let app = oneapi(defaults());
    for id in 1..=33 {
        assert_eq!(post(&app, "/burns").await.status, StatusCode::CREATED);
        ended(&app, &format!("/burns/{id}")).await;
    }
    get(&app, "/test/highcpu?minutes=0.00001&millicores=1").await; // takes number 34
    let status = async |id| get(&app, &format!("/burns/{id}")).await.status;
    for (id, expected) in [(1, 404), (2, 200), (33, 200), (34, 404), (35, 404)] {
        assert_eq!(status(id).await, expected, "of burn {id}");
    }
    let lost = get(&app, "/burns/+2").await;
    assert_eq!(
        (lost.status.as_u16(), &*lost.body),
        (
            404,
            "no burn '+2' is running, and none of the last 32 that POST /burns started has that number"
        )
    );
}

#[tokio::test]
async fn numbers_are_printed_as_short_as_they_are_exact() {
    let app = oneapi(defaults());
    let burn = post(&app, "/burns?minutes=0.019&millicores=1000").await;
    assert!(
        burn.body.contains(r#""asked_seconds":1.14,"#),
        "{}",
        burn.body
    );
    let list = get(&app, "/burns").await;
    assert!(
        list.body.contains(r#""asked_seconds":1.14,"#),
        "{}",
        list.body
    );
    for (name, number) in get(&app, "/burns/1").await.json().as_object().unwrap() {
        let decimals = number.to_string().split('.').nth(1).map_or(0, str::len);
        assert!(decimals <= 6, "{name} is {number}");
    }
    delete(&app, "/burns").await;
}

#[tokio::test]
async fn a_burn_of_a_request_is_shown_by_its_number_while_it_runs() {
    let app = oneapi(defaults());
    let (id, client) = burn(&app, "millicores=10").await;
    let path = format!("/burns/{id}");
    assert_eq!(get(&app, &path).await.json()["state"], "running");
    delete(&app, &path).await;
    client.await.unwrap();
    assert_eq!(get(&app, &path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_cannot_be_posted_is_refused_as_a_request_is() {
    let app = oneapi(oneapi::Settings {
        max_burns: 1,
        ..defaults()
    });
    let typo = post(&app, "/burns?minutes=1&milicores=5").await;
    assert_eq!(typo.status, StatusCode::BAD_REQUEST);
    assert!(typo.body.starts_with("there is no parameter 'milicores'"));
    let request = Request::post("/burns").body(Body::from("minutes=1"));
    let answer = ask(&app, request.unwrap()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer.body,
        "parameters stand in the query, as in /burns?minutes=1, and not in a body"
    );
    assert_eq!(get(&app, "/burns").await.body, "[]", "nothing burns");

    post(&app, "/burns?minutes=1&millicores=1").await;
    let answer = post(&app, "/burns?minutes=1&millicores=1").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((50..=61).contains(&seconds), "{seconds}");
    // It would end the burns of others too.
    let request = Request::delete("/burns").body(Body::from("caller=me"));
    let answer = ask(&app, request.unwrap()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer.body,
        "parameters stand in the query, as in /burns?caller=NAME, and not in a body"
    );
    assert_eq!(delete(&app, "/burns").await.body, "1 ended");
}

#[tokio::test]
async fn a_site_that_a_browser_shows_neither_starts_nor_ends_a_burn() {
    let app = oneapi(defaults());
    let (id, client) = burn(&app, "millicores=1").await;
    let one = format!("/burns/{id}");
    // A form or a script of any site can have these sent, without a question before it.
    for (method, path) in [
        (Method::POST, "/burns?minutes=1"),
        (Method::DELETE, "/burns"),
        (Method::DELETE, &one),
    ] {
        for origin in ["http://evil.example", "null"] {
            let request = Request::builder().method(&method).uri(path);
            let request = request.header("origin", origin).body(Body::empty());
            let answer = ask(&app, request.unwrap()).await;
            assert_eq!(
                (answer.status, &*answer.body),
                (
                    StatusCode::FORBIDDEN,
                    "starting and ending burns is for programs such as curl, and this request has the \
                     Origin of a browser"
                ),
                "{method} {path}"
            );
        }
    }
    assert_eq!(
        get(&app, "/burns").await.json().as_array().unwrap().len(),
        1
    );
    assert_eq!(delete(&app, &one).await.body, "ended");
    client.await.unwrap();
}

#[tokio::test]
async fn a_burn_is_ended_once_and_then_is_gone() {
    let app = oneapi(defaults());
    let (id, client) = burn(&app, "millicores=1").await;
    let path = format!("/burns/{id}");
    // Nothing else runs in between: this runtime has one thread, and the burn's client is on it.
    let (first, list, second, all) = (
        delete(&app, &path).await,
        get(&app, "/burns").await,
        delete(&app, &path).await,
        delete(&app, "/burns").await,
    );
    assert_eq!((first.status, &*first.body), (StatusCode::OK, "ended"));
    assert_eq!(list.body, "[]");
    assert_eq!(second.status, StatusCode::NOT_FOUND);
    assert_eq!(second.body, format!("no burn '{id}' is running"));
    assert_eq!(all.body, "0 ended");
    assert!(client.await.unwrap().body.starts_with("ended after "));
}

#[tokio::test]
async fn a_caller_is_refused_where_it_would_be_ignored() {
    let app = oneapi(defaults());
    let (id, client) = burn(&app, "millicores=1&caller=them").await;
    for answer in [
        delete(&app, &format!("/burns/{id}?caller=me")).await,
        get(&app, "/burns?caller=me").await,
    ] {
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (
                StatusCode::BAD_REQUEST,
                "there is no parameter 'caller'; none is allowed"
            )
        );
    }
    assert_eq!(get(&app, "/burns?").await.json()[0]["id"], id);
    assert_eq!(delete(&app, &format!("/burns/{id}?")).await.body, "ended");
    client.await.unwrap();
}

#[tokio::test]
async fn a_caller_ends_its_own_burns() {
    let app = oneapi(defaults());
    let (_, mine) = burn(&app, "millicores=1&caller=me").await;
    let (_, theirs) = burn(&app, "millicores=1&caller=them").await;
    let (_, nobodys) = burn(&app, "millicores=1").await;
    assert_eq!(delete(&app, "/burns?caller=me").await.body, "1 ended");
    assert!(mine.await.unwrap().body.starts_with("ended after "));
    let left = get(&app, "/burns").await.json();
    assert_eq!(left.as_array().unwrap().len(), 2, "{left}");

    for (query, said) in [
        (
            "caler=them",
            "there is no parameter 'caler'; allowed: caller",
        ),
        (
            "caller=",
            "caller can't be '': it is 1 to 64 printable ASCII characters",
        ),
        ("caller=them&caller=me", "caller is given twice"),
    ] {
        let refused = delete(&app, &format!("/burns?{query}")).await;
        assert_eq!(
            (refused.status, refused.body.as_str()),
            (StatusCode::BAD_REQUEST, said)
        );
    }
    assert_eq!(delete(&app, "/burns?caller=me").await.body, "0 ended");
    assert_eq!(delete(&app, "/burns").await.body, "2 ended");
    for client in [theirs, nobodys] {
        client.await.unwrap();
    }
}
