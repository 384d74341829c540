# What tools/do.py does, by the name of make: `make book` is `python tools/do.py book`, and `make` alone lists the rest.
# PYTHON names the interpreter for a new virtual environment, for example: make book PYTHON=python3.12

PYTHON ?= python3
WANTED := $(or $(MAKECMDGOALS),help)

.PHONY: $(WANTED)
$(firstword $(WANTED)):
	@$(PYTHON) tools/do.py $(WANTED)
$(wordlist 2,99,$(WANTED)): $(firstword $(WANTED)) ;
