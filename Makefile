# make run [DIR=folder]   index a folder of sounds (or the demo library) and open it
# make test               build and run every test
# Both install what is missing first. make help lists the rest.

SHELL := /bin/bash
CARGO ?= cargo
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/soundkin
VENV := $(CACHE)/venv
LABELS ?=
CORPUS ?= /usr/share/lmms/samples /usr/share/hydrogen/data /usr/share/sonic-pi/samples /usr/share/gcin-voice

.PHONY: help run test check fmt setup-run setup-test bench fuzz labels quality screenshot

help:
	@sed -n '1,3s/^# //p' Makefile
	@echo 'make check              formatting, lints, documentation, licences, tracked files'
	@echo 'make bench [CORPUS=…]   speed compared with ONNX Runtime alone and a Python pool; search; window; first sound'
	@echo '           [BEFORE=…]   and with another build of the program'
	@echo 'make fuzz [EACH=…]      parsers of RIFF, edit lists and manifests against random bytes (needs cargo-fuzz and C++)'
	@echo 'make screenshot         the pictures in README.md, from the real window on real sounds'
	@echo 'make quality LABELS=…   retrieval quality on labelled sounds (a CSV with path, coarse and corpus), compared'
	@echo '                        with the numpy reference'

setup-run:
	@.ci/setup run

setup-test:
	@.ci/setup test

ifdef DIR
run: setup-run
	$(CARGO) run -q -- "$(DIR)"
else
run: setup-run
	@mkdir -p "$(CACHE)"
	$(CARGO) run -q -- --library "$(CACHE)/demo.db" assets/demo
endif

# Benches are only tried: with few sounds, in seconds.
test: setup-test
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
	$(CARGO) nextest run --workspace && $(CARGO) test --workspace --doc && $(CARGO) test -q --bench '*'; \
	else echo 'cargo nextest is not installed; a test that hangs is not ended'; $(CARGO) test --workspace && $(CARGO) test -q --bench '*'; fi

check: setup-run
	$(CARGO) fmt --all --check
	$(CARGO) clippy -q --workspace --all-targets -- -D warnings
	$(CARGO) clippy -q --workspace --all-targets --no-default-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc -q --workspace --no-deps --document-private-items
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny -L error check bans licenses sources; \
	else echo 'cargo deny is not installed; licences not checked'; fi
	@.ci/tidy

fmt:
	$(CARGO) fmt --all

$(VENV)/ready: export/requirements.txt
	python3 -m venv $(VENV)
	grep -vE '^(torch|transformers)' $< > $(VENV)/light.txt
	$(VENV)/bin/pip install -q -r $(VENV)/light.txt
	touch $@

bench: setup-run $(VENV)/ready
	@echo "$$(nproc) cores of $$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $$(date -I)"
	SOUNDKIN_PYTHON=$(VENV)/bin/python SOUNDKIN_BEFORE=$(BEFORE) $(CARGO) bench --profile dev --bench index -- $(CORPUS)
	$(CARGO) bench --profile dev --bench neighbours -- $(CORPUS)
	$(CARGO) bench --profile dev --bench layout -- $(CORPUS)
	$(CARGO) bench --profile dev --bench window
	$(CARGO) bench --profile dev --bench audition
	@.ci/setup test
	$(CARGO) bench --profile dev --bench record

# Instrumentation is an unstable feature of the compiler; the variable allows it on a stable one.
fuzz:
	fuzz/seed.sh
	for target in riff edits manifest; do \
	    RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run $$target -- -max_total_time=$(or $(EACH),120) -max_len=8192 || exit; \
	done

screenshot: setup-test
	$(CARGO) build -q
	export/screenshot.sh "$$($(CARGO) metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug/soundkin" $(filter-out %voice,$(CORPUS))

labels:
	@[ -f "$(LABELS)" ] || { echo 'make quality LABELS=FILE: a CSV with the columns path, coarse (the class) and corpus'; exit 1; }

quality: labels setup-run $(VENV)/ready
	$(CARGO) build -q
	PYTHON=$(VENV)/bin/python LABELS="$(LABELS)" export/compare_quality.sh
