"""The JSON answers, field by field: what the API page says of each."""
