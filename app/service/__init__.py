"""What the product does, without HTTP: the command line and the web ask the same explainer."""
