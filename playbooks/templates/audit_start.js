// SPDX-License-Identifier: GPL-3.0-or-later
// The filters, which stand in the address so that a view can be shared, and what happens when one changes.

const FACTS = ['exposure', 'timer', 'deployment', 'queue'];
const todo = list('todo-list', 'row', group), sets = list('deployment-list', 'set', deployment), rolled = list('rollout-list', 'rollout', rollout);
const bars = list('exposure-list', 'row', exposure), timers = list('timer-list', 'schedule', schedule), queues = list('queue-list', 'queue', queue);
let shownHosts = hosts.map(() => true);
const lowerNames = new Map([...data.unitNames, ...data.groups.map(row => row[G.unit]), ...data.rollouts.map(one => one.unit)].map(index => [index, T[index].toLowerCase()]));

// Part of a name, or exactly one host.
function matching(wanted) {
  const exact = hosts.some(host => host.name === wanted), lower = wanted.toLowerCase();
  return name => exact ? name === wanted : name.toLowerCase().includes(lower);
}
let later = 0;
const everyPlace = new Map(data.groups.map(row => [row, row[G.hosts].map((_host, place) => place)]));
function placesOf(row) {
  return filter.host ? everyPlace.get(row).filter(place => shownHosts[row[G.hosts][place]]) : everyPlace.get(row);
}
const sum = groups => groups.reduce((total, one) => total + one.places.length, 0);
const isFact = one => FACTS.includes(text(one.row, G.kind));

function update() {
  const unit = filter.unit.toLowerCase(), fits = index => lowerNames.get(index).includes(unit);
  const isShown = matching(filter.host);
  shownHosts = hosts.map(host => isShown(host.name));
  const here = data.groups.filter(row => fits(row[G.unit])).map(row => ({row, places: placesOf(row)})).filter(one => one.places.length);
  const wanted = one => ['kind', 'level', 'since'].every(key => !filter[key] || text(one.row, G[key]) === filter[key]);
  const chosen = here.filter(one => !isFact(one) && wanted(one));
  const touched = new Set();
  for (const {row, places} of chosen) for (const place of places) touched.add(row[G.hosts][place]);
  todo.set(chosen, plural(sum(chosen), 'thing') + ' on ' + plural(touched.size, 'host') + ' in ' + plural(chosen.length, 'row'));
  const of = kind => here.filter(one => text(one.row, G.kind) === kind);
  const exposed = of('exposure');
  distribution(exposed);
  bars.set(exposed, plural(sum(exposed), 'service') + ' in ' + plural(exposed.length, 'row'));
  sets.set(setsOf(of('deployment')));
  rolled.set(rollouts(fits, isShown));
  timers.set(schedules(of('timer'), meetings(here)));
  queues.set(of('queue'));
  clearTimeout(later);
  later = setTimeout(() => draw(shownHosts, data.unitNames.map(fits)));  // the lists first
  [...$('fleet-table').tBodies[0].rows].forEach((line, index) => { line.hidden = !shownHosts[index]; });
  const only = shownHosts.filter(Boolean).length === 1 ? hosts[shownHosts.indexOf(true)] : null;
  if (only && only.graph && only.graph !== $('graph').value) { $('graph').value = only.graph; drawing(only.graph); }
  mark();
}

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const key of Object.keys(filter)) { $(key).value = given.get(key) || ''; filter[key] = $(key).value; }  // a list has no other values
  update();
  const section = given.get('at') && $(given.get('at'));
  if (section) { section.scrollIntoView(); section.querySelector('h2').focus({preventScroll: true}); }
}
// Change some of the filters, or go to a section, and keep the rest.
function go(changes) {
  const next = Object.entries({...filter, ...changes}).filter(([, value]) => value);
  history.replaceState(null, '', '#' + new URLSearchParams(next));
  readAddress();
}

let waiting = 0;
for (const key of Object.keys(filter)) $(key).addEventListener('input', () => {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => go({[key]: $(key).value.trim()}));
});
$('clear').addEventListener('click', () => { go(Object.fromEntries(Object.keys(filter).map(key => [key, '']))); $('unit').focus(); });
document.querySelectorAll('[data-at]').forEach(link => link.addEventListener('click', event => { event.preventDefault(); go({at: link.dataset.at}); }));
$('range').addEventListener('change', () => { axis(); update(); });
$('graph').addEventListener('change', () => drawing($('graph').value));
$('theme').addEventListener('click', () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  update();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', update);
addEventListener('hashchange', readAddress);
addEventListener('beforeprint', () => lists.forEach(one => one.print()));

hosts.forEach(host => $('hosts').append(el('option', {value: host.name})));
const kinds = new Set(data.groups.map(row => text(row, G.kind)).filter(kind => !FACTS.includes(kind)));
$('kind').append(...[...kinds].map(kind => el('option', {}, kind)));
$('since').parentNode.hidden = !data.compared;
$('rollouts').hidden = !data.rollouts.length;
if (!data.groups.some(row => text(row, G.kind) === 'queue')) [$('queues'), document.querySelector('[data-at=queues]').parentNode].forEach(node => { node.hidden = true; });
const graphs = Object.entries(data.graphs);
graphs.forEach(([id, graph]) => $('graph').append(el('option', {value: id}, graph.hosts.length > 3 ? graph.hosts[0] + ' and ' + (graph.hosts.length - 1) + ' more' : graph.hosts.join(', '))));
$('no-graph').hidden = graphs.length > 0;
$('has-graph').hidden = graphs.length === 0;
document.querySelectorAll('.needs-script').forEach(node => { node.hidden = false; });
document.querySelectorAll('.without-script').forEach(node => { node.hidden = true; });
axis();
drawing(graphs.length ? graphs[0][0] : '');
readAddress();
