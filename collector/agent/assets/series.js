// Series: which jobs, metrics and labels have the most. The server counts; this draws.

import { DASH, el, number, plural } from './format.js';
import { hint, meter, section } from './table.js';

const ROWS = 8;
// Series come and go slowly, and the answer is not free.
const EVERY_MS = 10_000;

export class Series {
  constructor(ask) {
    this.ask = ask;
    this.tables = document.getElementById('series-tables');
    this.count = document.getElementById('series-count');
    this.due = 0;
  }

  async poll() {
    if (Date.now() < this.due) return;
    const found = await this.ask(`/api/v1/cardinality?limit=${ROWS}`);
    this.due = Date.now() + EVERY_MS;
    const of = found.budget ? ` of ${number(found.budget)} in the budget` : '';
    this.count.textContent = `${number(found.series)}${of}, ${plural(found.jobs.length, 'job')}`;
    const scrolled = [...this.tables.querySelectorAll('.scroll')].map((s) => s.scrollLeft);
    this.tables.replaceChildren(jobs(found), metrics(found), labels(found));
    this.tables.querySelectorAll('.scroll').forEach((s, i) => { s.scrollLeft = scrolled[i] ?? 0; });
  }
}

const values = ({ values: n, exact }) => `${exact ? '' : '≈ '}${number(n)}`;

function jobs({ jobs: all, over_budget: over }) {
  const rows = all.slice(0, ROWS).map((job) => {
    const excess = over.find((e) => e.job === job.job && !e.all);
    const share = job.budget ? job.series / job.budget : 0;
    return { bad: Boolean(excess), cells: [
      job.job,
      el('span', {}, number(job.series)),
      job.budget ? meter(share, `${Math.round(share * 100)} % of ${number(job.budget)}`) : 'no budget',
      number(job.metrics + job.series_beyond),
      excess ? el('span', { class: 'error' }, excess.metric ? `${excess.metric}: ${number(excess.values)} values of ${excess.label}` : `${number(excess.values)} metrics`) : DASH,
    ] };
  });
  const about = all.length > rows.length ? `the first ${rows.length} of ${all.length}` : 'the most first';
  return section('Jobs', about, ['Job', 'Series', 'Of its budget', 'Metrics', 'What explodes'], rows, hint('Nothing is counted yet.'));
}

function metrics({ jobs: all }) {
  const found = all.flatMap((job) => job.top_metrics.map((metric) => ({ ...metric, job: job.job, of: job.series })));
  found.sort((a, b) => b.series - a.series);
  const rows = found.slice(0, ROWS).map((m) => {
    const share = m.series / m.of;
    const many = m.labels.filter((label) => label.values > 1);
    return { bad: false, cells: [
      el('span', {}, m.metric, el('small', { class: 'under' }, m.job)),
      number(m.series),
      `${Math.round(share * 100)} % of its job`,
      many.length ? el('ul', { class: 'chips' }, ...many.slice(0, 6).map((label) => el('li', {}, `${label.label} `, el('b', {}, values(label))))) : DASH,
    ] };
  });
  return section('Metrics', 'with the most series', ['Metric', 'Series', 'Share', 'Values of its labels'], rows, hint('Nothing is counted yet.'));
}

function labels({ jobs: all }) {
  const found = all.flatMap((job) => job.top_labels.map((label) => ({ ...label, job: job.job })));
  found.sort((a, b) => b.values - a.values);
  const rows = found.slice(0, ROWS).map((label) => ({ bad: false, cells: [
    label.label,
    values(label),
    el('span', {}, label.metric, el('small', { class: 'under' }, label.job)),
  ] }));
  return section('Labels', 'with the most values; ≈ is an estimate', ['Label', 'Values', 'Metric'], rows, hint('Nothing is counted yet.'));
}
