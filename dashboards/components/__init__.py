"""Pieces of pages: each turns values of a snapshot into Dash components and holds no state."""
