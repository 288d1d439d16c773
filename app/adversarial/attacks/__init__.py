"""Attacks of a fixed size, in an L2 ball and within [0, 1], for a worst case that one attack alone would flatter.

Each returns images (batch, channels, height, width): changed ones where it fooled the network, clean ones elsewhere.
"""
