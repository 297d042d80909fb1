// Targets of scrape jobs: what is asked, with which labels, and what came of it. The server filters; this draws.

import { DASH, ago, bytes, duration, el, number, plural } from './format.js';
import { failure, hint, section, state } from './table.js';

const LIMIT = 100;
const WORDS = { up: 'up', down: 'down', unknown: 'not asked yet' };

export class Targets {
  constructor(ask) {
    this.ask = ask;
    this.root = document.getElementById('targets');
    this.link = document.getElementById('to-targets');
    this.table = document.getElementById('target-table');
    this.count = document.getElementById('target-count');
    this.job = document.getElementById('target-job');
    this.filter = document.getElementById('target-filter');
    this.open = new Set();
    this.asked = '';
    this.root.addEventListener('change', () => this.#again());
    this.filter.addEventListener('input', () => { clearTimeout(this.later); this.later = setTimeout(() => this.#again(), 200); });
    this.table.addEventListener('toggle', ({ target }) => this.open[target.open ? 'add' : 'delete'](target.dataset.key), true);
  }

  // Asks only where there are jobs: most hosts scrape nothing, and pay nothing for it.
  async poll(status) {
    this.root.hidden = this.link.hidden = status.jobs.length === 0;
    if (!this.root.hidden) await this.#draw();
  }

  #again() {
    // What is wrong with the connection the next poll says.
    this.#draw().catch(() => {});
  }

  async #draw() {
    const wanted = this.root.querySelector('[name="target-state"]:checked').value;
    const query = new URLSearchParams({ state: wanted, job: this.job.value, filter: this.filter.value.slice(0, 500), limit: LIMIT });
    this.asked = query.toString();
    const found = await this.ask(`/api/v1/targets?${query}`);
    // Somebody typed on meanwhile: the answer to that comes later.
    if (query.toString() !== this.asked) return;
    this.#jobs(found.jobs);
    this.#said(found);
    const rows = wanted === 'dropped' ? this.#dropped(found) : this.#targets(found);
    const scrolled = this.table.querySelector('.scroll')?.scrollLeft ?? 0;
    const inside = this.table.contains(document.activeElement) ? document.activeElement.closest('details')?.dataset.key : null;
    this.table.replaceChildren(...this.#problems(found.jobs), rows);
    if (scrolled) this.table.querySelector('.scroll').scrollLeft = scrolled;
    if (inside) this.table.querySelector(`details[data-key="${CSS.escape(inside)}"] summary`)?.focus();
  }

  #jobs(jobs) {
    const names = ['', ...jobs.map((j) => j.name)];
    if ([...this.job.options].map((o) => o.value).join('\n') === names.join('\n')) return;
    const before = this.job.value;
    this.job.replaceChildren(...names.map((name) => el('option', { value: name }, name || 'All jobs')));
    this.job.value = names.includes(before) ? before : '';
  }

  #said({ jobs }) {
    const sum = (field) => jobs.reduce((n, job) => n + job[field], 0);
    const parts = [`${sum('up')} up`, `${sum('down')} down`];
    if (sum('unknown')) parts.push(`${sum('unknown')} not asked yet`);
    if (sum('dropped')) parts.push(`${sum('dropped')} dropped by relabelling`);
    this.count.textContent = `${plural(jobs.length, 'job')}: ${parts.join(', ')}`;
  }

  #problems(jobs) {
    const all = jobs.flatMap((job) => job.problems.map((text) => el('li', {}, el('strong', {}, job.name), ' ', text)));
    return all.length ? [el('ul', { class: 'panel troubles', 'aria-label': 'Problems of discovery' }, ...all)] : [];
  }

  #targets({ targets, matched, now_ms: now }) {
    const rows = targets.map((t) => {
      const bad = t.state === 'down';
      const slow = t.duration_s > t.interval_s / 2;
      return { bad, cells: [
        el('span', {}, link(t.url), el('small', { class: 'under' }, t.job)),
        state(bad, WORDS[t.state], t.state === 'unknown'),
        this.#labels(t),
        t.last_scrape_ms ? el('span', {}, ago(t.last_scrape_ms, now), el('small', { class: 'under' }, `every ${duration(t.interval_s)}`)) : `every ${duration(t.interval_s)}`,
        t.scrapes ? el('span', { class: slow ? 'warn' : '' }, duration(t.duration_s)) : DASH,
        t.up ? el('span', {}, t.kept === t.samples ? number(t.samples) : `${number(t.kept)} of ${number(t.samples)}`, el('small', { class: 'under' }, t.folded ? `${bytes(t.bytes)}, ${number(t.folded)} folded` : bytes(t.bytes))) : DASH,
        remarks(t, now),
      ] };
    });
    const more = matched > targets.length ? `the first ${targets.length} of ${matched}; filter to see others` : plural(matched, 'target');
    return section('Scraped', more, ['Target', 'State', 'Labels', 'Last scrape', 'Takes', 'Samples', 'Error and warnings'], rows, hint('No target is like that.'));
  }

  #dropped({ dropped, matched_dropped: matched, jobs }) {
    const rows = dropped.map(({ job, discovered }) => ({ bad: false, cells: [
      el('span', {}, discovered.__address__ ?? '', el('small', { class: 'under' }, job)), chips(discovered, true)] }));
    const all = jobs.reduce((n, job) => n + job.dropped, 0);
    const about = `${matched} of ${all}: rules of relabel_configs leave them out`;
    return section('Dropped', about, ['Target', 'Labels before relabelling'], rows, hint('No target that was dropped is like that.', 'keep_dropped_targets says how many a job shows.'));
  }

  #labels({ labels, discovered, job, url }) {
    const key = `${job} ${url} ${Object.values(labels).join(' ')}`;
    const before = el('details', { 'data-key': key, open: this.open.has(key) }, el('summary', {}, 'before relabelling'), chips(discovered, true));
    return el('div', {}, chips(labels), before);
  }
}

// Whoever writes labels may write a scheme too.
function link(url) {
  return /^https?:/.test(url) ? el('a', { href: url, rel: 'noreferrer' }, url) : el('span', {}, url);
}

function chips(labels, all = false) {
  // The job stands under the address already.
  const shown = Object.entries(labels).filter(([name]) => all || name !== 'job');
  return el('ul', { class: 'chips' }, ...shown.map(([name, value]) => el('li', {}, `${name}=`, el('b', {}, `"${value}"`))));
}

function remarks({ error, warnings, failures, scrapes }, now) {
  const odd = warnings.map((text) => el('small', { class: 'under warn' }, text));
  const failed = failures ? el('small', { class: 'under' }, `${number(failures)} of ${plural(scrapes, 'scrape')} failed`) : null;
  return error || odd.length || failed ? el('div', {}, error ? failure(error, now) : null, ...odd, failed) : DASH;
}
