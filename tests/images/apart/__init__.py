"""Tests of app.images.apart."""
