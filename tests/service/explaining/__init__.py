"""Tests of app.service.explaining."""
