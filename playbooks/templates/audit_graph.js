// SPDX-License-Identifier: GPL-3.0-or-later
// The graph: an SVG that Graphviz made. It is parsed, never put in as text of the page.
const canvas = $('canvas');
let part = null, whole = null;
function drawing(id) {
  canvas.replaceChildren(); part = whole = null;
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
function apply() { if (part) canvas.firstChild.setAttribute('viewBox', part.join(' ')); }
function reset() { if (whole) { part = whole.slice(); apply(); } }
function zoom(factor, x = 0.5, y = 0.5) {
  if (!part) return;
  part = [part[0] + part[2] * x * (1 - factor), part[1] + part[3] * y * (1 - factor), part[2] * factor, part[3] * factor];
  apply();
}
function pan(x, y) { if (part) { part[0] += part[2] * x; part[1] += part[3] * y; apply(); } }
function mark() {
  const svg = canvas.firstChild, wanted = filter.unit.toLowerCase();
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
