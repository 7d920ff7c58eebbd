# Two commands do everything on a fresh machine: `make demo` and `make test`.
VENV := .venv/bin
HOME_FOLDER ?= zhengyin-home
LOCKED := -q --generate-hashes --no-emit-index-url --no-emit-find-links --no-header
# One more than the two cores that are counted on: tests wait for processes and browsers a good part of their time. The
# many commands that they start read compiled code, whatever the shell's PYTHONDONTWRITEBYTECODE says.
WORKERS ?= 3

.PHONY: demo serve test agent lint types contracts check bench soak lock pictures

demo:            ## The whole main job on SQLite + SoftHSM
	@scripts/setup run
	$(VENV)/zhengyin --home $(HOME_FOLDER) demo

serve:           ## The pages, on the demo's home
	@scripts/setup run
	$(VENV)/zhengyin --home $(HOME_FOLDER) serve

test:            ## All tests, on SQLite and on a PostgreSQL that the run starts
	@scripts/setup test
	PYTHONDONTWRITEBYTECODE= $(VENV)/pytest -n $(WORKERS)

agent:           ## The reviewer's program as one folder, dist/zhengyin-agent, for the system that it is built on
	@scripts/setup test
	$(VENV)/pyinstaller --noconfirm --log-level ERROR --distpath dist --workpath build/agent scripts/agent.spec

lint:            ## Style and formatting
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .

types:           ## mypy --strict
	$(VENV)/mypy

contracts:       ## Who may import whom
	$(VENV)/lint-imports

check: lint types contracts  ## All static checks

bench:           ## Ratios within one run
	@scripts/setup test
	$(VENV)/python -m bench

soak:            ## The long runs
	@scripts/setup test
	$(VENV)/python -m bench --soak

lock:            ## Resolve requirements/*.in anew, with hashes and without any address
	$(VENV)/uv pip compile $(LOCKED) -o requirements/lock.txt requirements/dev.in
	$(VENV)/uv pip compile $(LOCKED) -c requirements/lock.txt -o requirements/runtime.txt requirements/runtime.in

pictures:        ## The pictures of readme and guide that are drawn from a source
	for name in house certificate-states; do $(VENV)/python -c "import typst; typst.compile('docs/pictures/$$name.typ', \
	  output='docs/pictures/$$name.png', format='png', ppi=120)"; done
