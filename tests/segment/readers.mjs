// SPDX-License-Identifier: Apache-2.0
// node readers.mjs FILE...: reads each segment with DuckDB and with hyparquet, and compares every
// value with FILE.rows. The last line is 'N passed, N failed'.
import { readFileSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

const names = ['position', 'entity_id', 'version', 'event_type', 'id', 'timestamp', 'recorded_at',
  'payload', 'metadata', 'schema_version']
const types = ['UBIGINT', 'VARCHAR', 'UBIGINT', 'VARCHAR', 'UUID', 'TIMESTAMP WITH TIME ZONE',
  'TIMESTAMP WITH TIME ZONE', 'JSON', 'JSON', 'UINTEGER', 'UBIGINT']
let passed = 0
let failed = 0

async function check(name, work) {
  try {
    await work()
    passed++
  } catch (error) {
    failed++
    console.log(`FAILED ${name}: ${error.message}`)
  }
}

function same(want, got, where) {
  if (want !== got) throw new Error(`${where}: ${String(got).slice(0, 200)}, expected ${String(want).slice(0, 200)}`)
}

// An array of arrays of texts, as sample.c prints them.
const expected = (file) => readFileSync(file + '.rows', 'utf8').split('\n').slice(0, -1).map((line) => line.split('\t'))

function compare(want, rows) {
  same(want.length, rows.length, 'rows')
  for (let i = 0; i < want.length; i++)
    for (let c = 0; c < names.length; c++) same(want[i][c], rows[i][c], `row ${i}, ${names[c]}`)
}

async function duckdb(connection, file) {
  const from = `read_parquet('${file}')`
  const schema = await (await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`)).getRows()
  same([...names, 'hash'].join(), schema.map((row) => row[0]).join(), 'columns')
  same(types.join(), schema.map((row) => row[1]).join(), 'types')
  const columns = names.map((name) => (name === 'timestamp' || name === 'recorded_at' ? `epoch_us(${name})::VARCHAR` : `${name}::VARCHAR`))
  const result = await connection.runAndReadAll(`SELECT ${columns.join()} FROM ${from}`)
  compare(expected(file), result.getRows().map((row) => row.map((value) => String(value))))
}

// Filters must find what they look for: statistics and Bloom filters agree with the rows.
async function filters(connection, file) {
  const want = expected(file)
  for (const i of [0, want.length >> 1, want.length - 1]) {
    for (const c of [0, 1, 3, 4]) {
      const result = await connection.runAndReadAll(
        `SELECT count(*)::INTEGER FROM read_parquet('${file}') WHERE ${names[c]} = '${want[i][c]}'`)
      same(want.filter((row) => row[c] === want[i][c]).length, result.getRows()[0][0], `${names[c]} = ${want[i][c]}`)
    }
  }
  const probe = await connection.runAndReadAll(
    `SELECT count(*)::INTEGER FROM parquet_bloom_probe('${file}', 'entity_id', '${want[0][1]}') WHERE bloom_filter_excludes`)
  const groups = await connection.runAndReadAll(
    `SELECT count(DISTINCT row_group_id)::INTEGER, count(stats_max_value)::INTEGER FROM parquet_metadata('${file}') WHERE path_in_schema IN ('payload', 'metadata', 'hash', 'id')`)
  same(0, groups.getRows()[0][1], 'statistics of texts')
  if (probe.getRows()[0][0] >= groups.getRows()[0][0]) throw new Error('the Bloom filters deny what is there')
}

const hex = (bytes) => Buffer.from(bytes).toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')

async function hyparquet(file) {
  const rows = await parquetReadObjects({
    file: await asyncBufferFromFile(file),
    compressors,
    parsers: {
      timestampFromMicroseconds: (micros) => micros,
      jsonFromBytes: (bytes) => bytes && new TextDecoder().decode(bytes),
      uuidFromBytes: (bytes) => hex(bytes),
    },
  })
  compare(expected(file), rows.map((row) => names.map((name) => String(row[name]))))
}

const instance = await DuckDBInstance.create(':memory:')
const connection = await instance.connect()
for (const file of process.argv.slice(2)) {
  const name = file.replace(/.*\//, '')
  await check(`DuckDB reads ${name}`, () => duckdb(connection, file))
  await check(`DuckDB filters ${name}`, () => filters(connection, file))
  await check(`hyparquet reads ${name}`, () => hyparquet(file))
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed ? 1 : 0)
