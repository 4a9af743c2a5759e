// SPDX-License-Identifier: Apache-2.0
// node flights.mjs SOURCE COUNT: the first COUNT flights of vega-datasets' flights-3m.parquet (or of
// one of its flights-*.json that has airports) as events, a line each.
//
// The entity is the route. A flight is delayed as its regulator counts it: by 15 minutes or more.
// The data says local time without a zone; it is written down as if it were UTC.
import { readFileSync } from 'node:fs'

const [source, count] = [process.argv[2], Number(process.argv[3])]
const delayedFrom = 15

async function parquetRows() {
  const { asyncBufferFromFile, parquetReadObjects } = await import('hyparquet')
  const { compressors } = await import('hyparquet-compressors')
  const file = await asyncBufferFromFile(source)
  return parquetReadObjects({ file, compressors, rowStart: 0, rowEnd: count })
}

function jsonRows() {
  return JSON.parse(readFileSync(source, 'utf8'))
    .slice(0, count)
    .map((row) => ({ ...row, date: new Date(row.date.replace(/^(\d+)\/(\d+)\/(\d+) /, '$1-$2-$3T') + 'Z') }))
}

function event({ date, delay, distance, origin, destination }) {
  return JSON.stringify({
    event_type: Number(delay) >= delayedFrom ? 'flight.delayed' : 'flight.departed',
    entity_id: `${origin}-${destination}`,
    timestamp: date.toISOString().replace('.000Z', 'Z'),
    payload: { origin, destination, distance_miles: Number(distance), delay_minutes: Number(delay) },
  })
}

const rows = source.endsWith('.parquet') ? await parquetRows() : jsonRows()
let chunk = ''
for (const row of rows) {
  chunk += event(row) + '\n'
  if (chunk.length > 1 << 20) {
    if (!process.stdout.write(chunk)) await new Promise((done) => process.stdout.once('drain', done))
    chunk = ''
  }
}
process.stdout.write(chunk)
