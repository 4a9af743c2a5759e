// SPDX-License-Identifier: Apache-2.0
// node rewrite.mjs FILE: has DuckDB write the rows of FILE as FILE.duck-*, in several ways.
import { DuckDBInstance } from '@duckdb/node-api'

const file = process.argv[2]
const connection = await (await DuckDBInstance.create(':memory:')).connect()
const ways = [
  ['zstd-v2', '*', "COMPRESSION zstd, PARQUET_VERSION V2, ROW_GROUP_SIZE 20480"],
  ['snappy-v1', '*', "COMPRESSION snappy, PARQUET_VERSION V1, ROW_GROUP_SIZE 122880"],
  ['plain-v1', '*', "COMPRESSION uncompressed, PARQUET_VERSION V1, ROW_GROUP_SIZE 4096"],
  ['mixed-v2', 'payload, id, * EXCLUDE (payload, id, hash)', "COMPRESSION snappy, PARQUET_VERSION V2, ROW_GROUP_SIZE 50000"],
]
for (const [name, columns, options] of ways)
  await connection.run(`COPY (SELECT ${columns} FROM read_parquet('${file}') ORDER BY position) TO '${file}.duck-${name}' (FORMAT parquet, ${options})`)
