"""The explorer: one HTML page in which a front is looked at, a point chosen and its configuration taken away.

May import certify and what is below it. What runs in the browser stands beside this file; `view` has the
order of the scripts.
"""
