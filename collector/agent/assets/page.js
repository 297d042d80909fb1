// Keeps the page up to date: asks while somebody looks, and says plainly when nobody answers.

import { Charts } from './charts.js';
import { clock, duration } from './format.js';
import { Logs } from './logs.js';
import { Pipeline } from './pipeline.js';
import { Series } from './series.js';
import { Targets } from './targets.js';

const LEAST_MS = 2000;
const MOST_MS = 15_000;
const PATIENCE_MS = 8000;

const charts = new Charts();
const pipeline = new Pipeline();
const logs = new Logs(ask);
const targets = new Targets(ask);
const series = new Series(ask);
const lost = document.getElementById('lost');
const updated = document.getElementById('updated');

let answered = 0;
let interval = LEAST_MS;
let due = 0;
let busy = false;

async function ask(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS), cache: 'no-store' });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error ?? `the collector answered ${response.status}`);
  answered = Date.now();
  return body;
}

async function tick() {
  if (busy || document.hidden) return;
  busy = true;
  try {
    if (Date.now() >= due) {
      const [status, live] = await Promise.all([ask('/api/v1/status?targets=none'), ask(`/api/v1/charts?since=${charts.since()}`)]);
      interval = pace(status);
      pipeline.take(status);
      charts.take(live);
      await targets.poll(status);
      await series.poll();
      due = Date.now() + interval - 100;
    }
    await logs.poll();
    alive();
  } catch (error) {
    due = 0;
    silent(error);
  } finally {
    busy = false;
  }
}

// As often as there is something new; more often until the first picture and the first rates are there.
function pace(status) {
  const every = status.exporters.flatMap((e) => e.subjects.map((s) => s.interval_s * 1000)).filter((ms) => ms > 0);
  const drawn = [...charts.kept.values()].some((c) => c.id === 'cpu');
  return drawn && pipeline.before && every.length ? Math.min(MOST_MS, Math.max(LEAST_MS, Math.min(...every))) : LEAST_MS;
}

function alive() {
  lost.hidden = true;
  delete document.body.dataset.lost;
  updated.textContent = `updated ${clock(answered)}, every ${duration(interval / 1000)}`;
}

function silent(error) {
  const since = answered ? ` since ${clock(answered)}` : '';
  const why = error instanceof TypeError || error.name === 'TimeoutError' ? 'it does not answer' : error.message;
  lost.textContent = `Connection lost: the collector has not been heard${since} (${why}). What you see is old. Trying again every ${LEAST_MS / 1000} s.`;
  lost.hidden = false;
  pipeline.unheard();
  document.body.dataset.lost = '';
}

function theme() {
  const button = document.getElementById('theme');
  const root = document.documentElement;
  const system = matchMedia('(prefers-color-scheme: dark)');
  const dark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : system.matches);
  const show = () => {
    button.setAttribute('aria-pressed', String(dark()));
    charts.restyle();
  };
  button.addEventListener('click', () => {
    root.dataset.theme = dark() ? 'light' : 'dark';
    try {
      // Back at what the system wants, the page follows the system again.
      if (dark() === system.matches) localStorage.removeItem('taffrail-theme');
      else localStorage.setItem('taffrail-theme', root.dataset.theme);
    } catch { /* storage may be forbidden: the choice lasts as long as the page */ }
    show();
  });
  system.addEventListener('change', show);
  show();
}

theme();
document.addEventListener('visibilitychange', () => { due = 0; tick(); });
setInterval(tick, LEAST_MS);
tick();
