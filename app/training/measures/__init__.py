"""What a network is worth, piece by piece: each file one measure, from images and answers to numbers."""
