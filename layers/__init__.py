"""What to draw: answers of `geo` turned into shapes, colours, words and a legend."""
