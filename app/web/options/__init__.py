"""Options of a request: what they are called, how they are read, what the API page says of them."""
