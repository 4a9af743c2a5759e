#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Compatibility against ajv: makes pairs of schemas, asks compat_answers about them, and looks for a
// value that contradicts a yes: one that ajv accepts by the old schema and refuses by the new one.
//
//   node tests/compat/ajv.mjs --answers build/dev/compat_answers --modules build/npm [--pairs N]
//                             [--seed N] [--show]
//
// Pairs that are only loosened must also be found compatible, mostly: the share is printed, and it
// fails below 90 %. The last line is 'N passed, N failed'.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';

const options = { answers: 'build/dev/compat_answers', modules: 'build/npm', pairs: 1500, seed: 1 };
for (let i = 2; i < process.argv.length; i++) {
  const name = process.argv[i].slice(2);
  if (name === 'show') options.show = true;
  else options[name] = process.argv[++i];
}
const require = createRequire(path.resolve(options.modules, 'package.json'));
const Ajv07 = require('ajv').default;
const Ajv2020 = require('ajv/dist/2020').default;

let state = BigInt(options.seed);
function random(bound) { // splitmix64
  const mask = (1n << 64n) - 1n;
  state = (state + 0x9e3779b97f4a7c15n) & mask;
  let z = state;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
  return Number((z ^ (z >> 31n)) % BigInt(bound));
}
const pick = (list) => list[random(list.length)];
const chance = (one_in) => random(one_in) === 0;
const copy = (value) => JSON.parse(JSON.stringify(value));

const names = ['a', 'b', 'xa', 'xb', 'kind'];
const texts = ['', 'a', 'ab', 'abc', 'xa', 'x', 'é', 'cat', 'dog'];
const patterns = ['^x', '^a', '^[ab]+$', 'b', '^(x|a)', 'a$', '^.{2}$'];
const types = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'];

function value(depth) {
  switch (random(depth > 0 ? 8 : 5)) {
    case 0: return null;
    case 1: return chance(2);
    case 2: return random(7) - 2;
    case 3: return random(9) / 2 - 1;
    case 4: return pick(texts);
    case 5: return Array.from({ length: random(4) }, () => value(depth - 1));
    default: {
      const object = {};
      for (const name of names)
        if (chance(3)) object[name] = value(depth - 1);
      return object;
    }
  }
}

function some(make, most) {
  const made = {};
  for (let i = random(most) + 1; i > 0; i--) Object.assign(made, make());
  return made;
}
const uniques = (list) => [...new Map(list.map((x) => [JSON.stringify(x), x])).values()];

// Each keyword with a way to make its value.
const scalars = {
  type: () => (chance(3) ? uniques([pick(types), pick(types)]) : pick(types)),
  enum: () => uniques(Array.from({ length: random(3) + 1 }, () => value(1))),
  const: () => value(1),
  minimum: () => random(5) / 2, maximum: () => random(7) / 2,
  exclusiveMinimum: () => random(4) - 1, exclusiveMaximum: () => random(5),
  multipleOf: () => pick([1, 2, 3, 0.5, 1.5]),
  minLength: () => random(3), maxLength: () => random(4), pattern: () => pick(patterns),
  minItems: () => random(3), maxItems: () => random(4), uniqueItems: () => chance(2),
  minProperties: () => random(3), maxProperties: () => random(4),
  required: () => uniques([pick(names), pick(names)]),
};
const nested = {
  properties: (d) => some(() => ({ [pick(names)]: schema(d) }), 3),
  patternProperties: (d) => some(() => ({ [pick(patterns)]: schema(d) }), 2),
  additionalProperties: (d) => (chance(2) ? false : schema(d)),
  propertyNames: (d) => pick([{ pattern: pick(patterns) }, { enum: [pick(names), pick(names)] },
    { maxLength: 1 + random(3) }, schema(d)]),
  items: (d) => schema(d), contains: (d) => schema(d),
  allOf: (d) => [schema(d), schema(d)], anyOf: (d) => [schema(d), schema(d)],
  oneOf: (d) => [schema(d), schema(d)], not: (d) => schema(d),
  if: (d) => schema(d), then: (d) => schema(d), else: (d) => schema(d),
};
const only2020 = {
  prefixItems: (d) => [schema(d), schema(d)].slice(0, 1 + random(2)),
  dependentRequired: () => ({ [pick(names)]: [pick(names)] }),
  dependentSchemas: (d) => ({ [pick(names)]: schema(d) }),
  minContains: () => random(3), maxContains: () => random(3),
  unevaluatedProperties: (d) => (chance(2) ? false : schema(d)),
  unevaluatedItems: (d) => (chance(2) ? false : schema(d)),
};
const only07 = {
  dependencies: (d) => ({ [pick(names)]: chance(2) ? [pick(names)] : schema(d) }),
  additionalItems: (d) => schema(d),
};
let draft07 = false;

function keyword(depth) {
  if (depth > 0 && chance(3)) {
    const table = chance(4) ? (draft07 ? only07 : only2020) : nested;
    const name = pick(Object.keys(table));
    if (name === 'items' && draft07 && chance(3)) return { items: [schema(depth - 1)] };
    return { [name]: table[name](depth - 1) };
  }
  const name = pick(Object.keys(scalars));
  return { [name]: scalars[name]() };
}

function variant(kind, depth) {
  return { type: 'object', required: ['kind'], properties: { kind: { const: kind }, a: schema(depth) } };
}

function schema(depth) {
  if (chance(12)) return chance(3) ? false : true;
  if (depth > 0 && chance(12))
    return { [pick(['oneOf', 'anyOf'])]: [variant('cat', depth - 1), variant('dog', depth - 1)] };
  if (depth > 0 && chance(12)) return { $ref: pick(['#/$defs/d', '#/$defs/e']) };
  const made = some(() => keyword(depth), 4);
  // Mostly about one type, as schemas are.
  if (!made.type && chance(2))
    made.type = made.properties || made.required ? 'object' : made.items ? 'array' : pick(types);
  return made;
}

function document() {
  const root = schema(3);
  const made = typeof root === 'object' ? root : { allOf: [root] };
  if (draft07 && made.$ref) return { $schema: 'http://json-schema.org/draft-07/schema#', allOf: [made],
    $defs: { d: schema(2), e: schema(1) } };
  made.$defs = { d: schema(2), e: schema(1) };
  if (chance(4)) made.properties = { ...made.properties, a: { $ref: '#/$defs/e' } };
  if (chance(6)) made.$defs.e = { type: 'object', properties: { a: { $ref: '#/$defs/e' }, b: schema(1) } };
  if (!JSON.stringify(made).includes('#/$defs/')) delete made.$defs;
  if (draft07) made.$schema = 'http://json-schema.org/draft-07/schema#';
  return made;
}

// All schemas within, with a way to replace each. `positive`: only those where what loosens the part
// loosens the whole.
const inLists = ['allOf', 'anyOf', 'prefixItems'];
const inMaps = ['properties', 'patternProperties', '$defs', 'dependentSchemas'];
const inOnes = ['additionalProperties', 'propertyNames', 'items', 'contains', 'then', 'else'];
function places(node, positive, found, replace) {
  found.push({ node, replace });
  if (typeof node !== 'object') return found;
  const opaque = positive && ('unevaluatedProperties' in node || 'unevaluatedItems' in node);
  if (opaque) return found;
  const ones = positive ? inOnes : [...inOnes, 'not', 'if', 'unevaluatedProperties', 'unevaluatedItems'];
  for (const name of positive ? inLists : [...inLists, 'oneOf'])
    if (Array.isArray(node[name]))
      node[name].forEach((inner, i) => places(inner, positive, found, (x) => { node[name][i] = x; }));
  for (const name of inMaps)
    if (node[name] && !(positive && name === '$defs'))
      for (const key of Object.keys(node[name]))
        places(node[name][key], positive, found, (x) => { node[name][key] = x; });
  for (const name of ones)
    if (node[name] !== undefined && !Array.isArray(node[name]) &&
        !(positive && name === 'contains' && 'maxContains' in node))
      places(node[name], positive, found, (x) => { node[name] = x; });
  return found;
}

const droppable = [...Object.keys(scalars), 'allOf', 'anyOf', 'oneOf', 'not', 'propertyNames', 'contains',
  'additionalProperties', 'dependentRequired', 'dependencies', 'items', 'then', 'else', 'dependentSchemas'];
const wider = { minimum: -1, maximum: 1, exclusiveMinimum: -1, exclusiveMaximum: 1, maxLength: 1,
  maxItems: 1, maxProperties: 1, minLength: -1, minItems: -1, minProperties: -1 };

// One change that lets more through; null when it happens to find none.
function loosen(root) {
  const all = places(root, true, [], null);
  const { node, replace } = pick(all);
  if (replace && chance(6)) return replace({ anyOf: [node, schema(1)] }), true;
  if (replace && chance(6)) return replace({ allOf: [node] }), true;
  if (typeof node !== 'object') return false;
  const keys = Object.keys(node).filter((k) => droppable.includes(k));
  if (keys.length === 0) return false;
  const name = pick(keys);
  if ('unevaluatedProperties' in node || 'unevaluatedItems' in node) return false;
  if (wider[name] && chance(2)) node[name] = Math.max(name.startsWith('min') && name !== 'minimum' ? 0 : -9, node[name] + wider[name]);
  else if (name === 'enum' && chance(2)) node.enum = uniques([...node.enum, value(1)]);
  else if (name === 'required' && node.required.length > 1) node.required.pop();
  else if (name === 'type' && chance(2)) node.type = uniques([].concat(node.type, pick(types)));
  else if (name === 'items' && (node.additionalItems !== undefined || node.prefixItems)) return false;
  else if (name === 'contains' && 'minContains' in node) return false;
  else delete node[name];
  return true;
}

function mutate(root) {
  const { node, replace } = pick(places(root, false, [], null));
  if (replace && chance(5)) return replace(pick([() => schema(1), () => ({ allOf: [node, schema(1)] }),
    () => ({ oneOf: [node, schema(1)] }), () => ({ anyOf: [schema(1), node] })])());
  // ajv reads what is beside a $ref in draft-07, too, which the draft says to ignore.
  if (typeof node !== 'object' || (draft07 && node.$ref)) return;
  const name = pick([...Object.keys(node), 'title']);
  if (scalars[name] && chance(2)) node[name] = scalars[name]();
  else if (wider[name]) node[name] = Math.max(0, node[name] + pick([-1, 1]));
  else if (chance(2) && !name.startsWith('$') && name !== 'title') delete node[name];
  else Object.assign(node, keyword(1));
}

const ajv = { false: new Ajv2020({ strict: false, validateFormats: false, logger: false }),
  true: new Ajv07({ strict: false, validateFormats: false, logger: false }) };
function compile(text) {
  const root = JSON.parse(text);
  const is07 = '$schema' in root;
  try {
    const check = ajv[is07].compile(root);
    return (x) => { try { return check(x); } catch { return null; } };
  } catch { return null; }
}

const values = [null, true, false, 0, 1, '', 'a', [], {}];
for (let i = 0; i < 1200; i++) values.push(value(3));

// Pairs that say little are not worth asking: both must accept something and refuse something.
const pairs = [];
const lively = (check) => {
  const accepted = values.reduce((n, x) => n + (check(x) === true), 0);
  return accepted > 2 && accepted < values.length;
};
while (pairs.length < Number(options.pairs)) {
  draft07 = chance(4);
  const old = document();
  const next = copy(old);
  const loosening = chance(3);
  for (let i = random(4) + 1; i > 0; i--)
    if (loosening) loosen(next);
    else mutate(next);
  const [a, b] = [JSON.stringify(old), JSON.stringify(next)];
  if (a === b) continue;
  const [accepts, still] = [compile(a), compile(b)];
  if (!accepts || !still || !lively(accepts) || !(lively(still) || loosening)) continue;
  pairs.push({ a, b, accepts, still, loosening });
  if (!loosening || chance(4)) pairs.push({ a: b, b: a, accepts: still, still: accepts, loosening: false });
}

const answered = spawnSync(options.answers, { input: pairs.map((p) => p.a + '\n' + p.b + '\n').join(''),
  maxBuffer: 1 << 28 });
const answers = answered.stdout.toString().trimEnd().split('\n');
let passed = 0, failed = 0, yes = 0, loosened = 0, found = 0, refuted = 0;
if (answers.length !== pairs.length) {
  console.log(`${answers.length} answers to ${pairs.length} pairs: ${answered.stderr}`);
  failed++;
}
pairs.forEach((pair, i) => {
  const compatible = answers[i] === 'yes';
  const witness = values.find((x) => pair.accepts(x) === true && pair.still(x) === false);
  if (witness !== undefined) refuted++;
  if (compatible) yes++;
  if (pair.loosening && witness === undefined) {
    loosened++;
    if (compatible) found++;
    else if (options.show) console.log(`not found:\n  ${pair.a}\n  ${pair.b}\n  ${answers[i]}`);
  }
  if (pair.loosening && witness !== undefined && options.show) console.log(`no loosening: ${JSON.stringify(witness)}\n  ${pair.a}\n  ${pair.b}`);
  if (!compatible || witness === undefined) { passed++; return; }
  failed++;
  console.log(`a wrong yes: ${JSON.stringify(witness)} is refused\n  old ${pair.a}\n  new ${pair.b}`);
});
const share = (100 * found / Math.max(1, loosened)).toFixed(1);
console.log(`${pairs.length} pairs, ${refuted} refuted by a value, ${yes} told compatible; of ${loosened} ` +
  `loosened ones ${found} (${share} %) were found`);
if (share < 90) { failed++; console.log('too few loosened pairs were found compatible'); }
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
