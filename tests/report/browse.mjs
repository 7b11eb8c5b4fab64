// Copyright (c) 2026, The unitcraft.systemd contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Open an audit page in headless Chromium: node browse.mjs PAGE.html [FOLDER for screenshots]
// Prints what it measured as JSON; ends with 1 when something is not as it should be.
// Needs playwright-core and axe-core (npm) and a Chromium: $CHROMIUM or /usr/bin/chromium.
import {createRequire} from 'node:module';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';

const require = createRequire(join(process.env.NODE_FOLDER || process.cwd(), 'package.json'));
const {chromium} = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const page_file = 'file://' + resolve(process.argv[2]), pictures = process.argv[3];
const PATIENCE_MS = 120000;
const profile = mkdtempSync(join(tmpdir(), 'report-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  headless: true,
  timeout: PATIENCE_MS,
  viewport: {width: 1280, height: 900},
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
// With $LIMITS the page has to be fast as well, on a quiet machine.
const OPEN_MS = 2000, FILTER_MS = 100, limited = Boolean(process.env.LIMITS);
const OPEN_ROUNDS = limited ? 5 : 2, FILTER_ROUNDS = limited ? 9 : 2;
const median = times => [...times].sort((a, b) => a - b)[times.length >> 1];
const unit = process.env.UNIT || 'web-1';
const measured = {problems: []};
const expect = (fine, words) => { if (!fine) measured.problems.push(words); };
let page;
try {
  page = browser.pages()[0] || await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const errors = [], requests = [];
  page.on('console', message => { if (['error', 'warning'].includes(message.type())) errors.push(message.text()); });
  page.on('pageerror', error => errors.push(String(error)));
  page.on('request', request => { if (request.url() !== page_file && !request.url().startsWith('data:')) requests.push(request.url()); });

  const times = [];
  while (times.length < OPEN_ROUNDS) {
    const start = Date.now();
    await page.goto(page_file, {waitUntil: 'load'});
    // two frames later it is painted
    await page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))));
    times.push(Date.now() - start);
  }
  measured.open_ms = times;
  expect(!limited || median(times) < OPEN_MS, 'opening takes 2 s or more');
  // else a click may be aimed at what still moves
  await page.evaluate(() => { document.documentElement.style.scrollBehavior = 'auto'; });
  expect(await page.evaluate(() => window.broken) === undefined, 'a text of a unit ran as script');

  const count = selector => page.locator(selector).count();
  // What all lists say of themselves: on a small page a filter may leave one of them as it is.
  const said = () => page.locator('main [role=status]').allTextContents().then(texts => texts.join('; '));
  const changed = text => page.waitForFunction(
    text => [...document.querySelectorAll('main [role=status]')].map(node => node.textContent).join('; ') !== text, text);
  measured.shown = {todo: await count('#todo-list > .list > li'), bars: await count('#exposure-list > .list > li'),
    schedules: await count('#timer-list > .list > li'), sets: await count('#deployment-list > .list > li'),
    rollouts: await count('#rollout-list > .list > li'), queues: await count('#queue-list > .list > li'), pictures: await count('#pictures > li')};
  expect(measured.shown.bars > 0, 'no exposure is shown');
  const before = await said();

  // from the event of the filter to the frame that shows its result: with a filter, and when it is taken away again
  measured.filter_ms = {set: [], cleared: []};
  for (let round = 0; round < FILTER_ROUNDS; round++)
    for (const [what, value] of [['set', unit], ['cleared', '']])
      measured.filter_ms[what].push(await page.evaluate(async value => {
        const input = document.getElementById('unit');
        const said = () => [...document.querySelectorAll('main [role=status]')].map(node => node.textContent).join('; ');
        const old = said(), start = performance.now();
        input.value = value;
        input.dispatchEvent(new Event('input'));
        // the task after the frame in which it changed: then it is painted
        await new Promise(done => {
          const look = () => said() === old && performance.now() - start < 30000 ? requestAnimationFrame(look) : setTimeout(done);
          requestAnimationFrame(look);
        });
        return Math.round(performance.now() - start);
      }, value));
  for (const [what, times] of Object.entries(measured.filter_ms))
    expect(!limited || median(times) < FILTER_MS, `a filter takes 100 ms or more to be ${what}`);

  // by keyboard: filter by a unit, which the address then says; clear it again
  await page.locator('#unit').focus();
  await page.keyboard.type(unit);
  // the page filters at each frame: by a part of the name before the whole one
  await page.waitForFunction(unit => new URLSearchParams(location.hash.slice(1)).get('unit') === unit, unit);
  const filtered = measured.filtered = await said(), shared = page.url();
  expect(filtered !== before, 'typing a unit does not filter');
  await page.locator('#clear').focus();
  await page.keyboard.press('Enter');
  await changed(filtered);
  expect(await said() === before, 'clearing the filter does not show all again');
  // who opens the address sees the same
  await page.evaluate(address => { location.hash = new URL(address).hash; }, shared);
  await changed(before);
  expect(await said() === filtered && await page.locator('#unit').inputValue() === unit, 'the address does not filter');
  await page.locator('#clear').click();
  await changed(filtered);
  // what no list offers filters nothing
  await page.evaluate(() => new Promise(done => {
    addEventListener('hashchange', done, {once: true});  // after the page's own
    location.hash = 'kind=__proto__&level=none';
  }));
  expect(await said() === before, 'an address with a kind that is not there hides things');
  await page.locator('#clear').click();

  if (measured.shown.todo) {
    for (const [kind, content] of [['hosts', 'ul > li'], ['', 'button.copy']]) {
      await page.locator('#todo-list .folds > details' + (kind ? '.' + kind : ':nth-child(2)') + ' > summary').first().focus();
      await page.keyboard.press('Enter');
      await page.waitForSelector('#todo-list .folds > details[open] ' + content);
    }
    await page.locator('#todo-list button.copy').first().focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelector('#todo-list button.copy').textContent === 'Copied');
    measured.copied = await page.locator('#todo-list button.copy').first().locator('xpath=../pre').textContent();
    expect(!measured.copied.includes('<hosts>'), 'the command names no hosts');
  }
  const rule = page.locator('#todo-list li').filter({hasText: 'Instead'}).first();
  if (await rule.count()) {
    await rule.locator('.folds > details:nth-child(2) > summary').click();
    expect((await rule.locator('a').first().getAttribute('href')).includes('rules.md#'), 'a rule has no link to its explanation');
  }
  // a set: its generations, then what one of them did; a rollout: its table
  expect(measured.shown.sets > 0, 'no set is shown');
  expect(measured.shown.queues > 0, 'no queue is shown');
  const open = async (within, path) => {
    for (const step of path) {
      within = within.locator(step).first();
      await within.locator('> summary').focus();
      await page.keyboard.press('Enter');
    }
    return within;
  };
  const did = await open(page.locator('#deployment-list > .list > li').first(), ['> details', '.folds > details:not(.hosts)']);
  await did.locator('pre').first().waitFor();
  if (measured.shown.rollouts) {
    const rows = await open(page.locator('#rollout-list > .list > li').first(), ['.folds > details.hosts']);
    await rows.locator('tbody tr').first().waitFor();
    measured.rollout_rows = await rows.locator('tbody tr').count();
    await page.locator('#host').fill(await rows.locator('tbody th').last().textContent());
    await page.waitForFunction(() => /^Hosts: 1 [a-z]+$/.test(document.querySelector('#rollout-list summary').textContent));
    const left = await open(page.locator('#rollout-list > .list > li').first(), ['.folds > details.hosts']);
    await left.locator('tbody tr').first().waitFor();
    expect(await left.locator('tbody tr').count() === 1, 'the filter of hosts leaves rows of a rollout');
    await page.locator('#clear').click();
  }
  const more = page.locator('#exposure-list > button.more');
  if (await more.isVisible()) {
    await more.focus();
    await page.keyboard.press('Enter');
    expect(await count('#exposure-list > .list > li') > measured.shown.bars, 'no more rows by keyboard');
  }
  // a host by its picture
  await page.locator('#pictures button').first().click();
  await page.waitForSelector('#pictures button[aria-pressed=true]');
  await page.waitForFunction(() => document.querySelectorAll("#pictures > li:not([hidden])").length === 1);
  await page.locator('#clear').click();

  // the graph: keys, wheel, drag, filter
  const box = () => page.locator('#canvas svg').getAttribute('viewBox');
  if (await count('#canvas svg')) {
    const whole = await box();
    await page.locator('#canvas').focus();
    await page.keyboard.press('ArrowRight');
    const moved = await box();
    expect(moved !== whole, 'arrow keys do not move the graph');
    await page.keyboard.press('+');
    expect(await box() !== moved, 'plus does not zoom');
    await page.keyboard.press('0');
    expect(await box() === whole, '0 does not show the whole graph');
    await page.locator('#canvas').evaluate(element => element.scrollIntoView({block: 'center'}));
    const place = await page.locator('#canvas').boundingBox();
    await page.mouse.move(place.x + 200, place.y + 150);
    await page.mouse.wheel(0, -200);
    await page.waitForFunction(text => document.querySelector('#canvas svg').getAttribute('viewBox') !== text, whole);
    const zoomed = await box();
    await page.mouse.down();
    await page.mouse.move(place.x + 260, place.y + 180, {steps: 4});
    await page.mouse.up();
    expect(await box() !== zoomed, 'dragging does not move the graph');
    await page.locator('#unit').fill(unit);
    await page.waitForSelector('#canvas svg .dim', {state: 'attached'})
      .catch(() => expect(false, 'the filter does not dim the graph'));
    measured.graph = await page.locator('#graph-said').textContent();
    await page.locator('#clear').click();
  }

  // Tab must reach everything and never get stuck
  await page.evaluate(() => { document.activeElement.blur(); window.scrollTo(0, 0); });
  const seen = [];
  for (let step = 0; step < 25; step++) {
    await page.keyboard.press('Tab');
    seen.push(await page.evaluate(() => [...document.querySelectorAll('*')].indexOf(document.activeElement)));
  }
  measured.tab_stops = new Set(seen).size;
  expect(measured.tab_stops > 20, 'Tab is stuck');

  for (const [name, scheme, width] of [['light', 'light', 1280], ['narrow', 'light', 390], ['dark', 'dark', 1280]]) {
    await page.setViewportSize({width, height: 900});
    await page.emulateMedia({colorScheme: scheme});
    await page.evaluate(axe);
    // only colours differ in the dark
    const rules = scheme === 'light' ? {} : {runOnly: ['color-contrast']};
    const found = await page.evaluate(options => window.axe.run(options), rules);
    measured['axe_' + name] = found.violations.map(v => v.impact + ' ' + v.id + ' ' + v.nodes.length + ' ' + v.nodes[0].html.slice(0, 120));
    expect(!found.violations.length, 'axe finds violations, ' + name);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
    expect(!wide, 'the page scrolls sideways, ' + name);
  }
  await page.setViewportSize({width: 1280, height: 900});
  if (pictures) {
    for (const [name, scheme, width, height] of [['light', 'light', 1280, 900], ['dark', 'dark', 1280, 900], ['narrow', 'light', 390, 844]]) {
      await page.setViewportSize({width, height});
      await page.emulateMedia({colorScheme: scheme});
      await page.evaluate(() => window.scrollTo(0, 0));
      await page.screenshot({path: join(pictures, 'audit-' + name + '.png')});
      for (const part of {narrow: ['exposure'], dark: ['dependencies'], light: ['todo', 'deployments', 'rollouts', 'exposure', 'timers']}[name]) {
        await page.evaluate(id => document.getElementById(id).scrollIntoView(), part);
        await page.waitForTimeout(150);
        await page.screenshot({path: join(pictures, 'audit-' + name + '-' + part + '.png')});
      }
    }
    await page.setViewportSize({width: 1280, height: 900});
    await page.emulateMedia({colorScheme: 'light'});
    for (const [name, address] of [['host', '#host=host003.example'], ['compared', '#since=new&at=todo']]) {
      await page.evaluate(hash => { location.hash = hash; window.scrollTo(0, 0); }, address);
      await page.waitForTimeout(150);
      await page.screenshot({path: join(pictures, 'audit-' + name + '.png')});
    }
  }
  await page.emulateMedia({media: 'print'});
  measured.printed_bytes = (await page.pdf({format: 'A4'})).length;
  measured.console = errors;
  measured.requests = requests;
  expect(!errors.length, 'console: ' + errors.join('; '));
  expect(!requests.length, 'requests: ' + requests.join(', '));
} finally {
  await browser.close();
  rmSync(profile, {recursive: true, force: true});
}
console.log(JSON.stringify(measured, null, 1));
for (const words of measured.problems) console.log('PROBLEM: ' + words);
process.exit(measured.problems.length ? 1 : 0);
