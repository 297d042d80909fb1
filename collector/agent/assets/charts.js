// The charts and the key numbers: fetches rows it does not have yet, keeps an hour, draws.

import { bytes, duration, el, number, percent, plural, value } from './format.js';
import { Plot, current, fresh } from './plot.js';

const HOUR = 3_600_000;
const LEAST = 90_000;
const SPANS = { '5': 300_000, '15': 900_000, '60': HOUR };

export class Charts {
  constructor() {
    this.grid = document.getElementById('grid');
    this.tiles = document.getElementById('tiles');
    this.facts = document.getElementById('facts');
    this.plots = new Map();
    this.kept = new Map();
    this.host = {};
    this.now = 0;
    this.span = 'auto';
    for (const input of document.querySelectorAll('input[name=span]')) {
      input.addEventListener('change', () => { this.span = input.value; this.draw(); });
    }
  }

  // The newest row may still be written anew, so it is asked for again. A chart that has ended does not hold it back.
  since() {
    const ends = [...this.kept.values()].filter((c) => current(c, this.now)).map((c) => c.t.at(-2) ?? 0);
    return ends.length ? Math.min(...ends) : 0;
  }

  take(answer) {
    if (answer.now_ms < this.now) this.kept.clear(); // the clock was set back
    this.now = answer.now_ms;
    this.host = answer.host;
    for (const chart of answer.charts) this.kept.set(chart.id, merge(this.kept.get(chart.id), chart, answer.now_ms - HOUR));
    this.draw();
  }

  restyle() {
    for (const plot of this.plots.values()) plot.restyle();
    this.draw();
  }

  draw() {
    if (!this.now) return;
    const first = Math.min(this.now, ...[...this.kept.values()].map((c) => c.t[0] ?? this.now));
    // The newest row stands at the right edge, unless it is so old that the gap itself is the news.
    const newest = Math.max(...[...this.kept.values()].map((c) => (current(c, this.now) ? c.t.at(-1) : 0)));
    const to = newest > 0 ? newest : this.now;
    const from = to - (SPANS[this.span] ?? Math.min(HOUR, Math.max(LEAST, to - first)));
    for (const chart of this.kept.values()) {
      if (!this.plots.has(chart.id)) {
        if (!this.plots.size) this.grid.replaceChildren();
        const plot = new Plot(chart);
        this.plots.set(chart.id, plot);
        this.grid.append(plot.figure);
        this.#order();
      }
      this.plots.get(chart.id).update(chart, from, to, this.now, this.host);
    }
    this.#facts();
    this.#tiles();
  }

  #order() {
    const order = ['cpu', 'memory', 'load', 'pressure', 'disk_bytes', 'disk_busy', 'network', 'swap', 'filesystem'];
    const place = (f) => (order.indexOf(f.dataset.chart) + 100) % 100;
    this.grid.append(...[...this.grid.children].sort((a, b) => place(a) - place(b)));
  }

  #facts() {
    const { kernel, machine, os, cpus, memory_bytes: memory, boot_ms: boot } = this.host;
    const parts = [os, [kernel, machine].filter(Boolean).join(' '), cpus ? plural(cpus, 'CPU') : '', memory ? bytes(memory) : '', boot ? `up ${duration((this.now - boot) / 1000)}` : ''];
    this.facts.replaceChildren(...parts.filter(Boolean).map((p) => el('li', {}, p)));
  }

  #tiles() {
    const of = (id) => this.kept.get(id);
    const line = (id, name) => of(id)?.series.find((s) => s.name === name)?.values;
    const now = (id, name) => (line(id, name) ? fresh(of(id), line(id, name), this.now) : NaN);
    const all = (id, below) => of(id)?.series.filter((s) => below === undefined || s.below === below).map((s) => s.values) ?? [];
    const sums = (id, below) => of(id)?.t.map((_, i) => total(all(id, below).map((v) => v[i]))) ?? [];
    const peaks = (id) => of(id)?.t.map((_, i) => most(all(id).map((v) => v[i]))) ?? [];
    const latest = (id, values) => (of(id) ? fresh(of(id), values, this.now) : NaN);
    const { cpus, memory_bytes: memory } = this.host;
    const tiles = [];
    const add = (id, label, text, note, level, spark) => of(id) && tiles.push({ id, label, text, note, level, spark });

    const cpu = sums('cpu');
    add('cpu', 'CPU', percent(latest('cpu', cpu)), cpus ? `of ${plural(cpus, 'CPU')}` : '', latest('cpu', cpu), cpu);
    const used = now('memory', 'used');
    add('memory', 'Memory', percent(used / memory), `${bytes(used)} of ${bytes(memory)}`, used / memory, line('memory', 'used'));
    const load = now('load', '1 min');
    add('load', 'Load', number(load), `1 min; ${number(now('load', '15 min'))} over 15 min`, cpus ? load / cpus / 2 : 0, line('load', '1 min'));
    const pressed = peaks('pressure');
    const worst = of('pressure')?.series.reduce((a, s) => (fresh(of('pressure'), s.values, this.now) > fresh(of('pressure'), a.values, this.now) ? s : a));
    add('pressure', 'Pressure', percent(latest('pressure', pressed)), latest('pressure', pressed) >= 0.001 ? `waiting for ${worst.name}` : 'nobody waits', latest('pressure', pressed) * 2, pressed);
    const fullest = of('filesystem')?.series.map((s) => ({ ...s, now: fresh(of('filesystem'), s.values, this.now) })).sort((a, b) => b.now - a.now)[0];
    add('filesystem', 'Fullest disk', percent(fullest?.now), fullest ? `${fullest.name}, ${bytes(fullest.of * (1 - fullest.now))} free` : '', fullest?.now ?? 0, fullest?.values);
    const [inward, outward] = [sums('network', false), sums('network', true)];
    add('network', 'Network in', value(latest('network', inward), 'bytes_per_second'), `out ${value(latest('network', outward), 'bytes_per_second')}`, 0, inward);
    this.tiles.replaceChildren(...tiles.map(tile));
  }
}

function tile({ id, label, text, note, level, spark }) {
  const state = level >= 0.95 ? 'bad' : level >= 0.85 ? 'warn' : '';
  const [amount, ...unit] = text.split(' ');
  const word = state === 'bad' ? ' (very high)' : state ? ' (high)' : '';
  return el('div', { class: `tile ${state}`, 'data-tile': id },
    el('dt', {}, label, el('span', { class: 'unseen' }, word)),
    el('dd', {}, el('strong', {}, amount, el('small', {}, unit.length ? ` ${unit.join(' ')}` : '')), el('span', { class: 'note', title: note }, note),
      sparkline((spark ?? []).slice(-120))));
}

function sparkline(values) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  svg.setAttribute('viewBox', '0 0 100 24');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  const top = Math.max(1e-9, ...values.filter(Number.isFinite)) * 1.1;
  let path = '';
  let pen = 'M';
  values.forEach((v, i) => {
    if (!Number.isFinite(v)) { pen = 'M'; return; }
    path += `${pen}${((i / Math.max(1, values.length - 1)) * 100).toFixed(1)} ${(23 - (v / top) * 21).toFixed(1)}`;
    pen = 'L';
  });
  const line = document.createElementNS(ns, 'path');
  line.setAttribute('d', path);
  line.setAttribute('vector-effect', 'non-scaling-stroke');
  svg.append(line);
  return svg;
}

const total = (values) => (values.some(Number.isFinite) ? values.reduce((a, v) => a + (Number.isFinite(v) ? v : 0), 0) : null);
const most = (values) => (values.some(Number.isFinite) ? Math.max(...values.filter(Number.isFinite)) : null);

// Joins what is kept with the rows that came: rows of the same or a later time are replaced, older ones fall off.
function merge(old, fresh, oldest) {
  if (!old) return fresh;
  const begin = fresh.t.length ? fresh.t[0] : Infinity;
  const stay = old.t.map((t, i) => i).filter((i) => old.t[i] < begin && old.t[i] >= oldest);
  const before = new Map(old.series.map((s) => [s.name, s.values]));
  const series = fresh.series.map((s) => ({ ...s, values: [...stay.map((i) => before.get(s.name)?.[i] ?? null), ...s.values] }));
  return { ...fresh, t: [...stay.map((i) => old.t[i]), ...fresh.t], series };
}
