"""The measures, each against a number known beforehand."""
