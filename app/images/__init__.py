"""Between bytes and numbers: decoding what was uploaded, fitting it to a network, drawing what came of it."""
