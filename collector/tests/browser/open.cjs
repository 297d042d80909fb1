// Opens a page in Chromium and tells what is on it: node open.cjs URL SCREENSHOT WIDTHxHEIGHT SELECTOR MILLISECONDS
// Waits up to MILLISECONDS for SELECTOR to be visible and prints one JSON object: title, text of the
// selected element, and the errors the page threw or logged. Exits 1, with what was there instead,
// when the selector does not come in time.
const { chromium } = require('playwright-core');

async function main([url, screenshot, size, selector, patience]) {
  const [width, height] = size.split('x').map(Number);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    // The sandbox of Chromium needs more of the machine than a container in CI gives.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  try {
    const page = await browser.newPage({ viewport: { width, height } });
    const errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    await page.goto(url, { waitUntil: 'domcontentloaded', timeout: 15000 });
    const element = page.locator(selector).first();
    try {
      await element.waitFor({ state: 'visible', timeout: Number(patience) });
    } catch (error) {
      const body = await page.locator('body').innerText();
      throw new Error(`nothing visible for ${selector} at ${url}; errors: ${JSON.stringify(errors)}; the page: ${body}`);
    }
    const text = await element.innerText();
    await page.screenshot({ path: screenshot });
    console.log(JSON.stringify({ title: await page.title(), text, errors }));
  } finally {
    await browser.close();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exit(1);
});
