# SPDX-License-Identifier: Apache-2.0
# awk -f tools/banned.awk $(git ls-files '*.[ch]')
#
# Reports calls of functions that we do not use anywhere, and what only some rooms may use. What
# stands in comments and string literals does not count.
function ban(words, instead,    i, n, list) {
    n = split(words, list, " ")
    for (i = 1; i <= n; i++) banned[list[i]] = instead
}
BEGIN {
    ban("strcpy strcat stpcpy strncpy strncat sprintf vsprintf gets", "a buffer with a size: buf, arena_copy, snprintf")
    ban("strtok strtok_r strsep", "str_cut")
    ban("atoi atol atoll atof sscanf fscanf scanf", "str_to_u64, or a parser that can say no")
    ban("asctime ctime gmtime localtime", "base/time.h")
    ban("rand srand random srandom drand48", "base/rand.h, os->entropy")
    ban("system popen execlp execvp", "nothing: there is no shell here")
    ban("alloca strdupa", "an arena")
    ban("tmpnam tempnam mktemp", "os, or mkdtemp in tests")
    ban("signal siginterrupt", "sigaction")
    ban("usleep sleep", "waiting for the thing itself")
    ban("setenv putenv setlocale", "nothing: they change what other threads read")
    ban("gethostbyname gethostbyaddr inet_ntoa inet_addr getpwnam getgrnam", "the form that threads can share")
}
function say(what) { print FILENAME ":" FNR ": " what; bad = 1 }
FNR == 1 {
    test = FILENAME ~ /_test\.c$|^tests\//
    ours = FILENAME ~ /^(src|cmd|include)\// && !test
    system_room = FILENAME ~ /^src\/(os|http|worker|duck)\//
}
{
    line = $0
    gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
    sub(/\/\/.*/, "", line)
    rest = line
    while (match(rest, /[A-Za-z_][A-Za-z0-9_]*\(/)) {
        word = substr(rest, RSTART, RLENGTH - 1)
        before = RSTART > 1 ? substr(rest, RSTART - 1, 1) : ""
        # A member of that name is called by '->' or '.', and is not the banned one.
        if (word in banned && before !~ /[>.]/ && !(test && word == "signal"))
            say(word "() is banned; use " banned[word])
        rest = substr(rest, RSTART + RLENGTH)
    }
    if (ours && line ~ /(^|[^A-Za-z0-9_])goto[^A-Za-z0-9_]/) say("no goto; a function that returns, or AUTO")
    if (ours && line ~ /(^|[^A-Za-z0-9_])(secure_)?getenv\(/) say("no getenv; options come from config")
    if (ours && !system_room && line ~ /(^|[^A-Za-z0-9_])errno([^A-Za-z0-9_]|$)/) say("errno is known in os, http, worker and duck only")
}
END { exit bad }
