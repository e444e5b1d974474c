# `make` alone lists the targets. SCRATCH is SwiftPM's build folder, PREFIX and DESTDIR are those of the GNU conventions. With
# VERBOSE=1 `test` and `demo` show all that they say; FILTER=NAME has `test` run the tests of that name alone.
SCRATCH ?= .build
PREFIX  ?= /usr/local
DESTDIR ?=

swift_build   = scripts/tidily swift build --scratch-path $(SCRATCH)
swift_release = $(swift_build) -c release --static-swift-stdlib -Xlinker -s
release       = $(SCRATCH)/release
venv          = $(SCRATCH)/interop
python        = scripts/bench $(wildcard scripts/*.py Tests/Interop/*.py)
shell_scripts = scripts/prepare scripts/quietly scripts/tidily scripts/test scripts/test-run scripts/end-to-end scripts/demo .ci/run

.DEFAULT_GOAL := help
.PHONY: help build test test-interop lint demo bench install uninstall clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

build: ## build all programs for release, with the Swift runtime linked in
	scripts/prepare build
	$(swift_release) --product claude-ssh-daemon
	$(swift_release) --product claude-ssh-worker
	$(swift_release) --product claude-ssh-files
	$(swift_release) --product claude-ssh-gate

test: ## install what is missing, build, run every test: unit, sandbox, end to end against a private sshd
	@scripts/prepare test
	@scripts/tidily scripts/test $(SCRATCH)

test-interop: ## install what is missing, build, drive the daemon with the released Python MCP clients, validate all it sends
	scripts/prepare interop
	$(swift_build) --product claude-ssh-daemon
	$(swift_build) --product claude-ssh-worker
	$(swift_build) --product claude-ssh-files
	$(swift_build) --product claude-ssh-gate
	cmp -s Tests/Interop/requirements.txt $(venv)/requirements.txt || { rm -rf $(venv) && python3 -m venv $(venv) && \
		$(venv)/bin/pip install --quiet --disable-pip-version-check -r Tests/Interop/requirements.txt && \
		cp Tests/Interop/requirements.txt $(venv)/; }
	BINARIES=$(SCRATCH)/debug PYTHONDONTWRITEBYTECODE=1 $(venv)/bin/python -m unittest discover -v \
		-s Tests/Interop -t Tests/Interop

lint: ## check the format of the Swift sources and the syntax of the scripts
	swift format lint --strict --parallel --recursive Sources Tests Benchmarks Package.swift
	# In the worker these go past its own threads to Dispatch's pool, which ends a confined process: Sources/Worker/TaskThreads.swift.
	! grep -rnE '^[^/]*(Task\.(yield|sleep)|DispatchQueue\.global)\(' Sources/Worker
	for script in $(shell_scripts); do bash -n $$script || exit 1; done
	if command -v python3 >/dev/null; then \
		for script in $(python); do python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' $$script || exit 1; done; fi
	# What the documents name in the sources is there.
	if command -v python3 >/dev/null; then python3 scripts/named.py || exit 1; fi
	if command -v shellcheck >/dev/null; then shellcheck $(shell_scripts); fi

demo: ## install what is missing, build, show the whole way once on a private sshd
	@scripts/prepare demo
	@scripts/quietly $(SCRATCH)/logs/demo-build.log "Building for release" $(MAKE) --no-print-directory build
	@scripts/demo $(release)

bench: ## install what is missing, build, measure the daemon beside the raw tools on a private sshd
	scripts/prepare bench
	$(MAKE) --no-print-directory build
	$(swift_release) --product GuardBench
	scripts/bench $(release)

install: ## copy what `make build` built to PREFIX
	@for program in daemon worker files gate; do test -x $(release)/claude-ssh-$$program || \
		{ echo 'nothing built yet: run "make build" first' >&2; exit 1; }; done
	install -D -m 755 $(release)/claude-ssh-daemon $(DESTDIR)$(PREFIX)/bin/claude-ssh-daemon
	install -D -m 755 $(release)/claude-ssh-worker $(DESTDIR)$(PREFIX)/libexec/claude-ssh-daemon/claude-ssh-worker
	install -D -m 755 $(release)/claude-ssh-files $(DESTDIR)$(PREFIX)/libexec/claude-ssh-daemon/claude-ssh-files
	install -D -m 755 $(release)/claude-ssh-gate $(DESTDIR)$(PREFIX)/libexec/claude-ssh-daemon/claude-ssh-gate

uninstall: ## remove what `make install` copied
	rm -f $(DESTDIR)$(PREFIX)/bin/claude-ssh-daemon
	rm -rf $(DESTDIR)$(PREFIX)/libexec/claude-ssh-daemon

clean: ## remove what was built
	swift package --scratch-path $(SCRATCH) clean
	rm -rf $(venv)
