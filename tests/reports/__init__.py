"""Reports of explanations, read back as their readers read them."""
