// The pipeline: outputs, buffers, sources and subjects as tables, what is wrong first.

import { DASH, ago, bytes, clock, duration, el, number, percent, plural } from './format.js';
import { failure, hint, meter, section, state } from './table.js';

export class Pipeline {
  constructor() {
    this.problems = document.getElementById('problems');
    this.tables = document.getElementById('tables');
    this.state = document.getElementById('state');
    this.self = document.getElementById('self');
    this.before = null;
    this.costs = new Costs();
    this.order = { column: null, down: true };
    this.tables.addEventListener('click', (event) => this.#sort(event.target.closest('button[data-sort]')));
  }

  take(status) {
    const wrong = new Set(status.problems.map((p) => `${p.part} ${p.name}`));
    const seconds = this.before ? (status.now_ms - this.before.now_ms) / 1000 : 0;
    this.costs.take(status);
    const context = { status, wrong, costs: this.costs, order: this.order, rate: (kind, row, field) => this.#rate(kind, row, field, seconds) };
    this.#state(status);
    this.problems.replaceChildren(...status.problems.map((p) => el('li', {}, el('strong', {}, `${p.part} ${p.name}`), ' ', p.text)));
    this.problems.hidden = status.problems.length === 0;
    this.context = context;
    this.#tables();
    this.#self(status, seconds);
    this.before = status;
  }

  // Tables are made anew; where somebody is in them stays.
  #tables() {
    const focused = document.activeElement?.dataset?.sort;
    const scrolled = [...this.tables.querySelectorAll('.scroll')].map((s) => s.scrollLeft);
    this.tables.replaceChildren(outputs(this.context), buffers(this.context), sources(this.context), ...probes(this.context), subjects(this.context));
    this.tables.querySelectorAll('.scroll').forEach((s, i) => { s.scrollLeft = scrolled[i] ?? 0; });
    if (focused) this.tables.querySelector(`button[data-sort="${CSS.escape(focused)}"]`)?.focus();
  }

  #sort(button) {
    if (!button) return;
    const column = button.dataset.sort;
    const again = this.order.column === column;
    // Numbers begin with the largest, names with the first.
    const down = again ? !this.order.down : column !== 'Name';
    Object.assign(this.order, { column, down });
    this.#tables();
  }

  // Nobody answers: what was last heard says nothing about now.
  unheard() {
    this.state.className = 'pill bad';
    this.state.textContent = 'Not heard';
    document.body.dataset.state = 'lost';
  }

  #state({ problems }) {
    const n = problems.length;
    this.state.className = `pill ${n ? 'bad' : 'ok'}`;
    this.state.textContent = n ? plural(n, 'problem') : 'All is well';
    document.body.dataset.state = n ? 'problems' : 'ok';
  }

  #self({ process, page, now_ms: now }, seconds) {
    const cpu = seconds > 0 ? (process.cpu_s - this.before.process.cpu_s) / seconds : NaN;
    const parts = [
      `taffrail ${process.version}`,
      process.config ? `config ${process.config}` : 'no config file: collects what this machine has',
      process.started_ms ? `running since ${clock(process.started_ms)} (${duration((now - process.started_ms) / 1000)})` : '',
      process.resident_bytes ? `${bytes(process.resident_bytes)} of memory` : '',
      cpu >= 0 ? `${percent(cpu)} of a CPU` : '',
      `this page keeps ${bytes(page.chart_bytes + page.tail_bytes)}`,
    ];
    this.self.replaceChildren(...parts.filter(Boolean).map((p) => el('li', {}, p)));
  }

  // Growth a second of a counter since the last time; the collector's restart is no rate.
  #rate(kind, row, field, seconds) {
    const old = this.before?.[kind]?.find((r) => r.name === row.name && r.kind === row.kind);
    const grown = old ? row[field] - old[field] : NaN;
    return seconds > 0 && grown >= 0 ? grown / seconds : NaN;
  }
}

// What each subject costs a second, over the last minute: a single answer may hold one run, or none.
class Costs {
  constructor() {
    this.kept = [];
  }

  take({ now_ms: now, process, exporters }) {
    const of = new Map(exporters.flatMap((e) => e.subjects.map((s) => [`${e.name}/${s.name}`, s])));
    if (this.kept.length && this.kept[0].started !== process.started_ms) this.kept = [];
    this.kept.push({ now, started: process.started_ms, of });
    while (this.kept.length > 2 && this.kept[1].now <= now - 60_000) this.kept.shift();
  }

  // Until there is enough to tell, the mean since the start.
  rate(name, field) {
    const last = this.kept.at(-1);
    const first = this.kept[0];
    const then = first.of.get(name);
    const now = last.of.get(name)[field];
    if (then && last.now - first.now >= 30_000 && now >= then[field]) return (now - then[field]) / ((last.now - first.now) / 1000);
    return now / Math.max(1, (last.now - last.started) / 1000);
  }
}

const named = (row) => (!row.kind || row.kind === row.name ? row.name : `${row.kind}/${row.name}`);
const many = (v, unit) => (Number.isFinite(v) ? `${number(v)} ${unit}/s` : DASH);
const some = (v) => (Number.isFinite(v) ? `${bytes(v)}/s` : DASH);

function lost(counts) {
  const happened = Object.entries(counts).filter(([, n]) => n > 0);
  return happened.length ? happened.map(([why, n]) => `${number(n)} ${why.replaceAll('_', ' ')}`).join(', ') : 'none';
}

// What an archive holds is in open objects until it is stored.
function waiting(o) {
  const open = o.archive && `${plural(o.archive.open_objects, 'object')} open, ${plural(o.archive.objects, 'object')} stored`;
  return el('span', {}, plural(o.waiting, 'record'), ...(open ? [el('small', { class: 'under' }, open)] : []));
}

function outputs({ status, wrong, rate }) {
  const rows = status.outputs.map((o) => {
    const bad = wrong.has(`output ${named(o)}`);
    return { bad, cells: [
      el('span', { title: o.url }, named(o), el('small', { class: 'under' }, o.url)),
      state(bad, o.retrying ? 'retrying' : bad ? 'problem' : o.last_delivery_ms ? 'delivers' : 'nothing sent yet'),
      many(rate('outputs', o, 'delivered'), o.kind === 'prometheus' ? 'samples' : 'lines'), some(rate('outputs', o, 'sent_bytes')),
      waiting(o), duration(o.lag_s), ago(o.last_delivery_ms, status.now_ms), lost(o.lost), failure(o.last_error, status.now_ms),
    ] };
  });
  const config = status.process.config;
  const lines = [...(config ? [] : ['host: {}']), 'outputs:', '  prometheus: [{url: "http://prometheus:9090/api/v1/write"}]', '  loki: [{url: "http://loki:3100"}]'];
  const empty = hint('Nothing is sent anywhere yet: this page is all there is.',
    config ? `Add receivers to ${config}; it is read again on SIGHUP or POST /-/reload:` : 'Put this into taffrail.yml and start with --config taffrail.yml:', lines);
  return section('Outputs', 'where data goes', ['Name', 'State', 'Rate', 'Sent', 'Waiting', 'Lag', 'Last delivery', 'Given up', 'Last error'], rows, empty);
}

function buffers({ status, wrong, rate }) {
  const rows = status.logs.map((l) => {
    const share = l.max_bytes ? l.bytes / l.max_bytes : NaN;
    const bad = wrong.has(`log ${l.name}`);
    return { bad, cells: [l.name, state(bad, bad ? 'gave up records' : 'ok'), many(rate('logs', l, 'records'), 'records'),
      meter(share, `${bytes(l.bytes)} of ${bytes(l.max_bytes)}`), lost(l.dropped)] };
  });
  return section('Buffers', 'what waits for the outputs', ['Name', 'State', 'Rate', 'Holds', 'Given up'], rows, hint('No buffers: nothing waits for an output.'));
}

function sources({ status, wrong, rate }) {
  const rows = status.sources.map((s) => {
    const bad = wrong.has(`source ${named(s)}`);
    const gone = Object.values(s.lost_messages).reduce((sum, n) => sum + n, 0);
    return { bad, cells: [named(s), state(bad, s.holding ? 'holds' : s.lost_bytes || gone ? 'lost lines' : 'reads'), plural(s.inputs, 'input'), many(rate('sources', s, 'lines'), 'lines'),
      some(rate('sources', s, 'bytes')), bytes(s.behind_bytes), bytes(s.unsettled_bytes), gone ? plural(gone, 'message') : s.lost_bytes ? bytes(s.lost_bytes) : 'none',
      s.holding ? el('span', { class: 'error' }, s.holding) : failure(s.last_error, status.now_ms)] };
  });
  const empty = hint('No log source is set up.', 'To follow log files, add to the config:', ['logs:', '  - {name: files, files: {include: [/var/log/*.log]}}']);
  return section('Log sources', 'where lines come from', ['Name', 'State', 'Follows', 'Rate', 'Read', 'Behind', 'Not settled', 'Lost', 'Last error'], rows, empty);
}

const COSTS = ['Takes', 'CPU', 'Reads', 'Series', 'Memory', 'Files'];

// Probes have a table of their own, as what fails there is somebody else's; what they cost counts with the subjects.
function probes({ status }) {
  const all = status.exporters.filter((e) => e.name === 'probe').flatMap((e) => e.subjects);
  const rows = all.map((s) => {
    const bad = s.late || (s.last_run_ms > 0 && !s.ok);
    const word = s.late ? 'takes too long' : !s.last_run_ms ? 'not run yet' : s.ok ? 'succeeds' : 'fails';
    return { bad, cells: [el('span', { title: s.instance }, s.name, el('small', { class: 'under' }, s.instance ?? '')), state(bad, word),
      `every ${duration(s.interval_s)}`, duration(s.duration_s), ago(s.last_run_ms, status.now_ms), failure(s.last_error, status.now_ms)] };
  });
  return rows.length ? [section('Probes', 'services, certificates and backups, seen from outside', ['Name', 'State', 'Runs', 'Takes', 'Last run', 'Last failure'], rows)] : [];
}

function subjects({ status, wrong, costs, order }) {
  const all = { cpu: 0, memory: 0, files: 0 };
  const rows = status.exporters.flatMap((e) => e.subjects.flatMap((s) => {
    const name = `${e.name}/${s.name}`;
    const bad = wrong.has(`subject ${name}`);
    const slowed = s.interval_s > s.asked_s;
    const word = s.late ? 'takes too long' : !s.last_run_ms ? 'not run yet' : !s.ok ? 'fails' : slowed ? 'slowed down' : bad ? 'silent' : 'ok';
    const cpu = costs.rate(name, 'cpu_s');
    const read = costs.rate(name, 'read_bytes');
    all.cpu += cpu;
    all.memory += s.memory_bytes;
    all.files += s.held_files;
    if (e.name === 'probe') return [];
    const runs = slowed ? `every ${duration(s.interval_s)}, not ${duration(s.asked_s)}` : `every ${duration(s.interval_s)}`;
    return [{ bad, keys: { Name: name, Takes: s.duration_s, CPU: cpu, Reads: read, Series: s.series, Memory: s.memory_bytes, Files: s.held_files },
      cells: [name, state(bad, word), runs, duration(s.duration_s), cpu > 0 ? `${duration(cpu)}/s` : DASH, read > 0 ? some(read) : DASH, s.series ? number(s.series) : DASH,
        s.memory_bytes ? bytes(s.memory_bytes) : DASH, s.held_files ? number(s.held_files) : DASH, ago(s.last_run_ms, status.now_ms), failure(s.last_error, status.now_ms)] }];
  }));
  const empty = hint('Nothing is measured.', 'To measure this machine, add to the config:', ['host: {}']);
  const about = rows.length ? `what is measured, for ${duration(all.cpu)} of a CPU each second, ${bytes(all.memory)} of memory and ${plural(all.files, 'open file')}` : 'what is measured';
  return section('Subjects', about, ['Name', 'State', 'Runs', ...COSTS, 'Last run', 'Last error'], rows, empty, order);
}
