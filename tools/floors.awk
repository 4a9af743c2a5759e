# SPDX-License-Identifier: Apache-2.0
# awk -f tools/floors.awk src/FLOORS $(git ls-files 'src/*.[ch]' ':!*_test.c')
#
# Reports every include that src/FLOORS does not allow, and every door but the front one.
function say(what) { print FILENAME ":" FNR ": " what; bad = 1 }
FILENAME ~ /FLOORS$/ {
    if ($0 ~ /^ *(#|$)/) next
    for (i = 2; i <= NF; i++) {
        if (!($i in room)) say($1 " may not look up to " $i)
        may[$1, $i] = 1
    }
    room[$1] = may[$1, $1] = 1
    next
}
/^#include ("[a-z]+\/|<allsource\.h>)/ {
    split($2, door, /["<>\/]/); split(FILENAME, here, "/")
    name = door[2] == "allsource.h" ? "api" : door[2]
    if (!((here[2], name) in may)) say(here[2] " may not include " name)
    else if (name !~ "^(api|base|" here[2] ")$" && door[3] != name ".h")
        say("enter " name " by its front door, " name "/" name ".h")
}
END { exit bad }
