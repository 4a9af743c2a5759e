// SPDX-License-Identifier: Apache-2.0
// Random regular expressions and texts, judged by the JavaScript engine that runs this, written as a
// suite for `allsource schema test-suite`.
//
//   node tests/schema/patterns.mjs TARGET [SEED [PATTERNS]]
//
// Without back-references, which we refuse, and without \B, which V8 finds between the two halves of
// a surrogate pair even with the flag u.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";

const [target, seedText, countText] = process.argv.slice(2);
if (!target) {
    console.error("usage: patterns.mjs TARGET [SEED [PATTERNS]]");
    process.exit(2);
}

let state = Number(seedText ?? 1) >>> 0;
function random() { // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const chance = (p) => random() < p;
const times = (n, make) => Array.from({ length: n }, make);

const literals = ["a", "b", "c", "1", "é", "🐲", "\\n", "\\.", "_", " ", "-", "\\u0062", "\\u{1f432}", "\\x31"];
const classes = ["\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "\\p{L}", "\\P{L}", "\\p{Lu}", "."];
const members = ["a", "b", "a-c", "1", "0-5", "\\d", "\\w", "\\s", "é", "🐲", "\\p{Ll}", "🐰-🐲", "_", "\\n", "\\-"];
const quantifiers = ["*", "+", "?", "{2}", "{1,2}", "{0,1}", "{2,}", "*?", "+?", "{0}"];
const characters = ["a", "b", "c", "1", "é", "🐲", "\n", ".", "_", " ", "-", "A", "5"];

const set = () => `[${chance(0.3) ? "^" : ""}${times(1 + below(4), () => pick(members)).join("")}]`;
const atoms = [
    () => pick(literals), () => pick(literals), () => pick(classes), set,
    (depth) => depth > 0 ? `(${chance(0.5) ? "?:" : ""}${choice(depth - 1)})` : pick(literals),
];
function term(depth) {
    if (chance(0.06))
        return pick(["^", "$", "\\b"]);
    if (depth > 0 && chance(0.1))
        return `(${pick(["?=", "?!", "?<=", "?<!"])}${choice(depth - 1)})`;
    return pick(atoms)(depth) + (chance(0.35) ? pick(quantifiers) : "");
}
const choice = (depth) => times(1 + (chance(0.3) ? below(3) : 0), () => times(below(5), () => term(depth)).join("")).join("|");

const groups = [];
const count = Number(countText ?? 1000);
while (groups.length < count) {
    const pattern = (chance(0.3) ? "^" : "") + choice(3) + (chance(0.3) ? "$" : "");
    const expression = new RegExp(pattern, "u");
    const tests = times(8, (_, i) => {
        const data = times(below(7), () => pick(characters)).join("");
        return { description: `${i}`, data, valid: expression.test(data) };
    });
    groups.push({ description: pattern, schema: { pattern }, tests });
}
rmSync(target, { recursive: true, force: true });
mkdirSync(`${target}/tests/draft2020-12`, { recursive: true });
writeFileSync(`${target}/tests/draft2020-12/patterns.json`, JSON.stringify(groups, null, 1));
console.log(`${groups.length} patterns, ${groups.length * 8} texts`);
