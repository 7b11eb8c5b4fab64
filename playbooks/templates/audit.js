// SPDX-License-Identifier: GPL-3.0-or-later
// The data of the page, how elements are made, and lists. Then audit_views.js, audit_deployments.js,
// audit_graph.js and audit_start.js.
const PAGE = 50, PRINTED = 1000;
const data = JSON.parse(document.getElementById('data').textContent);
const T = data.texts, hosts = data.hosts;
const $ = id => document.getElementById(id);
const rulesPage = document.body.dataset.rules;
const now = Date.parse(data.generated);
const G = Object.fromEntries(data.groupColumns.map((name, index) => [name, index]));
const filter = {unit: '', host: '', kind: '', level: '', since: ''};

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {}))
    if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? '' : value);
  node.append(...children.filter(child => child !== null && child !== undefined && child !== ''));
  return node;
}
const text = (row, column) => T[row[column]];
const time = iso => iso && iso !== '-' ? iso.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC') : '';
const tag = (word, kind) => el('span', {class: 'tag ' + (kind || word)}, word);
const code = word => el('code', {}, word);
const plural = (number, one, many) => number.toLocaleString('en') + ' ' + (number === 1 ? one : many || one + 's');

// A group as the filter leaves it: its row, and the places of its hosts that are shown.
const detail = (row, place) => T[row[G.details][row[G.details].length > 1 ? place : 0]];
const hostAt = (row, place) => hosts[row[G.hosts][place]].name;
const where = one => one.places.length === 1 ? hostAt(one.row, one.places[0]) : plural(one.places.length, 'host');

function by(groups, key) {
  const found = new Map();
  for (const one of groups) {
    const value = key(one);
    if (!found.has(value)) found.set(value, []);
    found.get(value).push(one);
  }
  return [...found.entries()];
}

// Content that is made when it is opened, or before it is printed.
function folded(summary, make, kind) {
  const node = el('details', {class: kind}, el('summary', {}, summary));
  node.fill = () => { if (node.children.length === 1) node.append(make()); };
  node.addEventListener('toggle', () => { if (node.open) node.fill(); });
  return node;
}

function copyButton(pre) {
  const button = el('button', {type: 'button', class: 'copy'}, 'Copy');
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
    } catch {  // not allowed: an older way, which leaves the text selected
      getSelection().selectAllChildren(pre);
      document.execCommand('copy');
    }
    button.textContent = 'Copied';
  });
  return button;
}

function copied(words) {
  const pre = el('pre', {tabindex: 0}, words);
  return el('div', {}, pre, copyButton(pre));
}

// A list that shows its rows a page at a time, so that it stays quick however long it is.
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
    print() {
      if (shown < PRINTED) grow(PRINTED - shown);
      rows.querySelectorAll('details.hosts').forEach(node => { node.fill(); node.open = true; });
    }
  };
  lists.push(self);
  return self;
}
