# SPDX-License-Identifier: GPL-3.0-or-later
# Every target installs what it needs. PYTHON=/path/to/python chooses the interpreter of the virtual environment.
.DEFAULT_GOAL := help
IN_SANDBOX := python3 tests/lab/sandbox.py run .venv/bin/python

CORE_TESTS := $(addprefix tests/live/test_, one_unit.py sets.py drift.py bad_input.py)

.PHONY: help demo demo-shell demo-clean test oracle meaning effects faults deployments bench property mutations worker graph clean

help: ## this text
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "tests/run STAGE... runs single gates: " && python3 tests/run --list

demo: ## the ROT13 server in a systemd container, deployed by playbooks/site.yml and asked over UDP
	python3 tests/demo.py up

demo-shell: ## a shell in the container of the demo
	python3 tests/demo.py shell

demo-clean: ## remove the demo
	python3 tests/demo.py clean

test: ## all gates
	python3 tests/run

oracle: ## value cases, recorded and new ones, shipped units and texts put to the real systemd of the four images
	python3 tests/run images python
	$(IN_SANDBOX) tests/oracle/ask.py --again tests/oracle/recorded.txt
	$(IN_SANDBOX) tests/oracle/ask.py --again tests/oracle/recorded_random.txt
	$(IN_SANDBOX) tests/oracle/ask.py --units
	$(IN_SANDBOX) tests/oracle/ask.py --count 6000 --seed $${SEED:-1}
	$(IN_SANDBOX) tests/oracle/ask.py --shipped
	$(IN_SANDBOX) tests/oracle/text_layer.py
	$(IN_SANDBOX) tests/oracle/effective.py --count 2000 --seed $${SEED:-1}

meaning: ## lint and graph against real systemd: start limit, ordering cycles, the harm of each rule, no false alarms
	python3 tests/run images python
	$(IN_SANDBOX) tests/evidence/start_limit.py
	$(IN_SANDBOX) tests/evidence/cycles.py
	$(IN_SANDBOX) tests/evidence/harm.py
	$(IN_SANDBOX) tests/evidence/vendor_units.py

worker: ## role worker with Celery, RQ and Messenger: 10,000 jobs, four workers, one killed every second, then fewer and more: what is lost and done twice
	python3 tests/run images python
	$(IN_SANDBOX) tests/programs/worker_storm.py

graph: ## draw what site.yml deploys, docs/site.svg; needs Graphviz
	python3 tests/run images python
	$(IN_SANDBOX) tests/evidence/site_graph.py

effects: ## prove on real systemd what a change of each directive needs; writes docs/effects.md
	python3 tests/run images python
	$(IN_SANDBOX) tests/evidence/effects.py --record

faults: ## kill, starve and hang the transaction in every place and see that the next run ends right (RELEASES="252 262")
	python3 tests/run images python
	$(IN_SANDBOX) -m pytest tests/faults -p no:cacheprovider -s

deployments: ## for each release COUNT deployments in a row, sick and killed ones among them: never a mix of versions (SEED)
	python3 tests/run images python
	$(IN_SANDBOX) tests/faults/deployments.py --count $${COUNT:-100} --seed $${SEED:-1}

.PHONY: rollouts
rollouts: ## a rollout over eight hosts with each fault at each of them in turn (ROLLOUTS="--at 0 3 --faults kill")
	python3 tests/run images python
	$(IN_SANDBOX) tests/faults/rollouts.py $${ROLLOUTS:-}

.PHONY: rollout-cost
rollout-cost: ## what a rollout costs the controller for 100, 250 and 500 hosts (COST=--playbook for the whole playbooks)
	python3 tests/run python
	.venv/bin/python tests/bench/rollout_cost.py $${COST:-}

.PHONY: requests
requests: ## requests lost while COUNT versions are deployed, 30 % of them sick: rolling, socket, swap, and systemd_service beside each (REQUESTS="--only swap")
	python3 tests/run images python
	$(IN_SANDBOX) tests/traffic/run.py --count $${COUNT:-50} --seed $${SEED:-1} $${REQUESTS:-}

bench: ## measure against the least that can be done and other ways of working; writes docs/bench.md (BENCH="--rounds 3 --only sets")
	python3 tests/run images python
	$(IN_SANDBOX) tests/bench/run.py $${BENCH:---record}

property: ## random sets of units, then random histories with accidents, on real systemd: COUNT of each for each release, SEED
	python3 tests/run images python
	$(IN_SANDBOX) tests/live/random_sets.py --count $${COUNT:-20} --seed $${SEED:-1}
	$(IN_SANDBOX) tests/property/run.py --count $${COUNT:-20} --seed $${SEED:-1}

mutations: ## put defects of version 0.1 back, one at a time, and see that the state machine finds them
	python3 tests/run images python
	$(IN_SANDBOX) tests/property/mutations.py --seed $${SEED:-1}

red: ## the live tests of what was wrong in version 0.1 against the modules of 0.1: each number has a test that fails there
	python3 tests/run images python
	$(IN_SANDBOX) tests/live/red.py

clean: demo-clean ## remove what the other targets made in the checkout
	rm -rf .venv .venv-importer .cache .coverage dist

.PHONY: docs
docs: ## the site of guides, modules, filters and roles, into .cache/docs/html
	python3 tests/run docs

.PHONY: transports
transports: ## the core of the live tests over ssh with sudo, with pipelining and without, and under Mitogen (RELEASES="257")
	python3 tests/run images python
	for transport in ssh ssh-pipelining; do \
		TRANSPORT=$$transport $(IN_SANDBOX) -m pytest -p no:cacheprovider tests/live/test_confirm_ssh.py $(CORE_TESTS) || exit 1; \
	done
	TRANSPORT=mitogen $(IN_SANDBOX) -m pytest -p no:cacheprovider tests/live/test_transports.py $(CORE_TESTS)

.PHONY: dist
dist: ## what a release has, into dist: the linter unitcraft as one file that Python runs and as a wheel, the tarball, checksums
	python3 tests/run python
	.venv/bin/python tests/tools/dist.py
	.venv/bin/python tests/tools/tarball.py dist
	cd dist && sha256sum * > SHA256SUMS

.PHONY: test-distributions
test-distributions: ## the examples on containers that are laid out as RHEL 9 and 10 are, with Debian's programs in packages of those names
	python3 tests/run images python
	PATH="$(CURDIR)/.venv/bin:$$PATH" python3 tests/lab/sandbox.py run molecule test -s distributions

.PHONY: articles
articles: ## what the two articles behind the examples show at their ends, from fresh containers (RELEASES="252 262")
	python3 tests/run images python
	for release in $${RELEASES:-247 252 257 262}; do $(IN_SANDBOX) tests/programs/articles.py $$release || exit 1; done

.PHONY: reading
reading: ## what unit_info and adopt make of every unit of the four images, against systemctl cat and show
	python3 tests/run images python
	$(IN_SANDBOX) -m pytest tests/oracle/test_definition.py tests/oracle/test_adopt.py -p no:cacheprovider -s

.PHONY: pictures
pictures: ## pictures of the README, from real runs: a rollback in the terminal, the audit page of four hosts; those of docs/audit.md
	python3 tests/run images docs
	$(IN_SANDBOX) tests/pictures/runs.py .cache/pictures
	.venv/bin/python tests/pictures/draw.py .cache/pictures
	.venv/bin/python tests/report/check.py --limits --pictures

.PHONY: stranger
stranger: ## the quick start of the README, word for word, from a fresh Debian to another one over ssh, with the time of each command
	python3 tests/run images python
	$(IN_SANDBOX) tests/programs/stranger.py
