"""Networks: layers by hand, folders round trip and damaged, files of others."""
