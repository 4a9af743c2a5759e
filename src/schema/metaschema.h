// SPDX-License-Identifier: Apache-2.0
// The schemas of schemas, built in.
#pragma once

#include "base/str.h"
#include "schema/schema.h"

// The text for a URI without fragment; {NULL, 0} when it names none of ours.
str metaschema_text(str uri);
// The draft that `$schema` names, DEFAULT when it is none of the two. An empty fragment is ignored.
enum schema_draft metaschema_draft(str uri);
// The URI of a draft's metaschema.
str metaschema_uri(enum schema_draft draft);
