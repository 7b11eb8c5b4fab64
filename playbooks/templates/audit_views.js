// SPDX-License-Identifier: GPL-3.0-or-later
// What the sections show: what to do, the hosts as small pictures, exposure, timers, jobs.

// --- one group: what it is, where, and what mends it -----------------------------------------------------------------

function group(one) {
  const row = one.row, kind = text(row, G.kind), level = text(row, G.level);
  const line = el('div', {}, tag(kind === 'finding' ? level : kind, level), ' ');
  if (text(row, G.since)) line.append(tag(text(row, G.since), text(row, G.since) === 'new' ? 'bad' : 'good'), ' ');
  const units = text(row, G.unit).split(' ');
  line.append(code(units.length > 3 ? units.slice(0, 3).join(' ') + ' …' : units.join(' ')), ': ', text(row, G.title), ' ');
  const item = el('li', {}, line);
  if (text(row, G.hint)) item.append(el('div', {}, 'Instead: ' + text(row, G.hint)));
  if (row[G.restarts].length) item.append(sparkline(row[G.restarts]));
  item.append(el('div', {class: 'folds'}, hostsOf(one), fixOf(row), notesOf(row)));
  return item;
}

function hostsOf(one) {
  const row = one.row;
  return folded(where(one), () => {
    const alike = by(one.places, place => detail(row, place)).sort((a, b) => b[1].length - a[1].length);
    return el('ul', {}, ...alike.slice(0, PRINTED).map(([words, places]) => {
      const item = el('li', {}, places.map(place => hostAt(row, place)).join(', '));
      if (words) item.append(words.includes('\n') || words.length > 120 ? el('pre', {tabindex: 0}, words) : el('span', {class: 'soft mono'}, ' ' + words));
      return item;
    }));
  }, 'hosts');
}

// Names of hosts stand in a command as one word of the shell.
function fixText(one) {
  const names = one.places.map(place => hostAt(one.row, place)).join(',');
  const word = /^[\w.,@-]+$/.test(names) ? names : "'" + names.replaceAll("'", "'\\''") + "'";
  return text(one.row, G.fix).replaceAll('<hosts>', () => word);
}
function fixOf(row) {
  if (!text(row, G.fix)) return null;
  return folded('What mends it', () => {
    const box = copied(fixText({row, places: placesOf(row)}));
    const rule = text(row, G.name);
    if (['finding', 'start-limit'].includes(text(row, G.kind)))
      box.append(' ', el('a', {href: rulesPage + '#' + encodeURIComponent(rule)}, 'What ' + rule + ' means'));
    return box;
  });
}
function notesOf(row) {
  if (!row[G.notes].length) return null;
  return folded('More', () => el('div', {}, ...row[G.notes].map(index =>
    T[index].includes('\n') ? el('pre', {tabindex: 0}, T[index]) : el('div', {class: 'soft'}, T[index]))));
}

// Restarts in each of the last hours, from the journal.
function sparkline(numbers) {
  const most = Math.max(...numbers), sum = numbers.reduce((a, b) => a + b, 0);
  const bars = el('span', {class: 'spark', 'aria-hidden': 'true'}, ...numbers.map(number => {
    const bar = el('i');
    bar.style.height = (number ? Math.max(12, 100 * number / most) : 4) + '%';
    return bar;
  }));
  return el('div', {class: 'soft'}, bars, ' ' + plural(sum, 'restart') + ' in ' + numbers.length + ' hours');
}

// --- hosts: a small picture of each, a dot for each unit, the same unit in the same place ----------------------------

const STATES = {f: '--bad', l: '--loop', a: '--up', i: '--line'};
const unitNames = data.unitNames.map(index => T[index]);
const across = Math.max(1, Math.ceil(Math.sqrt(unitNames.length * 3)));
const pictures = hosts.map((host, index) => {
  const canvas = el('canvas', {width: across, height: Math.max(1, Math.ceil(unitNames.length / across)), 'aria-hidden': 'true'});
  const bad = [['failed', 'failed'], ['crash_looping', 'looping']].filter(([key]) => host[key]).map(([key, word]) => host[key] + ' ' + word);
  const words = host.problem ? (host.units ? 'incomplete' : 'no answer') : bad.join(', ');
  const button = el('button', {type: 'button', class: 'picture'}, canvas, el('span', {}, host.name), words ? el('span', {class: 'tag bad'}, words) : '');
  button.addEventListener('click', () => go({host: filter.host === host.name ? '' : host.name}));
  canvas.addEventListener('pointermove', event => {
    const place = Math.floor(event.offsetY / canvas.clientHeight * canvas.height) * across + Math.floor(event.offsetX / canvas.clientWidth * across);
    canvas.title = host.states[place] && host.states[place] !== '.' ? unitNames[place] : '';
  });
  return {host, index, button, canvas};
});
pictures.sort((a, b) => b.host.failed + b.host.crash_looping - a.host.failed - a.host.crash_looping || Boolean(b.host.problem) - Boolean(a.host.problem) || a.index - b.index);
$('pictures').append(...pictures.map(picture => el('li', {}, picture.button)));

function draw(shown, named) {
  const style = getComputedStyle(document.documentElement);
  // as a pixel is in memory: alpha, blue, green, red
  const pixels = Object.fromEntries(Object.entries(STATES).map(([letter, name]) => {
    const value = parseInt(style.getPropertyValue(name).trim().slice(1), 16);
    return [letter, ((value & 255) << 16 | value & 0xff00 | value >> 16) >>> 0];
  }));
  for (const {host, index, button, canvas} of pictures) {
    button.parentNode.hidden = !shown[index];
    if (!shown[index]) continue;
    button.setAttribute('aria-pressed', filter.host === host.name);
    const pen = canvas.getContext('2d'), image = pen.createImageData(canvas.width, canvas.height), words = new Uint32Array(image.data.buffer);
    for (let place = 0; place < host.states.length; place++) {
      const pixel = pixels[host.states[place]];
      if (pixel !== undefined) words[place] = pixel + (named[place] ? 0xff000000 : 0x28000000);
    }
    pen.putImageData(image, 0, 0);
  }
}

// --- exposure --------------------------------------------------------------------------------------------------------

const BINS = 20;
function distribution(groups) {
  const bins = Array(BINS).fill(0);
  for (const one of groups) bins[Math.min(BINS - 1, Math.floor(one.row[G.value] / 10 * BINS))] += one.places.length;
  const most = Math.max(1, ...bins), count = (from, to) => bins.slice(from, to).reduce((a, b) => a + b, 0);
  $('distribution').replaceChildren(...bins.map((number, index) => {
    const score = index * 10 / BINS, bar = el('i', {class: score >= 7.5 ? 'bad' : score >= 5 ? 'warn' : '', title: score + ' to ' + (score + 10 / BINS) + ': ' + plural(number, 'service')});
    bar.style.height = 100 * number / most + '%';
    return bar;
  }));
  $('distribution').setAttribute('aria-label', plural(count(0, BINS / 2), 'service') + ' below 5, ' + count(BINS / 2, BINS * 3 / 4).toLocaleString('en') + ' from 5 to 7.5, ' + count(BINS * 3 / 4, BINS).toLocaleString('en') + ' above');
}
function exposure(one) {
  const row = one.row, score = row[G.value], fill = el('div', {class: 'fill ' + (score >= 7.5 ? 'bad' : score >= 5 ? 'warn' : '')});
  fill.style.width = score * 10 + '%';
  return el('li', {}, el('div', {class: 'exposure'}, code(text(row, G.unit)), el('div', {class: 'track', 'aria-hidden': 'true'}, fill),
    el('span', {}, score.toFixed(1) + ' ' + text(row, G.title))), el('div', {class: 'folds'}, hostsOf(one), fixOf(row), notesOf(row)));
}

// --- timers: those of one schedule in a row, the minutes in which timers of a host meet in red -----------------------

const span = () => Number($('range').value) * 3600e3;
const known = new Map();  // hosts have the same times again and again
function times(row, place) {
  const words = detail(row, place);
  if (!known.has(words)) known.set(words, words.split(' ').map(iso => ({iso, at: Date.parse(iso)})));
  return known.get(words);
}
function meetings(groups) {
  const found = new Set();
  for (const {row, places} of groups) if (text(row, G.kind) === 'collision')
    for (const place of places) found.add(row[G.hosts][place] + ' ' + detail(row, place));
  return found;
}
function schedule([words, members, meets]) {
  const half = span(), marks = new Map(), track = el('div', {class: 'track', 'aria-hidden': 'true'});
  const put = (moment, kind) => {
    const at = Math.round(1000 * (moment.at - now + half) / (2 * half));  // not a number for none
    if (at >= 0 && at <= 1000 && marks.get(at) !== 'meet') marks.set(at, kind);
  };
  for (const {row, places} of members) for (const place of places) {
    const [next, last] = times(row, place);
    put(last, 'last');
    put(next, meets.has(row[G.hosts][place] + ' ' + next.iso.slice(0, 16)) ? 'meet' : 'next');
  }
  marks.set(500, 'now');
  for (const [at, kind] of marks) { const mark = el('div', {class: 'mark ' + kind}); mark.style.left = at / 10 + '%'; track.append(mark); }
  const count = members.reduce((sum, one) => sum + one.places.length, 0), names = [...new Set(members.map(one => text(one.row, G.unit)))];
  const said = [plural(names.length, 'timer'), plural(new Set(members.flatMap(one => one.places.map(place => one.row[G.hosts][place]))).size, 'host')];
  return el('li', {}, el('div', {class: 'timer'}, el('span', {}, code(words), ' ', el('span', {class: 'soft'}, said.join(' on '))), track),
    folded(names.slice(0, 3).join(', ') + (names.length > 3 ? ' and ' + (names.length - 3) + ' more' : ''), () => el('ul', {}, ...members.slice(0, PAGE).map(one => {
      const [next, last] = times(one.row, one.places[0]).map(moment => time(moment.iso));
      return el('li', {}, code(text(one.row, G.unit)), ' on ' + where(one) + ': ' + (next ? 'next ' + next : 'never elapses') + '; '
        + (last ? 'last ' + last : 'did not run yet') + (one.places.length > 1 ? ' (' + hostAt(one.row, one.places[0]) + ')' : ''));
    })), count ? 'timers' : ''));
}
function schedules(groups, meets) {
  const first = ([, members]) => Math.min(...members.flatMap(({row, places}) => places.map(place => times(row, place)[0].at || Infinity)));
  return by(groups, one => text(one.row, G.title)).map(entry => [...entry, meets, first(entry)]).sort((a, b) => a[3] - b[3]);
}
function axis() {
  const hours = Number($('range').value), unit = hours >= 48 ? [24, ' d'] : [1, ' h'];
  const words = [-1, -0.5, 0, 0.5, 1].map(part => part === 0 ? 'report' : (part > 0 ? '+' : '−') + Math.abs(part * hours / unit[0]) + unit[1]);
  $('axis').replaceChildren(el('span'), el('div', {}, ...words.map(word => el('span', {}, word))));
}

// --- jobs of workers: hosts with one broker tell the same of its queues ----------------------------------------------

function queue(one) {
  const row = one.row;
  return el('li', {}, el('div', {}, code(text(row, G.unit)), ' queue ', code(text(row, G.name)), ': ', text(row, G.title)),
    el('div', {class: 'folds'}, hostsOf(one)));
}
