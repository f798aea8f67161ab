"""Points with a statistical guarantee: what a limit means, its tests, the order of the tests, the certificate.

May import evaluation and what is below it.
"""
