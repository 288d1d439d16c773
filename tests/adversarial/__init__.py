"""The mathematics, held against the slow oracle in tests/reference.py, closed forms and the authors' own outputs."""
