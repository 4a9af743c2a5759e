#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints src/event/unicode.def: which characters names may hold, as ranges.

Run it again when the rules of names are to follow a newer Unicode: tools/unicode_table.py >src/event/unicode.def
"""
import sys
import unicodedata


def ranges(wanted):
    """(first, last, step) with step 1 or 2: cased letters often alternate."""
    points = [c for c in range(0x80, sys.maxunicode + 1) if wanted(chr(c))]
    out = []
    for point in points:
        if out:
            first, last, step = out[-1]
            if point - last == step or (first == last and point - last in (1, 2)):
                out[-1] = (first, point, point - last)
                continue
        out.append((point, point, 1))
    return out


def lower_or_number(c):
    return c.islower() or unicodedata.category(c)[0] == "N"


def letter_or_number(c):
    return unicodedata.category(c)[0] in "LN"


print("// SPDX-License-Identifier: Apache-2.0")
print("// Printed by tools/unicode_table.py from Unicode %s; do not edit." % unicodedata.unidata_version)
for name, wanted in (("LOWER_OR_NUMBER", lower_or_number), ("LETTER_OR_NUMBER", letter_or_number)):
    line = ""
    print("#ifdef " + name)
    for first, last, step in ranges(wanted):
        item = "{0x%x, 0x%x, %d}, " % (first, last, step)
        if len(line) + len(item) > 100:
            print(line.rstrip())
            line = ""
        line += item
    print(line.rstrip())
    print("#endif")
