# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answer every UDP datagram with its ROT13. Python 3.9 or later, standard library only."""

import argparse
import errno
import os
import select
import signal
import socket
import string
import sys
import time

LARGEST_DATAGRAM = 65535  # no UDP payload is larger: its length field has 16 bits
RECEIVE_BUFFER = 4 << 20  # room for a burst; the kernel lowers it to net.core.rmem_max
# A forged source address must not make this server answer another one endlessly (the class of CVE-2024-2169). Services
# that answer by themselves, such as echo, use ports below 1024; another server like this one uses the same port. Any
# other loop ends with the first answer that the rate limit drops.
FIRST_CLIENT_PORT = 1024
RATE = 50.0  # answers per second and source
BURST = 500  # answers to a source at once
SOURCES = 10000  # that are remembered
LETTERS = (string.ascii_lowercase + string.ascii_uppercase).encode()
ROT13 = bytes.maketrans(
    LETTERS,
    b"".join(half[13:] + half[:13] for half in (LETTERS[:26], LETTERS[26:])),
)
# None of these means that the socket is broken: an ICMP answer to an earlier reply, a temporary shortage, or a reply
# that cannot be sent (a firewall, no route, a client with port 0) and is lost, as any datagram may be.
PASSING_ERRORS = frozenset(
    {
        errno.EACCES,
        errno.EADDRNOTAVAIL,
        errno.EAGAIN,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.EINVAL,
        errno.EMSGSIZE,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.EPERM,
        errno.EPROTO,
    }
)


def port_number(text):
    """Return ``text`` as a UDP port, 1 to 65535."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number from 1 to 65535")
    return int(text)


def ip_address(text):
    """Return the ``(family, address, dual)`` to bind for ``text``: ``*``, an IPv4 or an IPv6 address."""
    if text == "*":
        return socket.AF_INET6, "::", True
    for family in (socket.AF_INET6, socket.AF_INET):
        try:
            socket.inet_pton(family, text.partition("%")[0])
        except OSError:
            continue
        return family, text, False
    raise argparse.ArgumentTypeError(f"{text!r} is not an IP address; use * for all addresses")


def bind(family, address, port, dual):
    """Return a bound UDP socket. ``dual``: an IPv6 socket answers IPv4 too. OSError if the address is not available."""
    server = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        # getaddrinfo and not (address, port): only it turns the zone of fe80::1%eth0 into a scope number.
        server.bind(socket.getaddrinfo(address, port, family, socket.SOCK_DGRAM)[0][4])
    except BaseException:
        server.close()
        raise
    return server


def listen(family, address, port, dual):
    """Return a bound UDP socket; where the kernel has no IPv6, all addresses means all IPv4 addresses."""
    try:
        return bind(family, address, port, dual)
    except OSError as error:
        if dual and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            return bind(socket.AF_INET, "0.0.0.0", port, False)  # noqa: S104  what the caller asks for
        raise


def notify(state):
    """Tell systemd our state (sd_notify(3)); nothing happens when systemd did not start us."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path[:1] in ("/", "@"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(state.encode(), path.replace("@", "\0", 1) if path[0] == "@" else path)


def stop_on_signals():
    """Make SIGTERM and SIGINT end the program with status 0; return a file that a signal makes readable.

    Python runs the handler between two instructions of its own. A signal that comes right before a blocking call would
    wait for the next datagram; the returned file lets poll() wake up for it.
    """

    def stop(_number, _frame):
        notify("STOPPING=1")
        sys.exit(0)

    waker, wakened = socket.socketpair()
    for end in (waker, wakened):
        end.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())
    stop_on_signals.ends = (waker, wakened)  # keeps both open as long as the program runs
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return wakened


class Limiter:
    """Limits the answers per source: an IPv4 address, or a /64 network of IPv6."""

    def __init__(self):
        self.used = {}  # source -> time at which its whole burst is available again

    def allows(self, family, address):
        """Return whether one more answer may go to ``address``, and count it."""
        packed = socket.inet_pton(family, address.partition("%")[0])
        # The first half of an IPv4 address in an IPv6 socket, and of ::1, is zero.
        source = packed[:8] if any(packed[:8]) else packed
        now = time.monotonic()
        used = max(self.used.get(source, now), now)
        if used - now >= BURST / RATE:
            return False
        if len(self.used) >= SOURCES:
            self.used.clear()
        self.used[source] = used + 1 / RATE
        return True


def answer_one(server, own_port, limiter):
    """Take one datagram, if there is one, and send its ROT13 back. OSError when the socket itself is broken."""
    try:
        data, client = server.recvfrom(LARGEST_DATAGRAM, socket.MSG_DONTWAIT)
        if client[1] < FIRST_CLIENT_PORT or client[1] == own_port or not limiter.allows(server.family, client[0]):
            return
        server.sendto(data.translate(ROT13), client)
    except OSError as error:
        if error.errno not in PASSING_ERRORS:
            raise


def main():
    """Run as a program."""
    parser = argparse.ArgumentParser(description="Answer every UDP datagram with its ROT13.")
    parser.add_argument("--address", default="*", type=ip_address, help="IP address, or * for all (the default)")
    parser.add_argument("--port", default=10000, type=port_number, help="UDP port (default: 10000)")
    options = parser.parse_args()

    wakened = stop_on_signals()
    try:
        server = listen(options.address[0], options.address[1], options.port, options.address[2])
    except OSError as error:
        sys.exit(f"rot13: cannot listen on {options.address[1]} port {options.port}: {error.strerror or error}")
    host, port = server.getsockname()[:2]
    where = f"[{host}]:{port}" if server.family == socket.AF_INET6 else f"{host}:{port}"
    print(f"rot13: listening on {where} (UDP)", flush=True)
    notify(f"READY=1\nSTATUS=Listening on {where}")

    readable = select.poll()
    readable.register(server, select.POLLIN)
    readable.register(wakened, select.POLLIN)
    limiter = Limiter()
    while True:
        readable.poll()
        answer_one(server, port, limiter)


if __name__ == "__main__":
    main()
