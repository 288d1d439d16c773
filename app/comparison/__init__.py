"""Other ways to explain a network, how far two explanations agree, and how good one is. The only room with captum."""
