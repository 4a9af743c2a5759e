// SPDX-License-Identifier: Apache-2.0
// Random schemas and instances, judged by ajv, written as a suite for `allsource schema test-suite`.
//
//   node tests/schema/differential.mjs MODULES TARGET [SEED [GROUPS]]
//
// MODULES is where ajv and ajv-formats are installed, TARGET where the suite is made. What ajv
// refuses to compile is left out. tests/schema/README.md lists where the two are known to differ;
// the generator keeps away from these places, and says where it does so.
import { createRequire } from "node:module";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

const [modules, target, seedText, groupsText] = process.argv.slice(2);
if (!target) {
    console.error("usage: differential.mjs MODULES TARGET [SEED [GROUPS]]");
    process.exit(2);
}
const require = createRequire(resolve(modules) + "/");
const Ajv07 = require("ajv").default;
const Ajv2020 = require("ajv/dist/2020").default;
const addFormats = require("ajv-formats").default;

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
const some = (list, p) => list.filter(() => chance(p));
const times = (n, make) => Array.from({ length: n }, make);

// ---- Values

const names = ["a", "b", "c", "ab", "", "é", "a/b", "long_name_1", "long_name_2"];
const strings = ["", "a", "b", "ab", "aab", "é", "🐲", "🐲🐲", "A1", "x y", "1", "2020-02-30", "2024-02-29",
    "12:30:00Z", "24:00:00Z", "2024-02-29T12:30:00Z", "a@example.org", "a@", "127.0.0.1", "256.0.0.1",
    "::1", "1::2::3", "http://a.example/b?c#d", "/a/b", "/a~2", "\n", "a\tb",
    "2eb8aa08-aa98-11ea-b4aa-73b441d16380"];
// Decimals that a double holds exactly, and whose quotients it does: else ajv rounds in multipleOf.
const numbers = [0, 1, 2, 3, 4, 5, 6, 10, -1, -2, 0.5, 1.5, 2.5, -0.5, 1e15, 100];
function value(depth) {
    switch (below(depth > 0 ? 9 : 6)) {
    case 0: return null;
    case 1: return chance(0.5);
    case 2: case 3: return pick(numbers);
    case 4: case 5: return pick(strings);
    case 6: case 7: return object(times(below(4), () => [pick(names), value(depth - 1)]));
    default: return times(below(4), () => value(depth - 1));
    }
}
// JavaScript moves members named by numbers to the front; there are none here.
const object = (pairs) => Object.fromEntries(pairs);

// ---- Schemas

const patterns = ["^a", "b$", "^a*$", "^[a-z]+$", "^.$", "\\d", "^\\w+$", "\\s", "^(?:a|b)+$", "^\\p{L}+$",
    "^a{1,2}$", "^[^a]", "(?=.*b)a", "^(?!a)", "(?<=a)b", "\\bb", "^🐲+$", "^$|a", "a.b", "[\\u{1f400}-\\u{1f500}]"];
const formats = ["date", "time", "date-time", "email", "ipv4", "ipv6", "uuid", "json-pointer", "uri"];
const types = ["null", "boolean", "integer", "number", "string", "array", "object"];

// ajv does not miss a member whose name is empty.
const required = (p) => some(names.filter((name) => name), p);

let draft, definitions, contains; // of the schema under way; definitions: there are some to refer to in place

const reference = (i) => ({ $ref: `#/${draft === 7 ? "definitions" : "$defs"}/d${i}` });

// A schema that is applied to a child: it may refer to anything.
function child(depth) {
    if (chance(0.12))
        return chance(0.3) ? { $ref: "#" } : reference(below(3));
    return schema(depth - 1, 0);
}

const keywords = {
    type: () => ({ type: chance(0.7) ? pick(types) : [...new Set(times(2, () => pick(types)))] }),
    enum: () => ({ enum: times(1 + below(4), () => value(1)) }),
    const: () => ({ const: value(2) }),
    minimum: () => ({ minimum: pick(numbers) }),
    maximum: () => ({ maximum: pick(numbers) }),
    exclusiveMinimum: () => ({ exclusiveMinimum: pick(numbers) }),
    exclusiveMaximum: () => ({ exclusiveMaximum: pick(numbers) }),
    multipleOf: () => ({ multipleOf: pick([1, 2, 3, 0.5, 1.5]) }),
    minLength: () => ({ minLength: below(4) }),
    maxLength: () => ({ maxLength: below(4) }),
    pattern: () => ({ pattern: pick(patterns) }),
    format: () => ({ format: pick(formats) }),
    minItems: () => ({ minItems: below(3) }),
    maxItems: () => ({ maxItems: below(4) }),
    uniqueItems: () => ({ uniqueItems: chance(0.8) }),
    minProperties: () => ({ minProperties: below(3) }),
    maxProperties: () => ({ maxProperties: below(4) }),
    required: () => ({ required: required(0.15) }),
    properties: (d) => ({ properties: object(times(1 + below(4), () => [pick(names), child(d)])) }),
    patternProperties: (d) => ({ patternProperties: object(times(1 + below(2), () => [pick(patterns), child(d)])) }),
    additionalProperties: (d) => ({ additionalProperties: chance(0.4) ? false : child(d) }),
    propertyNames: () => ({ propertyNames: pick([{ maxLength: 1 }, { pattern: "^a" }, { enum: ["a", "b"] }, { minLength: 1 }, true]) }),
    items: (d) => draft === 7 && chance(0.4)
        ? { items: times(1 + below(3), () => child(d)), ...(chance(0.6) ? { additionalItems: child(d) } : {}) }
        : { items: child(d) },
    contains: (d) => ({ contains: child(d) }),
    allOf: (d, n) => ({ allOf: times(1 + below(2), () => schema(d - 1, n)) }),
    anyOf: (d, n) => ({ anyOf: times(1 + below(3), () => schema(d - 1, n)) }),
    oneOf: (d, n) => ({ oneOf: times(1 + below(3), () => schema(d - 1, n)) }),
    not: (d, n) => ({ not: schema(d - 1, n) }),
    if: (d, n) => ({
        if: schema(d - 1, n),
        ...(chance(0.8) ? { then: schema(d - 1, n) } : {}),
        ...(chance(0.8) ? { else: schema(d - 1, n) } : {}),
    }),
};
const keywords07 = {
    dependencies: (d, n) => ({
        dependencies: object(times(1 + below(2), () => [pick(names), chance(0.5) ? required(0.2) : schema(d - 1, n)])),
    }),
};
const keywords2020 = {
    prefixItems: (d) => ({ prefixItems: times(1 + below(3), () => child(d)) }),
    contains: (d) => ({
        contains: child(d),
        ...(chance(0.4) ? { minContains: below(3) } : {}),
        ...(chance(0.4) ? { maxContains: 1 + below(2) } : {}),
    }),
    dependentRequired: () => ({ dependentRequired: object([[pick(names), required(0.2)]]) }),
    dependentSchemas: (d, n) => ({ dependentSchemas: object([[pick(names), schema(d - 1, n)]]) }),
    unevaluatedProperties: (d) => ({ unevaluatedProperties: chance(0.6) ? false : child(d) }),
    unevaluatedItems: (d) => ({ unevaluatedItems: chance(0.6) ? false : child(d) }),
};

// `from`: in place it may refer to the definitions from this one on only, so that there is no circle.
function schema(depth, from) {
    if (chance(0.06))
        return chance(0.6);
    if (from < 3 && definitions && chance(0.12)) {
        const there = reference(from + below(3 - from));
        // ajv looks at what stands beside a `$ref` in draft-07, too.
        return draft === 7 ? there : { ...there, ...(chance(0.5) ? schema(0, 3) : {}) };
    }
    const all = { ...keywords, ...(draft === 7 ? keywords07 : keywords2020) };
    const scalar = ["type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
        "multipleOf", "minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems",
        "minProperties", "maxProperties", "required", "dependentRequired", "propertyNames"];
    // To ajv, `contains` evaluates all items or none: it and unevaluatedItems are not used together.
    const absent = contains ? "unevaluatedItems" : draft === 7 ? "" : "contains";
    const known = Object.keys(all).filter((k) => (depth > 0 || scalar.includes(k)) && k !== absent);
    return Object.assign({}, ...times(1 + below(depth > 0 ? 4 : 2), () => all[pick(known)](depth, from)));
}

function document() {
    definitions = chance(0.6);
    contains = chance(0.5);
    const root = schema(3, 0);
    if (typeof root === "boolean")
        return root;
    // Always there: a child may refer to them.
    root[draft === 7 ? "definitions" : "$defs"] = object(times(3, (_, i) => [`d${i}`, schema(2, i + 1)]));
    // ajv wants a `$ref` of draft-07 to stand alone, and so does draft-07.
    return draft === 7 && root.$ref ? { allOf: [{ $ref: root.$ref }], definitions: root.definitions } : root;
}

// ---- Instances that have something to do with the schema

function instance(s, root, depth) {
    if (depth <= 0 || typeof s !== "object" || s === null || chance(0.1))
        return value(2);
    if (s.$ref)
        return instance(s.$ref === "#" ? root : (root.$defs ?? root.definitions)[s.$ref.split("/")[2]], root, depth - 1);
    if ("const" in s && chance(0.8))
        return s.const;
    if (s.enum && chance(0.8))
        return pick(s.enum);
    const inner = [...(s.allOf ?? []), ...(s.anyOf ?? []), ...(s.oneOf ?? []), ...(s.then ? [s.then, s.if] : [])];
    const objectLike = s.properties || s.patternProperties || s.required || s.additionalProperties !== undefined ||
        s.unevaluatedProperties !== undefined || s.dependentSchemas || s.dependencies;
    const arrayLike = s.items !== undefined || s.prefixItems || s.contains !== undefined || s.unevaluatedItems !== undefined;
    if (objectLike && chance(0.7)) {
        const made = inner.length && chance(0.6) ? instance(pick(inner), root, depth - 1) : {};
        const members = Object.entries(s.properties ?? {}).filter(() => chance(0.7))
            .map(([k, v]) => [k, instance(v, root, depth - 1)]);
        members.push(...(s.required ?? []).filter(() => chance(0.8)).map((k) => [k, value(1)]));
        if (chance(0.5))
            members.push([pick(names), s.additionalProperties && typeof s.additionalProperties === "object"
                ? instance(s.additionalProperties, root, depth - 1) : value(1)]);
        const before = made && typeof made === "object" && !Array.isArray(made) ? Object.entries(made) : [];
        return object([...before, ...members]);
    }
    if (arrayLike && chance(0.8)) {
        const first = (s.prefixItems ?? (Array.isArray(s.items) ? s.items : [])).map((v) => instance(v, root, depth - 1));
        const rest = times(below(3), () => instance(pick([s.items, s.contains, s.unevaluatedItems, s.additionalItems]), root, depth - 1));
        return [...first, ...rest].slice(0, chance(0.3) ? below(4) : undefined);
    }
    if (inner.length)
        return instance(pick(inner), root, depth - 1);
    const type = Array.isArray(s.type) ? pick(s.type) : s.type;
    if (type === "string" || s.pattern || s.format || s.minLength !== undefined)
        return pick(strings);
    if (type === "integer" || type === "number" || s.minimum !== undefined || s.multipleOf)
        return pick(numbers);
    return value(2);
}

// ---- Judging

const options = { strict: false, validateFormats: true, allErrors: false, logger: false, addUsedSchema: false, unicodeRegExp: true };
const judges = { 7: () => addFormats(new Ajv07(options)), 2020: () => addFormats(new Ajv2020(options)) };

function group(number) {
    const s = document();
    let validate;
    try {
        validate = judges[draft]().compile(s);
    } catch {
        return null;
    }
    const tests = [];
    for (let i = 0; i < 12; i++) {
        const data = instance(s, s, 5);
        try {
            tests.push({ description: `${i}`, data, valid: validate(data) });
        } catch {
            // it went in a circle
        }
    }
    return { description: `group ${number}`, schema: s, tests };
}

rmSync(target, { recursive: true, force: true });
const groups = Number(groupsText ?? 2000);
let made = 0, tests = 0, valid = 0;
for (draft of [7, 2020]) {
    const all = [];
    while (all.length < groups / 2) {
        const next = group(made);
        made++;
        if (next)
            all.push(next);
    }
    tests += all.reduce((n, g) => n + g.tests.length, 0);
    valid += all.reduce((n, g) => n + g.tests.filter((t) => t.valid).length, 0);
    // Below optional/format, formats are asserted.
    const directory = `${target}/tests/${draft === 7 ? "draft7" : "draft2020-12"}/optional/format`;
    mkdirSync(directory, { recursive: true });
    writeFileSync(`${directory}/random.json`, JSON.stringify(all, null, 1));
}
console.log(`${groups} schemas of ${made} tried, ${tests} tests, ${valid} of them valid`);
