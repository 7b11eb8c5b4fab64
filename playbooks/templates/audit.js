// SPDX-License-Identifier: GPL-3.0-or-later
'use strict';
(function () {
  const PAGE = 100, PRINTED = 1000;
  const data = JSON.parse(document.getElementById('data').textContent);
  const T = data.texts, hosts = data.hosts;
  const $ = id => document.getElementById(id);
  const FAILED = 1, LOOPING = 2, RELOAD = 4, MANAGED = 8;
  const rulesPage = document.body.dataset.rules;

  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {}))
      if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? '' : value);
    node.append(...children.filter(child => child !== null && child !== undefined && child !== ''));
    return node;
  }
  const columns = names => Object.fromEntries(names.map((name, index) => [name, index]));
  const U = columns(data.unitColumns), F = columns(data.findingColumns);
  const text = (row, column) => T[row[column]];
  const hostName = row => hosts[row[0]].name;
  const time = iso => iso ? iso.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC') : '';
  const tag = (word, kind) => el('span', {class: 'tag ' + (kind || word)}, word);
  const code = word => el('code', {}, word);
  const plural = (number, one, many) => number.toLocaleString('en') + ' ' + (number === 1 ? one : many || one + 's');

  // A list that shows its rows by the hundred, so that it stays quick however long it is.
  const lists = [];
  function list(id, noun, make) {
    const box = $(id), note = el('p', {class: 'soft', role: 'status'}), rows = el('ul', {class: 'list'});
    const more = el('button', {type: 'button', class: 'more'});
    box.append(note, rows, more);
    let items = [], shown = 0;
    function grow(count) {
      rows.append(...items.slice(shown, shown + count).map(item => make(item)));
      shown = Math.min(items.length, shown + count);
      more.hidden = shown >= items.length;
      more.textContent = 'Show ' + Math.min(PAGE, items.length - shown) + ' more of ' + (items.length - shown).toLocaleString('en');
    }
    more.addEventListener('click', () => {
      const before = rows.children.length;
      grow(PAGE);
      const next = rows.children[before];
      if (next) { next.tabIndex = -1; next.focus(); }
    });
    const self = {
      set(wanted, words) {
        items = wanted; shown = 0; rows.replaceChildren();
        note.textContent = items.length ? words || plural(items.length, noun) : 'None.';
        grow(PAGE);
      },
      print() { if (shown < PRINTED) grow(PRINTED - shown); }
    };
    lists.push(self);
    return self;
  }

  function problem(row) {
    const flags = row[U.flags], tags = [];
    if (flags & FAILED) tags.push(tag('failed', 'bad'), ' ');
    if (flags & LOOPING) tags.push(tag('crash-looping', 'warn'), ' ');
    const words = [text(row, U.active) + (text(row, U.sub) ? ' (' + text(row, U.sub) + ')' : '')];
    if (text(row, U.result) && text(row, U.result) !== 'success') words.push('result ' + text(row, U.result));
    if (text(row, U.status)) words.push(text(row, U.status));
    if (row[U.restarts]) words.push(plural(row[U.restarts], 'restart'));
    const item = el('li', {}, ...tags, code(text(row, U.name)), ' on ', hostName(row), ': ' + words.join(', '));
    if (text(row, U.description)) item.append(el('div', {class: 'soft'}, text(row, U.description)));
    if (row[U.journal].length) {
      const lines = row[U.journal].map(([at, priority, message]) => time(T[at]) + ' ' + T[priority] + ' ' + T[message]).join('\n');
      item.append(el('details', {}, el('summary', {}, 'Last lines of its journal'), el('pre', {tabindex: 0}, lines)));
    }
    if (row[U.falls].length)
      item.append(el('div', {class: 'soft'}, 'Goes down with it: ' + row[U.falls].map(index => T[index]).join(', ')));
    return item;
  }

  function finding(row) {
    const place = text(row, F.path) ? text(row, F.path) + (row[F.line] ? ':' + row[F.line] : '') : '';
    const item = el('li', {}, tag(text(row, F.severity)), ' ', code(text(row, F.unit) || text(row, F.path)), ' on ', hostName(row), ': ', text(row, F.message));
    if (text(row, F.hint)) item.append(el('div', {}, 'Instead: ' + text(row, F.hint)));
    if (place) item.append(el('div', {class: 'soft mono'}, place));
    return item;
  }

  // Findings by rule; the rows of a rule are made when it is opened.
  function findingsByRule(rows) {
    const box = $('rules'), groups = new Map();
    for (const row of rows) {
      const rule = text(row, F.rule);
      if (!groups.has(rule)) groups.set(rule, []);
      groups.get(rule).push(row);
    }
    const order = ['error', 'warning', 'info'];
    const sorted = [...groups].sort((a, b) => order.indexOf(text(a[1][0], F.severity)) - order.indexOf(text(b[1][0], F.severity)) || b[1].length - a[1].length);
    $('rules-note').textContent = rows.length ? plural(rows.length, 'finding') + ' of ' + plural(groups.size, 'rule') : 'None.';
    box.replaceChildren(...sorted.map(([rule, members]) => {
      const where = new Set(members.map(row => row[0])).size;
      const summary = el('summary', {}, tag(text(members[0], F.severity)), ' ', code(rule), ' ' + plural(members.length, 'finding') + ' on ' + plural(where, 'host'));
      const group = el('details', {}, summary);
      group.fill = count => {
        if (!group.rows) {
          group.rows = el('ul', {class: 'list'});
          group.more = el('button', {type: 'button', class: 'more'});
          group.more.addEventListener('click', () => group.fill(PAGE));
          group.append(el('p', {}, el('a', {href: rulesPage + '#' + rule}, 'What ' + rule + ' means, and what to do')), group.rows, group.more);
        }
        const from = group.rows.children.length;
        group.rows.append(...members.slice(from, from + count).map(finding));
        const left = members.length - group.rows.children.length;
        group.more.hidden = !left;
        group.more.textContent = 'Show ' + Math.min(PAGE, left) + ' more of ' + left.toLocaleString('en');
      };
      group.addEventListener('toggle', () => { if (group.open && !group.rows) group.fill(PAGE); });
      return el('li', {}, group);
    }));
  }

  // One bar for a unit that is exposed alike on several hosts.
  function exposures(rows) {
    const groups = new Map();
    for (const row of rows) if (row[U.exposure] !== null) {
      const key = row[U.name] + ' ' + row[U.exposure];
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(row);
    }
    return [...groups.values()].sort((a, b) => b[0][U.exposure] - a[0][U.exposure] || text(a[0], U.name).localeCompare(text(b[0], U.name)));
  }
  function exposure(members) {
    const row = members[0], score = row[U.exposure];
    const kind = score >= 7.5 ? 'bad' : score >= 5 ? 'warn' : '';
    const fill = el('div', {class: 'fill ' + kind});
    fill.style.width = score * 10 + '%';
    const where = members.length === 1 ? hostName(row) : plural(members.length, 'host');
    const item = el('li', {}, el('div', {class: 'exposure'},
      el('span', {}, code(text(row, U.name)), ' ', el('span', {class: 'soft'}, where)),
      el('div', {class: 'track', 'aria-hidden': 'true'}, fill),
      el('span', {}, score.toFixed(1) + ' ' + text(row, U.level))));
    if (row[U.points].length) {
      const points = el('ul', {}, ...row[U.points].map(([setting, cost, words]) => el('li', {}, code(T[setting]), ' ' + cost.toFixed(1) + ': ' + T[words])));
      const where_ = members.length > 1 ? el('p', {class: 'soft'}, members.map(hostName).join(', ')) : null;
      item.append(el('details', {}, el('summary', {}, 'What costs most'), points, where_));
    }
    return item;
  }

  function drift(row) {
    const item = el('li', {}, code(text(row, U.name)), ' on ', hostName(row));
    for (const [what, path, message, diff] of row[U.drift]) {
      item.append(el('div', {}, tag(T[what], 'warn'), ' ', T[message], ' ', el('span', {class: 'soft mono'}, T[path])));
      if (T[diff]) item.append(el('details', {}, el('summary', {}, 'Difference'), el('pre', {tabindex: 0}, T[diff])));
    }
    return item;
  }
  const reload = row => el('li', {}, code(text(row, U.name)), ' on ', hostName(row), ': its files changed after systemd read them; run daemon-reload');

  const now = Date.parse(data.generated);
  function span() { return Number($('range').value) * 3600e3; }
  function timer(row) {
    const half = span(), track = el('div', {class: 'track', 'aria-hidden': 'true'});
    for (const [iso, kind] of [[new Date(now).toISOString(), 'now'], [text(row, U.last), 'last'], [text(row, U.next), 'next']]) {
      const at = iso ? (Date.parse(iso) - now + half) / (2 * half) : -1;
      if (at >= 0 && at <= 1) { const mark = el('div', {class: 'mark ' + kind}); mark.style.left = at * 100 + '%'; track.append(mark); }
    }
    const next = text(row, U.next) ? 'next ' + time(text(row, U.next)) : 'never elapses';
    const last = text(row, U.last) ? 'last ' + time(text(row, U.last)) : 'did not run yet';
    return el('li', {}, el('div', {class: 'timer'}, el('span', {}, code(text(row, U.name)), ' ', el('span', {class: 'soft'}, hostName(row))), track),
      el('div', {class: 'soft'}, next + '; ' + last + (row[U.settings].length ? '; ' + row[U.settings].map(index => T[index]).join(', ') : '')));
  }
  function axis() {
    const hours = Number($('range').value), unit = hours >= 48 ? [24, ' d'] : [1, ' h'];
    const words = [-1, -0.5, 0, 0.5, 1].map(part => part === 0 ? 'report' : (part > 0 ? '+' : '−') + Math.abs(part * hours / unit[0]) + unit[1]);
    $('axis').replaceChildren(el('span'), el('div', {}, ...words.map(word => el('span', {}, word))));
  }

  // The graph: an SVG that Graphviz made. It is parsed, never put in as text of the page.
  const canvas = $('canvas');
  let view = null, whole = null;
  function drawing(id) {
    canvas.replaceChildren(); view = whole = null;
    const graph = data.graphs[id];
    $('mermaid').hidden = !graph || Boolean(graph.svg);
    canvas.hidden = $('graph-tools').hidden = !graph || !graph.svg;
    if (!graph) return;
    $('mermaid').querySelector('pre').textContent = graph.mermaid;
    if (!graph.svg) return;
    const svg = new DOMParser().parseFromString(graph.svg, 'image/svg+xml').documentElement;
    if (svg.nodeName !== 'svg') return;
    svg.querySelectorAll('script, foreignObject, a').forEach(node => node.remove());
    svg.querySelectorAll('polygon[fill="white"]').forEach(node => node.setAttribute('fill', 'none'));
    svg.removeAttribute('width'); svg.removeAttribute('height');
    svg.setAttribute('aria-hidden', 'true');
    canvas.append(document.importNode(svg, true));
    whole = canvas.firstChild.getAttribute('viewBox').split(/[\s,]+/).map(Number);
    reset(); mark();
  }
  function apply() { if (view) canvas.firstChild.setAttribute('viewBox', view.join(' ')); }
  function reset() { if (whole) { view = whole.slice(); apply(); } }
  function zoom(factor, x = 0.5, y = 0.5) {
    if (!view) return;
    view = [view[0] + view[2] * x * (1 - factor), view[1] + view[3] * y * (1 - factor), view[2] * factor, view[3] * factor];
    apply();
  }
  function pan(x, y) { if (view) { view[0] += view[2] * x; view[1] += view[3] * y; apply(); } }
  function mark() {
    const svg = canvas.firstChild, wanted = $('unit').value.trim().toLowerCase();
    const said = $('graph-said'), links = $('graph-links');
    links.replaceChildren();
    if (!svg) { said.textContent = ''; return; }
    const names = new Set(), lines = [];
    const titles = kind => [...svg.querySelectorAll('g.' + kind)].map(group => [group, group.querySelector('title').textContent]);
    const edges = titles('edge').map(([group, title]) => [group, ...title.split('->')]);
    const nodes = titles('node');
    const hit = name => !wanted || name.toLowerCase().includes(wanted);
    nodes.forEach(([, name]) => { if (hit(name)) names.add(name); });
    const near = new Set(names);
    edges.forEach(([, a, b]) => { if (names.has(a)) near.add(b); if (names.has(b)) near.add(a); });
    nodes.forEach(([group, name]) => group.classList.toggle('dim', Boolean(wanted) && !near.has(name)));
    edges.forEach(([group, a, b]) => {
      const on = !wanted || names.has(a) || names.has(b);
      group.classList.toggle('dim', !on);
      if (on) lines.push([a, b, [...group.querySelectorAll('text')].map(node => node.textContent).join(' ')]);
    });
    said.textContent = plural(names.size, 'unit') + (!wanted ? ', ' : names.size === 1 ? ' matches, ' : ' match, ') + plural(lines.length, 'arrow');
    links.append(...lines.slice(0, 300).map(([a, b, kind]) => el('li', {}, code(a), ' ' + (kind || 'to') + ' ', code(b))));
  }
  canvas.addEventListener('wheel', event => {
    event.preventDefault();
    const box = canvas.getBoundingClientRect();
    zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }, {passive: false});
  canvas.addEventListener('pointerdown', event => {
    canvas.setPointerCapture(event.pointerId);
    let x = event.clientX, y = event.clientY;
    const move = next => {
      const box = canvas.getBoundingClientRect();
      pan((x - next.clientX) / box.width, (y - next.clientY) / box.height);
      x = next.clientX; y = next.clientY;
    };
    canvas.addEventListener('pointermove', move);
    canvas.addEventListener('pointerup', () => canvas.removeEventListener('pointermove', move), {once: true});
  });
  const KEYS = {ArrowLeft: () => pan(-.1, 0), ArrowRight: () => pan(.1, 0), ArrowUp: () => pan(0, -.1), ArrowDown: () => pan(0, .1),
    '+': () => zoom(1 / 1.25), '=': () => zoom(1 / 1.25), '-': () => zoom(1.25), 0: reset};
  canvas.addEventListener('keydown', event => { if (KEYS[event.key]) { event.preventDefault(); KEYS[event.key](); } });
  document.querySelectorAll('[data-graph]').forEach(button => button.addEventListener('click', () => KEYS[button.dataset.graph]()));

  const failed = list('failed-list', 'unit', problem), limits = list('limit-list', 'unit', finding);
  const bars = list('exposure-list', 'service', exposure), stale = list('reload-list', 'unit', reload);
  const drifts = list('drift-list', 'unit', drift), timers = list('timer-list', 'timer', timer);

  function update() {
    const wanted = $('unit').value.trim().toLowerCase(), host = $('host').value;
    const severity = $('severity').value;
    const here = row => host === '' || row[0] === Number(host);
    const names = T.map(word => !wanted || word.toLowerCase().includes(wanted));
    const units = data.units.filter(row => here(row) && names[row[U.name]]);
    const found = data.findings.filter(row => here(row) && names[row[F.unit]] && (!severity || text(row, F.severity) === severity));
    failed.set(units.filter(row => row[U.flags] & (FAILED | LOOPING)));
    limits.set(found.filter(row => text(row, F.rule) === 'start-limit-gives-up'));
    findingsByRule(found);
    const grouped = exposures(units);
    bars.set(grouped, plural(grouped.reduce((sum, members) => sum + members.length, 0), 'service') + ' in ' + plural(grouped.length, 'bar'));
    stale.set(units.filter(row => row[U.flags] & RELOAD));
    drifts.set(units.filter(row => row[U.drift].length));
    timers.set(units.filter(row => row[U.settings].length || text(row, U.next))
      .sort((a, b) => (Date.parse(text(a, U.next)) || Infinity) - (Date.parse(text(b, U.next)) || Infinity)));
    document.querySelectorAll('#fleet-table tbody tr').forEach((line, index) => { line.hidden = host !== '' && index !== Number(host); });
    if (host !== '' && hosts[host].graph !== $('graph').value && hosts[host].graph) { $('graph').value = hosts[host].graph; drawing($('graph').value); }
    mark();
  }

  let waiting = 0;
  $('unit').addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(update, 80); });
  for (const id of ['host', 'severity']) $(id).addEventListener('change', update);
  $('range').addEventListener('change', () => { axis(); update(); });
  $('clear').addEventListener('click', () => { $('unit').value = $('host').value = $('severity').value = ''; update(); $('unit').focus(); });
  $('graph').addEventListener('change', () => drawing($('graph').value));
  $('theme').addEventListener('click', () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    $('theme').textContent = dark ? 'Dark' : 'Light';
  });
  addEventListener('beforeprint', () => {
    lists.forEach(one => one.print());
    document.querySelectorAll('#rules details').forEach(group => { group.open = true; if (!group.rows) group.fill(PAGE); });
  });

  hosts.forEach((host, index) => $('host').append(el('option', {value: index}, host.name)));
  const graphs = Object.entries(data.graphs);
  graphs.forEach(([id, graph]) => $('graph').append(el('option', {value: id}, graph.hosts.length > 3 ? graph.hosts[0] + ' and ' + (graph.hosts.length - 1) + ' more' : graph.hosts.join(', '))));
  $('no-graph').hidden = graphs.length > 0;
  $('has-graph').hidden = graphs.length === 0;
  axis();
  drawing(graphs.length ? graphs[0][0] : '');
  update();
  document.querySelectorAll('.needs-script').forEach(node => { node.hidden = false; });
  document.querySelectorAll('.without-script').forEach(node => { node.hidden = true; });
})();
