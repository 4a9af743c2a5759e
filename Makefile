# SPDX-License-Identifier: Apache-2.0
# One line a target; `make help` lists them. The work is in CMakePresets.json and tools/.

.DEFAULT_GOAL := help
.PHONY: help setup build run test check sim crash soak fuzz tsan bench demo format tidy floors coverage docs install clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what the build needs from Debian's packages
	@tools/setup

build: setup ## the programs and the library, into build/release
	@tools/build release shipped

run: build ## start the server, its data in ./data (ARGS="--listen 127.0.0.1:3900")
	build/release/allsourced --data-dir data $(ARGS)

test: setup ## everything that CI runs
	@tools/test

check: setup ## the quick part of it: format, floors, unit tests under ASan
	@tools/test --quick

sim: setup ## replay one seed of the simulator: make sim SEED=123
	@tools/build dev >/dev/null && tools/sim $(SEED)

crash: setup ## crash states in bulk: make crash SEEDS=1000
	@tools/build release >/dev/null && tools/sim --seeds $(or $(SEEDS),1000)

soak: setup ## hours, not minutes: kill -9 in hundreds, crash states in millions, long fuzzing
	@tools/soak

fuzz: setup ## let libFuzzer explore: make fuzz SECONDS=60
	@tools/fuzz $(or $(SECONDS),30)

tsan: setup ## the concurrent tests under ThreadSanitizer
	@tools/test --only tsan

bench: setup ## measure, print a table, write build/bench.json
	@tools/bench

demo: build ## real flights: append, query, time travel
	@tools/demo

format: ## put all C files into shape
	@clang-format -i $$(git ls-files '*.[ch]')

tidy: setup ## clang-tidy and the banned functions
	@tools/check-tidy

floors: ## who includes whom
	@tools/check-floors

coverage: setup ## lines covered, by room
	@tools/coverage

docs: build ## print the reference pages from their tables
	@tools/print-docs

install: build ## programs, library, header: make install PREFIX=/usr/local
	@cmake --install build/release --prefix $(or $(PREFIX),/usr/local)

clean: ## remove what was built (never ./data)
	rm -rf build
