"""Networks: built from a description, kept in folders that explain themselves, imported from elsewhere unexecuted."""
