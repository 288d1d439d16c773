"""One gradient step of a batch, by whichever back end is quickest here: the seam between engine and network."""
