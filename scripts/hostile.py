# Sends a service floods, crowds and slow clients, and checks during and after each shape that it is as before:
#
#   hostile.py PROGRAM H2SPEC [WORDS]      PROGRAM: the path of oneapi or of twoapi, which this starts on loopback;
#                                          WORDS: of the names of shapes, to send these alone, and no h2spec
#
# Whatever is sent has a bound, in number and in time. A promise that is broken is told at the end, and the exit code
# is 1. What is answered to input that needs no load is in chassis/tests/all/malformed.rs.

import concurrent.futures
import multiprocessing
import os
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as xml

LATE = 1000  # ms: what Kubernetes gives a probe by default; for each meanwhile, and for each of ten afterwards
MEMORY = 4096  # kB: so much more than after its first answers it may have at the end; 2300 were measured
SETTLED = 60  # seconds at most: for so long a service gives memory back after bursts
PEAK = 64 << 10  # kB: the limit in k8s/deployment.yaml
FILES = 1024  # descriptors that the service may have: 768 connections have a place, and 128 more may be open

LIVEZ = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
METRICS = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"  # answered with 16 kB


# -- HTTP/1 -------------------------------------------------------------------------------------------------


def connect(service):
    stream = socket.create_connection(service.address, 5)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def send(stream, data):
    """Whether all of it was taken."""
    try:
        stream.sendall(data)
        return True
    except OSError:
        return False


def read(stream, patience):
    """What comes until it closes or says nothing for a while, and whether it has closed."""
    stream.settimeout(patience)
    data = b""
    try:
        while part := stream.recv(65536):
            data += part
        return data, True
    except OSError as error:
        return data, not isinstance(error, TimeoutError)


def ask(service, line, patience=5):
    """The status, over a connection of its own."""
    with connect(service) as stream:
        send(stream, line + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        return read(stream, patience)[0][9:12].decode()


def crowd(count, seconds, *kinds, reads=True):
    """`count` connections for so long. A kind is what they say, as far as it is taken at once, and what they add from
    time to time. How many are left."""

    def shape(service):
        streams = []
        for n in range(count):
            says, adds = kinds[n % len(kinds)]
            streams.append((connect(service), adds))
            streams[-1][0].setblocking(False)
            streams[-1][0].send(says)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.25)
            for stream, adds in list(streams):
                try:
                    stream.send(adds)
                    if reads and stream.recv(65536) == b"":
                        raise ConnectionError
                except BlockingIOError:
                    pass
                except OSError:
                    stream.close()
                    streams.remove((stream, adds))
        for stream, _ in streams:
            stream.close()
        return f"{len(streams)} of {count} left"

    return shape


def one_by_one(count, says, resets=False):
    """So many connections, one after the other, that say what `says` makes of 0, 1, 2…, and close or reset."""

    def shape(service):
        good = 0
        for n in range(count):
            with connect(service) as stream:
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", resets, 0))
                taken = send(stream, says(n))
                if not resets:
                    stream.shutdown(socket.SHUT_WR)
                good += taken if resets else read(stream, 2)[1]
        return f"{good} of {count}"

    return shape


def random_bytes(n):
    source = random.Random(n)
    return source.randbytes(source.randrange(1, 20000))


# -- HTTP/2, a few frames by hand: https://www.rfc-editor.org/rfc/rfc9113 -----------------------------------

HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def settings(payload=b""):
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, payload)


def request(stream, flags=END_STREAM | END_HEADERS, more=b""):
    """GET, http, /metrics and the authority x: https://www.rfc-editor.org/rfc/rfc7541#appendix-A"""
    return frame(HEADERS, flags, stream, b"\x82\x86\x04\x08/metrics\x01\x01x" + more)


def rapid_reset(n):
    return request(2 * n + 1) + frame(RST_STREAM, 0, 2 * n + 1, b"\0\0\0\x08")


def goaway(data):
    """Why the connection is ended."""
    code = re.search(rb"(?s)\x07\0\0{4}.{4}\0\0\0(.)", data)
    return {None: "no GOAWAY", 11: "ENHANCE_YOUR_CALM"}.get(code and code[1][0], f"GOAWAY {code}")


def flood(part, first=b""):
    """The same part, or what it makes of 1, 2, 3…, for a second, or until the service ends it."""

    def shape(service):
        data, closed = [], threading.Event()

        def drain():
            data.append(read(stream, 2)[0])
            closed.set()

        with connect(service) as stream:
            send(stream, settings() + first)
            reader = threading.Thread(target=drain, daemon=True)
            reader.start()
            n, end = 0, time.monotonic() + 1
            while not closed.is_set() and time.monotonic() < end:
                piece = part * 1000 if isinstance(part, bytes) else b"".join(map(part, range(n, n + 1000)))
                if not send(stream, piece):
                    break
                n += 1000
            reader.join(3)
        return goaway(b"".join(data))

    return shape


# -- What oneapi answers to twoapi --------------------------------------------------------------------------


class StandIn:
    """In the place of oneapi: `answer` is sent to each request, and `again` from then on without end."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.answer, self.again = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nip", b""
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            threading.Thread(target=self.serve, args=self.listener.accept()[:1], daemon=True).start()

    def serve(self, stream):
        again = self.again * 50000
        with stream:
            stream.settimeout(10)
            stream.recv(4096)
            taken = send(stream, self.answer)
            while again and taken:
                taken = send(stream, again)


def upstream(answer, again, calls=32):
    """What twoapi makes of it, in so many calls at once."""

    def shape(service):
        stand_in = service.stand_in
        before, stand_in.answer, stand_in.again = stand_in.answer, answer, again
        with concurrent.futures.ThreadPoolExecutor(calls) as pool:
            statuses = set(pool.map(lambda _: ask(service, b"GET /test/calloneapi", 8), range(calls)))
        stand_in.answer, stand_in.again = before, b""
        return ", ".join(sorted(statuses))

    return shape


# -- The shapes: a name, what is sent, and a regular expression of what becomes of it ------------------------

POST = b"POST /livez HTTP/1.1\r\nhost: x\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
LINE = b"\0\x01a\x7f\x81\x01" + b"x" * 256  # a header of 256 bytes
# A header of 3 kB, and then 4000 times its number in the table.
BOMB = b"\x40\x01a\x7f" + b"\xb9\x16" + b"x" * (127 + 0xB9 - 0x80 + (0x16 << 7)) + b"\xbe" * 4000
MANY_SETTINGS = settings() + frame(SETTINGS) * 200000
MANY_PINGS = settings() + frame(PING, 0, 0, bytes(8)) * 100000
NO_WINDOW = settings(struct.pack(">HI", 4, 0)) + b"".join(request(2 * n + 1) for n in range(100))

SHAPES = [
    ("slow headers and bodies", crowd(
        400, 11,
        (b"GET /livez HTTP/1.1\r\n", b"a"),
        (b"GET /livez HTTP/1.1\r\n", b"a: b\r\n"),
        (POST + b"content-length: 99\r\n\r\n", b"a"),
        (POST + CHUNKED + b"\r\n", b"1\r\na\r\n"),
    ), "0 of 400 left"),
    ("random bytes", one_by_one(100, random_bytes), "100 of 100"),
    ("random frames", one_by_one(100, lambda n: settings() + random_bytes(n)), "100 of 100"),
    ("resets", one_by_one(1000, lambda n: LIVEZ[: n % len(LIVEZ) + 1], resets=True), "1000 of 1000"),
    ("answers that nobody reads", crowd(20, 1, (METRICS * 2000, b""), reads=False), "20 of 20 left"),
    ("more connections than descriptors", crowd(2000, 3, (b"", b"")), "768 of 2000 left"),
    ("connections that stay idle", crowd(750, 1, (LIVEZ, b"")), "750 of 750 left"),
    ("rapid resets", flood(rapid_reset), "ENHANCE_YOUR_CALM"),
    ("requests of 1000 streams at once", flood(lambda n: request(2 * n + 1)), "ENHANCE_YOUR_CALM"),
    ("CONTINUATION without end", flood(frame(CONTINUATION, 0, 1, LINE), request(1, END_STREAM)), "ENHANCE_YOUR_CALM"),
    ("empty CONTINUATION", flood(frame(CONTINUATION, 0, 1), request(1, END_STREAM)), "ENHANCE_YOUR_CALM"),
    ("a header of 3 kB 4000 times", flood(request(1, more=BOMB)), "ENHANCE_YOUR_CALM"),
    ("SETTINGS", flood(frame(SETTINGS)), "no GOAWAY"),
    ("SETTINGS, their answers unread", crowd(1, 1, (MANY_SETTINGS, b""), reads=False), "1 of 1 left"),
    ("PING", flood(frame(PING, 0, 0, bytes(8))), "no GOAWAY"),
    ("PING, their answers unread", crowd(1, 1, (MANY_PINGS, b""), reads=False), "1 of 1 left"),
    ("PRIORITY", flood(frame(PRIORITY, 0, 1, bytes(4) + b"\0")), "no GOAWAY"),
    ("WINDOW_UPDATE", flood(frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\x01")), "no GOAWAY"),
    ("windows of 0", crowd(20, 2, (NO_WINDOW, b"")), "20 of 20 left"),
]
UPSTREAM = [
    ("oneapi: headers without end", upstream(OK, b"a: b\r\n"), "502"),
    ("oneapi: one header without end", upstream(OK + b"a: ", b"b"), "502"),
    ("oneapi: a body without end", upstream(OK + b"\r\n", b"x"), "502"),
    ("oneapi: chunks without end", upstream(OK + CHUNKED + b"\r\n", b"1\r\nx\r\n"), "50[24]"),
    ("oneapi: trailers without end", upstream(OK + CHUNKED + b"\r\n0\r\n", b"a: b\r\n"), "502"),
]


# -- What is looked at --------------------------------------------------------------------------------------


def within(seconds, is_so):
    """What it is when it is so, or isn't in time."""
    end = time.monotonic() + seconds
    while not (so := is_so()) and time.monotonic() < end:
        time.sleep(0.02)
    return so


def livez(service):
    """How long the answer takes, in ms; 9999 if there is none."""
    begun = time.monotonic()
    try:
        if ask(service, b"GET /livez") == "200":
            return (time.monotonic() - begun) * 1000
    except OSError:
        pass
    return 9999


def watch(service, on, worst):
    """Asks again and again while it is on. In a process of its own: threads of this one wait for each other."""
    while True:
        on.wait()
        worst.value = max(worst.value, livez(service))
        time.sleep(0.02)


class Service:
    def __init__(self, program, log):
        self.name, self.log, self.stand_in = os.path.basename(program), log.name, StandIn()
        url = f"http://127.0.0.1:{self.stand_in.listener.getsockname()[1]}/test"
        environment = {"LISTEN": "127.0.0.1:0", "LOG_FORMAT": "json", "FAULTS": "true", "ONEAPI_URL": url}
        limited = ["sh", "-c", f'ulimit -n {FILES} && exec "$0"', program]
        # In a session of its own, Ctrl-C ends it by way of this.
        self.process = subprocess.Popen(limited, env=environment, stdout=log, stderr=log, start_new_session=True)

    def logged(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def starts(self):
        listens = within(10, lambda: re.search(r'"listen":"([\d.]+):(\d+)"', self.logged()))
        if not listens:
            sys.exit(f"{self.name} doesn't start: {self.logged().strip()}")
        self.address = listens[1], int(listens[2])

    def memory(self, what="Anonymous", file="smaps_rollup"):
        """In kB; without what the pages of the program itself take, which come and go."""
        with open(f"/proc/{self.process.pid}/{file}", encoding="ascii") as lines:
            return int(re.search(rf"(?m)^{what}:\s+(\d+)", lines.read())[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def h2spec(program, service):
    """The sentences about what isn't as RFC 9113 has it. Each answer takes a while: if it came before the frame that a
    test is about, which may be, nothing behind it would be looked at."""
    wrong = [] if ask(service, b"PUT /faults/latency?delay=100ms&for=ever") == "200" else ["no latency can be set"]
    path = {"oneapi": "/test", "twoapi": "/test/calloneapi"}[service.name]
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        command = [program, "--strict", "-h", service.address[0], "-p", str(service.address[1]), "-P", path]
        subprocess.run([*command, "-j", report.name], check=False, stdout=subprocess.DEVNULL, timeout=120)
        tests = list(xml.parse(report.name).iter("testcase"))
    failed = {f"{test.get('package')}: {test.get('classname')}" for test in tests if len(test) > 0}
    print(f"{service.name}: h2spec has {len(tests)} tests, of which fail: {', '.join(failed)}")
    # HTTP/1.1 is spoken on the same port: what isn't HTTP/2 from its first byte is refused with 400 and closed, where
    # RFC 9113, section 3.4, would have a GOAWAY, which may be left out.
    known = {"http2/3.5: Sends invalid connection preface"}
    wrong += [] if len(tests) > 140 else [f"h2spec has only {len(tests)} tests"]
    return wrong + [f"h2spec is otherwise than expected: {what}" for what in failed ^ known]


def run(service, h2, only):
    """The sentences about what is broken."""
    service.starts()
    fd = service.descriptors()
    for _ in range(10):
        livez(service)
    kb = service.memory()
    on, worst = multiprocessing.Event(), multiprocessing.Value("d", 0)
    multiprocessing.Process(target=watch, args=(service, on, worst), daemon=True).start()
    row = "{:<34} {:<20} {:>8} {:>8} {:>7} {:>3}"
    print(row.format(service.name, "answered", "/livez", "after", "kB", "fd"))
    print(row.format("at first", "", "", "", kb, fd), flush=True)
    wrong = []
    for name, shape, expected in SHAPES + (UPSTREAM if service.name == "twoapi" else []):
        if only not in name:
            continue
        worst.value = 0
        on.set()
        try:
            answered = shape(service)
        except OSError as error:
            answered = str(error)
        if service.process.poll() is not None:
            return [*wrong, f"{name}: it has ended: {service.logged()[-999:]}"]
        watched = within(10, lambda: worst.value > 0)  # a short shape may be over before the first probe
        on.clear()
        meanwhile, closed = worst.value, within(10, lambda: service.descriptors() <= fd)
        open_now, after = service.descriptors(), max(livez(service) for _ in range(10))
        times = f"{meanwhile:.0f} ms", f"{after:.0f} ms"
        print(row.format(name, answered[:20], *times, service.memory(), open_now), flush=True)
        for broken, sentence in [
            (not re.fullmatch(expected, answered), f"answered {answered}, and not {expected}"),
            (not watched or meanwhile > LATE, f"/livez took {meanwhile:.0f} ms meanwhile"),
            (after > LATE, f"/livez took {after:.0f} ms afterwards"),
            (not closed, f"descriptors went from {fd} to {open_now}"),
            ("panicked" in service.logged(), "it has panicked"),
        ]:
            if broken:
                wrong.append(f"{name}: {sentence}")
    if not only:
        wrong += h2spec(h2, service)
    within(SETTLED, lambda: service.memory() <= kb + MEMORY)
    last, peak = service.memory(), service.memory("VmHWM", "status")
    print(f"{service.name}: {kb} kB at first, {last} kB at the end; at the most {peak} kB, with its program")
    wrong += [f"memory went from {kb} to {last} kB"] if last > kb + MEMORY else []
    return wrong + ([f"it took {peak} kB of {PEAK}"] if peak > PEAK else [])


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which ends the service too
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        service = Service(sys.argv[1], log)
        try:
            wrong = run(service, sys.argv[2], "".join(sys.argv[3:]))
        finally:
            service.process.kill()
    sys.exit("\n".join(f"{service.name}: {sentence}" for sentence in wrong) or 0)


main()
