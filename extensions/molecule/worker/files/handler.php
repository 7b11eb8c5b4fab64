<?php

// SPDX-License-Identifier: GPL-3.0-or-later
// A job leaves one character for each time it is done in a file of its own.

return function (array $job): void {
    $until = microtime(true) + ($job['payload']['seconds'] ?? 0);
    while (microtime(true) < $until) {
        usleep(5000);
    }
    while (isset($job['payload']['until']) && !file_exists($job['payload']['until'])) {
        usleep(50000);
        clearstatcache();
    }
    if (!empty($job['payload']['fail'])) {
        throw new RuntimeException('as asked');
    }
    file_put_contents(getenv('STATE_DIRECTORY') . '/' . $job['id'], 'x', FILE_APPEND);
};
