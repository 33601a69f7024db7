#!/bin/bash
# Linux: `IP_MINTTL` on a listening socket turns new clients away in silence, and is inherited.
#
# Version:   Linux 6.18, with Python's own socket module; no package
# Expected:  an option for one socket, which the sockets that it accepts are free of.
# Behaviour: with 255 the listener drops each SYN of an ordinary client (TTL 64), which tries again for as long
#            as it has patience and is never refused. A socket that is accepted all the same has the option too,
#            and so drops its client's request, until it is set to 0: then the client's next attempt arrives,
#            some 200 ms later. No privilege is needed.
# What to do: use it to close a listener without a reset to anybody: set it, wait for a round trip, accept what
#            comes with the option set to 0 on each, close. Elsewhere, set it on accepted sockets.
#
# Seen:
#   a client of before: heard
#   a new client: timed out, not refused
#   accepted sockets inherit 255
#   a request in one: dropped, and heard within 2 s after the option is 0
#
# Exits with 1 when this has changed.
set -euo pipefail

seen=$(timeout 60 python3 - <<'EOF'
import socket, threading, time

IP_MINTTL = 21
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(16)
address = listener.getsockname()

old = socket.create_connection(address)
accepted, _ = listener.accept()
listener.setsockopt(socket.IPPROTO_IP, IP_MINTTL, 255)
old.sendall(b"x")
accepted.settimeout(5)
print("a client of before:", "heard" if accepted.recv(1) == b"x" else "not heard")

new = socket.socket()
new.settimeout(0.7)
try:
    new.connect(address)
    print("a new client: connected")
except TimeoutError:
    print("a new client: timed out, not refused")
except ConnectionRefusedError:
    print("a new client: refused")
new.close()

# A client whose packets have the highest TTL gets through, and its socket has the option from birth.
high = socket.socket()
high.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
high.connect(address)
accepted, _ = listener.accept()
print("accepted sockets inherit", accepted.getsockopt(socket.IPPROTO_IP, IP_MINTTL))
high.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 64)
high.sendall(b"x")
accepted.settimeout(0.15)
try:
    dropped = accepted.recv(1) != b"x"
except TimeoutError:
    dropped = True
accepted.setsockopt(socket.IPPROTO_IP, IP_MINTTL, 0)
accepted.settimeout(2)
heard = accepted.recv(1) == b"x"
print("a request in one:", "dropped, and heard within 2 s after the option is 0" if dropped and heard else (dropped, heard))
EOF
)
echo "$seen"
[ "$seen" = "a client of before: heard
a new client: timed out, not refused
accepted sockets inherit 255
a request in one: dropped, and heard within 2 s after the option is 0" ]
