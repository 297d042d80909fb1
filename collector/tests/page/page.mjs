// Looks at the live page as a person would: sees a chart with points and a log line that was just written, filters,
// goes dark, walks by keyboard, takes a phone. Usage:
//
//   node page.mjs http://127.0.0.1:9753 'text of a log line' FOLDER-FOR-SCREENSHOTS [SECONDS TO WAIT FOR A SIGHT]
//
// CHROMIUM names the browser (default /usr/bin/chromium). Exit code 1 and a sentence on the first thing that is wrong.

import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

// NODE_PATH, which import does not read, may say where the browser's driver is installed.
const { chromium } = createRequire(import.meta.url)('playwright-core');

const [base, line, folder = 'screenshots', patience = '60'] = process.argv.slice(2);
if (!base || !line) {
  console.error("usage: node page.mjs URL 'text of a log line' [FOLDER [SECONDS]]");
  process.exit(2);
}
const origin = new URL(base).origin;
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

await mkdir(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags });
const complaints = [];

try {
  await desktop();
  await phone();
  await silence();
  if (complaints.length) throw new Error(`the browser complained:\n  ${complaints.join('\n  ')}`);
  console.log(`the page is fine; screenshots are in ${folder}`);
} catch (error) {
  console.error(`page test: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}

async function open(options, quiet = false) {
  const page = await browser.newPage({ reducedMotion: 'reduce', ...options });
  page.setDefaultTimeout(30_000);
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (!['data:', 'blob:'].includes(url.protocol) && url.origin !== origin) complaints.push(`a request left for ${request.url()}`);
  });
  if (!quiet) {
    page.on('pageerror', (error) => complaints.push(`script error: ${error.message}`));
    page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) complaints.push(`console: ${message.text()}`); });
  }
  return page;
}

function must(condition, sentence) {
  if (!condition) throw new Error(sentence);
}

async function sees(page, what, test, argument, timeout = Number(patience) * 1000) {
  try {
    await page.waitForFunction(test, argument, { timeout, polling: 200 });
  } catch {
    await page.screenshot({ path: join(folder, 'failed.png'), fullPage: true });
    throw new Error(`waited ${timeout / 1000} s and did not see ${what}; see ${join(folder, 'failed.png')}`);
  }
}

// A chart with points: said by the page, and seen in the pixels.
async function charts(page) {
  for (const id of ['cpu', 'memory', 'load']) {
    await sees(page, `two points in the chart "${id}"`, (chart) => Number(document.querySelector(`[data-chart="${chart}"]`)?.dataset.points) >= 2, id);
  }
  await sees(page, 'colour on the canvas of the chart "memory"', () => {
    const canvas = document.querySelector('[data-chart="memory"] canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const colors = new Set();
    for (let i = 0; i < data.length; i += 4) if (data[i + 3]) colors.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    return colors.size > 8;
  });
}

function texts(page) {
  return page.locator('#lines .text').allTextContents();
}

async function desktop() {
  const page = await open({ viewport: { width: 1400, height: 1000 }, colorScheme: 'light' });
  await page.goto(base);
  await charts(page);
  await sees(page, `the log line "${line}"`, (text) => [...document.querySelectorAll('#lines .text')].some((l) => l.textContent.includes(text)), line);
  const state = await page.evaluate(() => document.body.dataset.state);
  must(['ok', 'problems'].includes(state), `the state is "${state}", expected ok or problems`);
  must((await page.locator('#tables tbody tr').count()) > 0, 'the pipeline shows no row at all');
  const words = await page.locator('body').innerText();
  must(!/\b(NaN|Infinity|undefined|null)\b/.test(words.replaceAll(line, '').replace(await page.locator('#lines').innerText(), '')), 'the page shows NaN, Infinity, undefined or null to people');
  await page.screenshot({ path: join(folder, 'light.png'), fullPage: true });

  // Keyboard: the skip links come first, "/" reaches the filter, arrows read a chart.
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press('Tab');
  must(await page.evaluate(() => document.activeElement.matches('.skip')), 'the first stop of the Tab key is not the skip link');
  const stops = new Set();
  for (let i = 0; i < 40; i += 1) {
    await page.keyboard.press('Tab');
    stops.add(await page.evaluate(() => document.activeElement.id || document.activeElement.closest('[data-chart]')?.dataset.chart || document.activeElement.name));
  }
  for (const stop of ['theme', 'state', 'cpu', 'filter', 'stream', 'pause', 'lines']) must(stops.has(stop), `the Tab key does not reach "${stop}"; it reaches ${[...stops].filter(Boolean).join(', ')}`);
  await page.locator('[data-chart="memory"] .canvas').focus();
  await page.keyboard.press('End');
  const read = await page.locator('[data-chart="memory"] .canvas').getAttribute('aria-valuetext');
  must(/used .*iB/.test(read ?? ''), `arrow keys in a chart read out "${read}", expected a time and values`);
  must(await page.evaluate(() => document.querySelectorAll('.legend .then').length > 1), 'the cursor is not shared between the charts');
  await page.keyboard.press('Escape');
  await page.keyboard.press('/');
  must(await page.evaluate(() => document.activeElement.id === 'filter'), 'the "/" key does not go to the filter');

  // Filter: only the line stays; an excluded word takes it away; Escape brings all back.
  await page.keyboard.type(line.toUpperCase());
  await sees(page, 'only matching lines', (text) => {
    const lines = [...document.querySelectorAll('#lines .text')];
    return lines.length > 0 && lines.every((l) => l.textContent.toLowerCase().includes(text.split(' ')[0].toLowerCase()));
  }, line, 30_000);
  must((await texts(page)).some((t) => t.includes(line)), 'the filter hides the line that it should find');
  await page.locator('#filter').fill(`-"${line}"`);
  await sees(page, 'the excluded line gone', (text) => ![...document.querySelectorAll('#lines .text')].some((l) => l.textContent.includes(text)), line, 30_000);
  await page.locator('#filter').fill('no line has these words zyxw');
  await sees(page, 'a sentence that no line matches', () => document.querySelector('#no-lines .searching').checkVisibility(), null, 30_000);
  await page.keyboard.press('Escape');
  await sees(page, 'all lines after Escape', (text) => [...document.querySelectorAll('#lines .text')].some((l) => l.textContent.includes(text)), line, 30_000);

  // Targets: with labels before and after, why one is down, what is odd about a page; by state and by words.
  const targets = page.locator('#target-table');
  await sees(page, 'two targets, the one that is down first', () => {
    const words = [...document.querySelectorAll('#target-table tbody tr')].map((row) => row.innerText);
    return words.length === 2 && /down/.test(words[0]) && /cannot connect/.test(words[0]) && /up/.test(words[1]) && /samples left out/.test(words[1]);
  });
  must(/1 job: 1 up, 1 down, 1 dropped/.test(await page.locator('#target-count').innerText()), 'the targets are not summed up');
  await targets.locator('details summary').first().click();
  await page.waitForResponse((response) => response.url().includes('/api/v1/targets'));
  await page.waitForTimeout(300);
  must(/__meta_zone="eu-1"/.test(await targets.locator('details[open]').innerText()), 'labels before relabelling are not shown, or close again with new data');
  await page.locator('#targets').screenshot({ path: join(folder, 'targets.png') });
  await page.locator('input[value="up"]').check({ force: true });
  await sees(page, 'only the target that is up', () => { const rows = document.querySelectorAll('#target-table tbody tr'); return rows.length === 1 && !/down/.test(rows[0].innerText); }, null, 30_000);
  await page.locator('input[value="dropped"]').check({ force: true });
  await sees(page, 'the dropped target', () => /127\.0\.0\.1:2/.test(document.querySelector('#target-table tbody')?.innerText ?? ''), null, 30_000);
  await page.locator('input[value="active"]').check({ force: true });
  await page.locator('#target-filter').fill('connect');
  await sees(page, 'only the target with these words', () => document.querySelectorAll('#target-table tbody tr').length === 1, null, 30_000);
  await page.locator('#target-filter').fill('');

  // Series: the job with the most first, and which metrics and labels make them.
  await sees(page, 'how many series the jobs have', () => {
    const words = [...document.querySelectorAll('#series-tables > *')].map((table) => table.innerText);
    return words.length === 3 && /node[^]*shop/.test(words[0]) && /node_/.test(words[1]) && /instance|cpu|device/.test(words[2]);
  }, null, 30_000);
  await page.locator('#series').screenshot({ path: join(folder, 'series.png') });

  // Subjects by what they cost: by the largest first, then the other way round, and still so when the page has new data.
  const subjects = page.locator('#tables .part', { has: page.getByRole('heading', { name: /^Subjects/ }) });
  const series = async () => (await subjects.locator('tbody td[data-head="Series"]').allTextContents()).map((text) => Number(text) || 0);
  const falls = (all) => all.length > 5 && all.every((n, i) => !i || n <= all[i - 1]);
  must((await subjects.locator('tbody td[data-head="CPU"]').allTextContents()).some((text) => /\/s$/.test(text)), 'no subject says what it costs');
  const largest = subjects.getByRole('button', { name: 'Series' });
  await largest.click();
  must(falls(await series()), `sorted by series, the table shows ${await series()}`);
  await page.waitForResponse((response) => response.url().includes('/api/v1/status'));
  await page.waitForTimeout(300);
  must(falls(await series()), `the order is lost with new data: ${await series()}`);
  must(await page.evaluate(() => document.activeElement.dataset.sort === 'Series'), 'the focus is lost with new data');
  await largest.click();
  must(falls((await series()).reverse()), `sorted by series the other way round, the table shows ${await series()}`);
  must((await subjects.locator('th[aria-sort="ascending"]').count()) === 1, 'the sorted column is not said to be');

  // Dark, and kept.
  const ink = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ink();
  await page.locator('#theme').click();
  must((await ink()) !== light, 'the theme button does not change the colours');
  await page.reload();
  must((await ink()) !== light, 'the dark theme is forgotten when the page is loaded again');
  await charts(page);
  await page.screenshot({ path: join(folder, 'dark.png'), fullPage: true });
  await page.close();
}

async function phone() {
  const page = await open({ viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, colorScheme: 'dark' });
  await page.goto(base);
  await charts(page);
  const wide = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  must(wide[0] <= 360 && wide[1] <= 360, `on a phone the page is ${Math.max(...wide)} px wide, and scrolls sideways`);
  await page.screenshot({ path: join(folder, 'phone.png'), fullPage: true });
  await page.close();
}

// A collector that does not answer is said, and so is its return.
async function silence() {
  const page = await open({ viewport: { width: 1400, height: 1000 } }, true);
  await page.goto(base);
  await charts(page);
  await page.route('**/api/**', (route) => route.abort());
  await sees(page, 'the words "Connection lost"', () => /Connection lost/.test(document.getElementById('lost').innerText), null, 30_000);
  must((await page.locator('#state').innerText()) === 'Not heard', 'the page says that all is well while nobody answers');
  await page.screenshot({ path: join(folder, 'lost.png') });
  await page.unroute('**/api/**');
  await sees(page, 'the page recover', () => document.getElementById('lost').hidden, null, 30_000);
  await page.close();
}
