// Numbers and times for people. What is not a finite number is a dash, never "NaN".

export const DASH = '–';

export function number(v) {
  if (!Number.isFinite(v)) return DASH;
  const size = Math.abs(v);
  if (size >= 1e6) return `${trim(v / 1e6)} M`;
  if (size >= 1e4) return `${trim(v / 1e3)} k`;
  if (size >= 100 || Number.isInteger(v)) return String(Math.round(v));
  return v.toFixed(size >= 10 ? 1 : 2);
}

export function percent(v) {
  if (!Number.isFinite(v)) return DASH;
  const p = v * 100;
  return `${p > 0 && p < 9.95 ? p.toFixed(1) : Math.round(p)} %`;
}

export function bytes(v) {
  if (!Number.isFinite(v)) return DASH;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let size = Math.abs(v);
  let unit = 0;
  while (size >= 1023.5 && unit < units.length - 1) { size /= 1024; unit += 1; }
  return `${v < 0 ? '-' : ''}${unit ? trim(size) : Math.round(size)} ${units[unit]}`;
}

export function duration(seconds) {
  if (!Number.isFinite(seconds)) return DASH;
  const s = Math.max(0, seconds);
  if (s < 0.001) return s ? `${Math.max(1, Math.round(s * 1e6))} µs` : '0 s';
  if (s < 1) return `${trim(s * 1000)} ms`;
  if (s < 100) return `${trim(s)} s`;
  if (s < 6000) return `${Math.round(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} days`;
}

export function ago(ms, now) {
  if (!Number.isFinite(ms) || ms <= 0) return 'never';
  const seconds = (now - ms) / 1000;
  return seconds < 1.5 ? 'now' : `${duration(seconds < 100 ? Math.round(seconds) : seconds)} ago`;
}

const minute = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hour12: false });
const second = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });

export const hourMinute = (ms) => (Number.isFinite(ms) ? minute.format(ms) : DASH);
export const clock = (ms) => (Number.isFinite(ms) ? second.format(ms) : DASH);

export function value(v, unit) {
  switch (unit) {
    case 'ratio': return percent(v);
    case 'bytes': return bytes(v);
    case 'bytes_per_second': return Number.isFinite(v) ? `${bytes(v)}/s` : DASH;
    default: return number(v);
  }
}

export function plural(n, one, many = `${one}s`) {
  return `${n} ${n === 1 ? one : many}`;
}

// An element with attributes, properties and children; text is always text, never markup.
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, val] of Object.entries(attributes)) {
    if (val === undefined || val === null || val === false) continue;
    if (key === 'class') node.className = val;
    else if (key.startsWith('on')) node.addEventListener(key.slice(2), val);
    else node.setAttribute(key, val === true ? '' : val);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

function trim(v) {
  const digits = Math.abs(v) >= 99.95 ? 0 : Math.abs(v) >= 9.995 ? 1 : 2;
  return v.toFixed(digits).replace(/\.0+$|(\.\d*[1-9])0+$/, '$1');
}
