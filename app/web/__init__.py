"""HTTP, and nothing but HTTP: what is asked is read here, and what was found is written here."""
