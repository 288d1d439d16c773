"""Adversarial explanations of image classifiers: robust networks, and reasons read off their own attacks."""
