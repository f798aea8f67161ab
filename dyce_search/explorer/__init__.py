"""The explorer: one HTML page in which a front is looked at, a point chosen and its configuration taken away.

May import certify and what is below it. What runs in the browser is in the scripts beside this file, in order:
figures, front, chart, panels, controls.
"""
