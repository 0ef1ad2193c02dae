"""What Rollbook reaches on this machine: `make bench`, or `python -m tests.benchmarks [--only ROW] [--quick]`.

Machines differ and their neighbours come and go, so no figure stands alone: what is measured and what it is held
against take turns within the same minute, and what is reported is the median of their ratios.
"""
