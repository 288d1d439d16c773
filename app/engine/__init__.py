"""Owns a device: one thread makes gradient steps and forward passes that rows of many requests share."""
