"""Other methods of explaining, and measures of explanations."""
