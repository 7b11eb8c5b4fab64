<?php

// Copyright (c) 2026, The unitcraft.systemd contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// A worker: takes jobs from the queue and runs them, one after the other, until SIGTERM.
// PHP 7.4 or later. Usage: worker.php CONFIG NAME.
// CONFIG is the role's JSON file, NAME names this worker among all that share the queue.

declare(strict_types=1);

require __DIR__ . '/JobQueue.php';

const WAIT = 2; // seconds that an idle worker waits for a job before it looks around
const PATIENCE = 30; // seconds without an answer from Redis after which the worker gives up; systemd starts it again

/** The job took too long. Not an Exception, so that no "catch (Exception)" of a handler swallows it. */
final class JobTimeout extends Error
{
}

/** One line to the journal; level as in syslog(3), the prefix as in sd-daemon(3). */
function log_line(int $level, string $message): void
{
    foreach (explode("\n", rtrim($message)) as $line) {
        fwrite(STDERR, "<$level>$line\n");
    }
}

/** Tell systemd about our state (sd_notify(3)); nothing happens when it did not ask. */
function notify(string $message): void
{
    $path = getenv('NOTIFY_SOCKET');
    if ($path === false || $path === '') {
        return;
    }
    $sender = stream_socket_client('udg://' . ($path[0] === '@' ? "\0" . substr($path, 1) : $path));
    if ($sender !== false) {
        fwrite($sender, $message);
        fclose($sender);
    }
}

/** The loop. Nothing is lost whenever it is killed: what it has in hand stays in its list in Redis. */
final class Worker
{
    private array $config;
    private string $name;
    private Closure $handler;
    private JobQueue $queue;
    private bool $stopping = false;
    private int $done = 0;
    private int $failed = 0;
    private float $nextTick = 0;
    private ?float $unansweredSince = null;

    public function __construct(array $config, string $name, Closure $handler)
    {
        $this->config = $config;
        $this->name = $name;
        $this->handler = $handler;
        $this->queue = new JobQueue(JobQueue::readUrl($config), $config['name']);
    }

    /** Work until SIGTERM, or until the number of jobs is reached after which a fresh process shall follow. */
    public function run(): void
    {
        pcntl_async_signals(true);
        $stop = function (): void {
            $this->stopping = true; // finish the job in hand, take no other
        };
        pcntl_signal(SIGTERM, $stop);
        pcntl_signal(SIGINT, $stop);
        $outOfTime = function (): void {
            throw new JobTimeout();
        };
        pcntl_signal(SIGALRM, $outOfTime, false);
        while (!$this->stopping) {
            try {
                // Nothing is in hand here. What the list holds was taken by a process before this one,
                // or by a call whose answer was lost with the connection.
                $this->queue->release($this->name, $this->config['max_losses']);
                $this->nextTick = 0;
                while (!$this->stopping) {
                    $this->tick();
                    $this->oneJob();
                }
                $this->queue->leave($this->name);
            } catch (RedisException $error) {
                $this->waitForRedis($error);
            }
        }
        log_line(6, "ends after {$this->done} jobs done and {$this->failed} failed");
    }

    private function tick(): void
    {
        $now = hrtime(true) / 1e9;
        if ($now < $this->nextTick) {
            return;
        }
        $ready = $this->nextTick == 0 ? "READY=1\n" : '';
        $this->queue->tick($this->name, $this->config['lease'], $this->config['max_losses']);
        $this->unansweredSince = null;
        $this->nextTick = $now + WAIT;
        notify("{$ready}WATCHDOG=1\nSTATUS={$this->done} jobs done, {$this->failed} failed");
    }

    private function oneJob(): void
    {
        $id = $this->queue->take($this->name, WAIT);
        if ($id === null || $this->stopping) {
            return;
        }
        try {
            $job = $this->queue->start($this->name, $id, $this->config['lease']);
        } catch (JsonException $problem) {
            // Another client wrote it. It counts as failed; a crash here would kill one worker after the other.
            $this->reportFailure(['id' => $id, 'type' => 'unknown'], "the job is not valid JSON: {$problem->getMessage()}");
            return;
        }
        if ($job === null) {
            return;
        }
        $error = $this->handle($job);
        if ($error === null) {
            $mine = $this->surely(fn () => $this->queue->done($this->name, $id));
            $this->done++;
            if (!$mine) {
                log_line(4, "job $id was done, but is no longer ours: it may be done twice");
            }
        } else {
            $this->reportFailure($job, $error);
        }
        $limit = $this->config['max_jobs'];
        $this->stopping = $this->stopping || ($limit && $this->done + $this->failed >= $limit);
    }

    private function handle(array $job): ?string
    {
        pcntl_alarm($this->config['job_timeout']);
        try {
            ($this->handler)($job);
            return null;
        } catch (JobTimeout $error) {
            return "took longer than {$this->config['job_timeout']} s";
        } catch (Throwable $error) {
            return substr(get_class($error) . ": {$error->getMessage()} in {$error->getFile()}:{$error->getLine()}", -1000);
        } finally {
            pcntl_alarm(0);
        }
    }

    private function reportFailure(array $job, string $error): void
    {
        $config = $this->config;
        $fate = $this->surely(fn () => $this->queue->fail(
            $this->name,
            $job['id'],
            $error,
            $config['max_attempts'],
            $config['retry_delay']
        ));
        $this->failed++;
        $what = ['retry' => 'will be tried again', 'dead' => 'is set aside', 'gone' => 'is no longer ours'][$fate];
        log_line(3, "job {$job['id']} ({$job['type']}) failed and $what: $error");
    }

    /** Report a result even when Redis is just being restarted: without the report the job would be done twice. */
    private function surely(Closure $call)
    {
        while (true) {
            try {
                return $call();
            } catch (RedisException $error) {
                $this->waitForRedis($error);
            }
        }
    }

    private function waitForRedis(RedisException $error): void
    {
        $now = hrtime(true) / 1e9;
        if ($this->unansweredSince === null) {
            $this->unansweredSince = $now;
            log_line(4, "Redis does not answer: {$error->getMessage()}");
        }
        if ($now - $this->unansweredSince > PATIENCE) {
            log_line(3, 'no answer from Redis for ' . PATIENCE . ' s, giving up');
            exit(1);
        }
        usleep(500000);
    }
}

// A warning (an unreadable file, a lost connection) must not pass for success.
set_error_handler(function (int $level, string $message, string $file, int $line): bool {
    if (error_reporting() & $level) {
        throw new ErrorException($message, 0, $level, $file, $line);
    }
    return false;
});
$config = JobQueue::readConfig($argv[1]);
$handler = require $config['handler'];
if (!$handler instanceof Closure) {
    log_line(3, "{$config['handler']} does not return a function");
    exit(1);
}
(new Worker($config, $argv[2], $handler))->run();
