#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The library as an embedder meets it: the header in every language that may include it, what the
# library shows of itself, and the example built by pkg-config, shared and static.
#
# usage: tests/api/embed.sh [BUILD_DIR [FLAGS of a sanitizer build]]
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:-$root/build/release}" && pwd)
[ $# -eq 0 ] || shift
space=$(mktemp -d)
trap 'rm -rf "$space"' EXIT
PKG_CONFIG_PATH=$build
export PKG_CONFIG_PATH
CC=${CC:-cc} CXX=${CXX:-c++}

fail() {
    echo "embed: $*" >&2
    exit 1
}

# The header.
strict="-pedantic-errors -Wall -Wextra -Werror -fsyntax-only $(pkg-config --cflags allsource)"
echo '#include <allsource.h>' >"$space/header.c"
cp "$space/header.c" "$space/header.cpp"
for standard in c99 c11 c17 gnu2x; do
    $CC -std=$standard $strict "$space/header.c" || fail "the header is no $standard"
done
if command -v "$CXX" >/dev/null; then
    for standard in c++11 c++17 c++20; do
        $CXX -std=$standard $strict "$space/header.cpp" || fail "the header is no $standard"
    done
else
    echo "embed: there is no C++ compiler here; the header is not tried as C++"
fi

# What is to be seen.
foreign=$(nm -D --defined-only "$build/liballsource.so" | awk '$3 !~ /^als_/ { print $3 }')
[ -z "$foreign" ] || fail "liballsource.so exports more than als_*:" $foreign
foreign=$(nm -g --defined-only "$build/liballsource.a" | awk 'NF == 3 && $3 !~ /^als_/ { print $3 }')
[ -z "$foreign" ] || fail "liballsource.a shows more than als_*:" $foreign
for name in $(sed -n 's/^ALS_API .*[ *]\(als_[a-z_]*\)(.*/\1/p' "$root/include/allsource.h"); do
    nm -D --defined-only "$build/liballsource.so" | grep -q " $name\$" ||
        fail "$name is promised by the header and not in the library"
done

# The example, and one whose own names are those of our rooms.
cat >"$space/clash.c" <<'END'
#include <allsource.h>
int buf_init(void);
int buf_init(void) { return 7; }
int err_code(void);
int err_code(void) { return 7; }
int main(void) { return als_version_text()[0] && buf_init() + err_code() == 14 ? 0 : 1; }
END
cat >"$space/expected" <<'END'
1 {"total":99,"paid":false}
2 {"paid":true}
state {"total":99,"paid":true}
END
compile="$CC -std=c99 -Wall -Wextra -Werror $*"
beside=$(pkg-config --static --libs allsource | sed 's/-lallsource//') # what a static program needs, too
$compile "$root/examples/embed.c" $(pkg-config --cflags --libs allsource) -o "$space/shared"
$compile "$root/examples/embed.c" $(pkg-config --cflags allsource) "$build/liballsource.a" $beside \
    -pthread -lm -o "$space/static"
$compile "$space/clash.c" $(pkg-config --cflags allsource) "$build/liballsource.a" $beside \
    -pthread -lm -o "$space/clash"
LD_LIBRARY_PATH=$build
export LD_LIBRARY_PATH
"$space/clash" || fail "names of the library clash with those of a program"
for form in shared static; do
    "$space/$form" "$space/$form-data" >"$space/first" || fail "the $form example failed"
    diff "$space/expected" "$space/first" || fail "the $form example printed something else"
    "$space/$form" "$space/$form-data" >"$space/second" || fail "the $form example failed"
    [ "$(grep -c '^not appended: ' "$space/second")" = 2 ] ||
        fail "the $form example, run again, saw no version conflicts"
    grep -v '^not appended: ' "$space/second" | diff "$space/expected" - ||
        fail "the $form example, run again, found something else"
done
echo "embed: header, exports and example are as promised"
