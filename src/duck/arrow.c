// SPDX-License-Identifier: Apache-2.0
#include "inside.h"
err arrow_schema(struct result *result, struct buf *buf, struct als_why *why) { (void)result,(void)buf; return FAIL(why, ALS_UNSUPPORTED, "later"); }
err arrow_batch(struct result *result, duckdb_data_chunk chunk, idx_t count, struct buf *buf, struct als_why *why) {(void)result,(void)chunk,(void)count,(void)buf; return FAIL(why, ALS_UNSUPPORTED, "later"); }
void arrow_end(struct buf *buf) {(void)buf;}
