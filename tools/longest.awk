# SPDX-License-Identifier: Apache-2.0
# awk -f tools/longest.awk tools/ratchet $(git ls-files '*.[ch]')
#
# Prints the ten longest functions, and fails when a function is longer than 70 lines or a file than
# 900, unless tools/ratchet lists it. A listed one that grew fails, too, and so does one that no
# longer needs its line there. Functions are found by our format: a '{' and a '}' in the first
# column; the length is counted from '{' to '}'.
BEGIN { function_max = 70; file_max = 900 }
function say(what) { print what; bad = 1 }
function judge(name, lines, max) {
    if (name in allowed) {
        used[name] = 1
        if (lines <= max) say(name ": " lines " lines are fine, take it off tools/ratchet")
        else if (lines > allowed[name]) say(name ": grew from " allowed[name] " to " lines " lines")
    } else if (lines > max)
        say(name ": " lines " lines, at most " max)
}
function end_file() {
    if (file) judge(file, file_lines, file_max)
}
FILENAME ~ /ratchet$/ {
    if (NF == 2 && $1 !~ /^#/) allowed[$1] = $2
    next
}
FNR == 1 { end_file(); file = FILENAME; begin = 0 }
{ file_lines = FNR }
/^[A-Za-z_].*[a-zA-Z0-9_]\(/ && !/;$/ {
    match($0, /[A-Za-z0-9_]+\(/)
    name = substr($0, RSTART, RLENGTH - 1)
    if (name == "TEST") name = substr($0, 6, index($0, ")") - 6)
}
/^\{/ { begin = FNR }
/^\}/ && begin {
    lines = FNR - begin + 1
    judge(FILENAME ":" name, lines, function_max)
    at = 10
    while (at > 0 && lines > top[at]) {
        top[at + 1] = top[at]; who[at + 1] = who[at]
        at--
    }
    top[at + 1] = lines; who[at + 1] = FILENAME ":" name
    begin = 0
}
END {
    end_file()
    for (i = 1; i <= 10 && top[i]; i++) printf "%4d %s\n", top[i], who[i]
    for (name in allowed) if (!(name in used)) say(name ": is gone, take it off tools/ratchet")
    exit bad
}
