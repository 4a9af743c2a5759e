#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where ajv and we differ, asks python3-jsonschema (Debian), after tools/check-schema.

  tests/schema/third_opinion.py build/release/allsource build/schema-differential
"""
import json
import re
import subprocess
import sys

from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker

program, suite = sys.argv[1:]
output = subprocess.run([program, "schema", "test-suite", "--failures", suite],
                        stdout=subprocess.PIPE, check=False).stdout.decode()
ours_right = ours_wrong = no_opinion = 0
for draft, group, test, words in re.findall(
        r"FAILED tests/([^/]+)/.*: (group \d+): (\d+): (.*)", output):
    with open("%s/tests/%s/optional/format/random.json" % (suite, draft)) as file:
        found = next(g for g in json.load(file) if g["description"] == group)
    instance = found["tests"][int(test)]
    validator = Draft7Validator if draft == "draft7" else Draft202012Validator
    try:
        third = validator(found["schema"], format_checker=FormatChecker()).is_valid(instance["data"])
    except Exception as error:  # Python's regular expressions know no \u{...}
        print("%s %s: %s: no third opinion: %s" % (draft, group, test, error))
        no_opinion += 1
        continue
    right = third != instance["valid"] and words in ("is valid here", "is not valid here")
    ours_right += right
    ours_wrong += not right
    print("%s %s: %s: ajv %s, the third %s" % (draft, group, test, instance["valid"], third))
print("the third agrees with us %d times, with ajv %d times, has no opinion %d times"
      % (ours_right, ours_wrong, no_opinion))
sys.exit(1 if ours_wrong else 0)
