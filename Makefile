# `make up` follows this machine's logs, `make demo` made-up ones, `make test` runs every test. All set up what they need.

.PHONY: help up demo test faults bench lint clean

help:
	@echo 'make up      follow this machine'"'"'s logs, route and archive them, until Ctrl-C'
	@echo 'make demo    the same with lively made-up logs, to see everything at work'
	@echo 'make test    run every test; sets up what the tests need. RABBITMQ=4 or 4.3: those that show how it gets on with'
	@echo '             that server, which is unpacked into .rabbitmq/'
	@echo 'make faults  break everything that can break while logs flow, then compare every line; for SECONDS=600 in each'
	@echo '             mode; SEED=n replays a schedule, MODE=embedded, amqp, losing or points runs one mode alone'
	@echo 'make bench   measure speed, memory and size beside peers and limits; ONLY=ship measures one row alone'
	@echo 'make lint    ruff, mypy and import-linter'
	@echo 'make clean   remove the virtual environment and caches'

up:
	@scripts/venv.sh
	@.venv/bin/logrouter up

demo:
	@scripts/venv.sh
	@.venv/bin/logrouter up --demo

RABBITMQ =
OF_THE_BROKER = tests/contract tests/integration tests/acceptance/test_rights.py tests/faults/test_campaign.py

AT_ONCE = -n 3 --dist worksteal

test:
	@scripts/venv.sh dev
	@scripts/test-needs.sh
	@$(if $(RABBITMQ),scripts/rabbitmq-4.sh $(RABBITMQ))
	@RABBITMQ=$(RABBITMQ) .venv/bin/python -m pytest $(AT_ONCE) $(if $(RABBITMQ),-m rabbitmq $(OF_THE_BROKER))

SECONDS = 600
MODE = all

faults:
	@scripts/venv.sh dev
	@scripts/test-needs.sh
	@PYTHONPATH=tests .venv/bin/python -m faults --mode $(MODE) --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

bench:
	@scripts/venv.sh dev
	@scripts/test-needs.sh
	@scripts/bench-needs.sh
	@PYTHONPATH=tests .venv/bin/python -m benchmarks $(if $(ONLY),--only '$(ONLY)')

lint:
	@scripts/venv.sh dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

clean:
	rm -rf .rabbitmq .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
