<?php

// SPDX-License-Identifier: GPL-3.0-or-later
// Work of the example: the payload's text, turned by 13 letters, goes to the journal.

return function (array $job): void {
    echo str_rot13($job['payload']['text']), "\n";
};
