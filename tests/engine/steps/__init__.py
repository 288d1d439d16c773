"""Tests of the gradient steps."""
