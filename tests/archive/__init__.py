"""Tests of app.archive."""
