// Tables of things that run: what is wrong first, or by a column.

import { DASH, ago, el } from './format.js';

export function state(bad, text, open = false) {
  return el('span', { class: `mark ${bad ? 'bad' : open ? 'open' : 'ok'}` }, text);
}

export function failure(f, now) {
  return f ? el('span', { class: 'error', title: f.text }, `${f.text} `, el('small', {}, ago(f.at_ms, now))) : DASH;
}

// With an order, the columns that have keys can be sorted by; else what is wrong comes first.
export function section(title, about, heads, rows, empty, order) {
  const head = el('h3', {}, title, ' ', el('small', {}, about));
  if (!rows.length) return el('div', { class: 'panel part' }, head, empty);
  const body = sorted(rows, order).map(({ bad, cells }) => el('tr', { class: bad ? 'bad' : '' }, ...cells.map((c, i) => (
    i ? el('td', { 'data-head': heads[i], class: c === DASH ? 'none' : '' }, c) : el('th', { scope: 'row' }, c)))));
  const column = (h) => (order && h in rows[0].keys ? el('th', { scope: 'col', 'aria-sort': h === order.column ? (order.down ? 'descending' : 'ascending') : 'none' },
    el('button', { type: 'button', 'data-sort': h }, h)) : el('th', { scope: 'col' }, h));
  return el('div', { class: 'panel part' }, head, el('div', { class: 'scroll' }, el('table', { class: 'rows' },
    el('caption', { class: 'unseen' }, `${title}: ${about}`),
    el('thead', {}, el('tr', {}, ...heads.map(column))), el('tbody', {}, ...body))));
}

function sorted(rows, order) {
  if (!order?.column) return [...rows.filter((r) => r.bad), ...rows.filter((r) => !r.bad)];
  const key = (row) => row.keys[order.column];
  const compare = (a, b) => (typeof key(a) === 'string' ? key(a).localeCompare(key(b)) : key(a) - key(b));
  return [...rows].sort((a, b) => (order.down ? -compare(a, b) : compare(a, b)));
}

export function hint(what, how, lines) {
  return el('div', { class: 'hint' }, el('p', {}, el('strong', {}, what), how ? ` ${how}` : ''), lines ? el('pre', { tabindex: '0' }, lines.join('\n')) : null);
}

export function meter(share, text) {
  const fill = el('b', { class: share >= 0.9 ? 'bad' : share >= 0.6 ? 'warn' : '' });
  fill.style.width = `${Math.min(100, Math.max(0, (share || 0) * 100))}%`;
  return el('span', { class: 'room' }, el('span', { class: 'bar' }, fill), el('small', {}, text));
}
