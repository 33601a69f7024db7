//! The real program's first look-up, of a DNS server that loses the first packet for each name. Which
//! servers are asked is the whole machine's setting, and their port is 53: so it runs in namespaces of
//! its own. Where there can be none, the test says so, and is passed.

#![cfg(target_os = "linux")]

use std::{
    collections::HashSet,
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

const TEST: &str = "a_lost_dns_packet_is_waited_for_and_said";
const INSIDE: &str = "LOOKUP_TEST_IS_IN_ITS_NAMESPACES";

/// Runs this test once more in new network and mount namespaces.
const ENTER: &str = r#"
    ip link set lo up &&
    mount --bind "$0/resolv.conf" /etc/resolv.conf &&
    { ! [ -e /etc/nsswitch.conf ] || mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf; } &&
    "$@"
"#;

#[test]
fn a_lost_dns_packet_is_waited_for_and_said() {
    if env::var_os(INSIDE).is_some() {
        return in_its_namespaces();
    }
    let files = env::temp_dir().join(format!("lookup-test-{}", std::process::id()));
    fs::create_dir(&files).unwrap();
    fs::write(files.join("resolv.conf"), "nameserver 127.0.0.1\n").unwrap();
    fs::write(files.join("nsswitch.conf"), "hosts: dns\n").unwrap();
    let enter = |program: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--map-root-user", "--net", "--mount", "sh", "-c", ENTER]);
        unshare.arg(&files).args(program).env(INSIDE, "1").output()
    };
    match enter(&["true"]) {
        Ok(tried) if tried.status.success() => {
            let own = env::current_exe().unwrap();
            let ran = enter(&[own.to_str().unwrap(), "--exact", TEST, "--nocapture"]).unwrap();
            assert!(ran.status.success(), "{ran:?}");
        }
        tried => eprintln!("skipped: there are no namespaces to be had: {tried:?}"),
    }
    fs::remove_dir_all(&files).unwrap();
}

fn in_its_namespaces() {
    let dns = UdpSocket::bind("127.0.0.1:53").unwrap();
    thread::spawn(move || answer_names(&dns));
    let pods = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = pods.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in pods.incoming() {
            thread::spawn(move || answer_requests(stream.unwrap()));
        }
    });
    let start = Instant::now();
    let load = twoapi(&format!(
        "load http://load.test:{port}/ --rate 10 --for 1s --timeout 1s"
    ));
    let burn = twoapi(&format!("burn burn.test:{port} --millicores 100 --for 1s"));
    // A probe has its own time, and says what it was spent on.
    let probe = twoapi("probe http://silent.test/");
    // This name is never answered.
    let mut stopped = twoapi("burn silent.test --millicores 100 --for 1s");
    let mut said = String::new();
    let mut stderr = BufReader::new(stopped.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    let after = start.elapsed();
    let sentence = |name| format!("the name {name} isn't resolved yet: waiting for up to 15s\n");
    assert_eq!(said, sentence("silent.test"));
    assert!(after < Duration::from_secs(4), "it is said after {after:?}");
    let interrupted = Instant::now();
    kill_process(Pid::from_child(&stopped), Signal::INT).unwrap();
    assert_eq!(stopped.wait().unwrap().code(), Some(1));
    let took = interrupted.elapsed();
    assert!(took < Duration::from_secs(1), "it stops after {took:?}");

    let ended = probe.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    let sentence_of_probe = "was not asked: its name isn't resolved within 1s";
    assert_eq!(said, format!("http://silent.test/ {sentence_of_probe}\n"));
    assert_eq!(ended.status.code(), Some(1));

    for (program, name) in [(load, "load.test"), (burn, "burn.test")] {
        let ended = program.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{name}: {ended:?}");
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(said, sentence(name));
    }
    let took = start.elapsed();
    assert!(took > Duration::from_secs(5), "a packet was lost: {took:?}");
}

fn twoapi(line: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_twoapi"));
    command.args(line.split(' ')).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Every name is this machine, by IPv4. The first question for each is lost.
fn answer_names(dns: &UdpSocket) {
    const HEADER: usize = 12;
    let mut asked = HashSet::new();
    loop {
        let mut question = [0; 512];
        let (_, from) = dns.recv_from(&mut question).unwrap();
        let name_length = question[HEADER..]
            .iter()
            .position(|byte| *byte == 0)
            .unwrap()
            + 1;
        let name = &question[HEADER..][..name_length];
        if !asked.insert(name.to_vec()) && !name.starts_with(b"\x06silent") {
            let is_ipv4 = question[HEADER + name_length + 1] == 1;
            let mut answer = Vec::new();
            answer.extend(&question[..2]);
            // A recursive answer without an error, to one question; so many addresses.
            answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_ipv4), 0, 0, 0, 0]);
            answer.extend(&question[HEADER..][..name_length + 4]);
            if is_ipv4 {
                // The name is at byte 12; type A, class IN, for no time, 4 bytes.
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
            }
            dns.send_to(&answer, from).unwrap();
        }
    }
}

/// A burn takes a second, and is reported to have been one.
fn answer_requests(mut stream: TcpStream) {
    let mut request = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut request) {
        let body = if request[..read].starts_with(b"GET /test/highcpu") {
            thread::sleep(Duration::from_secs(1));
            r#"{"wall_seconds":1.0,"achieved_seconds":0.1}"#
        } else {
            "[]"
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
