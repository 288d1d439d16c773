"""Tests of app.images."""
