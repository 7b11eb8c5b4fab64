// Copyright (c) 2026, The unitcraft.systemd contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Take pictures of files in headless Chromium, of their top or of the whole page:
// node shoot.mjs 'FILE PICTURE.png light|dark [whole]'...
import {createRequire} from 'node:module';
import {join} from 'node:path';

const require = createRequire(join(process.env.NODE_FOLDER, 'package.json'));
const {chromium} = require('playwright-core');
const browser = await chromium.launch({executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-gpu']});
try {
  for (const [file, picture, colorScheme, part] of process.argv.slice(2).map(shot => shot.split(' '))) {
    const page = await browser.newPage({colorScheme, viewport: {width: 1200, height: 1080}});
    page.setDefaultTimeout(120000);
    await page.goto('file://' + file);
    await page.screenshot({path: picture, fullPage: part === "whole"});
    await page.close();
  }
} finally {
  await browser.close();
}
