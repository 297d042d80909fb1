// The log tail: follows, filters, pauses. Text is set as text only; a line can say what it likes.

import { ago, bytes, clock, el, plural } from './format.js';

const KEPT = 500;

export class Logs {
  constructor(ask) {
    this.ask = ask;
    this.list = document.getElementById('lines');
    this.filter = document.getElementById('filter');
    this.stream = document.getElementById('stream');
    this.pause = document.getElementById('pause');
    this.times = document.getElementById('times');
    this.count = document.getElementById('count');
    this.down = document.getElementById('down');
    this.empty = document.getElementById('no-lines');
    this.after = 0;
    this.paused = false;
    this.following = true;
    this.relative = false;
    this.generation = 0;
    this.waiting = 0;
    let typing;
    this.filter.addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(() => this.restart(), 150); });
    this.filter.addEventListener('keydown', (e) => {
      if (e.key === 'Escape' && this.filter.value) { e.preventDefault(); this.filter.value = ''; this.restart(); }
    });
    this.stream.addEventListener('change', () => this.restart());
    this.pause.addEventListener('click', () => this.#pause(!this.paused));
    this.times.addEventListener('click', () => { this.relative = !this.relative; this.#times(Date.now()); });
    this.list.addEventListener('scroll', () => {
      this.following = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 24;
      if (this.following) this.#new(0);
    });
    this.down.addEventListener('click', () => this.#bottom());
    document.addEventListener('keydown', (e) => {
      if (e.key !== '/' || e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName)) return;
      e.preventDefault();
      this.filter.focus();
      this.filter.select();
    });
  }

  // Reads anew what is there: the filter or the stream changed.
  restart() {
    this.after = 0;
    this.generation += 1;
    this.following = true;
    return this.poll();
  }

  async poll() {
    if (this.paused && this.after) return;
    const generation = this.generation;
    const query = new URLSearchParams({ after: this.after, limit: KEPT });
    if (this.filter.value.trim()) query.set('filter', this.filter.value);
    if (this.stream.value) query.set('stream', this.stream.value);
    const answer = await this.ask(`/api/v1/logs?${query}`);
    if (generation !== this.generation) return; // a newer question is under way
    if (answer.last < this.after) { this.after = 0; this.generation += 1; return; } // the collector was restarted
    this.#take(answer);
  }

  #take(answer) {
    const whole = this.after === 0;
    const lines = answer.lines.map((line) => row(line));
    if (!whole && answer.missed) lines.unshift(el('li', { class: 'gap' }, `${plural(answer.missed, 'line')} came too fast to be shown here; nothing is missing at the receivers`));
    if (whole) this.list.replaceChildren(...lines);
    else this.list.append(...lines);
    while (this.list.children.length > KEPT) this.list.firstChild.remove();
    this.after = answer.last;
    this.#streams(answer.streams);
    this.#times(answer.now_ms);
    const shown = this.list.querySelectorAll('li[data-seq]').length;
    const passed = answer.skipped_bytes ? `; ${bytes(answer.skipped_bytes)} went by too fast to show` : '';
    this.count.textContent = `${plural(shown, 'line')}${passed}`;
    const searching = Boolean(this.filter.value.trim() || this.stream.value);
    this.list.hidden = shown === 0;
    this.empty.hidden = shown > 0;
    this.empty.querySelector('.searching').hidden = !searching;
    this.empty.querySelector('.waiting').hidden = searching;
    if (this.following) this.#bottom();
    else if (!whole) this.#new(this.waiting + answer.lines.length);
  }

  #bottom() {
    this.list.scrollTop = this.list.scrollHeight;
    this.following = true;
    this.#new(0);
  }

  #new(n) {
    this.waiting = n;
    this.down.hidden = n === 0;
    this.down.textContent = `${plural(n, 'new line')} ↓`;
  }

  #pause(paused) {
    this.paused = paused;
    this.pause.setAttribute('aria-pressed', String(paused));
    this.pause.textContent = paused ? 'Resume' : 'Pause';
    if (!paused) this.poll().catch(() => {});
  }

  #times(now) {
    this.times.textContent = this.relative ? 'Show clock times' : 'Show ages';
    for (const time of this.list.querySelectorAll('time')) {
      const ms = Number(time.dataset.ms);
      time.textContent = this.relative ? ago(ms, now) : clock(ms);
    }
  }

  #streams(streams) {
    const known = [...this.stream.options].slice(1).map((o) => o.value);
    if (known.join('\n') === streams.join('\n')) return;
    const chosen = this.stream.value;
    const listed = chosen && !streams.includes(chosen) ? [...streams, chosen] : streams;
    this.stream.replaceChildren(el('option', { value: '' }, 'All streams'), ...listed.map((s) => el('option', { value: s }, short(s))));
    this.stream.value = chosen;
  }
}

function row(line) {
  const level = line.level ?? 'none';
  const when = new Date(line.ts_ms);
  return el('li', { class: `level-${level}`, 'data-seq': line.seq },
    el('time', { 'data-ms': line.ts_ms, datetime: Number.isFinite(when.getTime()) ? when.toISOString() : undefined, title: when.toString() }),
    el('span', { class: 'level' }, level === 'none' ? '' : level),
    el('span', { class: 'stream', title: line.stream }, short(line.stream)),
    el('span', { class: 'text' }, line.text, line.cut ? el('em', {}, ' … cut here for display') : ''));
}

// What tells a stream from others for a person: the file, container or unit, else the job.
function short(labels) {
  const pairs = new Map([...labels.matchAll(/([A-Za-z_][\w]*)="((?:[^"\\]|\\.)*)"/g)].map((m) => [m[1], m[2]]));
  const main = pairs.get('filename')?.split('/').pop() ?? pairs.get('container') ?? pairs.get('unit') ?? pairs.get('service_name');
  return [main, main ? null : pairs.get('job')].filter(Boolean).join(' ') || labels;
}
