"""How fast this is beside others' code: on the same weights, pictures and machine, in the same run. `aex bench`."""
