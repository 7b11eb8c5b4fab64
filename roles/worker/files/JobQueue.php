<?php

// Copyright (c) 2026, The unitcraft.systemd contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

declare(strict_types=1);

/**
 * The queue as PHP (7.4 or later) sees it, for web applications as well as for workers.
 * What happens in Redis stands in queue.lua, which jobqueue.py uses too.
 *
 * Every method throws RedisException when Redis does not answer.
 */
final class JobQueue
{
    private ?Redis $redis = null;
    private string $url;
    private string $prefix;
    private string $protocol;

    /**
     * @param string $url redis://[user:password@]host:port/db, rediss:// for TLS or unix://[user:password@]/path?db=0
     * @param string $name name of the queue; two queues in one Redis need two names
     */
    public function __construct(string $url, string $name)
    {
        $this->url = $url;
        $this->prefix = '{' . $name . '}';
        $this->protocol = file_get_contents(__DIR__ . '/queue.lua');
    }

    /** The role's configuration file (JSON) as an array. */
    public static function readConfig(string $path): array
    {
        return json_decode(file_get_contents($path), true, 16, JSON_THROW_ON_ERROR);
    }

    /** The URL of Redis: the unit's credential when there is one, else the file itself. */
    public static function readUrl(array $config): string
    {
        $folder = getenv('CREDENTIALS_DIRECTORY');
        $text = file_get_contents($folder === false ? $config['url_file'] : $folder . '/redis-url');
        if ($text === false) {
            throw new RuntimeException('cannot read the URL of Redis');
        }
        return trim($text);
    }

    /**
     * Put one job in.
     *
     * @param mixed $payload anything that JSON can hold
     * @param string $id chosen by the caller, to put the same job in at most once; empty makes a new one
     * @param float $delay seconds before it may be taken
     * @return ?string the id, or null when a job of this id is waiting, running or set aside already
     */
    public function put(string $type, $payload = null, string $id = '', float $delay = 0): ?string
    {
        $id = $id === '' ? bin2hex(random_bytes(16)) : $id;
        $job = ['id' => $id, 'type' => $type, 'payload' => $payload, 'put_at' => microtime(true)];
        $text = json_encode($job, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
        return $this->call('put', $id, $text, $delay) ? $id : null;
    }

    /** Move the oldest ready job into the worker's hand; null after $wait seconds without one. */
    public function take(string $worker, int $wait): ?string
    {
        // BLMOVE, its successor, needs Redis 6.2; Debian 11 has 6.0.
        $id = $this->redis()->brpoplpush("{$this->prefix}:ready", "{$this->prefix}:taken:$worker", $wait);
        return $id === false || $id === null ? null : $id;
    }

    /** The job just taken; null when it is no longer this worker's. For $lease seconds the worker counts as alive. */
    public function start(string $worker, string $id, int $lease): ?array
    {
        $text = $this->call('start', $worker, $id, $lease);
        return $text ? json_decode($text, true, 512, JSON_THROW_ON_ERROR) : null;
    }

    /** The job is done. False: it was given to another worker in the meantime. */
    public function done(string $worker, string $id): bool
    {
        return (bool) $this->call('done', $worker, $id);
    }

    /** The handler failed: "retry" (after $delay seconds, doubled each time), "dead" (set aside) or "gone". */
    public function fail(string $worker, string $id, string $message, int $maxAttempts, float $delay): string
    {
        return $this->call('fail', $worker, $id, $message, $maxAttempts, $delay);
    }

    /** Say that the worker lives; make due jobs ready and give back those of dead workers. */
    public function tick(string $worker, int $lease, int $maxLosses): int
    {
        return $this->call('tick', $worker, $lease, $maxLosses);
    }

    /** Give back what a worker held that died. */
    public function release(string $worker, int $maxLosses): int
    {
        return $this->call('release', $worker, $maxLosses);
    }

    /** The worker ends in good order; a job that it has not begun goes back. */
    public function leave(string $worker): int
    {
        return $this->call('leave', $worker);
    }

    /** Jobs by state, workers alive, and totals since the queue began: name => number. */
    public function counts(): array
    {
        $flat = $this->call('counts');
        $counts = [];
        for ($index = 0; $index < count($flat); $index += 2) {
            $counts[$flat[$index]] = $flat[$index + 1];
        }
        return $counts;
    }

    /** @return mixed what the operation answers */
    private function call(string $operation, ...$arguments)
    {
        $redis = $this->redis();
        $all = array_merge([$this->prefix, $operation], array_map('strval', $arguments));
        $redis->clearLastError();
        $answer = $redis->evalSha(sha1($this->protocol), $all, 1);
        $error = $redis->getLastError();
        if ($error !== null && strpos($error, 'NOSCRIPT') === 0) {
            $redis->clearLastError();
            $answer = $redis->eval($this->protocol, $all, 1);
            $error = $redis->getLastError();
        }
        if ($error !== null) {
            throw new RedisException($error);
        }
        return $answer;
    }

    private function redis(): Redis
    {
        if ($this->redis !== null && $this->redis->isConnected()) {
            return $this->redis;
        }
        // parse_url() wants a host; the URL of a socket has none.
        $parts = parse_url(preg_replace('~^unix://([^/]*)/~', 'unix://$1localhost/', $this->url));
        parse_str($parts['query'] ?? '', $query);
        $unix = $parts['scheme'] === 'unix';
        $host = $unix ? $parts['path'] : ($parts['scheme'] === 'rediss' ? 'tls://' : '') . $parts['host'];
        $redis = new Redis();
        // A call that does not come back must not hold a worker for ever. Blocking calls here wait 2 s at most.
        if (!@$redis->connect($host, $unix ? 0 : $parts['port'] ?? 6379, 5, '', 0, 20)) {
            throw new RedisException("cannot connect to $host");
        }
        $password = rawurldecode($parts['pass'] ?? '');
        $user = rawurldecode($parts['user'] ?? '');
        if ($password !== '') {
            $redis->auth($user === '' ? $password : [$user, $password]);
        }
        $database = (int) ($query['db'] ?? ($unix ? 0 : ltrim($parts['path'] ?? '', '/')));
        if ($database !== 0 && !$redis->select($database)) {
            throw new RedisException("cannot select database $database");
        }
        return $this->redis = $redis;
    }
}
