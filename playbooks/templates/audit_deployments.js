// SPDX-License-Identifier: GPL-3.0-or-later
// What was deployed: the generations of each set, and the rollouts over many hosts.

const TITLES = {current: 'good', reverted: 'warn', earlier: 'soft'};
const STATES_OF_HOSTS = ['new', 'reverted', 'untouched', 'unknown', 'changing'];
const generation = number => 'generation ' + number;

// --- sets: those of one name in a row, the later generations first ---------------------------------------------------

function setsOf(groups) {
  const later = (a, b) => b.row[G.value] - a.row[G.value] || b.places.length - a.places.length;
  return by(groups, one => text(one.row, G.name)).map(([name, members]) => [name, members.sort(later)])
    .sort((a, b) => a[0] < b[0] ? -1 : 1);
}
function deployment([name, members]) {
  const hostsIn = title => by(members.filter(one => text(one.row, G.title) === title), one => one.row[G.value]).map(([number, groups]) =>
    generation(number) + ' on ' + (groups.length === 1 ? where(groups[0]) : plural(groups.reduce((sum, one) => sum + one.places.length, 0), 'host')));
  const line = el('div', {}, code(name), ': ' + (hostsIn('current').join(', ') || 'none is current'));
  for (const words of hostsIn('reverted')) line.append(' ', tag(words + ' reverted', 'warn'));
  const units = [...new Set(members.flatMap(one => text(one.row, G.unit).split(' ')))];
  const item = el('li', {}, line, el('div', {class: 'soft mono'}, units.slice(0, PAGE).join(' ') + (units.length > PAGE ? ' …' : '')));
  item.append(folded(plural(new Set(members.map(one => one.row[G.value])).size, 'generation'), () => el('ul', {class: 'list'}, ...members.slice(0, PRINTED).map(one => {
    const title = text(one.row, G.title);
    return el('li', {}, generation(one.row[G.value]) + ' ', tag(title, TITLES[title]), el('div', {class: 'folds'}, hostsOf(one), didOf(one.row)));
  })), 'hosts'));
  return item;
}
function didOf(row) {
  return row[G.notes].length ? folded('What it did', () => el('div', {}, ...row[G.notes].map(index => el('pre', {tabindex: 0}, T[index])))) : null;
}

// --- rollouts: a bar of what the hosts are in, the table on demand ---------------------------------------------------

const COURSES = new Map([['done', 'good'], ['going', 'info']]);
function rollouts(fits, isShown) {
  return data.rollouts.map(one => ({one, rows: one.hosts.filter(row => isShown(T[row[0]]))}))
    .filter(({one, rows}) => fits(one.unit) && (rows.length || T[one.problem] && !filter.host));
}
function rollout({one, rows}) {
  const line = el('div', {});
  if (T[one.course]) line.append(tag(T[one.course], COURSES.get(T[one.course]) || 'warn'), ' ');
  line.append(code(T[one.id]));
  if (T[one.set]) line.append(' of ', code(T[one.set]));
  line.append(' ', el('span', {class: 'soft'}, time(T[one.time])), T[one.why] ? ': ' + T[one.why] : '');
  const item = el('li', {}, line);
  if (T[one.problem]) item.append(tag('incomplete', 'bad'), ' ', T[one.problem]);
  if (!rows.length) return item;
  const states = by(rows, row => T[row[3]]), words = states.map(([state, members]) => members.length.toLocaleString('en') + ' ' + state).join(', ');
  const bar = el('div', {class: 'shares', 'aria-hidden': 'true'}, ...states.map(([state, members]) => {
    const share = el('i', {class: STATES_OF_HOSTS.includes(state) ? state : null});
    share.style.flex = members.length;
    return share;
  }));
  item.append(bar, el('div', {class: 'folds'}, folded('Hosts: ' + words, () => table(rows), 'hosts'),
    T[one.fix] ? folded('How to revert it', () => copied(T[one.fix])) : null));
  return item;
}
function table(rows) {
  const heads = ['Host', 'Before', 'Now', 'State', 'Why'].map((word, column) => el('th', {scope: 'col', class: column === 1 || column === 2 ? 'n' : null}, word));
  return el('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Hosts of the rollout'}, el('table', {}, el('thead', {}, el('tr', {}, ...heads)),
    el('tbody', {}, ...rows.map(([host, before, now, state, why]) => el('tr', {}, el('th', {scope: 'row'}, T[host]), el('td', {class: 'n'}, T[before]),
      el('td', {class: 'n'}, T[now]), el('td', {}, T[state]), el('td', {}, T[why]))))));
}
