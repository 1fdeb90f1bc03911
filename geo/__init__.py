"""What is true about a city that is governed by grids: which grid, how many, how far, how late.

Imports no plotting or web library and formats no text for a screen.
"""
