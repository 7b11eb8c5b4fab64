<?php
// Copyright (c) 2026, The unitcraft.systemd contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Answer every UDP datagram with its ROT13. PHP 7.4 or later with the sockets extension.

declare(strict_types=1);

const LARGEST_DATAGRAM = 65535; // no UDP payload is larger: its length field has 16 bits
const RECEIVE_BUFFER = 4 << 20; // room for a burst; the kernel lowers it to net.core.rmem_max
// A forged source address must not make this server answer another one endlessly (the class of CVE-2024-2169). Services that
// answer by themselves, such as echo, use ports below 1024; another server like this one uses the same port. Any loop that is
// left ends with the first answer that the rate limit drops.
const FIRST_CLIENT_PORT = 1024;
const RATE = 50.0; // answers per second and source
const BURST = 500; // answers to a source at once
const SOURCES = 10000; // that are remembered
const IPV6_ONLY = 26; // IPV6_V6ONLY of Linux; PHP has no name for it before 8.4

/** Print one line to standard error and end. Status 2: bad arguments, 1: anything else. */
function fail(string $message, int $status = 1): void
{
    fwrite(STDERR, "rot13: $message\n");
    exit($status);
}

/** Return ['address' => string, 'port' => int] from the command line. */
function read_arguments(array $arguments): array
{
    $options = ['address' => '*', 'port' => '10000'];
    $usage = 'usage: rot13.php [--address ADDRESS] [--port PORT]';
    for ($words = array_slice($arguments, 1); $words !== [];) {
        [$name, $value] = array_pad(explode('=', array_shift($words), 2), 2, null);
        $key = substr($name, 2);
        if (strncmp($name, '--', 2) !== 0 || !isset($options[$key])) {
            fail("unknown argument '$name'; $usage", 2);
        }
        $value = $value ?? array_shift($words);
        if ($value === null) {
            fail("$name needs a value; $usage", 2);
        }
        $options[$key] = $value;
    }
    if (!ctype_digit($options['port']) || (int) $options['port'] < 1 || (int) $options['port'] > 65535) {
        fail("argument --port: '{$options['port']}' is not a port number from 1 to 65535", 2);
    }
    $host = explode('%', $options['address'])[0];
    if ($options['address'] !== '*' && filter_var($host, FILTER_VALIDATE_IP) === false) {
        fail("argument --address: '{$options['address']}' is not an IP address; use * for all addresses", 2);
    }
    return ['address' => $options['address'], 'port' => (int) $options['port']];
}

/**
 * Return [bound UDP socket, 0], or [null, error number].
 *
 * @param int $family AF_INET or AF_INET6
 * @param bool $dual an IPv6 socket answers IPv4 too
 */
function bind_socket(int $family, string $address, int $port, bool $dual): array
{
    $server = @socket_create($family, SOCK_DGRAM, SOL_UDP);
    if ($server === false) {
        return [null, socket_last_error()];
    }
    if ($family === AF_INET6) {
        socket_set_option($server, IPPROTO_IPV6, IPV6_ONLY, $dual ? 0 : 1);
    }
    socket_set_option($server, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
    // A signal that comes right before a blocking call is seen only when the call returns: see stop_on_signals().
    socket_set_option($server, SOL_SOCKET, SO_RCVTIMEO, ['sec' => 1, 'usec' => 0]);
    if (!@socket_bind($server, $address, $port)) {
        return [null, socket_last_error($server)];
    }
    return [$server, 0];
}

/** Return a bound UDP socket; where the kernel has no IPv6, all addresses means all IPv4 addresses. */
function listen(string $address, int $port)
{
    if ($address === '*') {
        [$server, $error] = bind_socket(AF_INET6, '::', $port, true);
        if (in_array($error, [SOCKET_EAFNOSUPPORT, SOCKET_EADDRNOTAVAIL], true)) {
            [$server, $error] = bind_socket(AF_INET, '0.0.0.0', $port, false);
        }
    } else {
        $family = strpos($address, ':') === false ? AF_INET : AF_INET6;
        [$server, $error] = bind_socket($family, $address, $port, false);
    }
    if ($server === null) {
        fail("cannot listen on $address port $port: " . socket_strerror($error));
    }
    return $server;
}

/** Tell systemd our state (sd_notify(3)); nothing happens when systemd did not start us. */
function notify(string $state): void
{
    $path = (string) getenv('NOTIFY_SOCKET');
    if ($path === '' || ($path[0] !== '/' && $path[0] !== '@')) {
        return;
    }
    if ($path[0] === '@') {
        $path = "\0" . substr($path, 1);
    }
    $channel = socket_create(AF_UNIX, SOCK_DGRAM, 0);
    // socket_connect and not socket_sendto: that one cuts an abstract name at its leading NUL.
    if (@socket_connect($channel, $path)) {
        @socket_send($channel, $state, strlen($state), 0);
    }
    socket_close($channel);
}

/**
 * Make SIGTERM and SIGINT end the program with status 0.
 *
 * A signal interrupts the wait for a datagram at once. PHP calls the handler between two of its own instructions, so a
 * signal that falls into the microsecond before the wait begins is acted on when the receive timeout ends the wait.
 */
function stop_on_signals(): void
{
    if (!function_exists('pcntl_async_signals')) {
        return; // then the kernel's own action ends the program, which systemd takes for a clean end as well
    }
    pcntl_async_signals(true);
    foreach ([SIGTERM, SIGINT] as $number) {
        pcntl_signal($number, static function (): void {
            notify('STOPPING=1');
            exit(0);
        }, false);
    }
}

/**
 * Return whether one more answer may go to this address, and count it. The limit is per IPv4 address or /64 network of IPv6.
 *
 * @param array $used source => time at which its whole burst is available again
 */
function allows(array &$used, string $address): bool
{
    $packed = inet_pton(explode('%', $address)[0]);
    // The first half of an IPv4 address in an IPv6 socket, and of ::1, is zero.
    $half = substr($packed, 0, 8);
    $source = bin2hex(trim($half, "\0") === '' ? $packed : $half);
    $now = hrtime(true) / 1e9;
    $until = max($used[$source] ?? $now, $now);
    if ($until - $now >= BURST / RATE) {
        return false;
    }
    if (count($used) >= SOURCES) {
        $used = [];
    }
    $used[$source] = $until + 1 / RATE;
    return true;
}

/** Answer datagrams for ever; end with status 1 when the socket itself is broken. */
function serve($server, int $ownPort): void
{
    $used = [];
    // A UDP socket can report these about an earlier datagram (ICMP) or a shortage that passes.
    $passing = [
        SOCKET_EAGAIN, SOCKET_ECONNREFUSED, SOCKET_ECONNRESET, SOCKET_EHOSTUNREACH, SOCKET_EHOSTDOWN, SOCKET_EINTR,
        SOCKET_EMSGSIZE, SOCKET_ENETDOWN, SOCKET_ENETUNREACH, SOCKET_ENOBUFS, SOCKET_ENOMEM, SOCKET_EPROTO,
    ];
    while (true) {
        // socket_recvmsg and not socket_recvfrom: only it keeps the scope that a link-local client's address needs.
        $message = ['name' => [], 'buffer_size' => LARGEST_DATAGRAM, 'controllen' => 1];
        if (@socket_recvmsg($server, $message, 0) === false) {
            $error = socket_last_error(); // this function leaves its error with no socket
            if (!in_array($error, $passing, true)) {
                fail('cannot receive: ' . socket_strerror($error));
            }
            continue;
        }
        $client = $message['name'];
        if ($client['port'] < FIRST_CLIENT_PORT || $client['port'] === $ownPort || !allows($used, $client['addr'])) {
            continue;
        }
        $reply = ['name' => $client, 'iov' => [str_rot13($message['iov'][0] ?? '')]];
        // A reply that cannot leave is lost, as any datagram may be.
        @socket_sendmsg($server, $reply, 0);
    }
}

if (!extension_loaded('sockets')) {
    fail('PHP has no sockets extension; install it (php-sockets, php-process or php-cli, as the distribution names it)');
}
$options = read_arguments($argv);
stop_on_signals();
$server = listen($options['address'], $options['port']);
socket_getsockname($server, $host, $port);
$where = strpos($host, ':') === false ? "$host:$port" : "[$host]:$port";
echo "rot13: listening on $where (UDP)\n";
notify("READY=1\nSTATUS=Listening on $where");
serve($server, $port);
