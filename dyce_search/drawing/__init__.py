"""Draws arrays on Matplotlib axes; the only room that knows Matplotlib. Never shows, never touches rcParams.

May import nothing of this library: whoever computes what is drawn is upstairs.
"""
