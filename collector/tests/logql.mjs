// Reads every LogQL expression of every dashboard with Grafana's own grammar.
// usage: NODE_MODULES=… node collector/tests/logql.mjs dashboards/*.json
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { parser } = createRequire(`${process.env.NODE_MODULES}/`)("@grafana/lezer-logql");

// Grafana puts these in before it asks.
const plain = (expr) => expr.replaceAll("$__auto", "1m").replaceAll("$__interval", "1m").replaceAll("$__range", "1h");

/** The first place where the grammar does not fit, or null. */
function fault(expr) {
  let at = null;
  parser.parse(plain(expr)).iterate({ enter: (node) => { if (node.type.isError) at ??= node.from; } });
  return at;
}

/** All expressions of panels whose data source is Loki. */
function* expressions(value) {
  if (Array.isArray(value)) for (const item of value) yield* expressions(item);
  else if (value && typeof value === "object") {
    if (value.datasource?.type === "loki" && typeof value.expr === "string") yield value.expr;
    for (const item of Object.values(value)) yield* expressions(item);
  }
}

// Seen to fail, so that silence means something.
for (const broken of ['{job="a"', '{job="a"} |~', 'rate({job="a"})', '{job=a}']) {
  if (fault(broken) === null) throw new Error(`the check passes ${broken}`);
}

let count = 0;
let faults = 0;
for (const file of process.argv.slice(2)) {
  for (const expr of expressions(JSON.parse(readFileSync(file, "utf8")))) {
    count += 1;
    const at = fault(expr);
    if (at !== null) {
      faults += 1;
      console.error(`${file}: not LogQL at character ${at + 1}: ${expr}`);
    }
  }
}
if (count === 0) throw new Error("no LogQL expression was found: is the data source's type still loki?");
if (faults > 0) process.exit(1);
console.log(`${count} LogQL expressions parse`);
