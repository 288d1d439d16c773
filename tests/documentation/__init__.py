"""README, Makefile, container files and pins are held to the code."""
