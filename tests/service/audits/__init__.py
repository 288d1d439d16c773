"""Tests of app.service.audits."""
