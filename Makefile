# Two commands matter: `make run` and `make test`. Each installs what is missing first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# Where .ci/install puts the tools it builds.
export DEV_TOOLS ?= /usr/local/lib/millet-tools
export PATH := $(DEV_TOOLS)/bin:$(PATH)
# Name (or part of it) of the tests to run: make test T=chain
T ?=
# Parts to measure: make bench B="frames glass"
B ?=

.PHONY: help run test lint bench fmt

help:
	@echo "make run    build, and serve a demonstration at http://127.0.0.1:8080"
	@echo "make test   run every test, or those that match: make test T=name"
	@echo "make lint   check form, lints, licences and types"
	@echo "make bench  measure speed beside peers, or parts of it: make bench B=fanout"
	@echo "make fmt    format"

run:
	@.ci/install run
	cargo build --release -p millet-server -p millet-transcoder
	./target/release/millet serve --demo --data ./data --listen 127.0.0.1:8080

test:
	@.ci/install test
	cd web && npm test --silent
	cargo build --workspace --all-targets
	./target/debug/test-servers cargo nextest run --workspace $(T)

lint:
	@.ci/install lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	.ci/deny
	cd web && npm run --silent check

bench:
	@.ci/install bench
	cargo build --release --workspace
	./target/release/bench $(B)

fmt:
	cargo fmt --all
