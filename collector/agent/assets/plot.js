// One chart: a canvas by uPlot, a cursor shared with all others, and a table of the same values for everyone.

import { clock, el, hourMinute, value } from './format.js';

const uPlot = globalThis.uPlot;
const SHOWN = 6; // lines listed before "more"
const KIB = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Known lines keep their colour from machine to machine; others take the next free one.
const FIXED = {
  user: 0, system: 1, iowait: 3, softirq: 2, irq: 6, steal: 5, nice: 4,
  used: 0, cache: 7, free: 8, '1 min': 0, '5 min': 1, '15 min': 7, cpu: 0, memory: 2, io: 1,
  'memory stalled': 5, 'io stalled': 3,
};
const ORDER = ['user', 'system', 'iowait', 'softirq', 'irq', 'steal', 'nice'];

export class Plot {
  constructor(chart) {
    this.id = chart.id;
    this.help = el('p', { class: 'help', id: `help-${chart.id}` }, chart.help);
    this.headline = el('span', { class: 'headline' });
    this.canvas = el('div', {
      class: 'canvas', tabindex: '0', role: 'slider', 'aria-describedby': this.help.id,
      'aria-label': `${chart.title} over time: arrow keys read the values`,
    });
    this.canvas.addEventListener('keydown', (e) => this.#key(e));
    this.canvas.addEventListener('blur', () => this.#leave());
    this.rows = el('tbody');
    this.when = el('th', { scope: 'col', class: 'num' }, 'now');
    this.table = el('table', { class: 'legend' },
      el('caption', { class: 'unseen' }, `${chart.title}: values`),
      el('thead', {}, el('tr', {},
        el('th', { scope: 'col' }, el('span', { class: 'unseen' }, 'line')),
        this.when, el('th', { scope: 'col', class: 'num' }, 'mean'), el('th', { scope: 'col', class: 'num' }, 'peak'))),
      this.rows);
    this.more = el('button', { type: 'button', class: 'more', hidden: true });
    this.more.addEventListener('click', () => { this.open = !this.open; this.#legend(); });
    this.idle = el('p', { class: 'idle' });
    this.figure = el('figure', { class: 'panel chart', 'data-chart': chart.id, 'data-points': '0' },
      el('figcaption', {}, el('h3', {}, chart.title), this.headline),
      this.help, this.canvas, this.table, this.more, this.idle);
    this.shape = '';
    new ResizeObserver(() => this.#resize()).observe(this.canvas);
  }

  // Shows `chart` (t in ms, series with values) between `from` and `to`, in ms.
  update(chart, from, to, now, host) {
    this.chart = chart;
    this.host = host;
    this.lines = this.#arrange(chart);
    const inside = chart.t.map((t) => t >= from);
    for (const line of this.lines) {
      const seen = line.values.filter((v, i) => inside[i] && Number.isFinite(v));
      line.mean = seen.length ? seen.reduce((a, b) => a + b, 0) / seen.length : NaN;
      line.peak = seen.length ? Math.max(...seen) : NaN;
      line.now = fresh(chart, line.values, now);
    }
    // Lines that were 0 all the time are named below the chart instead of drawn, unless there is nothing else.
    const alive = this.lines.filter((l) => l.peak !== 0);
    this.quiet = alive.length && chart.draw !== 'bars' ? this.lines.filter((l) => l.peak === 0) : [];
    if (this.quiet.length) this.lines = alive;
    const few = inside.filter(Boolean).length < 12;
    const shape = JSON.stringify([few, this.lines.map((l) => [l.name, l.color, l.below]), host.cpus, document.documentElement.dataset.theme ?? '']);
    if (shape !== this.shape || !this.plot) this.#build(shape, few);
    this.plot.setData([chart.t.map((t) => t / 1000), ...this.#columns()], false);
    this.plot.setScale('x', { min: from / 1000, max: to / 1000 });
    this.figure.dataset.points = String(this.lines.reduce((n, l) => n + l.values.filter(Number.isFinite).length, 0));
    this.canvas.setAttribute('aria-valuemin', '0');
    this.canvas.setAttribute('aria-valuemax', String(Math.max(0, chart.t.length - 1)));
    if (document.activeElement !== this.canvas) this.#say(chart.t.length - 1);
    this.headline.textContent = headline(chart, this.lines);
    this.#legend();
  }

  restyle() { this.shape = ''; }

  #arrange(chart) {
    const lines = chart.series.map((s) => ({ ...s }));
    if (chart.id === 'cpu') lines.sort((a, b) => rank(a.name) - rank(b.name));
    // Reads and writes of one device share its colour.
    const colors = new Map();
    for (const line of lines) {
      line.device = line.name.replace(/ (read|write|in|out)$/, '');
      if (!colors.has(line.device)) colors.set(line.device, FIXED[line.device] ?? [0, 1, 2, 3, 5, 6, 4, 7][colors.size % 8]);
      line.color = colors.get(line.device);
    }
    if (lines.some((l) => l.below)) {
      const size = (device) => Math.max(...lines.filter((l) => l.device === device).flatMap((l) => l.values.filter(Number.isFinite)), 0);
      const sizes = new Map([...colors.keys()].map((device) => [device, size(device)]));
      lines.sort((a, b) => sizes.get(b.device) - sizes.get(a.device) || a.device.localeCompare(b.device) || a.below - b.below);
    }
    return lines;
  }

  #columns() {
    if (this.chart.draw !== 'stack') return this.lines.map((l) => (l.below ? l.values.map((v) => (v === null ? null : -v)) : l.values));
    const sums = this.chart.t.map(() => 0);
    return this.lines.map((line) => line.values.map((v, i) => {
      // A part that is unknown adds nothing; a row in which all is unknown stays empty.
      if (!this.lines.some((l) => Number.isFinite(l.values[i]))) return null;
      sums[i] += Number.isFinite(v) ? v : 0;
      return sums[i];
    }));
  }

  #build(shape, few) {
    this.shape = shape;
    this.plot?.destroy();
    const stack = this.chart.draw === 'stack';
    const color = (line) => css(`--c${line.color}`);
    const soft = (line, a) => `color-mix(in srgb, ${color(line)} ${a}%, transparent)`;
    const axis = { stroke: css('--soft'), font: '11px ui-sans-serif, system-ui, sans-serif', ticks: { show: false }, grid: { stroke: css('--grid'), width: 1 } };
    const options = {
      width: Math.max(120, this.canvas.clientWidth), height: this.#height(), pxAlign: 1,
      legend: { show: false }, select: { show: false },
      padding: [8, 6, 0, 0],
      cursor: {
        y: false, drag: { x: false, y: false }, points: { size: 7, width: 1.5 },
        sync: { key: 'taffrail', scales: ['x', null], setSeries: false },
      },
      scales: { x: { time: true, auto: false }, y: { range: (u, lo, hi) => range(this.chart, this.host, lo, hi) } },
      axes: [
        { ...axis, size: 28, gap: 8, space: 56, values: (u, at) => at.map((s) => hourMinute(s * 1000)), grid: { show: false }, incrs: [60, 120, 300, 600, 900, 1800] },
        { ...axis, size: 58, gap: 6, space: 30, values: (u, at) => at.map((v) => value(Math.abs(v), this.chart.unit)), ...increments(this.chart.unit) },
      ],
      series: [{}, ...this.lines.map((line, i) => ({
        label: line.name, stroke: color(line), width: stack ? 1.25 : 1.75, spanGaps: false,
        fill: stack && i === 0 ? soft(line, 42) : !stack && this.lines.length <= 2 ? soft(line, 14) : undefined,
        points: { show: few, size: 4, fill: color(line) },
      }))],
      bands: stack ? this.lines.slice(1).map((line, i) => ({ series: [i + 2, i + 1], fill: soft(line, 42) })) : undefined,
      hooks: {
        setCursor: [(u) => this.#legend(u.cursor.idx)],
        draw: [(u) => {
          if (this.chart.id === 'load') level(u, this.host.cpus, css('--bad'), [4, 4]);
          if (this.lines.some((l) => l.below)) level(u, 0, css('--soft'), []);
        }],
      },
    };
    this.plot = new uPlot(options, [[], ...this.lines.map(() => [])], this.canvas);
  }

  #height() { return this.chart.draw === 'bars' ? 110 : 168; }

  #resize() {
    const width = this.canvas.clientWidth;
    if (this.plot && width && width !== this.plot.width) this.plot.setSize({ width, height: this.#height() });
  }

  #key(event) {
    const last = this.chart.t.length - 1;
    const at = this.plot.cursor.idx ?? last;
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, PageUp: at - 10, PageDown: at + 10, Home: 0, End: last }[event.key];
    if (event.key === 'Escape') this.#leave();
    if (next === undefined || last < 0) return;
    event.preventDefault();
    const first = this.chart.t.findIndex((t) => t / 1000 >= this.plot.scales.x.min);
    const idx = Math.min(last, Math.max(first, next));
    this.plot.setCursor({ left: this.plot.valToPos(this.chart.t[idx] / 1000, 'x'), top: 10 }, true, true);
    this.#say(idx);
  }

  // What a screen reader says of one row.
  #say(idx) {
    const values = this.lines.slice(0, SHOWN).map((l) => `${l.name} ${value(l.values[idx] ?? NaN, this.chart.unit)}`);
    this.canvas.setAttribute('aria-valuenow', String(Math.max(0, idx)));
    this.canvas.setAttribute('aria-valuetext', `${clock(this.chart.t[idx])}: ${values.join(', ')}`);
  }

  #leave() { this.plot?.setCursor({ left: -10, top: -10 }, true, true); }

  // The table under the chart: values at the cursor, else now.
  #legend(idx) {
    const chart = this.chart;
    if (!chart || !this.lines) return;
    const at = Number.isInteger(idx) && chart.t[idx] !== undefined ? idx : null;
    this.when.textContent = at === null ? 'now' : clock(chart.t[at]);
    this.when.classList.toggle('then', at !== null);
    const sorted = chart.draw === 'bars' ? [...this.lines].sort((a, b) => b.now - a.now) : this.lines;
    const shown = this.open ? sorted : sorted.slice(0, SHOWN);
    this.rows.replaceChildren(...shown.flatMap((line) => this.#row(line, at === null ? line.now : line.values[at] ?? NaN)));
    this.more.hidden = sorted.length <= SHOWN;
    this.more.textContent = this.open ? 'show fewer' : `show ${sorted.length - SHOWN} more`;
    this.more.setAttribute('aria-expanded', String(Boolean(this.open)));
    const notes = [];
    if (this.quiet.length) notes.push(`idle: ${this.quiet.map((l) => l.name).join(', ')}`);
    if (chart.hidden) notes.push(`${chart.hidden} more not kept on this page; /metrics/host has them`);
    this.idle.textContent = notes.join(' · ');
  }

  #row(line, now) {
    const unit = this.chart.unit;
    const swatch = el('i', { class: `swatch c${line.color}${line.below ? ' below' : ''}` });
    const cells = [value(now, unit), value(line.mean, unit), value(line.peak, unit)].map((t) => el('td', { class: 'num' }, t));
    const row = el('tr', {}, el('th', { scope: 'row', title: line.name }, swatch, line.name), ...cells);
    return this.chart.draw === 'bars' ? [row, el('tr', { class: 'rooms' }, el('td', { colspan: '4' }, bar(line)))] : [row];
  }
}

function bar(line) {
  const fill = el('b', { class: line.now >= 0.95 ? 'bad' : line.now >= 0.85 ? 'warn' : '' });
  fill.style.width = `${Math.min(100, Math.max(0, (line.now || 0) * 100))}%`;
  const free = Number.isFinite(line.of) && Number.isFinite(line.now) ? `${value(line.of * (1 - line.now), 'bytes')} free of ${value(line.of, 'bytes')}` : '';
  return el('span', { class: 'room' }, el('span', { class: 'bar' }, fill), el('small', {}, free));
}

// Whether the last row is young enough to be called now.
export function current(chart, now) {
  return chart.t.length > 0 && now - chart.t.at(-1) <= Math.max(10_000, 2.5 * chart.step_ms);
}

// The last value, if it is.
export function fresh(chart, values, now) {
  return current(chart, now) ? values[chart.t.length - 1] ?? NaN : NaN;
}

function headline(chart, lines) {
  const now = lines.map((l) => l.now).filter(Number.isFinite);
  if (!now.length) return '';
  if (chart.id === 'memory') return value(lines.find((l) => l.name === 'used')?.now ?? NaN, chart.unit);
  if (chart.id === 'load') return value(lines[0].now, chart.unit);
  if (chart.draw === 'stack') return value(now.reduce((a, b) => a + b, 0), chart.unit);
  if (lines.some((l) => l.below)) {
    const sum = (below) => lines.filter((l) => l.below === below && Number.isFinite(l.now)).reduce((a, l) => a + l.now, 0);
    const word = (below) => lines.find((l) => l.below === below)?.name.split(' ').at(-1) ?? '';
    // Broken between the two directions only.
    return [false, true].filter(word).map((b) => `${word(b)} ${value(sum(b), chart.unit)}`.replaceAll(' ', '\u00a0')).join(' · ');
  }
  return value(Math.max(...now), chart.unit);
}

// From 0, up to a round ceiling: a calm machine looks calm, but its line can still be read.
function range(chart, host, lo, hi) {
  const top = Number.isFinite(hi) ? hi : 0;
  if (chart.id === 'memory') return [0, host.memory_bytes || top || 1];
  if (chart.draw === 'bars') return [0, 1];
  if (chart.unit === 'ratio') return [0, [0.05, 0.1, 0.25, 0.5].find((c) => top <= c * 0.95) ?? Math.max(1, top)];
  const least = chart.unit === 'number' ? 1 : 1024;
  const bottom = Number.isFinite(lo) && lo < 0 ? lo * 1.1 : 0;
  if (bottom < 0) return [Math.min(bottom, -least), Math.max(top * 1.1, least)];
  return [0, Math.max(top * 1.1, least)];
}

function increments(unit) {
  if (!unit.startsWith('bytes')) return {};
  return { incrs: [0, 1, 2, 3, 4, 5].flatMap((power) => KIB.map((k) => k * 1024 ** power)) };
}

// A horizontal line: 0 between two directions, or the number of CPUs, above which work queues up.
function level(u, at, color, dash) {
  if (!Number.isFinite(at) || at > u.scales.y.max) return;
  const y = Math.round(u.valToPos(at, 'y', true)) + 0.5;
  const { ctx } = u;
  ctx.save();
  ctx.strokeStyle = color;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash(dash.map((d) => d * devicePixelRatio));
  ctx.beginPath();
  ctx.moveTo(u.bbox.left, y);
  ctx.lineTo(u.bbox.left + u.bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

function rank(name) {
  const at = ORDER.indexOf(name);
  return at < 0 ? ORDER.length : at;
}
