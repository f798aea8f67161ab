"""What notebooks show in place of a repr: a small table and a small picture, written by hand, without Matplotlib.

May import errors and the wording of numbers; the objects shown stand on floors above.
"""
